//! The keys that get tokens: those of users and those of the organisation.
//!
//! User keys are access keys, formerly user applications. The organisation's keys are service accounts, formerly
//! applications.

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

/// The maximum number of a user's keys (the vendor's guide to user access keys).
pub(super) const MAX_USER_KEYS: usize = 20;

/// The maximum number of the organisation's keys: a limit of the sandbox to save memory, not the vendor's.
const MAX_ORGANISATION_KEYS: usize = 1_000;

/// The maximum number of remembered deleted keys.
const MAX_DELETED_KEYS: usize = 1_024;

/// The name of the sandbox's main user.
pub(super) const USER: &str = "user@sandbox.invalid";

/// The owner of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    User,
    /// Another user, whose keys only the administration endpoints show.
    Other,
    Organisation,
}

/// A key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) owner: Owner,
    pub(super) id: String,
    /// Not the key's ID. For the organisation's keys it is the name, as in the vendor's examples.
    pub(super) client_id: String,
    pub(super) name: String,
    pub(super) secret: ClientSecret,
    pub(super) enabled: bool,
    pub(super) created_by: String,
    /// The times of this key are since 1970.
    pub(super) created_at: Duration,
    pub(super) updated_at: Duration,
    logins: VecDeque<Moment>,
}

/// The reason why no key was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotCreated {
    /// The name is invalid.
    Name,
    /// Another key has the name.
    Taken,
    /// The owner has the maximum number of keys.
    TooMany,
    /// The operating system gives no random bytes.
    NoRandom,
}

/// All keys, in the order of creation.
pub(super) struct Keys {
    keys: Vec<Key>,
    /// The deleted keys, each with the time of its deletion.
    deleted: VecDeque<(Key, Instant)>,
    /// All generated secrets.
    made: VecDeque<String>,
}

impl Owner {
    /// Returns the owner of the keys that a family creates.
    pub(super) const fn of(family: Family) -> Self {
        if family.is_of_the_organisation() {
            Self::Organisation
        } else {
            Self::User
        }
    }

    /// Returns whether a family shows this owner's keys.
    const fn is_shown_by(self, family: Family) -> bool {
        match self {
            Self::User => !family.is_of_the_organisation(),
            Self::Other => family.is_administration(),
            Self::Organisation => family.is_of_the_organisation(),
        }
    }
}

impl Key {
    /// Returns the last login until a moment, if it is among the last [`MAX_LOGINS`].
    pub(super) fn last_login(&self, until: Instant) -> Option<Moment> {
        let seen = self.logins.iter().rev().find(|login| login.mono <= until);
        seen.copied()
    }
}

impl Keys {
    /// Makes the set with the initial key: a user's, or the organisation's on lines without user keys.
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

    /// Returns the keys that a family shows: the existing ones, and those that were deleted after `since`.
    pub(super) fn shown_by(&self, family: Family, since: Instant) -> impl Iterator<Item = &Key> {
        let deleted = self.deleted.iter().filter(move |(_, at)| *at > since);
        let keys = self.keys.iter().chain(deleted.map(|(key, _)| key));
        keys.filter(move |key| key.owner.is_shown_by(family))
    }

    /// Returns the family's key of this ID.
    pub(super) fn find(&mut self, family: Family, id: &str) -> Option<&mut Key> {
        self.keys
            .iter_mut()
            .find(|key| key.owner.is_shown_by(family) && key.id == id)
    }

    /// Returns the key of this ID, of any owner, deleted or not.
    pub(super) fn by_id(&self, id: &str) -> Option<&Key> {
        let deleted = self.deleted.iter().map(|(key, _)| key);
        self.keys.iter().chain(deleted).find(|key| key.id == id)
    }

    /// Returns the key of this credential, and records its login.
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

    /// Removes the family's key of this ID, if it exists.
    pub(super) fn remove(&mut self, family: Family, id: &str, now: Instant) -> Option<&Key> {
        let is_it = |key: &Key| key.owner.is_shown_by(family) && key.id == id;
        let place = self.keys.iter().position(is_it)?;
        self.deleted.push_back((self.keys.remove(place), now));
        if self.deleted.len() > MAX_DELETED_KEYS {
            self.deleted.pop_front();
        }
        self.deleted.back().map(|(key, _)| key)
    }

    /// Makes a random secret and remembers it.
    pub(super) fn make_secret(&mut self) -> Result<ClientSecret, getrandom::Error> {
        let text = random::secret()?;
        ledger::remember(&mut self.made, text.clone());
        ClientSecret::parse(&text).map_err(|_| getrandom::Error::UNEXPECTED)
    }

    /// Changes the secret of the initial key, if it still exists.
    pub(super) fn set_first_secret(&mut self, secret: ClientSecret) {
        if let Some(key) = self.keys.iter_mut().find(|key| key.id == FIRST_ID) {
            key.secret = secret;
        }
    }

    /// Returns all generated secrets, in order.
    pub(super) fn secrets(&self) -> Vec<String> {
        self.made.iter().cloned().collect()
    }

    /// Returns the keys for the sandbox's user, without those of other users.
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
        // omits the generated secrets
        f.debug_struct("Keys").field("keys", &self.keys).finish()
    }
}

/// The name of the initial key, on lines with user keys.
const FIRST_NAME: &str = "first-key";

/// The maximum number of remembered logins of a key.
const MAX_LOGINS: usize = 64;

/// The ID of the initial key.
const FIRST_ID: &str = "8c1f5c5e-2f0a-4d0e-9d5b-3f6c1a000001";

/// Checks for `^[a-z][-_a-z0-9]*[a-z0-9]$`, on lines with this rule.
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
