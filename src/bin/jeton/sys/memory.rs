//! Functions that the compiler calls by name, and that a C library would provide.
//!
//! Copying and filling are one instruction each: fast on every processor of the last ten years, and the optimiser
//! cannot turn it into a call of the very function that contains it. Comparing is a loop, which the optimiser does not
//! replace by a call.
#![expect(
    unsafe_code,
    reason = "memcpy and similar functions take raw pointers, and the linker finds them by name"
)]

use core::arch::asm;

/// # Safety
/// As in C: `n` bytes are readable at `from` and writable at `to`, and do not overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    // SAFETY: the caller's contract; the direction flag is clear by the calling convention.
    unsafe {
        asm!("rep movsb", inout("rcx") n => _, inout("rdi") to => _, inout("rsi") from => _, options(nostack, preserves_flags));
    };
    to
}

/// # Safety
/// As for `memcpy` in C, but the two may overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, n: usize) -> *mut u8 {
    if to.addr().wrapping_sub(from.addr()) >= n {
        // SAFETY: the destination does not begin inside the source, so copying upwards reads each byte before it is
        // overwritten.
        return unsafe { memcpy(to, from, n) };
    }
    // SAFETY: n is at least 1 here, and both pointers stay inside the caller's n bytes; the direction flag is clear
    // again afterwards.
    unsafe {
        asm!("std", "rep movsb", "cld", inout("rcx") n => _, inout("rdi") to.add(n - 1) => _,
             inout("rsi") from.add(n - 1) => _, options(nostack));
    }
    to
}

/// # Safety
/// As in C: `n` bytes are writable at `to`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, n: usize) -> *mut u8 {
    // SAFETY: the caller's contract.
    unsafe {
        asm!("rep stosb", inout("rcx") n => _, inout("rdi") to => _, in("al") byte as u8, options(nostack, preserves_flags));
    };
    to
}

/// # Safety
/// As in C: `n` bytes are readable at both.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, n: usize) -> i32 {
    for at in 0..n {
        // SAFETY: below n, by the caller's contract.
        let (one, other) = unsafe { (*one.add(at), *other.add(at)) };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
    }
    0
}

/// # Safety
/// As `memcmp`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(one: *const u8, other: *const u8, n: usize) -> i32 {
    // SAFETY: the same contract.
    unsafe { memcmp(one, other, n) }
}

/// # Safety
/// As in C: `text` ends with a zero byte.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: reads no further than the zero byte. The read is volatile, or the optimiser would replace the loop by a
    // call of strlen.
    while unsafe { text.add(length).read_volatile() } != 0 {
        length += 1;
    }
    length
}
