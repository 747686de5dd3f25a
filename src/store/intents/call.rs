//! A call that makes a key or its secret.

use std::path::PathBuf;

use crate::config::StoreKind;
use crate::profile::ProfileName;

/// A call that makes a key or its secret, and has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIntent {
    /// The path of the endpoint that lists the keys of this kind.
    pub path: String,
    /// The time of its beginning, in Unix seconds.
    pub at: u64,
    /// The destination of the secret.
    pub keeper: SecretDestination,
    /// The action.
    pub call: KeyCall,
}

/// The action of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyCall {
    /// Makes a key.
    Creation {
        /// The new key's name.
        name: String,
        /// The IDs of the keys that existed before.
        known: Vec<String>,
        /// The ID of the new key, once the command has decided to delete it because its secret is not kept.
        doomed: Option<String>,
    },
    /// Makes a new secret for a key. The issuer revokes the former one at once.
    Regeneration {
        /// The key's name.
        name: String,
        /// The key's ID.
        key_id: String,
        /// The key's client ID.
        client_id: String,
        /// The time at which the stored secret was made, in Unix seconds, if the issuer has rejected it since.
        rejected: Option<u64>,
    },
}

/// The destination of a new secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretDestination {
    /// The store of this kind, for this profile.
    Profile(ProfileName, StoreKind),
    /// This file.
    File(PathBuf),
    /// No destination: no secret arrived, as the command has seen.
    Nothing,
}

// === impl KeyIntent ===

impl KeyIntent {
    /// Whether both calls do the same to the same key. Names are unique among the keys of one kind.
    pub(super) fn is_for_the_key_of(&self, other: &Self) -> bool {
        let is_same = match (&self.call, &other.call) {
            (KeyCall::Creation { name: one, .. }, KeyCall::Creation { name: two, .. }) => {
                one == two
            }
            (
                KeyCall::Regeneration { key_id: one, .. },
                KeyCall::Regeneration { key_id: two, .. },
            ) => one == two,
            _ => false,
        };
        is_same && self.path == other.path
    }
}
