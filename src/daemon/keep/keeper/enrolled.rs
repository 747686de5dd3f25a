//! The credential of the last read, as the keeper shares it with the rest of the daemon.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::credential::Enrolment;

/// The credential of the last read without its secret, which the keeper shares with the rest of the daemon.
#[derive(Clone, Default)]
pub(in super::super) struct SharedEnrolment(Arc<Mutex<Option<Arc<Enrolment>>>>);

impl SharedEnrolment {
    /// Returns the credential, if one was read.
    pub(in super::super) fn get(&self) -> Option<Arc<Enrolment>> {
        self.lock().clone()
    }

    /// Replaces the credential.
    pub(super) fn set(&self, enrolment: Option<Arc<Enrolment>>) {
        *self.lock() = enrolment;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Enrolment>>> {
        // A poisoned lock is harmless: no code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
