//! Keeps the names of keys that the issuer refused to delete (`old_key_left`), and shows them until they are gone.
//! The next rotation tries once more to delete them, since its token may be allowed to.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{debug, info, warn};

use super::driver::Driver;
use super::environment::Shared;
use super::storing;
use crate::applications::{Kind, Listed, Reply};
use crate::causes::Causes;
use crate::profile::ProfileName;
use crate::store::LeftKey;

impl Driver {
    /// Writes down the keys that the issuer refused to delete for this rotation.
    pub(super) async fn keep_left(&self, left: &BTreeSet<String>) {
        if left.is_empty() {
            return;
        }
        let mut all = self.shared.left(&self.name);
        all.retain(|key| !left.contains(&key.label));
        all.extend(left.iter().map(|label| LeftKey {
            label: label.clone(),
            client_id: self.undeleted.get(label).cloned(),
        }));
        self.set_left(all).await;
    }

    /// Tries to delete the keys that earlier rotations had to leave: those with the noted client ID, and not those of
    /// this rotation. A key that the record or a profile uses stays.
    pub(super) async fn delete_left(&mut self, of_this: &BTreeSet<String>) {
        let mut earlier = self.shared.left(&self.name);
        earlier.retain(|key| key.client_id.is_some() && !of_this.contains(&key.label));
        if earlier.is_empty() {
            return;
        }
        let (Some(keys), Ok(Some(record))) = (self.keys().await, self.record().await) else {
            return;
        };
        let (Ok(listed), Some(view)) = (keys.list(Kind::Auto).await, storing::view(&record)) else {
            return;
        };
        let in_use = self.in_use();
        for key in &listed.keys {
            let client_id = &key.client_id;
            let is_left = earlier
                .iter()
                .any(|it| it.client_id.as_ref() == Some(client_id));
            if !is_left || view.needs(client_id) || in_use.contains(client_id) {
                continue;
            }
            match keys.delete(listed.family, &key.id).await {
                Reply::Done(()) => info!(key = key.name, "a key that was left is deleted"),
                Reply::Refused(trouble) | Reply::Lost(trouble) => {
                    debug!(%trouble, "a key that was left stays");
                }
            }
        }
        if let Ok(listed) = keys.list(Kind::Auto).await {
            self.forget_gone(&listed).await;
        }
    }

    /// Forgets the keys that this list no longer has.
    pub(super) async fn forget_gone(&self, listed: &Listed) {
        let left = self.shared.left(&self.name);
        if left.is_empty() || listed.may_have_more {
            return;
        }
        let is_there = |left: &LeftKey| {
            let mut keys = listed.keys.iter();
            keys.any(|key| match &left.client_id {
                Some(client_id) => key.client_id == *client_id,
                None => key.name == left.label || key.client_id == left.label,
            })
        };
        let still: Vec<_> = left.iter().filter(|left| is_there(left)).cloned().collect();
        if still != left {
            self.set_left(still).await;
        }
    }

    async fn set_left(&self, keys: Vec<LeftKey>) {
        self.shared.set_undeleted_keys(&self.name, keys.clone());
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
    /// Reads the undeleted former keys; returns the profiles that have some. Blocks.
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
        self.replace_undeleted_keys(left);
        found
    }
}
