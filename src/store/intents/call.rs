//! A call that makes a key or its secret.

use std::path::PathBuf;

use crate::config::StoreKind;
use crate::profile::ProfileName;

/// A call that makes a key or its secret, and that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIntent {
    /// The path of the endpoint that lists the keys of this kind.
    pub path: String,
    /// When it was begun, in Unix seconds.
    pub at: u64,
    /// Where the secret is to go.
    pub keeper: Keeper,
    /// What the call does.
    pub call: KeyCall,
}

/// What a call does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyCall {
    /// Makes a key.
    Creation {
        /// The new key's name.
        name: String,
        /// The IDs of the keys that were there before.
        known: Vec<String>,
        /// The ID of the new key, once the command has decided to delete it: no secret of it is kept.
        doomed: Option<String>,
    },
    /// Makes a new secret for a key. The former one is revoked at once.
    Regeneration {
        /// The key's name.
        name: String,
        /// The key's ID.
        key_id: String,
        /// The key's client ID.
        client_id: String,
        /// When the stored secret was made, in Unix seconds, which the issuer has rejected since.
        rejected: Option<u64>,
    },
}

/// Where a new secret is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keeper {
    /// The store of this kind, for this profile.
    Profile(ProfileName, StoreKind),
    /// This file.
    File(PathBuf),
    /// Nowhere: the command has seen that no secret arrived.
    Nothing,
}

// === impl KeyIntent ===

impl KeyIntent {
    /// Whether both are the same call for the same key. Names are unique among the keys of one kind.
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
