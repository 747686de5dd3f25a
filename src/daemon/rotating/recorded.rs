//! Reads and changes the stored record off the event loop.

use std::sync::Arc;

use super::driver::Driver;
use super::rotation_wait::{EMPTY, GONE, STORE};
use super::storing;
use crate::causes::Causes;
use crate::rotation::{Change, WriteOutcome};
use crate::store::Record;

impl Driver {
    pub(super) async fn store(&mut self, change: Change) -> WriteOutcome {
        let (shared, name, made) = (self.shared(), self.name.clone(), Arc::clone(&self.made));
        let is_restore = matches!(change, Change::Restore(..));
        let changed = self.blocking(move || {
            // The profile may be missing from the configuration now and come back later.
            let store = shared.store(&name)?;
            let stores = &shared.outside.stores;
            Some(storing::change(
                stores,
                store.as_ref(),
                &name,
                &change,
                &made,
            ))
        });
        let gone = || (WriteOutcome::Failed, Some(GONE.to_owned()));
        let (written, why) = match changed.await {
            Ok(changed) => changed.unwrap_or_else(gone),
            Err(why) => (WriteOutcome::Failed, Some(why)),
        };
        if let Some(why) = why {
            self.hindrance.note(format!("{STORE}: {why}"));
        }
        if is_restore
            && written == WriteOutcome::Done
            && let Some(handle) = self.shared.handle(&self.name)
        {
            handle.recheck().await;
        }
        written
    }

    /// Reads the stored record.
    ///
    /// # Errors
    /// The reason why the record cannot be read, for people.
    pub(super) async fn record(&self) -> Result<Option<Record>, String> {
        let (shared, name) = (self.shared(), self.name.clone());
        let read = self.blocking(move || shared.store(&name).map(|store| store.load(&name)));
        match read.await? {
            Some(Ok(record)) => Ok(record),
            Some(Err(error)) => Err(Causes(&error).to_string()),
            None => Err(GONE.to_owned()),
        }
    }

    /// Reads the stored record during a rotation. A record that is not there counts as unreadable: the profile may
    /// have another store now, while the former one has the only copy of a secret.
    ///
    /// # Errors
    /// The reason why there is no record, for people.
    pub(super) async fn present_record(&self) -> Result<Record, String> {
        self.record().await?.ok_or_else(|| EMPTY.to_owned())
    }
}
