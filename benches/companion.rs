//! The companion compared with two static C programs: a twin that does the same work, and a smaller one that prints a
//! token by a plain GET and can do nothing else. They run in turns, each against a responder with its own reply.
//!
//! The limits: the median run of `token` takes at most 1.3 times the twin's. That of `git get`, which sends its request
//! again with standard input, takes at most 1.4 times. The program is static and has at most 56 KiB. Without `musl-gcc`
//! nothing is measured, which is a failure with `JETON_BENCH_STRICT=1`. That also holds `token` to the smaller twin: a
//! run takes no more processor time, the kernel's for it included, give or take what is noise. The lower quartile counts,
//! since other load of the machine can only add to it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a program for developers: it stops at the first surprise"
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

const RUNS: usize = 1_000;
const LARGEST: u64 = 56 * 1024;
/// The largest accepted processor time of `token`, as a multiple of the smaller twin's: it is to be 1, and that of two equal
/// programs differs by some percent on a machine with other load.
const SMALLER_RATIO: f64 = 1.05;
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

const FRAMES: &str =
    "HTTP/1.0 200 OK\r\ncontent-type: application/octet-stream\r\ncache-control: no-store\r\n\r\n";

/// A program and the socket that it is to use.
struct Contender {
    name: &'static str,
    program: PathBuf,
    socket: PathBuf,
}

/// The time of one run.
struct Run {
    wall: Duration,
    /// The processor time; none if the system does not report it.
    processor: Option<Duration>,
}

fn main() -> ExitCode {
    let small = footprint();
    let folder = tempfile::TempDir::new().unwrap();
    let compiled = ["twin", "small_twin"].map(|name| compile(folder.path(), name));
    let [Some(twin), Some(small_twin)] = compiled else {
        println!("nothing measured: musl-gcc is not there, or cannot compile benches/*twin.c");
        return if is_strict() || !small {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        };
    };
    let mut held = small;
    for (number, call) in CALLS.iter().enumerate() {
        let socket = folder.path().join(format!("{number}.sock"));
        let replies = call
            .answers
            .iter()
            .map(|body| [FRAMES.as_bytes(), body].concat());
        respond(&socket, replies.collect());
        let contender = |name, program: &Path| Contender {
            name,
            program: program.to_owned(),
            socket: socket.clone(),
        };
        let mut contenders = vec![
            contender("companion", Path::new(COMPANION)),
            contender("C twin", &twin),
        ];
        if call.arguments[0] == "token" {
            let socket = folder.path().join("plain.sock");
            let head = format!(
                "HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\ncache-control: no-store\r\ncontent-length: {}\r\n\r\n",
                call.stdout.len()
            );
            respond(&socket, vec![[head.as_bytes(), call.stdout].concat()]);
            contenders.push(Contender {
                socket,
                ..contender("smaller", &small_twin)
            });
        }
        held &= is_fast(call, &contenders);
    }
    if held {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Compiles one of the C programs; none if that is impossible here.
fn compile(folder: &Path, name: &str) -> Option<PathBuf> {
    let program = folder.join(name).join("jeton");
    fs::create_dir(program.parent()?).unwrap();
    let source = format!("{}/benches/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let mut compiler = Command::new("musl-gcc");
    compiler
        .args(["-O2", "-static", "-s", "-o"])
        .arg(&program)
        .arg(source);
    compiler
        .status()
        .is_ok_and(|status| status.success())
        .then_some(program)
}

/// Reports whether the first program makes the call within the time that the others allow.
fn is_fast(call: &Recorded, contenders: &[Contender]) -> bool {
    for contender in contenders {
        let mut child = start(call, contender, Stdio::piped());
        child.stdin.take().unwrap().write_all(call.stdin).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.as_slice()),
            (Some(0), call.stdout),
            "the {} answers {:?}",
            contender.name,
            call.arguments
        );
    }
    // In turns, so that other load of the machine affects all, and the other way round each second time, so that none
    // always follows the same one; the first runs warm the caches.
    let mut runs: Vec<Vec<Run>> = contenders.iter().map(|_| Vec::new()).collect();
    for run in 0..RUNS + 50 {
        for turn in 0..contenders.len() {
            let at = if run % 2 == 0 {
                turn
            } else {
                contenders.len() - 1 - turn
            };
            let time = timed(call, &contenders[at]);
            if run >= 50 {
                runs[at].push(time);
            }
        }
    }
    println!(
        "{:<9}       min    median       p90  processor (lower quartile)     of {RUNS} runs",
        call.arguments[0]
    );
    let mut medians = Vec::new();
    for (contender, runs) in contenders.iter().zip(&runs) {
        let walls = sorted(runs.iter().map(|run| run.wall));
        let processor = sorted(runs.iter().filter_map(|run| run.processor));
        let [min, median, p90] = [walls[0], walls[RUNS / 2], walls[RUNS * 9 / 10]];
        let processor = processor.get(processor.len() / 4).copied();
        println!(
            "{:<9} {min:>9.1?} {median:>9.1?} {p90:>9.1?} {:>9.1?}",
            contender.name,
            processor.unwrap_or_default()
        );
        medians.push((median, processor));
    }
    let ours = medians[0];
    let mut held = true;
    for (contender, &(median, processor)) in contenders.iter().zip(&medians).skip(1) {
        let ratio = ours.0.as_secs_f64() / median.as_secs_f64();
        let processor = ours.1.zip(processor);
        let processor = processor.map(|(ours, other)| ours.as_secs_f64() / other.as_secs_f64());
        println!(
            "ratio to the {}: {ratio:.3} of the median, {:.3} of the processor time",
            contender.name,
            processor.unwrap_or(f64::NAN)
        );
        held &= match contender.name {
            "C twin" => ratio <= call.worst_ratio,
            _ => !is_strict() || processor.unwrap_or(ratio) <= SMALLER_RATIO,
        };
    }
    held
}

fn sorted(times: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut times: Vec<_> = times.collect();
    times.sort();
    times
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

/// Answers the requests with the replies in turn, each in one write. One caller at a time sends all requests.
#[expect(
    clippy::disallowed_methods,
    reason = "without a thread there is nothing to measure"
)]
fn respond(socket: &Path, replies: Vec<Vec<u8>>) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for reply in replies.iter().cycle() {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(reply);
        }
    });
}

fn start(call: &Recorded, contender: &Contender, stdout: Stdio) -> Child {
    Command::new(&contender.program)
        .env_clear()
        .env("JETON_SOCKET", &contender.socket)
        .env("TERM", "dumb")
        .args(call.arguments)
        .stdin(Stdio::piped())
        .stdout(stdout)
        .spawn()
        .unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a stopwatch")]
fn timed(call: &Recorded, contender: &Contender) -> Run {
    let begun = std::time::Instant::now();
    let mut child = start(call, contender, Stdio::null());
    // As git does it: the input is in the pipe at once, and then the pipe is closed.
    let _ = child.stdin.take().unwrap().write_all(call.stdin);
    // Its end is awaited first without taking it, so that the kernel still tells its processor time.
    let id = Pid::from_child(&child);
    waitid(
        WaitId::Pid(id),
        WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
    )
    .unwrap();
    let wall = begun.elapsed();
    let processor = processor_time(&child);
    assert!(child.wait().unwrap().success());
    Run { wall, processor }
}

/// Returns the processor time of a program that has ended; none where the system does not report it.
fn processor_time(child: &Child) -> Option<Duration> {
    let statistics = fs::read_to_string(format!("/proc/{}/schedstat", child.id())).ok()?;
    let nanoseconds = statistics.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}
