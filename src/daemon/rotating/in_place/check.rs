//! Checks whether the secret of a profile's key can be replaced in place, without changing anything.

use std::time::Duration;

use super::super::driver::Driver;
use super::super::how::HowToRotate;
use super::super::refused::{InPlaceRefused, RotationRefused};
use crate::applications::{ApiError, ApiErrorKind, Application, Family, KeyIssuer, Kind};
use crate::rotation::KeyRef;
use crate::store::{BoundTarget, Record, RotationMode, RotationRead};

/// The minimum remaining validity of the kept token: a call whose answer was lost is repeated with it.
pub(super) const LASTING: Duration = Duration::from_secs(15 * 60);

/// What the issuer says about a client ID.
pub(super) enum KeyLookup {
    /// This key.
    Key(Family, Application),
    /// No key that the token's user may see, and whether that user may see the keys of users.
    Nothing { may_see: bool },
    /// The issuer did not answer this question.
    Unknown(ApiError),
}

impl Driver {
    /// Checks whether a rotation in place could begin now, or be joined.
    ///
    /// # Errors
    /// [`RotationRefused`] if neither is possible.
    pub(in crate::daemon::rotating) async fn check_in_place(
        &mut self,
        how: &HowToRotate,
    ) -> Result<(), RotationRefused> {
        let (shared, name) = (self.shared(), self.name.clone());
        let journal = self.blocking(move || shared.outside.journals.read(&name));
        match journal.await.map_err(RotationRefused::System)? {
            Ok(RotationRead::Begun(journal)) if journal.mode == RotationMode::InPlace => {
                return Ok(());
            }
            Ok(RotationRead::Begun(_)) => return Err(InPlaceRefused::OverlapIsOpen.into()),
            // The rotation's own task reports what is wrong with the slot.
            Ok(RotationRead::Unclear { .. }) | Err(_) => return Ok(()),
            Ok(RotationRead::Absent) => {}
        }
        let record = self.record().await.map_err(InPlaceRefused::NotRead)?;
        let record = record.ok_or(InPlaceRefused::NothingStored)?;
        self.find_in_place(how, &record).await.map(drop)
    }

    /// Finds the key whose secret is to be replaced, as the issuer lists it.
    ///
    /// # Errors
    /// [`RotationRefused`] if the secret cannot be replaced.
    pub(super) async fn find_in_place(
        &mut self,
        how: &HowToRotate,
        record: &Record,
    ) -> Result<KeyRef, RotationRefused> {
        self.with.clone_from(&how.with);
        if matches!(record.binding.bound, BoundTarget::Origin(_)) {
            return Err(InPlaceRefused::OldRecord.into());
        }
        self.refuse_sharers(record)?;
        self.probe_store().await?;
        let manager = self.with.clone().unwrap_or_else(|| self.name.clone());
        let handle = self.shared.handle(&manager);
        let lifetime = handle.and_then(|handle| handle.state().lifetime);
        if let Some(short) = lifetime.filter(|lifetime| *lifetime <= LASTING) {
            return Err(InPlaceRefused::ShortTokens(short).into());
        }
        let keys = self.keys().await.ok_or(InPlaceRefused::NoToken)?;
        let client_id = &record.key.credential.client_id;
        match self.find_key(&*keys, client_id).await {
            KeyLookup::Key(family, key) => {
                self.family = Some(family);
                Ok(KeyRef {
                    client_id: key.client_id,
                    id: Some(key.id),
                    name: Some(key.name),
                })
            }
            KeyLookup::Nothing { may_see: true } => Err(InPlaceRefused::NotListed.into()),
            KeyLookup::Nothing { may_see: false } => Err(InPlaceRefused::MayNotManage.into()),
            KeyLookup::Unknown(trouble) => Err(InPlaceRefused::NoList(trouble.to_string()).into()),
        }
    }

    /// Refuses if another profile or machine uses the key: a rotation in place revokes its secret at once.
    fn refuse_sharers(&self, record: &Record) -> Result<(), InPlaceRefused> {
        let key = &record.key.credential;
        let profile = self.shared.profile(&self.name);
        let is_marked = profile.as_ref().is_some_and(|it| it.rotation.is_shared);
        if is_marked || key.is_shared() {
            return Err(InPlaceRefused::Shared);
        }
        let sharers = self.sharers(&record.binding.origin(), &key.client_id);
        let unknown = self.possible_sharers();
        match (sharers.is_empty(), unknown.is_empty()) {
            (false, _) => Err(InPlaceRefused::UsedBy { sharers, unknown }),
            (true, false) => Err(InPlaceRefused::MayBeUsedBy(unknown)),
            (true, true) => Ok(()),
        }
    }

    async fn probe_store(&self) -> Result<(), RotationRefused> {
        let (shared, name) = (self.shared(), self.name.clone());
        let probed = self.blocking(move || shared.store(&name).map(|store| store.probe(&name)));
        match probed.await.map_err(RotationRefused::System)? {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(InPlaceRefused::of_store(&error).into()),
            None => Err(RotationRefused::ReadOnly),
        }
    }

    /// Searches the user's keys for this client ID, then the organisation's.
    pub(super) async fn find_key(&self, keys: &dyn KeyIssuer, client_id: &str) -> KeyLookup {
        let mut may_see = true;
        for kind in [Kind::Auto, Kind::ServiceAccount, Kind::Application] {
            match keys.list(kind).await {
                Ok(listed) => {
                    let mut all = listed.keys.into_iter();
                    if let Some(key) = all.find(|key| key.client_id == client_id) {
                        return KeyLookup::Key(listed.family, key);
                    }
                }
                Err(trouble) => match trouble.kind {
                    ApiErrorKind::NoSuchEndpoint => {}
                    ApiErrorKind::Forbidden => may_see &= kind != Kind::Auto,
                    _ => return KeyLookup::Unknown(trouble),
                },
            }
        }
        KeyLookup::Nothing { may_see }
    }
}
