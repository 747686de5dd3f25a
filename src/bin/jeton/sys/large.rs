//! Memory that is too large for a stack of 64 KiB (`ulimit -s 64`). It is in the program's own pages, which the kernel
//! fills with zeros on first use.
#![expect(unsafe_code, reason = "writes to a static")]

use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::output::{Exit, FAILED, complain};

/// A buffer that has one user at a time. The flag comes first, so that a short use touches one page of memory.
#[repr(C)]
pub(crate) struct StaticBuffer<T: 'static> {
    taken: AtomicBool,
    room: UnsafeCell<T>,
}

/// The use of a buffer; dropping it allows the next use.
pub(crate) struct BufferGuard<T: 'static>(&'static StaticBuffer<T>);

// SAFETY: the process has one thread, and the buffer has one user at a time.
unsafe impl<T> Sync for StaticBuffer<T> {}

impl<T> StaticBuffer<T> {
    /// Creates a buffer. It takes no space in the program's file if `zeros` is all zeros.
    pub(crate) const fn new(zeros: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            room: UnsafeCell::new(zeros),
        }
    }

    /// Lends the buffer. A second use at the same time is a bug, which this reports.
    pub(crate) fn lend(&'static self) -> Result<BufferGuard<T>, Exit> {
        claim(&self.taken).map(|()| BufferGuard(self))
    }

    /// Lends the buffer for the rest of the process.
    #[expect(
        clippy::mut_from_ref,
        reason = "each buffer is lent to one user at a time"
    )]
    pub(crate) fn take(&'static self) -> Result<&'static mut T, Exit> {
        core::mem::forget(self.lend()?);
        // SAFETY: the only use, which never ends.
        Ok(unsafe { &mut *self.room.get() })
    }
}

impl<T> Deref for BufferGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: there is one `BufferGuard` of this buffer at a time, and it is borrowed.
        unsafe { &*self.0.room.get() }
    }
}

impl<T> DerefMut for BufferGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: there is one `BufferGuard` of this buffer at a time, and it is borrowed for writing.
        unsafe { &mut *self.0.room.get() }
    }
}

impl<T> Drop for BufferGuard<T> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Relaxed);
    }
}

#[inline(never)]
fn claim(taken: &AtomicBool) -> Result<(), Exit> {
    if taken.swap(true, Ordering::Relaxed) {
        Err(complain(FAILED, &[b"internal error: memory used twice"]))
    } else {
        Ok(())
    }
}
