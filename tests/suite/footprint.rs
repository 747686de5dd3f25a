//! Contents of the companion's executable. The checks of release builds are in `.ci/footprint` and
//! `benches/companion.rs`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::fs;

/// PT_DYNAMIC and PT_INTERP of elf.h.
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;

/// Returns the types of the program headers of a 64-bit little-endian ELF file.
fn program_headers(path: &str) -> Vec<u32> {
    let file = fs::read(path).unwrap();
    assert_eq!(file[..6], *b"\x7fELF\x02\x01");
    let number = |at: usize, length: usize| {
        let mut bytes = [0; 8];
        bytes[..length].copy_from_slice(&file[at..at + length]);
        usize::try_from(u64::from_le_bytes(bytes)).unwrap()
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    (0..count)
        .map(|header| u32::try_from(number(table + header * size, 4)).unwrap())
        .collect()
}

#[test]
#[cfg_attr(
    feature = "companion-libc",
    ignore = "this variant is an ordinary dynamic program"
)]
fn the_companion_is_static() {
    let types = program_headers(env!("CARGO_BIN_EXE_jeton"));
    assert!(types.contains(&1), "there is no segment to load: {types:?}");
    assert!(
        !types.contains(&INTERPRETER) && !types.contains(&DYNAMIC),
        "{types:?}"
    );
}

#[test]
fn the_check_for_static_linking_detects_the_dynamic_daemon() {
    let types = program_headers(env!("CARGO_BIN_EXE_jetond"));
    assert!(
        types.contains(&INTERPRETER) || types.contains(&DYNAMIC),
        "{types:?}"
    );
}
