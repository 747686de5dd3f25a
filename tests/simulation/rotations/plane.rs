//! The issuer's keys, and the effects of API calls on them over time.

use std::time::Duration;

use fastrand::Rng;
use jetond::applications::Application;

use super::history::What;

/// The issuer's clock at the begin of the run, in Unix seconds.
pub(super) const EPOCH: u64 = 1_800_000_000;

const DAY: u64 = 86_400;

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
    created: Duration,
    /// The time from which all replicas know it.
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
}

/// The reason why a change was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotMade {
    NameTaken,
    NoSuchKey,
}

/// The keys of one user.
#[derive(Debug)]
pub(super) struct Plane {
    logins: Logins,
    keys: Vec<Key>,
    made: u32,
    late: Vec<(Duration, Change)>,
    /// The list from each moment on.
    lists: Vec<(Duration, Vec<Key>)>,
}

// === impl Key ===

impl Key {
    pub(super) fn id(&self) -> String {
        format!("id-{}", self.number)
    }

    pub(super) fn client_id(&self) -> String {
        format!("client-{}", self.number)
    }

    pub(super) fn secret(&self) -> String {
        secret(self.number)
    }
}

/// Returns the secret of the key of this number.
fn secret(number: u32) -> String {
    format!("canary-secret-{number}")
}

/// Returns the number of the key of this client ID and secret, if it ever existed.
pub(super) fn key_of(client_id: &str, its_secret: &str) -> Option<u32> {
    let number = client_id.strip_prefix("client-")?.parse().ok()?;
    (its_secret == secret(number)).then_some(number)
}

// === impl Plane ===

impl Plane {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let logins = match rng.u8(0..8) {
            0 => Logins::Days,
            1 => Logins::Never,
            _ => Logins::Exact,
        };
        Self {
            logins,
            keys: vec![],
            made: 0,
            late: vec![],
            lists: vec![],
        }
    }

    pub(super) fn logins(&self) -> Logins {
        self.logins
    }

    pub(super) fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Makes this change; returns the key and the event.
    pub(super) fn execute(
        &mut self,
        now: Duration,
        change: &Change,
    ) -> Result<(Key, What), NotMade> {
        let done = match change {
            Change::Create(name, _) if self.keys.iter().any(|key| key.name == *name) => {
                return Err(NotMade::NameTaken);
            }
            Change::Create(name, lag) => {
                self.made += 1;
                let key = Key {
                    number: self.made,
                    name: name.clone(),
                    created: now,
                    known_from: now + *lag,
                    last_login: None,
                };
                self.keys.push(key.clone());
                let made = What::Made { key: key.number };
                (key, made)
            }
            Change::Delete(id) => {
                let at = self.keys.iter().position(|key| key.id() == *id);
                let key = self.keys.remove(at.ok_or(NotMade::NoSuchKey)?);
                let gone = What::Gone { key: key.number };
                (key, gone)
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
    pub(super) fn catch_up(&mut self, now: Duration) -> Vec<(Duration, What)> {
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

    /// Returns whether the key of this number gets a token now, which counts as its use.
    pub(super) fn log_in(&mut self, now: Duration, number: u32) -> bool {
        let mut keys = self.keys.iter_mut();
        let key = keys.find(|key| key.number == number && key.known_from <= now);
        key.map(|key| key.last_login = Some(now)).is_some()
    }

    pub(super) fn has(&self, number: u32) -> bool {
        self.keys.iter().any(|key| key.number == number)
    }
}

/// Returns the issuer's clock at this time of the run, in Unix seconds.
pub(super) fn unix(at: Duration) -> u64 {
    EPOCH + at.as_secs()
}
