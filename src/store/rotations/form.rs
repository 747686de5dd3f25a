//! The file format of a rotation's journal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{Machine, Phase, RotationJournal, RotationMode, SeenKey};
use crate::instant::{BootInstant, UnixTime};
use crate::profile::ProfileName;
use crate::rotation::{self, GraceMoment};
use crate::store::{RotationId, StoreErrorKind};

/// The file version that this program writes and reads.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    profile: String,
    rotation_id: String,
    mode: String,
    phase: String,
    host: String,
    boot: String,
    with: Option<String>,
    path: String,
    former: Key,
    tried: Vec<String>,
    made: Vec<Key>,
    grace: Option<Grace>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former_secret_sha256: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    client_id: String,
    key_id: Option<String>,
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Grace {
    switched: Moment,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime_ms: Option<u64>,
    looks: Option<[Look; 2]>,
    moved_to: Option<u64>,
    has_days_only: bool,
}

#[derive(Serialize, Deserialize)]
struct Look {
    at: Moment,
    last_login: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Moment {
    boot: String,
    boot_ms: u64,
    server_date: Option<u64>,
}

/// Writes the file's JSON.
pub(super) fn to_json(
    profile: &ProfileName,
    journal: &RotationJournal,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec_pretty(&Form {
        version: VERSION,
        profile: profile.to_string(),
        rotation_id: journal.id.to_string(),
        mode: journal.mode.as_str().to_owned(),
        phase: journal.phase.to_string(),
        host: journal.machine.host.clone(),
        boot: journal.machine.boot.clone(),
        with: journal.with.as_ref().map(ProfileName::to_string),
        path: journal.path.clone(),
        former: Key::of(&journal.former),
        tried: journal.tried.clone(),
        made: journal.made.iter().map(Key::of).collect(),
        grace: journal.grace.as_ref().map(Grace::of),
        former_secret_sha256: journal.former_secret.clone(),
    })
}

/// Parses the file, which must belong to this profile.
pub(super) fn parse(json: &[u8], profile: &ProfileName) -> Result<RotationJournal, StoreErrorKind> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let unclear = |what| StoreErrorKind::NotUnderstood(what);
    let unread = || unclear("it does not say what a rotation has still to do");
    // Parsed first: a later version may have any other form.
    let Version { version } = serde_json::from_slice(json).map_err(|_| unread())?;
    if version != VERSION {
        return Err(unclear("another version of this program has written it"));
    }
    let form: Form = serde_json::from_slice(json).map_err(|_| unread())?;
    if form.profile != profile.as_str() {
        return Err(unclear("it is of another profile"));
    }
    form.parse()
        .ok_or_else(|| unclear("it contains a value that this version does not know"))
}

// === impl Form ===

impl Form {
    fn parse(self) -> Option<RotationJournal> {
        let with = self.with.as_deref().map(ProfileName::parse).transpose();
        Some(RotationJournal {
            id: RotationId::parse(&self.rotation_id)?,
            mode: RotationMode::parse(&self.mode)?,
            phase: Phase::parse(&self.phase)?,
            machine: Machine {
                host: self.host,
                boot: self.boot,
            },
            with: with.ok()?,
            path: self.path,
            former: self.former.parse(),
            tried: self.tried,
            made: self.made.into_iter().map(Key::parse).collect(),
            grace: self.grace.map(Grace::parse),
            former_secret: self.former_secret_sha256,
        })
    }
}

impl Key {
    fn of(key: &SeenKey) -> Self {
        Self {
            client_id: key.client_id.clone(),
            key_id: key.key_id.clone(),
            name: key.name.clone(),
        }
    }

    fn parse(self) -> SeenKey {
        SeenKey {
            client_id: self.client_id,
            key_id: self.key_id,
            name: self.name,
        }
    }
}

impl Grace {
    fn of(grace: &rotation::Grace) -> Self {
        Self {
            switched: Moment::of(&grace.switched),
            lifetime_ms: grace.lifetime.map(ms),
            looks: grace
                .looks
                .as_ref()
                .map(|(first, latest)| [first, latest].map(Look::of)),
            moved_to: grace.moved_to.map(UnixTime::seconds_down),
            has_days_only: grace.has_days_only,
        }
    }

    fn parse(self) -> rotation::Grace {
        rotation::Grace {
            switched: self.switched.parse(),
            lifetime: self.lifetime_ms.map(Duration::from_millis),
            looks: self.looks.map(|looks| looks.map(Look::parse).into()),
            moved_to: self.moved_to.map(moment),
            has_days_only: self.has_days_only,
        }
    }
}

impl Look {
    fn of(look: &rotation::LoginReading) -> Self {
        Self {
            at: Moment::of(&look.mark),
            last_login: look.last_login.map(UnixTime::seconds_down),
        }
    }

    fn parse(self) -> rotation::LoginReading {
        rotation::LoginReading {
            mark: self.at.parse(),
            last_login: self.last_login.map(moment),
        }
    }
}

impl Moment {
    fn of(mark: &GraceMoment) -> Self {
        Self {
            boot: mark.boot_id.clone(),
            boot_ms: ms(mark.at.since_boot()),
            server_date: mark.date.map(UnixTime::seconds_down),
        }
    }

    fn parse(self) -> GraceMoment {
        GraceMoment {
            boot_id: self.boot,
            at: BootInstant::from_boot(Duration::from_millis(self.boot_ms)),
            date: self.server_date.map(moment),
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const fn moment(since_epoch: u64) -> UnixTime {
    UnixTime::from_epoch(Duration::from_secs(since_epoch))
}
