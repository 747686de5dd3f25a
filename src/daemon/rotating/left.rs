//! Keeps the names of keys that the issuer refused to delete (`old_key_left`), and shows them until they are gone.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;

use super::driver::Driver;
use super::outside::Shared;
use crate::applications::Listed;
use crate::causes::Causes;
use crate::profile::ProfileName;

impl Driver {
    /// Writes down the keys that the issuer refused to delete for this rotation.
    pub(super) async fn keep_left(&self, left: &BTreeSet<String>) {
        if left.is_empty() {
            return;
        }
        let mut all = left.clone();
        all.extend(self.shared.left(&self.name));
        self.set_left(all.into_iter().collect()).await;
    }

    /// Forgets the keys that this list no longer has.
    pub(super) async fn forget_gone(&self, listed: &Listed) {
        let left = self.shared.left(&self.name);
        if left.is_empty() || listed.may_have_more {
            return;
        }
        let is_there = |label: &String| {
            let mut keys = listed.keys.iter();
            keys.any(|key| key.name == *label || key.client_id == *label)
        };
        let still: Vec<_> = left
            .iter()
            .filter(|label| is_there(label))
            .cloned()
            .collect();
        if still != left {
            self.set_left(still).await;
        }
    }

    async fn set_left(&self, keys: Vec<String>) {
        self.shared.note_left(&self.name, keys.clone());
        let (shared, name) = (self.shared(), self.name.clone());
        let written = self.blocking(move || {
            let lock = shared.outside.stores.lock(&name)?;
            shared.outside.journals.set_left(&lock, &keys)
        });
        let why = match written.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Causes(&error).to_string(),
            Err(why) => why,
        };
        warn!(
            why,
            "the keys that are left at the issuer cannot be recorded"
        );
    }
}

impl Shared {
    /// Reads the names of undeleted former keys; returns the profiles that have some. Blocks.
    pub(super) fn read_left(&self) -> Vec<ProfileName> {
        let journals = &self.outside.journals;
        let names = journals.with_left().unwrap_or_default();
        // `jetond check` reports a file that cannot be read.
        let read = names.into_iter().map(|name| {
            let keys = journals.left(&name).unwrap_or_default();
            (name, keys)
        });
        let left: BTreeMap<_, _> = read.collect();
        let mut found: Vec<_> = left.keys().cloned().collect();
        found.retain(|name| self.profile(name).is_some());
        // A command may have removed some names from the files.
        self.replace_left(left);
        found
    }
}
