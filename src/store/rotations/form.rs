//! The file of a rotation's journal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{Login, Machine, Phase, RotationJournal, RotationMode, SeenKey, Switched};
use crate::instant::UnixTime;
use crate::profile::ProfileName;
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
    switched: Option<Switch>,
    logins: Vec<Look>,
}

#[derive(Serialize, Deserialize)]
struct Key {
    client_id: String,
    key_id: Option<String>,
    name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Switch {
    server_date: Option<u64>,
    boot_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Look {
    server_date: u64,
    last_login: Option<u64>,
}

/// The file's JSON.
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
        switched: journal.switched.map(|switched| Switch {
            server_date: switched.server_date.map(UnixTime::seconds_down),
            boot_ms: switched.boot_ms,
        }),
        logins: journal.logins.iter().map(Look::of).collect(),
    })
}

/// The journal of this profile's rotation that is in the file.
pub(super) fn parse(json: &[u8], profile: &ProfileName) -> Result<RotationJournal, StoreErrorKind> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let unclear = |what| StoreErrorKind::NotUnderstood(what);
    let unread = || unclear("it does not say what a rotation has still to do");
    // Read first: a later version may have any other form.
    let Version { version } = serde_json::from_slice(json).map_err(|_| unread())?;
    if version != VERSION {
        return Err(unclear("another version of this program has written it"));
    }
    let form: Form = serde_json::from_slice(json).map_err(|_| unread())?;
    if form.profile != profile.as_str() {
        return Err(unclear("it is of another profile"));
    }
    form.parse()
        .ok_or_else(|| unclear("it has a word that this program does not know"))
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
            switched: self.switched.map(|switched| Switched {
                server_date: switched.server_date.map(moment),
                boot_ms: switched.boot_ms,
            }),
            logins: self.logins.into_iter().map(Look::parse).collect(),
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

impl Look {
    const fn of(login: &Login) -> Self {
        Self {
            server_date: login.server_date.seconds_down(),
            last_login: login.last_login,
        }
    }

    const fn parse(self) -> Login {
        Login {
            server_date: moment(self.server_date),
            last_login: self.last_login,
        }
    }
}

const fn moment(since_epoch: u64) -> UnixTime {
    UnixTime::from_epoch(Duration::from_secs(since_epoch))
}
