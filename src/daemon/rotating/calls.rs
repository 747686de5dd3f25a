//! The calls to the issuer's API.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tracing::debug;

use super::driver::Driver;
use crate::applications::{
    ApiError, ApiErrorKind, CreatedKey, Family, KeyIssuer, KeyName, Kind, Listed, Reply,
};
use crate::credential::Credential;
use crate::profile::ProfileName;
use crate::rotation::{CallRefusal, Event, KeyRef, ListedKey, Listing};
use crate::store::Key;
use crate::token::AccessToken;

/// How long to wait for a token of the profile that manages the keys.
const FOR_TOKEN: Duration = Duration::from_secs(10);

impl Driver {
    /// Returns the API for the keys, authorized by the managing profile's token; `None` if that profile holds no
    /// token.
    pub(super) async fn keys(&mut self) -> Option<Arc<dyn KeyIssuer>> {
        let manager = self.with.clone().unwrap_or_else(|| self.name.clone());
        let Some(handle) = self.shared.handle(&manager) else {
            self.hindrance.note(self.gone(&manager));
            return None;
        };
        match handle.token(Duration::ZERO, FOR_TOKEN).await {
            Ok(served) => self.keys_with(&manager, served.held.token.share()),
            Err(problem) => {
                let why = problem.detail();
                self.hindrance.note(format!(
                    "a token of {manager}, which manages the keys: {why}"
                ));
                None
            }
        }
    }

    /// Describes the wait while the managing profile is missing from the configuration.
    fn gone(&self, manager: &ProfileName) -> String {
        let what = format!("the profile {manager}, which is not in the configuration: put it back");
        if *manager == self.name {
            return what;
        }
        let name = &self.name;
        format!(
            "{what}, or name another profile of the same user: jeton rotate {name} --with PROFILE"
        )
    }

    /// Returns the API for the keys, authorized by this token of this profile.
    pub(super) fn keys_with(
        &self,
        profile: &ProfileName,
        token: AccessToken,
    ) -> Option<Arc<dyn KeyIssuer>> {
        let enrolment = self.shared.handle(profile)?.enrolment()?;
        let profile = self.shared.profile(profile)?;
        (self.shared.outside.keys)(&profile, token, enrolment.ca.clone())
    }

    pub(super) async fn list(&mut self) -> Event {
        let Some(keys) = self.keys().await else {
            return Event::NotSent;
        };
        let listed = match keys.list(Kind::Auto).await {
            Ok(listed) => listed,
            Err(trouble) => return self.failed(&trouble),
        };
        self.forget_gone(&listed).await;
        self.family = Some(listed.family);
        let mut listing = Listing {
            date: listed.server_date,
            keys: vec![],
        };
        add(&mut listing, listed);
        if let Some(own) = self.client_id()
            && listing.by_client(&own).is_none()
        {
            // Lists the organisation's keys to name the right cause; a user who may not see them gets an empty list
            // here.
            for kind in [Kind::ServiceAccount, Kind::Application] {
                if let Ok(listed) = keys.list(kind).await {
                    let theirs = Listed {
                        keys: listed
                            .keys
                            .into_iter()
                            .filter(|key| key.client_id == own)
                            .collect(),
                        ..listed
                    };
                    add(&mut listing, theirs);
                }
            }
        }
        Event::Listed(listing)
    }

    pub(super) async fn create(&mut self, name: &str) -> Event {
        let (Some(keys), Some(family)) = (self.keys().await, self.family) else {
            return Event::NotSent;
        };
        let Ok(key_name) = KeyName::parse(name) else {
            return Event::Refused(CallRefusal::Other);
        };
        match keys.create(family, &key_name).await {
            Reply::Done(made) => self.created(name, made),
            Reply::Refused(trouble) => self.failed(&trouble),
            Reply::Lost(trouble) => {
                debug!(%trouble, "the answer to the creation is lost");
                self.note_trouble(&trouble);
                Event::Lost
            }
        }
    }

    /// Keeps the secret of the new key.
    fn created(&mut self, name: &str, made: CreatedKey) -> Event {
        let refer = KeyRef {
            client_id: made.client_id.clone(),
            id: Some(made.id.clone()),
            name: Some(name.to_owned()),
        };
        let Ok(credential) = Credential::new(&made.client_id, made.secret) else {
            // No request can carry this client ID. The state machine finds the key by its name and deletes it.
            self.hindrance
                .note("the control plane: its answer has a client ID that no request can carry");
            return Event::Lost;
        };
        let key = Key {
            credential,
            key_id: Some(made.id),
            key_name: Some(name.to_owned()),
            created_at: self.shared.outside.clock.now().unix,
            server_date: made.server_date,
        };
        *self.made.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
        Event::Created(refer)
    }

    pub(super) async fn delete(&mut self, key: KeyRef) -> Event {
        if !self.may_delete(&key).await {
            return Event::NotSent;
        }
        let Some(keys) = self.keys().await else {
            return Event::NotSent;
        };
        let label = key.label().to_owned();
        let id = match (key.id, self.family) {
            (Some(id), Some(family)) => (family, id),
            // Where neither the record nor the journal has the ID, the issuer's list has it.
            (id, _) => match keys.list(Kind::Auto).await {
                Ok(listed) => {
                    self.family = Some(listed.family);
                    let of_client = |client: &str| client == key.client_id;
                    let mut found = listed
                        .keys
                        .into_iter()
                        .filter(|it| of_client(&it.client_id));
                    match id.or_else(|| found.next().map(|found| found.id)) {
                        Some(id) => (listed.family, id),
                        None => return Event::Deleted,
                    }
                }
                Err(trouble) => return self.failed(&trouble),
            },
        };
        match keys.delete(id.0, &id.1).await {
            Reply::Done(()) => Event::Deleted,
            Reply::Refused(trouble) if trouble.kind == ApiErrorKind::NotFound => Event::Deleted,
            Reply::Refused(trouble) => {
                self.undeleted.insert(label, key.client_id);
                self.failed(&trouble)
            }
            Reply::Lost(trouble) => {
                self.note_trouble(&trouble);
                Event::Lost
            }
        }
    }

    fn note_trouble(&mut self, trouble: &ApiError) {
        self.hindrance
            .note(format!("the control plane: {}", trouble.cause()));
    }

    /// Returns the event for a call that failed.
    fn failed(&mut self, trouble: &ApiError) -> Event {
        debug!(%trouble, "a call of the rotation failed");
        self.note_trouble(trouble);
        if trouble.may_be_done {
            return Event::Lost;
        }
        match trouble.kind {
            ApiErrorKind::Conflict => Event::Refused(CallRefusal::NameTaken),
            ApiErrorKind::Unauthorized => Event::Refused(CallRefusal::Unauthorized),
            ApiErrorKind::Forbidden => Event::Refused(CallRefusal::Forbidden),
            ApiErrorKind::Busy | ApiErrorKind::Unreachable(_) => Event::NotSent,
            _ => Event::Refused(CallRefusal::Other),
        }
    }

    /// Returns the client ID of the credential that the profile uses.
    fn client_id(&self) -> Option<String> {
        let enrolment = self.shared.handle(&self.name)?.enrolment()?;
        Some(enrolment.client_id.clone())
    }
}

fn add(listing: &mut Listing, listed: Listed) {
    let is_users = listed.family.is_own();
    let keys = listed.keys.into_iter().map(|key| ListedKey {
        last_login: key
            .last_login
            .map(|at| crate::instant::UnixTime::from_epoch(Duration::from_secs(at))),
        id: key.id,
        name: key.name,
        client_id: key.client_id,
        is_users,
    });
    listing.keys.extend(keys);
}

/// The families whose keys a rotation with overlap creates and deletes.
const _: () = assert!(Family::AccessKeys.is_own() && Family::UserApplications.is_own());
