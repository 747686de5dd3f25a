//! The companion compared with a static C twin that does the same work. Both run in turns against the same responder.
//!
//! The limits: the median run of `token` takes at most 1.3 times the twin's. That of `git get`, which sends its request
//! again with standard input, takes at most 1.4 times. The program is static and has at most 56 KiB. Without `musl-gcc`
//! nothing is measured, which is a failure with `JETON_BENCH_STRICT=1`.
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
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

const RUNS: usize = 1_000;
const LARGEST: u64 = 56 * 1024;
const COMPANION: &str = env!("CARGO_BIN_EXE_jeton");

/// A recorded call of the companion.
struct Recorded {
    arguments: &'static [&'static str],
    stdin: &'static [u8],
    /// The bodies of the replies, one for each exchange.
    answers: &'static [&'static [u8]],
    stdout: &'static [u8],
    /// The largest accepted time, as a multiple of the twin's.
    worst_ratio: f64,
}

const CALLS: [Recorded; 2] = [
    Recorded {
        arguments: &["token", "research"],
        stdin: b"",
        answers: &[include_bytes!("../tests/wire/0.1.0/token/answer.bin")],
        stdout: include_bytes!("../tests/wire/0.1.0/token/stdout"),
        worst_ratio: 1.3,
    },
    Recorded {
        arguments: &["git", "research", "get"],
        stdin: include_bytes!("../tests/wire/0.1.0/stdin-all/stdin"),
        answers: &[
            include_bytes!("../tests/wire/0.1.0/stdin-all/answer.bin"),
            include_bytes!("../tests/wire/0.1.0/stdin-all/answer-2.bin"),
        ],
        stdout: include_bytes!("../tests/wire/0.1.0/stdin-all/stdout"),
        worst_ratio: 1.4,
    },
];

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
    let held = CALLS.iter().enumerate().all(|(number, call)| {
        let socket = folder.path().join(format!("{number}.sock"));
        respond(&socket, call.answers);
        is_fast(call, [Path::new(COMPANION), &twin], &socket)
    });
    if held && small {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reports whether the first program makes the call within the time that the second one allows.
fn is_fast(call: &Recorded, programs: [&Path; 2], socket: &Path) -> bool {
    for program in programs {
        let mut child = start(call, program, socket, Stdio::piped());
        child.stdin.take().unwrap().write_all(call.stdin).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(0), call.stdout),
            "{} answers {:?}",
            program.display(),
            call.arguments
        );
    }
    // In turns, so that other load of the machine affects both; the first runs warm the caches.
    let mut times = [Vec::new(), Vec::new()];
    for run in 0..RUNS + 50 {
        for (program, times) in programs.into_iter().zip(&mut times) {
            let time = timed(call, program, socket);
            if run >= 50 {
                times.push(time);
            }
        }
    }
    let [ours, twins] = times.map(|mut times| {
        times.sort();
        [times[0], times[RUNS / 2], times[RUNS * 9 / 10]]
    });
    println!(
        "{:<9}       min       median       p90     of {RUNS} runs",
        call.arguments[0]
    );
    for (name, [min, median, p90]) in [("companion", ours), ("C twin", twins)] {
        println!("{name:<9} {min:>9.1?} {median:>9.1?} {p90:>9.1?}");
    }
    let ratio = ours[1].as_secs_f64() / twins[1].as_secs_f64();
    println!(
        "ratio of the medians {ratio:.3}, at most {}",
        call.worst_ratio
    );
    ratio <= call.worst_ratio
}

#[expect(clippy::disallowed_methods, reason = "the one switch of this program")]
fn is_strict() -> bool {
    std::env::var_os("JETON_BENCH_STRICT").is_some_and(|value| value == "1")
}

/// Checks the companion's size and that it is static: no interpreter (3) and no dynamic section (2) among its program
/// headers.
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

/// Answers the requests with the recorded replies in turn, each in one write. One caller at a time sends all requests.
#[expect(
    clippy::disallowed_methods,
    reason = "without a thread there is nothing to measure"
)]
fn respond(socket: &Path, answers: &'static [&'static [u8]]) {
    let listener = UnixListener::bind(socket).unwrap();
    let head = b"HTTP/1.0 200 OK\r\ncontent-type: application/octet-stream\r\ncache-control: no-store\r\n\r\n";
    let answers: Vec<Vec<u8>> = answers.iter().map(|body| [head, *body].concat()).collect();
    std::thread::spawn(move || {
        for answer in answers.iter().cycle() {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    });
}

fn start(call: &Recorded, program: &Path, socket: &Path, stdout: Stdio) -> Child {
    Command::new(program)
        .env_clear()
        .env("JETON_SOCKET", socket)
        .env("TERM", "dumb")
        .args(call.arguments)
        .stdin(Stdio::piped())
        .stdout(stdout)
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn timed(call: &Recorded, program: &Path, socket: &Path) -> Duration {
    let begun = std::time::Instant::now();
    let mut child = start(call, program, socket, Stdio::null());
    // As git does it: the input is in the pipe at once, and then the pipe is closed.
    let _ = child.stdin.take().unwrap().write_all(call.stdin);
    let status = child.wait().unwrap();
    let time = begun.elapsed();
    assert!(status.success());
    time
}
