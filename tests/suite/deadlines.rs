//! Deadlines of helper requests: however an issuer hangs, each helper answers before its client gives up.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::tools::{self, FilledRequest, Request};

const OURS: &str = "https://git.example:8443";

/// A verb, words that its arguments contain, and how many seconds the client waits.
type ClientTimeout = (&'static str, &'static [&'static str], u64);

/// How long clients wait for their helpers, by verb and arguments. A request without a row has an unknown wait, for
/// which the test uses the shortest one.
const WAITS: [ClientTimeout; 5] = [
    // git waits without a limit, and the user waits with it.
    ("git", &[], 10),
    ("mcp-headers", &[], 10),
    ("token", &["claude-code"], 10),
    ("token", &["codex"], 5),
    ("token", &["dvc"], 30),
];

const UNKNOWN: u64 = 5;

fn waits(request: &Request, filled: &FilledRequest) -> u64 {
    let has = |word: &&str| filled.argv.iter().any(|it| it == word);
    let mut rows = WAITS.iter();
    let row = rows.find(|(tool, words, _)| *tool == request.tool && words.iter().all(has));
    row.map_or(UNKNOWN, |(_, _, waits)| *waits)
}

/// Returns the requests that tools make for an address of the profile. For other plain tokens and headers, the user
/// sets the wait.
fn of_tools() -> Vec<(Request, FilledRequest)> {
    let mut found = vec![];
    for request in tools::all().into_iter().filter(Request::gets_a_token) {
        let filled = request.filled(OURS, "research");
        match filled.argv.iter().position(|word| word == "--for") {
            Some(option) => {
                for client in ["claude-code", "codex", "dvc", "rclone"] {
                    let mut filled = filled.clone();
                    client.clone_into(&mut filled.argv[option + 1]);
                    found.push((request.clone(), filled));
                }
            }
            None if ["token", "header"].contains(&&*request.tool) => {}
            None => found.push((request, filled)),
        }
    }
    found
}

#[test]
fn a_helper_ends_before_its_client_stops_waiting_while_the_issuer_hangs() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let config = fs::read_to_string(env.config()).unwrap();
    let hosts = format!("[[profiles.research.hosts]]\nurl = \"{OURS}\"\n");
    write_config(&env, format!("{config}{hosts}"));
    env.fault("hang");
    let mut daemon = env.start();
    let start = |(request, filled): (Request, FilledRequest)| {
        let waits = waits(&request, &filled);
        let mut command = filled.command(&env);
        let piped = Stdio::piped;
        command.stdin(piped()).stdout(piped()).stderr(piped());
        thread::spawn(move || {
            let began = Instant::now();
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            // A command that does not read its input may have ended already.
            let _ = stdin.write_all(filled.stdin.as_bytes());
            drop(stdin);
            let output = child.wait_with_output().unwrap();
            (filled.argv, waits, began.elapsed(), output)
        })
    };
    let started: Vec<_> = of_tools().into_iter().map(start).collect();
    assert!(started.len() > 10, "{}", started.len());
    for helper in started {
        let (argv, waits, took, output) = helper.join().unwrap();
        env.add_output("stdout of a helper", &output.stdout, false);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(75), 0),
            "{argv:?}: {line}"
        );
        // The daemon answers one second before the client gives up. The remaining time is for the processes.
        let bound = Duration::from_secs(waits) - Duration::from_millis(500);
        assert!(took < bound, "{argv:?} took {took:?} of {waits} s");
        assert!(took > Duration::from_secs(3), "{argv:?} took {took:?}");
    }
    env.stop(&mut daemon);
}
