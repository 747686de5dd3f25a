//! Requests: what the companion sends.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use super::daemon::{ConnectionStep, RecordedRequest, ScriptedDaemon, frame, ok};
use super::run::{assert_refusal, feed, jeton, jeton_at, outcome, program};

const DONE: &[(u8, &[u8])] = &[(3, &[0])];

fn ask(args: &[&str], env: &[(&str, &str)]) -> RecordedRequest {
    let daemon = ScriptedDaemon::answering(DONE);
    let output = jeton_at(&daemon.socket, args)
        .envs(env.iter().copied())
        .output()
        .unwrap();
    assert_eq!(outcome(&output), (0, String::new(), String::new()));
    daemon.asked_once()
}

#[test]
fn a_request_is_http_1_0_with_its_length() {
    let asked = ask(&["token"], &[]);
    let length = asked.frame.len();
    assert_eq!(
        asked.head,
        format!(
            "POST /v1/helper HTTP/1.0\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        )
    );
}

#[test]
fn the_frame_holds_arguments_variables_terminal_and_deadline_in_order() {
    let mut asked = ask(&["token", "research"], &[("TERM", "dumb")]);
    let deadline = asked.frame.len() - 4;
    let left = u32::from_le_bytes(asked.frame[deadline..].try_into().unwrap());
    assert!(left > 0 && left <= 30_000, "{left}");
    asked.frame.truncate(deadline);
    let mut expected = frame(&[
        (1, b"jeton"),
        (1, b"token"),
        (1, b"research"),
        (2, b"TERM=dumb"),
        (3, &[0, 0, 0]),
        (5, &[0; 4]),
    ]);
    expected.truncate(deadline);
    assert_eq!(asked.frame, expected);
}

#[test]
fn only_the_listed_variables_are_sent() {
    let listed = [
        ("JETON_PROFILE", "research"),
        ("NO_COLOR", "1"),
        ("TERM", "xterm"),
        ("COLUMNS", "99"),
        ("KUBERNETES_EXEC_INFO", "{}"),
        ("CARGO_REGISTRY_INDEX_URL", "sparse+https://x"),
        ("CARGO_REGISTRY_NAME_OPT", "x"),
        ("CLAUDE_CODE_MCP_SERVER_NAME", "x"),
        ("CLAUDE_CODE_MCP_SERVER_URL", "https://x"),
        ("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", "//iam"),
        ("GOOGLE_EXTERNAL_ACCOUNT_", ""),
    ];
    let others = [
        ("HOME", "/root"),
        ("TERMINFO", "x"),
        ("term", "x"),
        ("JETON_PROFILES", "x"),
        ("CARGO_REGISTRY_NAME", "x"),
        ("GOOGLE_EXTERNAL_ACCOUNT", "x"),
        ("SECRET", "x"),
        // Only the exact name counts: not a longer name that ends in it, and not a value.
        ("XTERM", "x"),
        ("A", "TERM=x"),
    ];
    let asked = ask(&["token"], &[listed.as_slice(), &others].concat());
    let mut sent = asked.all(2);
    sent.sort();
    let mut expected: Vec<_> = listed
        .iter()
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect();
    expected.sort();
    assert_eq!(sent, expected);
}

#[test]
fn arguments_and_variables_are_sent_as_raw_bytes() {
    let daemon = ScriptedDaemon::answering(DONE);
    let odd = std::ffi::OsStr::from_bytes(b"\xff\x00\x1b\n".split(|b| *b == 0).next().unwrap());
    let mut command = jeton_at(&daemon.socket, &["token", ""]);
    command.arg(odd).env("JETON_PROFILE", odd);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let asked = daemon.asked_once();
    assert_eq!(
        asked.all(1),
        [b"jeton".to_vec(), b"token".to_vec(), vec![], vec![0xff]]
    );
    assert_eq!(asked.all(2), [b"JETON_PROFILE=\xff".to_vec()]);
}

#[test]
fn the_companions_own_options_are_accepted_anywhere_and_not_sent() {
    for args in [
        &["--timeout", "7", "token", "p", "--json"][..],
        &["token", "--timeout", "7", "p", "--json"],
        &["token", "p", "--json", "--timeout=7"],
        &["token", "--timeout=9", "p", "--json", "--timeout=7.0"],
    ] {
        let asked = ask(args, &[]);
        assert_eq!(asked.words(), ["jeton", "token", "p", "--json"], "{args:?}");
        let left = asked.deadline().unwrap();
        assert!(left > 0 && left <= 7_000, "{left}");
    }
}

#[test]
fn the_socket_option_wins_over_the_variable() {
    let (wanted, other) = (
        ScriptedDaemon::answering(DONE),
        ScriptedDaemon::answering(DONE),
    );
    let output = jeton_at(&other.socket, &["token", "--socket"])
        .arg(&wanted.socket)
        .output()
        .unwrap();
    assert_eq!(outcome(&output).0, 0);
    assert_eq!(wanted.asked_once().words(), ["jeton", "token"]);
    assert_eq!(other.asked().len(), 0);
}

#[test]
fn after_two_dashes_nothing_is_an_option() {
    let asked = ask(&["token", "--", "--timeout", "7", "--socket=/x"], &[]);
    assert_eq!(
        asked.words(),
        ["jeton", "token", "--", "--timeout", "7", "--socket=/x"]
    );
}

#[test]
fn under_a_helper_name_the_companion_sends_every_argument() {
    let daemon = ScriptedDaemon::answering(DONE);
    let folder = TempDir::new().unwrap();
    let alias = folder.path().join("docker-credential-jeton");
    symlink(env!("CARGO_BIN_EXE_jeton"), &alias).unwrap();
    let mut command = program(&alias);
    command.env("JETON_SOCKET", &daemon.socket).args([
        "help",
        "--socket",
        "/nowhere",
        "--timeout=x",
        "reload",
    ]);
    assert_eq!(outcome(&command.output().unwrap()).0, 0);
    assert_eq!(
        daemon.asked_once().words(),
        [
            "docker-credential-jeton",
            "help",
            "--socket",
            "/nowhere",
            "--timeout=x",
            "reload"
        ]
    );
}

#[test]
fn under_a_helper_name_the_companion_needs_no_argument() {
    let daemon = ScriptedDaemon::answering(DONE);
    let folder = TempDir::new().unwrap();
    let alias = folder.path().join("git-credential-jeton");
    symlink(env!("CARGO_BIN_EXE_jeton"), &alias).unwrap();
    assert_eq!(
        outcome(
            &program(&alias)
                .env("JETON_SOCKET", &daemon.socket)
                .output()
                .unwrap()
        )
        .0,
        0
    );
    assert_eq!(daemon.asked_once().words(), ["git-credential-jeton"]);
}

#[test]
fn watch_and_rotate_have_no_deadline_without_the_option_timeout() {
    for verb in ["watch", "rotate"] {
        assert_eq!(ask(&[verb], &[]).deadline(), None);
        let left = ask(&[verb, "--timeout", "9"], &[]).deadline().unwrap();
        assert!(left > 0 && left <= 9_000);
    }
}

#[test]
fn ready_sends_its_wait_as_argument_and_as_deadline() {
    for args in [
        &["ready", "p", "--wait", "12"][..],
        &["ready", "p", "--wait=12"],
    ] {
        let asked = ask(args, &[]);
        assert_eq!(asked.words()[1..], *args);
        let left = asked.deadline().unwrap();
        assert!(
            left > 0 && left <= 12_000,
            "the deadline that is sent excludes the companion's extra second: {left}"
        );
    }
}

#[test]
fn terminals_and_columns_are_sent() {
    let pty = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&pty).unwrap();
    unlockpt(&pty).unwrap();
    let path = ptsname(&pty, Vec::new()).unwrap();
    let terminal = || {
        Stdio::from(
            std::fs::File::options()
                .read(true)
                .write(true)
                .open(path.to_str().unwrap())
                .unwrap(),
        )
    };
    tcsetwinsize(
        &pty,
        Winsize {
            ws_row: 24,
            ws_col: 0x0203,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
    .unwrap();

    for (bits, expected) in [
        (0b111, [7, 3, 2]),
        (0b001, [1, 0, 0]),
        (0b010, [2, 3, 2]),
        (0b100, [4, 3, 2]),
        (0, [0, 0, 0]),
    ] {
        let daemon = ScriptedDaemon::answering(DONE);
        let mut command = jeton_at(&daemon.socket, &["status"]);
        if bits & 1 != 0 {
            command.stdin(terminal());
        }
        if bits & 2 != 0 {
            command.stdout(terminal());
        }
        if bits & 4 != 0 {
            command.stderr(terminal());
        }
        assert_eq!(command.status().unwrap().code(), Some(0));
        assert_eq!(
            daemon.asked_once().all(3),
            [expected.to_vec()],
            "{bits:03b}"
        );
    }
    // A token looks the same on a terminal, so the companion does not ask whether there is one.
    let daemon = ScriptedDaemon::answering(DONE);
    let mut command = jeton_at(&daemon.socket, &["token"]);
    command.stdin(terminal()).stdout(terminal());
    assert_eq!(command.status().unwrap().code(), Some(0));
    assert_eq!(daemon.asked_once().all(3), [[0, 0, 0]]);
}

#[test]
fn standard_input_is_sent_whole_and_only_if_the_daemon_requests_it() {
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Hold(ok(&[(1, b"hello\n"), (2, b"note\n"), (4, &[0])])),
        ConnectionStep::Answer(ok(&[(1, b"done\n"), (3, &[3])])),
    ]);
    let output = feed(
        &mut jeton_at(&daemon.socket, &["git", "get"]),
        b"host=x\n\nmore\0bytes",
    );
    assert_eq!(
        outcome(&output),
        (3, "hello\ndone\n".into(), "note\n".into())
    );
    let asked = daemon.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].all(4), Vec::<Vec<u8>>::new());
    assert_eq!(asked[1].all(4), [b"host=x\n\nmore\0bytes".to_vec()]);
    assert_eq!(asked[0].words(), asked[1].words());
    assert!(
        asked[1].deadline() <= asked[0].deadline(),
        "both requests share one deadline"
    );
}

#[test]
fn reading_one_line_of_standard_input_leaves_the_rest_unread() {
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Answer(ok(&[(4, &[1])])),
        ConnectionStep::Answer(ok(DONE)),
    ]);
    // Both programs read the same pipe; the second gets what the first has left.
    let mut command = program("/bin/sh");
    command.env("JETON_SOCKET", &daemon.socket).args([
        "-c",
        "\"$0\" cargo && cat",
        env!("CARGO_BIN_EXE_jeton"),
    ]);
    let output = feed(&mut command, b"{\"v\":1}\nthe rest\n");
    assert_eq!(outcome(&output), (0, "the rest\n".into(), String::new()));
    assert_eq!(daemon.asked()[1].all(4), [b"{\"v\":1}\n".to_vec()]);
}

#[test]
fn a_line_is_sent_while_standard_input_stays_open() {
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Answer(ok(&[(4, &[1])])),
        ConnectionStep::Answer(ok(DONE)),
    ]);
    let mut child = jeton_at(&daemon.socket, &["cargo"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, b"one line\n").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(input);
    assert_eq!(daemon.asked()[1].all(4), [b"one line\n".to_vec()]);
}

#[test]
fn a_last_line_without_a_newline_is_sent() {
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Answer(ok(&[(4, &[1])])),
        ConnectionStep::Answer(ok(DONE)),
    ]);
    assert_eq!(
        outcome(&feed(&mut jeton_at(&daemon.socket, &["cargo"]), b"cut")).0,
        0
    );
    assert_eq!(daemon.asked()[1].all(4), [b"cut".to_vec()]);
}

#[test]
fn a_second_request_for_standard_input_is_refused() {
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Answer(ok(&[(4, &[0])])),
        ConnectionStep::Answer(ok(&[(4, &[0])])),
    ]);
    assert_refusal(
        &feed(&mut jeton_at(&daemon.socket, &["git"]), b"x"),
        75,
        "standard input again",
    );
    assert_eq!(daemon.asked().len(), 2);
}

#[test]
fn a_request_over_256_kib_is_refused() {
    let largest = 256 * 1024;
    let empty = frame(&[
        (1, b"jeton"),
        (1, b"git"),
        (3, &[0; 3]),
        (5, &[0; 4]),
        (4, b""),
    ])
    .len();
    let exact = vec![b'x'; largest - empty];
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Answer(ok(&[(4, &[0])])),
        ConnectionStep::Answer(ok(DONE)),
    ]);
    assert_eq!(
        outcome(&feed(&mut jeton_at(&daemon.socket, &["git"]), &exact)),
        (0, String::new(), String::new())
    );
    let asked = daemon.asked();
    assert_eq!(asked[1].frame.len(), largest);
    assert_eq!(asked[1].all(4), std::slice::from_ref(&exact));

    for more in [[exact.as_slice(), b"x"].concat(), vec![b'x'; largest + 1]] {
        let daemon = ScriptedDaemon::new(vec![ConnectionStep::Answer(ok(&[(4, &[0])]))]);
        assert_refusal(
            &feed(&mut jeton_at(&daemon.socket, &["git"]), &more),
            64,
            "longer than 256 KiB",
        );
        assert_eq!(
            daemon
                .asked()
                .iter()
                .filter(|asked| asked.head != "one too many")
                .count(),
            1
        );
    }
}

#[test]
fn a_missing_option_value_is_a_usage_error() {
    for (args, part) in [
        (&["token", "--timeout"][..], "--timeout needs a value"),
        (&["token", "--socket="], "--socket needs a value"),
        (&["ready", "--wait"], "--wait wants seconds, 0 to 86400"),
    ] {
        assert_refusal(&jeton().args(args).output().unwrap(), 64, part);
    }
}

#[test]
fn an_invalid_option_value_is_not_repeated_in_the_error() {
    // The value may be a secret that was pasted into the wrong place.
    let seconds = "--timeout wants seconds, 0.001 to 86400\n";
    for (args, value, part) in [
        (&["token", "--timeout"][..], "soon", seconds),
        (&["token", "--timeout"], "-1", seconds),
        (&["token", "--timeout"], "0", seconds),
        (&["token", "--timeout"], ".", seconds),
        (&["token", "--timeout"], "1.2.3", seconds),
        (&["token", "--timeout"], "86400.001", seconds),
        (&["token", "--timeout"], "99999999999999999999", seconds),
        (&["token", "--timeout"], "\x1b[2J", seconds),
        (
            &["ready", "--wait"],
            "x",
            "--wait wants seconds, 0 to 86400\n",
        ),
        (
            &["exec", "--env"],
            "s3cr3t-value",
            "--env wants the name of a variable",
        ),
    ] {
        for output in [
            jeton().args(args).args([value, "--", "true"]).output(),
            jeton()
                .args(args.split_last().unwrap().1)
                .arg(format!("{}={value}", args.last().unwrap()))
                .args(["--", "true"])
                .output(),
        ] {
            let output = output.unwrap();
            assert_refusal(&output, 64, part);
            let shown = String::from_utf8(output.stderr).unwrap();
            assert!(
                shown == format!("jeton: {part}") || !shown.contains(value),
                "{args:?}: {shown}"
            );
        }
    }
}
