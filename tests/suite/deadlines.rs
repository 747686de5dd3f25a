//! Clients stop waiting for their helpers. However an issuer hangs, each helper ends before that.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::tools::{self, Filled, Request};

const OURS: &str = "https://git.example:8443";

/// A request with what its client does, and for how many seconds that one waits.
type Row = (&'static str, &'static [&'static str], u64);

/// How long clients wait for their helpers, by what is in the arguments. One that is in no row waits for a time that is not
/// known, taken as that of the most impatient one.
const WAITS: [Row; 5] = [
    // It waits without a limit, and a person with it.
    ("git", &[], 10),
    ("mcp-headers", &[], 10),
    ("token", &["claude-code"], 10),
    ("token", &["codex"], 5),
    ("token", &["dvc"], 30),
];

const UNKNOWN: u64 = 5;

fn waits(request: &Request, filled: &Filled) -> u64 {
    let has = |word: &&str| filled.argv.iter().any(|it| it == word);
    let mut rows = WAITS.iter();
    let row = rows.find(|(tool, words, _)| *tool == request.tool && words.iter().all(has));
    row.map_or(UNKNOWN, |(_, _, waits)| *waits)
}

/// The requests that tools make, for an address of the profile. With other plain tokens and headers, a person says how long
/// to wait.
fn of_tools() -> Vec<(Request, Filled)> {
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
    let start = |(request, filled): (Request, Filled)| {
        let waits = waits(&request, &filled);
        let mut command = filled.command(&env);
        let piped = Stdio::piped;
        command.stdin(piped()).stdout(piped()).stderr(piped());
        thread::spawn(move || {
            let began = Instant::now();
            let mut child = command.spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            // One that does not read it may be gone already.
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
        env.came_out("stdout of a helper", &output.stdout, false);
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(75), 0),
            "{argv:?}: {line}"
        );
        // The daemon answers a second before the client goes away; what remains is for the processes themselves.
        let bound = Duration::from_secs(waits) - Duration::from_millis(500);
        assert!(took < bound, "{argv:?} took {took:?} of {waits} s");
        assert!(took > Duration::from_secs(3), "{argv:?} took {took:?}");
    }
    env.stop(&mut daemon);
}
