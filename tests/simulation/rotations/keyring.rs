//! A keyring that fails and writes late.
//!
//! Its content is in its own files.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jetond::credential::Credential;
use jetond::profile::ProfileName;
use jetond::store::{
    About, BegunRotation, Key, OtherKey, ProfileLock, Record, Revision, RotationData,
    RotationDataStore, Store, StoreError, StoreErrorKind, StoreReader, StoreReading, StoreWriter,
};

use super::history::Event;
use super::world::World;

/// The latest time of a write with an unknown fate: no earlier process of the keyring lives longer.
const LATEST: Duration = Duration::from_secs(50);

/// The keyring, as a process sees it.
pub(super) struct Keyring(pub(super) Arc<World>);

// === impl Keyring ===

impl Keyring {
    fn kept(&self) -> Arc<dyn Store> {
        self.0.write_late();
        self.0.kept().1
    }

    fn fails(&self, percent: u8) -> bool {
        let state = &mut *self.0.state();
        state.moods.disk.fails(percent, &mut state.rng)
    }

    /// Changes the second slot, or not, or in silence.
    fn change<T>(
        &self,
        change: impl FnOnce(&ProfileLock) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let is_silent = self.0.state().rng.bool();
        let fails = self.fails(20);
        if fails {
            let state = &mut *self.0.state();
            let fate = if is_silent {
                "is made in silence"
            } else {
                "fails"
            };
            state.push(Event::Write { fate });
            match is_silent {
                true => state.tally.unknown += 1,
                false => state.tally.not_written += 1,
            }
        }
        if fails && !is_silent {
            return Err(error("write to the keyring", false));
        }
        let lock = self.0.kept().0.lock(&self.0.name)?;
        let changed = change(&lock)?;
        match fails {
            true => Err(error("hear from the keyring", true)),
            false => Ok(changed),
        }
    }
}

impl StoreReader for Keyring {
    fn look(&self, profile: &ProfileName) -> StoreReading {
        let kept = self.kept();
        if self.fails(8) {
            // Only the revision shows that the record cannot be read.
            let revision = self.0.unreadable();
            let record = Err(error("read the keyring", false));
            return StoreReading { record, revision };
        }
        kept.look(profile)
    }
}

impl StoreWriter for Keyring {
    fn replace(
        &self,
        _: &ProfileLock,
        expected: &Revision,
        record: &Record,
    ) -> Result<Revision, StoreError> {
        let kept = self.kept();
        let write = || {
            let lock = self.0.kept().0.lock(&self.0.name)?;
            kept.replace(&lock, expected, record)
        };
        let kind = {
            let state = &mut *self.0.state();
            match state.moods.disk.fails(40, &mut state.rng) {
                true => state.rng.u8(1..5),
                false => 0,
            }
        };
        let fate = [
            "",
            "fails",
            "is made in silence",
            "is not made",
            "will be late",
        ];
        if kind > 0 {
            let fate = fate[usize::from(kind)];
            let state = &mut *self.0.state();
            state.push(Event::Write { fate });
            match kind {
                1 => state.tally.not_written += 1,
                _ => state.tally.unknown += 1,
            }
        }
        let unknown = || Err(error("hear from the keyring", true));
        match kind {
            0 => write(),
            1 => Err(error("write to the keyring", false)),
            2 => write().and_then(|_| unknown()),
            3 => unknown(),
            _ if kept.look(&self.0.name).revision == *expected => {
                let state = &mut *self.0.state();
                let late = state.rng.u64(0..LATEST.as_secs());
                let due = state.now() + Duration::from_secs(late);
                state.late_writes.push((due, copy(record)));
                unknown()
            }
            _ => Err(error("replace another record", false)),
        }
    }

    fn remove(&self, _: &ProfileLock, expected: &Revision) -> Result<bool, StoreError> {
        let lock = self.0.kept().0.lock(&self.0.name)?;
        self.kept().remove(&lock, expected)
    }
}

impl RotationDataStore for Keyring {
    fn kept(&self, profile: &ProfileName) -> Result<Option<RotationData>, StoreError> {
        match self.fails(8) {
            true => Err(error("read the keyring", false)),
            false => self.0.kept().1.kept(profile),
        }
    }

    fn keep(&self, _: &ProfileLock, kept: &RotationData) -> Result<(), StoreError> {
        self.change(|lock| self.0.kept().1.keep(lock, kept))
    }

    fn forget(&self, _: &ProfileLock) -> Result<bool, StoreError> {
        self.change(|lock| self.0.kept().1.forget(lock))
    }
}

impl Store for Keyring {
    fn about(&self) -> About {
        About {
            noun: "keyring",
            name: "a keyring",
            in_state: false,
        }
    }

    fn place_of(&self, _: &ProfileName) -> String {
        "a keyring".to_owned()
    }

    fn probe(&self, _: &ProfileName) -> Result<(), StoreError> {
        Ok(())
    }

    fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        Ok(vec![])
    }
}

fn error(action: &'static str, changed: bool) -> StoreError {
    StoreError {
        place: "the keyring".to_owned(),
        kind: StoreErrorKind::Io {
            action,
            source: io::ErrorKind::TimedOut.into(),
        },
        changed,
    }
}

/// Copies a record for a keyring that has accepted it but not written it yet.
fn copy(record: &Record) -> Record {
    let copy = |key: &Key| {
        let secret = key.credential.client_secret.expose();
        Key {
            credential: Credential::parse(&key.credential.client_id, secret).unwrap(),
            key_id: key.key_id.clone(),
            key_name: key.key_name.clone(),
            created_at: key.created_at,
            server_date: key.server_date,
        }
    };
    Record {
        key: copy(&record.key),
        binding: record.binding.clone(),
        rotation: record.rotation.as_ref().map(|begun| BegunRotation {
            id: begun.id.clone(),
            other: begun.other.as_ref().map(|other| match other {
                OtherKey::Next(key) => OtherKey::Next(copy(key)),
                OtherKey::Previous(key) => OtherKey::Previous(copy(key)),
            }),
        }),
    }
}
