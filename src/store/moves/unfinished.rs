//! An unfinished move of a credential.

use std::path::PathBuf;

use super::super::Record;
use crate::config::StoreKind;

/// A move that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The real path of the configuration that the move belongs to.
    pub config: PathBuf,
    /// The origin and the destination.
    pub kind: MoveKind,
}

/// The origin and the destination of a credential's move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MoveKind {
    /// From one store to another.
    Migration {
        /// The former store.
        from: StoreKind,
        /// The new store.
        to: StoreKind,
        /// The credential.
        moved: MovedCredential,
    },
    /// Into a file, after which the credential is removed here.
    Export {
        /// The file.
        file: PathBuf,
    },
    /// Out of a file, into a store.
    Import {
        /// The store.
        store: StoreKind,
        /// The file to which the certificates to trust are written, if there are any.
        ca_file: Option<PathBuf>,
        /// The credential.
        moved: MovedCredential,
    },
}

/// The identity of a credential among others of its profile, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedCredential {
    /// The client ID.
    pub client_id: String,
    /// The time of its enrolment or creation, in Unix seconds.
    pub created_at: u64,
}

// === impl Moved ===

impl MovedCredential {
    /// The identity of this record's credential.
    pub fn of(record: &Record) -> Self {
        Self {
            client_id: record.key.credential.client_id.clone(),
            created_at: record.key.created_at.seconds_down(),
        }
    }
}
