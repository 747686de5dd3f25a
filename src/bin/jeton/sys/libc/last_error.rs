//! The C library's error reports.

use core::ffi::c_int;

use super::super::errno::Errno;

unsafe extern "C" {
    #[cfg_attr(target_os = "macos", link_name = "__error")]
    #[cfg_attr(not(target_os = "macos"), link_name = "__errno_location")]
    fn errno_location() -> *mut c_int;
}

/// Returns the error of the last function that failed.
pub(super) fn last_error() -> Errno {
    // SAFETY: the C library's errno of this thread, which is the only one.
    Errno(unsafe { *errno_location() })
}

/// Converts the result of a function that returns -1 and sets errno.
pub(super) fn checked(result: isize) -> Result<usize, Errno> {
    usize::try_from(result).map_err(|_| last_error())
}
