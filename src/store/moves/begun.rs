//! A move that has begun.

use std::path::PathBuf;

use super::super::Record;
use crate::config::StoreKind;

/// A move that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The real path of the configuration that it is for.
    pub config: PathBuf,
    /// From where to where.
    pub kind: MoveKind,
}

/// From where to where a credential moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveKind {
    /// From one store to another.
    Migration {
        /// The former store.
        from: StoreKind,
        /// The new store.
        to: StoreKind,
        /// The credential.
        moved: Moved,
    },
    /// Into a file, after which it is removed here.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Out of a file, into a store.
    Import {
        /// The store.
        store: StoreKind,
        /// The file that the certificates to trust are written to, if there are any.
        ca_file: Option<PathBuf>,
        /// The credential.
        moved: Moved,
    },
}

/// What tells a credential from others of its profile, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The client ID.
    pub client_id: String,
    /// When it was enrolled or created, in Unix seconds.
    pub created_at: u64,
}

// === impl Moved ===

impl Moved {
    /// What tells this record's credential from others.
    pub fn of(record: &Record) -> Self {
        Self {
            client_id: record.key.credential.client_id.clone(),
            created_at: record.key.created_at.seconds_down(),
        }
    }
}
