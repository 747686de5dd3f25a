//! The file format of an unfinished move.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::StoreErrorKind;
use super::unfinished::{Move, MoveKind, MovedCredential};
use crate::config::StoreKind;
use crate::profile::ProfileName;

/// The file version that this program writes and reads.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    profile: String,
    config: PathBuf,
    #[serde(flatten)]
    kind: Kind,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Migration {
        from: String,
        to: String,
        #[serde(flatten)]
        moved: Credential,
    },
    Export {
        file: PathBuf,
    },
    Import {
        store: String,
        ca_file: Option<PathBuf>,
        #[serde(flatten)]
        moved: Credential,
    },
}

#[derive(Serialize, Deserialize)]
struct Credential {
    client_id: String,
    created_at: u64,
}

/// Writes the file's JSON. Fails for a path that is not UTF-8.
pub(super) fn to_json(profile: &ProfileName, begun: &Move) -> serde_json::Result<Vec<u8>> {
    let of = |moved: &MovedCredential| Credential {
        client_id: moved.client_id.clone(),
        created_at: moved.created_at,
    };
    let word = |store: &StoreKind| store.as_str().to_owned();
    let kind = match &begun.kind {
        MoveKind::Migration { from, to, moved } => Kind::Migration {
            from: word(from),
            to: word(to),
            moved: of(moved),
        },
        MoveKind::Export { file } => Kind::Export { file: file.clone() },
        MoveKind::Import {
            store,
            ca_file,
            moved,
        } => Kind::Import {
            store: word(store),
            ca_file: ca_file.clone(),
            moved: of(moved),
        },
    };
    serde_json::to_vec_pretty(&Form {
        version: VERSION,
        profile: profile.to_string(),
        config: begun.config.clone(),
        kind,
    })
}

/// Parses the file, which must belong to this profile.
pub(super) fn parse(json: &[u8], profile: &ProfileName) -> Result<Move, StoreErrorKind> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    let malformed = |what| StoreErrorKind::Malformed {
        line: 0,
        column: 0,
        what,
    };
    let unread = || malformed("it does not say what an interrupted move has still to do");
    // Parsed first: a later version may have any other form.
    let Version { version } = serde_json::from_slice(json).map_err(|_| unread())?;
    if version != VERSION {
        return Err(StoreErrorKind::Version(version));
    }
    let form: Form = serde_json::from_slice(json).map_err(|_| unread())?;
    let kind = form
        .kind
        .parse()
        .filter(|_| form.profile == profile.as_str());
    Ok(Move {
        config: form.config,
        kind: kind.ok_or_else(|| malformed("it is of another profile, or names no store"))?,
    })
}

impl Kind {
    fn parse(self) -> Option<MoveKind> {
        let of = |moved: Credential| MovedCredential {
            client_id: moved.client_id,
            created_at: moved.created_at,
        };
        Some(match self {
            Self::Migration { from, to, moved } => MoveKind::Migration {
                from: StoreKind::parse(&from)?,
                to: StoreKind::parse(&to)?,
                moved: of(moved),
            },
            Self::Export { file } => MoveKind::Export { file },
            Self::Import {
                store,
                ca_file,
                moved,
            } => MoveKind::Import {
                store: StoreKind::parse(&store)?,
                ca_file,
                moved: of(moved),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_move_file_is_a_fault() {
        let name = ProfileName::parse("a").unwrap();
        let good = r#"{"version":1,"profile":"a","config":"/c","migration":{"from":"file","to":"keyring","client_id":"x","created_at":1}}"#;
        assert!(parse(good.as_bytes(), &name).is_ok());
        for (from, to) in [
            ("\"a\"", "\"b\""),
            ("file", "elsewhere"),
            (":1,", ":2,"),
            ("migration", "migratio"),
            ("client_id", "client"),
            ("\"created_at\":1", "\"created_at\":-1"),
            ("}}", "}"),
            ("config", "conf"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert_ne!(bad, good);
            assert!(parse(bad.as_bytes(), &name).is_err(), "{bad}");
        }
    }
}
