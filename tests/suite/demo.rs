//! `jetond demo` as a new user runs it: it shows real behaviour and leaves no files or processes.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::TestEnv;

const SCORE: &str = " 1 application, 1 rotation, 2 outages, 0 failed";

/// Starts a demo and captures its output.
fn start(env: &TestEnv) -> Child {
    env.jetond_command(&["demo", "--quick"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Asserts that no whole token is shown. The beginning of one may be.
fn assert_no_token(text: &str) {
    for (at, _) in text.match_indices("eyJ") {
        let (_, rest) = text.split_at(at);
        let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
        let length = rest.bytes().take_while(base64).count();
        assert!(length < 40, "a token was printed: {text}");
    }
}

fn assert_no_folder_left(env: &TestEnv) {
    let left: Vec<_> = fs::read_dir(env.path("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Returns the processes that this process has started, or an empty list without `/proc`.
fn children(parent: u32) -> Vec<String> {
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    ids.filter(|entry| parent_of(&entry.path().join("stat")) == Some(parent))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect()
}

/// Returns the fourth field of proc_pid_stat(5). The second field is in brackets and may contain spaces.
fn parent_of(stat: &std::path::Path) -> Option<u32> {
    let stat = fs::read_to_string(stat).ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Reads up to and including the line with this text, and returns what was read.
fn read_to(out: &mut impl BufRead, text: &str) -> String {
    let mut all = String::new();
    while !all.contains(text) {
        let read = out.read_line(&mut all).unwrap();
        assert!(read > 0, "{text:?} was never printed: {all}");
    }
    all
}

#[test]
fn the_demo_prints_plain_lines_and_leaves_nothing() {
    let env = TestEnv::new();
    let mut demo = start(&env);
    let mut out = BufReader::new(demo.stdout.take().unwrap());
    let mut all = read_to(&mut out, "token 1 is served");
    let daemon = children(demo.id());
    assert_eq!(daemon.len(), usize::from(cfg!(target_os = "linux")));
    out.read_to_string(&mut all).unwrap();
    let end = demo.wait_with_output().unwrap();
    env.add_output("stdout of jetond demo", all.as_bytes(), false);
    env.add_output("stderr of jetond demo", &end.stderr, false);
    assert_eq!(end.status.code(), Some(0), "{all}{end:?}");
    assert_eq!(String::from_utf8(end.stderr).unwrap(), "");
    for command in [
        "$ jetond sandbox --token-life 4\n",
        "$ jetond add demo --provider runai --url http://127.0.0.1:",
        "$ jetond run\n",
        "$ jeton token demo\n",
        "$ jeton status demo\n",
        "demo    retrying ",
        "$ jetond app create batch-jobs --enrol batch\n",
        "batch has a token of its own, and the API takes it\n",
        "jeton rotate demo: a new key is in use, and not one request failed\n",
        "$ jetond add NAME --provider runai --url https://YOUR.run.ai\n",
    ] {
        assert!(all.contains(command), "{command:?} in {all}");
    }
    let last = all.lines().last().unwrap();
    assert!(last.ends_with(SCORE), "{last}");
    assert!(!last.contains(" 0 refreshes"), "{last}");
    assert!(!all.contains('\x1b'), "{all:?}");
    let widest = all.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(80), "{all}");
    assert_no_token(&all);
    assert_no_folder_left(&env);
    for id in daemon {
        assert!(!fs::exists(format!("/proc/{id}")).unwrap());
    }
}

#[test]
fn a_signal_ends_the_demo_at_once_and_leaves_nothing_behind() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let env = TestEnv::new();
        let mut demo = start(&env);
        let mut out = BufReader::new(demo.stdout.take().unwrap());
        read_to(&mut out, "the issuer is down");
        let daemon = children(demo.id());
        let pid = Pid::from_raw(i32::try_from(demo.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let mut rest = String::new();
        out.read_to_string(&mut rest).unwrap();
        let end = demo.wait_with_output().unwrap();
        assert_eq!(end.status.code(), Some(1), "{end:?}");
        assert!(!rest.contains("$ jetond add NAME"), "{rest}");
        assert_eq!(
            String::from_utf8(end.stderr).unwrap(),
            "jetond: stopped before the end; nothing is left behind\n"
        );
        assert_no_folder_left(&env);
        for id in daemon {
            assert!(!fs::exists(format!("/proc/{id}")).unwrap());
        }
    }
}

/// Returns the lines that a terminal shows after this output. Handles only the escape sequences that the demo uses.
fn screen(bytes: &str) -> Vec<String> {
    let mut pieces = bytes.split("\x1b[");
    let mut text = pieces.next().unwrap().to_owned();
    for piece in pieces {
        let end = piece.find(|c: char| c.is_ascii_alphabetic()).unwrap();
        let (number, rest) = piece.split_at(end);
        match rest.split_at(1) {
            ("m", rest) => text.push_str(rest),
            // moves up this many lines, and clears everything from there on
            ("A", _) => {
                for _ in 0..=number.parse::<usize>().unwrap() {
                    text.truncate(text.rfind('\n').unwrap_or(0));
                }
                text.push('\n');
            }
            ("J", rest) => text.push_str(rest),
            other => panic!("unknown terminal command: {other:?}"),
        }
    }
    text.lines().map(str::to_owned).collect()
}

#[test]
fn on_a_terminal_the_demo_fits_one_screen() {
    let env = TestEnv::new();
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, vec![]).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: 80,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&ours, size).unwrap();
    let theirs = File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut command = env.jetond_command(&["demo", "--quick"]);
    let mut demo = command
        .env("TERM", "xterm-256color")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(theirs)
        .spawn()
        .unwrap();
    // Closes our copy of the terminal's other side. While it is open, the read below does not end.
    drop(command);
    let mut bytes = vec![];
    // On Linux, the read ends with EIO once the last process has closed the other side.
    let _: std::io::Result<usize> = File::from(ours).read_to_end(&mut bytes);
    assert_eq!(demo.wait().unwrap().code(), Some(0));
    let all = String::from_utf8(bytes).unwrap().replace("\r\n", "\n");
    env.add_output("the terminal", all.as_bytes(), false);
    assert!(!all.contains("\x1b[1m"), "colours were not requested");
    assert!(
        all.contains("█░") && all.contains("issuer    ● down"),
        "{all}"
    );
    assert_no_token(&all);
    let last = screen(&all);
    let shown = last.join("\n");
    assert!(last.len() < 24, "{shown}");
    assert!(
        last.iter().all(|line| line.chars().count() <= 80),
        "{shown}"
    );
    assert!(!shown.contains('█') && shown.ends_with(SCORE), "{shown}");
}
