//! The rotation of the profile's key that a removal abandons.

use super::super::output::print_note;
use super::super::rotating::OpenRotation;
use super::{RemovalRun, Targets};
use crate::causes::Causes;
use crate::config::StoreKind;
use crate::store::{ProfileLock, Rotations};

impl RemovalRun<'_> {
    /// The unfinished rotation, if any.
    pub(super) fn rotation(&self, left: &Targets) -> Option<OpenRotation> {
        // A record that cannot be read, for example in a locked store, may have a journal.
        let record = self.stores.reader(&left.store).load(self.name);
        let record = record.ok().flatten();
        OpenRotation::of(self.target, self.name, record.as_ref())
    }

    /// Removes the journal of a rotation, and the data that this store keeps for it.
    pub(super) fn end_rotation(&self, lock: &ProfileLock, store: &StoreKind) {
        if let Err(error) = self.stores.store(store).forget(lock) {
            print_note(format!(
                "warning: a token that was kept for a rotation was not removed: {}",
                Causes(&error)
            ));
        }
        let rotations = Rotations::new(&self.target.state, self.target.owner);
        if let Err(error) = rotations
            .end(lock)
            .and_then(|()| rotations.set_left(lock, &[]))
        {
            print_note(format!(
                "warning: the record of a rotation was not removed: {}",
                Causes(&error)
            ));
        }
    }
}
