//! Limits the work that keeps processors busy: of many rotations, most wait, and few begin or end.

use std::sync::{Condvar, Mutex, PoisonError};

/// The number of turns in use.
static TAKEN: Mutex<usize> = Mutex::new(0);
static GIVEN_BACK: Condvar = Condvar::new();

/// A turn, which ends when it is dropped.
pub(crate) struct CpuPermit(());

impl CpuPermit {
    /// Waits for a turn: there are two for each processor.
    pub(crate) fn take() -> Self {
        let most = 2 * std::thread::available_parallelism().map_or(1, |n| n.get());
        let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        while *taken >= most {
            let woken = GIVEN_BACK.wait(taken);
            taken = woken.unwrap_or_else(PoisonError::into_inner);
        }
        *taken += 1;
        Self(())
    }
}

impl Drop for CpuPermit {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        GIVEN_BACK.notify_one();
    }
}
