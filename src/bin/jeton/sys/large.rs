//! Memory that is too large for a stack of 64 KiB (`ulimit -s 64`). It lies in the program's own pages, which the kernel
//! fills with zeros on first use.
#![expect(unsafe_code, reason = "a static that is written to")]

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::output::{Exit, FAILED, complain};

/// Memory for one use in the life of the process.
pub(crate) struct Large<T> {
    taken: AtomicBool,
    room: UnsafeCell<T>,
}

// SAFETY: the process has one thread, and `take` lends the room once.
unsafe impl<T> Sync for Large<T> {}

impl<T> Large<T> {
    /// Stays out of the file if `zeros` is all zeros.
    pub(crate) const fn new(zeros: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            room: UnsafeCell::new(zeros),
        }
    }

    /// Lends the room for the rest of the process. A second call is a bug, which it reports.
    pub(crate) fn take(&'static self) -> Result<&'static mut T, Exit> {
        if self.taken.swap(true, Ordering::Relaxed) {
            return Err(complain(FAILED, &[b"internal error: memory used twice"]));
        }
        // SAFETY: only the first call comes here, so there is no other reference.
        Ok(unsafe { &mut *self.room.get() })
    }
}
