//! Marks the credentials that stay here as shared, before another machine can have them.

use super::super::moves::refused;
use super::super::output::Exit;
use super::content::{ExportContent, NOTHING};
use crate::config::StoreKind;
use crate::profile::ProfileName;
use crate::store::{ProfileLock, Record, Revision, StoreError, Stores};

/// The credentials that were marked.
#[derive(Default)]
pub(super) struct SharedMarks(Vec<Marked>);

/// A credential that was marked.
struct Marked {
    name: ProfileName,
    store: StoreKind,
    record: Record,
    revision: Revision,
}

// === impl Marks ===

impl SharedMarks {
    /// Marks the credentials as shared, except for those that are marked already.
    pub(super) fn set(
        stores: &Stores,
        locks: &[ProfileLock],
        gathered: Vec<ExportContent>,
    ) -> Result<Self, Exit> {
        let mut marks = Self::default();
        for one in gathered {
            let Some(lock) = locks.iter().find(|lock| *lock.profile() == one.name) else {
                continue;
            };
            if one.record.key.credential.is_shared() {
                continue;
            }
            let record = with_mark(one.record, true);
            let store = stores.store(&one.store);
            match store.replace(lock, &one.revision, &record) {
                Ok(revision) => marks.0.push(Marked {
                    name: one.name,
                    store: one.store,
                    record,
                    revision,
                }),
                Err(error) => {
                    let exit = refused(&error, NOTHING);
                    marks.take_off(stores, locks);
                    return Err(exit);
                }
            }
        }
        Ok(marks)
    }

    /// Removes the marks. A mark that stays does no harm: a rotation only waits longer.
    pub(super) fn take_off(self, stores: &Stores, locks: &[ProfileLock]) {
        for one in self.0 {
            if let Some(lock) = locks.iter().find(|lock| *lock.profile() == one.name) {
                let record = with_mark(one.record, false);
                let store = stores.store(&one.store);
                let _: Result<Revision, StoreError> = store.replace(lock, &one.revision, &record);
            }
        }
    }
}

fn with_mark(mut record: Record, shared: bool) -> Record {
    record.key.credential = record.key.credential.shared(shared);
    record
}
