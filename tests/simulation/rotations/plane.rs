//! The issuer's keys, and the effects of API calls on them over time.

use std::time::Duration;

use fastrand::Rng;
use jetond::applications::Application;

use super::history::{Event, Secret};

/// The issuer's clock at the begin of the run, in Unix seconds.
pub(super) const EPOCH: u64 = 1_800_000_000;

const DAY: u64 = 86_400;

/// The begin of every secret.
const CANARY: &str = "canary-secret-";

/// How precisely the issuer shows the last use of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logins {
    Exact,
    /// Only the day.
    Days,
    Never,
}

/// A key at the issuer.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) number: u32,
    pub(super) name: String,
    /// How often its secret was replaced.
    version: u32,
    created: Duration,
    /// The time from which all replicas know it and its secret.
    known_from: Duration,
    last_login: Option<Duration>,
}

/// A change of the keys.
#[derive(Debug, Clone)]
pub(super) enum Change {
    /// Creates a key of this name, which all replicas know after this duration.
    Create(String, Duration),
    /// Deletes the key of this ID.
    Delete(String),
    /// Replaces the secret of the key of this ID. All replicas know the new one after this duration, and none the
    /// former one from now on.
    Renew(String, Duration),
}

/// The reason why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotMade {
    NameTaken,
    NoSuchKey,
}

/// The keys of one user.
#[derive(Debug)]
pub(super) struct KeyPlane {
    logins: Logins,
    /// Whether the API accepts the tokens of a secret that was replaced.
    tokens_survive: bool,
    keys: Vec<Key>,
    made: u32,
    late: Vec<(Duration, Change)>,
    /// The list from each moment on.
    lists: Vec<(Duration, Vec<Key>)>,
}

// === impl Key ===

impl Key {
    pub(super) fn id(&self) -> String {
        id(self.number)
    }

    pub(super) fn client_id(&self) -> String {
        format!("client-{}", self.number)
    }

    /// Returns its present secret, as the issuer answers it.
    pub(super) fn secret(&self) -> String {
        format!("{CANARY}{}-{}", self.number, self.version)
    }

    pub(super) fn present(&self) -> Secret {
        Secret {
            key: self.number,
            version: self.version,
        }
    }
}

/// Returns the ID of the key of this number.
pub(super) fn id(number: u32) -> String {
    format!("id-{number}")
}

/// Returns the secret of this text.
pub(super) fn secret_of(text: &str) -> Option<Secret> {
    let (key, version) = text.strip_prefix(CANARY)?.split_once('-')?;
    Some(Secret {
        key: key.parse().ok()?,
        version: version.parse().ok()?,
    })
}

/// Returns the secret of this text, if it is of the key of this client ID.
pub(super) fn key_of(client_id: &str, text: &str) -> Option<Secret> {
    let number: u32 = client_id.strip_prefix("client-")?.parse().ok()?;
    secret_of(text).filter(|secret| secret.key == number)
}

// === impl Plane ===

impl KeyPlane {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let logins = match rng.u8(0..8) {
            0 => Logins::Days,
            1 => Logins::Never,
            _ => Logins::Exact,
        };
        Self {
            logins,
            tokens_survive: rng.u8(0..4) > 0,
            keys: vec![],
            made: 0,
            late: vec![],
            lists: vec![],
        }
    }

    pub(super) fn logins(&self) -> Logins {
        self.logins
    }

    pub(super) fn tokens_survive(&self) -> bool {
        self.tokens_survive
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Makes this change; returns the key and the event.
    pub(super) fn execute(
        &mut self,
        now: Duration,
        change: &Change,
    ) -> Result<(Key, Event), NotMade> {
        let done = match change {
            Change::Create(name, _) if self.keys.iter().any(|key| key.name == *name) => {
                return Err(NotMade::NameTaken);
            }
            Change::Create(name, lag) => {
                self.made += 1;
                let key = Key {
                    number: self.made,
                    name: name.clone(),
                    version: 0,
                    created: now,
                    known_from: now + *lag,
                    last_login: None,
                };
                self.keys.push(key.clone());
                let made = Event::Made { key: key.number };
                (key, made)
            }
            Change::Delete(id) => {
                let at = self.keys.iter().position(|key| key.id() == *id);
                let key = self.keys.remove(at.ok_or(NotMade::NoSuchKey)?);
                let gone = Event::Gone { key: key.number };
                (key, gone)
            }
            Change::Renew(id, lag) => {
                let key = self.keys.iter_mut().find(|key| key.id() == *id);
                let key = key.ok_or(NotMade::NoSuchKey)?;
                key.version += 1;
                key.known_from = now + *lag;
                let renewed = Event::Renewed {
                    secret: key.present(),
                    known_from: key.known_from,
                };
                (key.clone(), renewed)
            }
        };
        self.lists.push((now, self.keys.clone()));
        Ok(done)
    }

    /// Schedules this change for that moment.
    pub(super) fn execute_late(&mut self, due: Duration, change: Change) {
        self.late.push((due, change));
        self.late.sort_by_key(|(due, _)| *due);
    }

    /// Makes the changes that are due by now.
    pub(super) fn catch_up(&mut self, now: Duration) -> Vec<(Duration, Event)> {
        let due = self.late.partition_point(|(due, _)| *due <= now);
        let due: Vec<_> = self.late.drain(..due).collect();
        let made = due
            .into_iter()
            .filter_map(|(at, change)| Some((at, self.execute(at, &change).ok()?.1)));
        made.collect()
    }

    /// Returns the list as it was at that moment.
    pub(super) fn list(&self, at: Duration) -> Vec<Application> {
        let lists = &self.lists;
        let known = lists.partition_point(|(from, _)| *from <= at).max(1) - 1;
        let keys = lists.get(known).map_or(&[][..], |(_, keys)| keys);
        keys.iter().map(|key| self.shown(key)).collect()
    }

    fn shown(&self, key: &Key) -> Application {
        let now = self.keys.iter().find(|it| it.number == key.number);
        let last_login = now.unwrap_or(key).last_login.map(unix);
        Application {
            id: key.id(),
            name: key.name.clone(),
            client_id: key.client_id(),
            created_at: Some(unix(key.created)),
            last_login: match self.logins {
                Logins::Exact => last_login,
                Logins::Days => last_login.map(|at| at - at % DAY),
                Logins::Never => None,
            },
            created_by: None,
            enabled: None,
        }
    }

    /// Returns whether this secret gets a token now, which counts as a use of its key.
    pub(super) fn log_in(&mut self, now: Duration, secret: Secret) -> bool {
        let mut keys = self.keys.iter_mut();
        let key = keys.find(|key| key.present() == secret && key.known_from <= now);
        key.map(|key| key.last_login = Some(now)).is_some()
    }

    /// Returns whether the API accepts a token of this secret that has not expired.
    pub(super) fn accepts(&self, secret: Secret) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|key| match self.tokens_survive {
            true => key.number == secret.key,
            false => key.present() == secret,
        })
    }
}

/// Returns the issuer's clock at this time of the run, in Unix seconds.
pub(super) fn unix(at: Duration) -> u64 {
    EPOCH + at.as_secs()
}
