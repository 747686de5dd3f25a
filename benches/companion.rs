//! The companion beside a static C twin that does the same work, run in turns against the same responder.
//!
//! Held: the median run takes no more than 1.3 times the twin's, and the program is static and of at most 64 KiB.
//! Without `musl-gcc` nothing is measured, which is a failure when `JETON_BENCH_STRICT=1`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a program for developers: it stops at the first surprise"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

const RUNS: usize = 1_000;
const WORST_RATIO: f64 = 1.3;
const LARGEST: u64 = 56 * 1024;
const COMPANION: &str = env!("CARGO_BIN_EXE_jeton");
const ANSWER: &[u8] = include_bytes!("../tests/wire/0.1.0/token/answer.bin");
const TOKEN: &[u8] = include_bytes!("../tests/wire/0.1.0/token/stdout");

fn main() -> ExitCode {
    let small = footprint();
    let folder = tempfile::TempDir::new().unwrap();
    let twin = folder.path().join("jeton");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/twin.c");
    let compiled = Command::new("musl-gcc")
        .args(["-O2", "-static", "-s", "-o"])
        .arg(&twin)
        .arg(source)
        .status();
    let Ok(true) = compiled.map(|status| status.success()) else {
        println!("nothing measured: musl-gcc is not there, or cannot compile benches/twin.c");
        return if is_strict() || !small {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    };
    let socket = folder.path().join("jeton.sock");
    respond(&socket);

    let programs = [Path::new(COMPANION), &twin];
    for program in programs {
        let output = command(program, &socket)
            .stdout(Stdio::piped())
            .output()
            .unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(0), TOKEN),
            "{} serves the token",
            program.display()
        );
    }
    // In turns, so that whatever else the machine does meets both; the first runs warm the caches.
    let mut times = [Vec::new(), Vec::new()];
    for run in 0..RUNS + 50 {
        for (program, times) in programs.into_iter().zip(&mut times) {
            let time = timed(program, &socket);
            if run >= 50 {
                times.push(time);
            }
        }
    }
    let [ours, twins] = times.map(|mut times| {
        times.sort();
        [times[0], times[RUNS / 2], times[RUNS * 9 / 10]]
    });
    println!("            min       median       p90     of {RUNS} runs");
    println!(
        "companion {ours:>9.1?} {:>9.1?} {:>9.1?}",
        ours[1],
        ours[2],
        ours = ours[0]
    );
    println!(
        "C twin    {twins:>9.1?} {:>9.1?} {:>9.1?}",
        twins[1],
        twins[2],
        twins = twins[0]
    );
    let ratio = ours[1].as_secs_f64() / twins[1].as_secs_f64();
    println!("ratio of the medians {ratio:.3}, at most {WORST_RATIO}");
    if ratio <= WORST_RATIO && small {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

#[expect(clippy::disallowed_methods, reason = "the one switch of this program")]
fn is_strict() -> bool {
    std::env::var_os("JETON_BENCH_STRICT").is_some_and(|value| value == "1")
}

/// The companion's size and that it is static: no interpreter (3) and no dynamic section (2) among its program headers.
fn footprint() -> bool {
    let file = fs::read(COMPANION).unwrap();
    let number = |at: usize, length: usize| {
        file[at..at + length]
            .iter()
            .rev()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let is_static = (0..count)
        .map(|header| number(table + header * size, 4))
        .all(|kind| kind != 2 && kind != 3);
    let length = file.len() as u64;
    println!(
        "companion {length} bytes, at most {LARGEST}; {}",
        if is_static { "static" } else { "NOT STATIC" }
    );
    is_static && length <= LARGEST
}

/// Answers every request with the recorded token, in one write.
#[expect(
    clippy::disallowed_methods,
    reason = "without a thread there is nothing to measure"
)]
fn respond(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    let mut answer = b"HTTP/1.0 200 OK\r\ncontent-type: application/octet-stream\r\ncache-control: no-store\r\n\r\n".to_vec();
    answer.extend(ANSWER);
    std::thread::spawn(move || {
        loop {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&answer);
        }
    });
}

fn command(program: &Path, socket: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("JETON_SOCKET", socket)
        .env("TERM", "dumb")
        .args(["token", "research"])
        .stdin(Stdio::null());
    command
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn timed(program: &Path, socket: &Path) -> Duration {
    let mut command = command(program, socket);
    command.stdout(Stdio::null());
    let start = std::time::Instant::now();
    let status = command.status().unwrap();
    let time = start.elapsed();
    assert!(status.success());
    time
}
