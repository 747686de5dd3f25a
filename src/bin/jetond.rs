//! The daemon's program: see the library.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    jetond::cli::main()
}
