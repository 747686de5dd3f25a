//! The entry point, called by the kernel or by the C library.
#![expect(unsafe_code, reason = "argv and the environment are raw pointers")]

use crate::dispatch::run;
use crate::sys::{Arg, Env};

// The kernel enters here with argc on top of the stack and no return address. A zero frame pointer marks the outermost
// frame.
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
))]
core::arch::global_asm!(".globl _start", "_start:", "xor ebp, ebp", "mov rdi, rsp", "and rsp, -16", "call {start}", "ud2", start = sym start);

/// # Safety
/// Called once, by `_start`, with the stack that the kernel has set up: argc, argv, a null pointer, the environment, a
/// null pointer.
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
))]
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the layout above, which `enter` asks for.
    let code = unsafe {
        let argc = *stack;
        let env = stack.add(argc + 2);
        note_user(env);
        enter(argc, stack.add(1).cast(), env.cast())
    };
    crate::sys::exit(code)
}

/// Notes the effective user, which the kernel passes after the environment: so no system call has to ask for it.
///
/// # Safety
/// `words` is the environment on the stack that the kernel has set up. After its null pointer come pairs of a key and a
/// value, the last with the key 0.
#[cfg(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
))]
unsafe fn note_user(mut words: *const usize) {
    /// As in `uapi/linux/auxvec.h`.
    const AT_EUID: usize = 12;
    // SAFETY: reads no further than the null pointer, and then no further than the last pair.
    unsafe {
        while *words != 0 {
            words = words.add(1);
        }
        words = words.add(1);
        while *words != 0 {
            if *words == AT_EUID {
                crate::sys::note_uid(*words.add(1) as u32);
            }
            words = words.add(2);
        }
    }
}

/// # Safety
/// Called once, by the C library, as C's `main`; the third argument is common to all systems that this runs on.
#[cfg(not(all(
    target_arch = "x86_64",
    target_os = "linux",
    not(feature = "companion-libc")
)))]
#[unsafe(no_mangle)]
unsafe extern "C" fn main(
    argc: core::ffi::c_int,
    argv: *const Option<Arg<'static>>,
    envp: *const Option<Arg<'static>>,
) -> core::ffi::c_int {
    // SAFETY: C's promise about argv, and the system's about the environment. argc is not negative.
    unsafe { enter(usize::try_from(argc).unwrap_or(0), argv, envp) }.into()
}

/// The unwinder's hook. Nothing unwinds here, but the precompiled `core` refers to it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// Calls the program with the arguments and the environment from the kernel or the C library.
///
/// # Safety
/// `argv` has `argc` pointers to C strings and then a null pointer; `envp` has any number and then a null pointer; all
/// live as long as the process.
unsafe fn enter(
    argc: usize,
    argv: *const Option<Arg<'static>>,
    envp: *const Option<Arg<'static>>,
) -> u8 {
    let mut variables = 0;
    // SAFETY: reads no further than the null pointer, by the contract.
    while unsafe { *envp.add(variables) }.is_some() {
        variables += 1;
    }
    // SAFETY: the lengths are those of the contract and of the count above.
    let (argv, env) = unsafe {
        (
            core::slice::from_raw_parts(argv, argc + 1),
            core::slice::from_raw_parts(envp, variables),
        )
    };
    run(argv, Env::new(env))
}
