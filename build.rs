//! What only one of the two programs is linked with: jetond with what runs before Rust's start-up and below its allocator;
//! the companion with what makes it a static program without a C library, on x86_64 Linux.

use std::env::var_os;

#[expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script by its environment"
)]
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/start");
    // As an object, since nothing names it: a linker leaves out what it finds in a library.
    for object in cc::Build::new()
        .files([
            "src/start/stdout.c",
            "src/start/buffers.c",
            "src/start/arenas.c",
        ])
        .compile_intermediates()
    {
        println!("cargo:rustc-link-arg-bin=jetond={}", object.display());
    }
    let is = |name: &str, value: &str| var_os(name).is_some_and(|v| v == value);
    let freestanding = is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && var_os("CARGO_FEATURE_COMPANION_LIBC").is_none();
    if freestanding {
        for argument in [
            "-nostartfiles",
            "-nostdlib",
            "-static",
            "-no-pie",
            // A note and an unwinding index that nothing reads, each a page more to map at every start.
            "-Wl,--build-id=none",
            "-Wl,--no-eh-frame-hdr",
            // What a dynamic linker would protect after its work. There is none, and a segment less is mapped.
            "-Wl,-z,norelro",
        ] {
            println!("cargo:rustc-link-arg-bin=jeton={argument}");
        }
    }
}
