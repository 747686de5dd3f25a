//! The keys that the issuer did not let rotations delete (`old_key_left`): they are shown until they are gone.

use std::collections::{BTreeMap, BTreeSet};

use tracing::warn;

use super::driver::Driver;
use super::outside::Shared;
use crate::applications::Listed;
use crate::causes::Causes;
use crate::profile::ProfileName;

impl Driver {
    /// Writes down keys that the issuer did not let this rotation delete.
    pub(super) async fn keep_left(&self, left: &BTreeSet<String>) {
        if left.is_empty() {
            return;
        }
        let mut all = left.clone();
        all.extend(self.shared.left(&self.name));
        self.set_left(all.into_iter().collect()).await;
    }

    /// Forgets those keys that are not in this list any more.
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
            "the keys that are left at the issuer cannot be written down"
        );
    }
}

impl Shared {
    /// Reads which keys are left, of every profile that has some. Blocks.
    pub(super) fn read_left(&self) -> Vec<ProfileName> {
        let journals = &self.outside.journals;
        let names = journals.with_left().unwrap_or_default();
        // What cannot be read is told by 'jetond check'.
        let read = names.into_iter().map(|name| {
            let keys = journals.left(&name).unwrap_or_default();
            (name, keys)
        });
        let left: BTreeMap<_, _> = read.collect();
        let mut found: Vec<_> = left.keys().cloned().collect();
        found.retain(|name| self.profile(name).is_some());
        // A command may have forgotten some.
        self.replace_left(left);
        found
    }
}
