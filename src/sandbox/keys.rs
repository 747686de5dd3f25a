//! The keys that get tokens: those of the user (access keys, once user applications) and those of the organisation
//! (service accounts, once applications).

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::endpoint::Family;
use super::ledger;
use super::line::Line;
use super::moment::Moment;
use super::random;
use super::record::Application;
use crate::credential::{ClientSecret, Credential};

mod others;

/// How many keys a user has at most (the vendor's guide to user access keys).
pub(super) const MAX_USER_KEYS: usize = 20;

/// How many the organisation has at most: ours, so that a sandbox left running does not fill the memory.
const MAX_ORGANISATION_KEYS: usize = 1_000;

/// How many deleted keys are remembered.
const MAX_DELETED_KEYS: usize = 1_024;

/// The one user whose keys are not another user's.
pub(super) const USER: &str = "user@sandbox.invalid";

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    User,
    /// Another user, whose keys the administration alone sees.
    Other,
    Organisation,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) owner: Owner,
    pub(super) id: String,
    /// Not the ID; of the organisation's keys it is the name, as in the vendor's examples.
    pub(super) client_id: String,
    pub(super) name: String,
    pub(super) secret: ClientSecret,
    pub(super) enabled: bool,
    pub(super) created_by: String,
    /// These two since 1970.
    pub(super) created_at: Duration,
    pub(super) updated_at: Duration,
    logins: VecDeque<Moment>,
}

/// Why no key was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotCreated {
    /// The name is not one.
    Name,
    /// The name is taken.
    Taken,
    /// There are as many as there may be.
    TooMany,
    /// The operating system gives no random bytes.
    NoRandom,
}

/// All keys, in the order of creation.
pub(super) struct Keys {
    keys: Vec<Key>,
    /// Those that were deleted, and when.
    deleted: VecDeque<(Key, Instant)>,
    /// Every secret that was made here.
    made: VecDeque<String>,
}

impl Owner {
    /// Whose keys a family creates.
    pub(super) const fn of(family: Family) -> Self {
        if family.is_of_the_organisation() {
            Self::Organisation
        } else {
            Self::User
        }
    }

    /// Whether a family shows this owner's keys.
    const fn is_shown_by(self, family: Family) -> bool {
        match self {
            Self::User => !family.is_of_the_organisation(),
            Self::Other => family.is_administration(),
            Self::Organisation => family.is_of_the_organisation(),
        }
    }
}

impl Key {
    /// The last login of those until a moment, if it is one of the last [`MAX_LOGINS`].
    pub(super) fn last_login(&self, until: Instant) -> Option<Moment> {
        let seen = self.logins.iter().rev().find(|login| login.mono <= until);
        seen.copied()
    }
}

impl Keys {
    /// The one key that a sandbox starts with: the user's, or where users have none the organisation's.
    pub(super) fn new(line: Line, client_id: String, secret: ClientSecret, now: Duration) -> Self {
        let (owner, name) = if line.has_user_keys() {
            (Owner::User, FIRST_NAME.to_owned())
        } else {
            (Owner::Organisation, client_id.clone())
        };
        let first = Key {
            owner,
            id: FIRST_ID.to_owned(),
            client_id,
            name,
            secret,
            enabled: true,
            created_by: USER.to_owned(),
            created_at: now,
            updated_at: now,
            logins: VecDeque::new(),
        };
        Self {
            keys: vec![first],
            deleted: VecDeque::new(),
            made: VecDeque::new(),
        }
    }

    /// The keys that a family shows: those that are there, and those that were not deleted before this moment.
    pub(super) fn shown_by(&self, family: Family, since: Instant) -> impl Iterator<Item = &Key> {
        let deleted = self.deleted.iter().filter(move |(_, at)| *at > since);
        let keys = self.keys.iter().chain(deleted.map(|(key, _)| key));
        keys.filter(move |key| key.owner.is_shown_by(family))
    }

    /// The family's key of this ID.
    pub(super) fn find(&mut self, family: Family, id: &str) -> Option<&mut Key> {
        self.keys
            .iter_mut()
            .find(|key| key.owner.is_shown_by(family) && key.id == id)
    }

    /// The key of this ID, of any user, deleted or not.
    pub(super) fn by_id(&self, id: &str) -> Option<&Key> {
        let deleted = self.deleted.iter().map(|(key, _)| key);
        self.keys.iter().chain(deleted).find(|key| key.id == id)
    }

    /// The key that this credential proves, and its login is noted.
    pub(super) fn log_in(&mut self, credential: &Credential, now: Moment) -> Option<&Key> {
        let key = self.keys.iter_mut().find(|key| {
            key.client_id == credential.client_id && key.secret == credential.client_secret
        })?;
        if !key.enabled {
            return None;
        }
        key.logins.push_back(now);
        if key.logins.len() > MAX_LOGINS {
            key.logins.pop_front();
        }
        Some(key)
    }

    /// Creates a key with a new ID and a new secret.
    pub(super) fn create(
        &mut self,
        line: Line,
        owner: Owner,
        name: &str,
        now: Duration,
    ) -> Result<&Key, NotCreated> {
        if !is_name(line, name) {
            return Err(NotCreated::Name);
        }
        let client_id = match owner {
            Owner::User | Owner::Other => random::uuid().map_err(|_| NotCreated::NoRandom)?,
            Owner::Organisation => name.to_owned(),
        };
        let of_owner = || self.keys.iter().filter(|key| key.owner == owner);
        if of_owner().any(|key| key.name == name)
            || self.keys.iter().any(|key| key.client_id == client_id)
        {
            return Err(NotCreated::Taken);
        }
        let limit = match owner {
            Owner::User | Owner::Other => MAX_USER_KEYS,
            Owner::Organisation => MAX_ORGANISATION_KEYS,
        };
        if of_owner().count() >= limit {
            return Err(NotCreated::TooMany);
        }
        let key = Key {
            owner,
            id: random::uuid().map_err(|_| NotCreated::NoRandom)?,
            client_id,
            name: name.to_owned(),
            secret: self.make_secret().map_err(|_| NotCreated::NoRandom)?,
            enabled: true,
            created_by: USER.to_owned(),
            created_at: now,
            updated_at: now,
            logins: VecDeque::new(),
        };
        Ok(self.keys.push_mut(key))
    }

    /// Removes a family's key, if it is there.
    pub(super) fn remove(&mut self, family: Family, id: &str, now: Instant) -> Option<&Key> {
        let is_it = |key: &Key| key.owner.is_shown_by(family) && key.id == id;
        let place = self.keys.iter().position(is_it)?;
        self.deleted.push_back((self.keys.remove(place), now));
        if self.deleted.len() > MAX_DELETED_KEYS {
            self.deleted.pop_front();
        }
        self.deleted.back().map(|(key, _)| key)
    }

    /// A random secret, which is remembered.
    pub(super) fn make_secret(&mut self) -> Result<ClientSecret, getrandom::Error> {
        let text = random::secret()?;
        ledger::remember(&mut self.made, text.clone());
        ClientSecret::parse(&text).map_err(|_| getrandom::Error::UNEXPECTED)
    }

    /// Changes the secret of the key that the sandbox started with, if it is still there.
    pub(super) fn set_first_secret(&mut self, secret: ClientSecret) {
        if let Some(key) = self.keys.iter_mut().find(|key| key.id == FIRST_ID) {
            key.secret = secret;
        }
    }

    /// Every secret that was made here, in order.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.made.iter().cloned().collect()
    }

    /// The keys as the person who started the sandbox sees them, those of other users apart.
    pub(super) fn list(&self) -> Vec<Application> {
        let keys = self.keys.iter().filter(|key| key.owner != Owner::Other);
        keys.map(|key| Application {
            id: key.id.clone(),
            client_id: key.client_id.clone(),
            name: key.name.clone(),
            enabled: key.enabled,
            last_login: key.logins.back().map(|login| login.unix),
        })
        .collect()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // without the secrets that were made
        f.debug_struct("Keys").field("keys", &self.keys).finish()
    }
}

/// The name of the key that a sandbox starts with, where users have keys.
const FIRST_NAME: &str = "first-key";

/// How many logins of a key are remembered.
const MAX_LOGINS: usize = 64;

/// The ID of the key that a sandbox starts with.
const FIRST_ID: &str = "8c1f5c5e-2f0a-4d0e-9d5b-3f6c1a000001";

/// `^[a-z][-_a-z0-9]*[a-z0-9]$`, where the line has the rule.
fn is_name(line: Line, name: &str) -> bool {
    if !line.has_name_rule() {
        return !name.is_empty();
    }
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let [first, middle @ .., last] = name.as_bytes() else {
        return false;
    };
    first.is_ascii_lowercase()
        && middle.iter().all(|b| alphanumeric(*b) || b"-_".contains(b))
        && alphanumeric(*last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_vendors_rule_from_2_20_on() {
        for good in ["ab", "a1", "a-b", "a_b", "a-_-1", "ci-runner-2"] {
            assert!(is_name(Line::V2_20, good), "{good}");
        }
        for bad in [
            "", "a", "1a", "-a", "a-", "a_", "A1", "aB", "a.b", "a b", "ä1", "ab\n",
        ] {
            assert!(!is_name(Line::V2_20, bad), "{bad:?}");
        }
        assert!(is_name(Line::V2_18, "My App.") && !is_name(Line::V2_18, ""));
    }

    #[test]
    fn secrets_are_remembered_and_not_printed() {
        let secret = ClientSecret::parse("canary").unwrap();
        let mut keys = Keys::new(Line::V2_20, "app".to_owned(), secret, Duration::ZERO);
        let made = keys.make_secret().unwrap();
        assert_eq!(keys.secrets(), [made.expose()]);
        let shown = format!("{keys:?}");
        assert!(!shown.contains("canary") && !shown.contains(made.expose()));
    }
}
