//! How the companion handles an answer.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::mpsc::channel;

use super::daemon::{ConnectionStep, ScriptedDaemon, frame, http, ok};
use super::run::{assert_line, assert_refusal, jeton_at, outcome, program};
use crate::support::ends::unread_pipe;

fn answered(step: ConnectionStep) -> (i32, String, String) {
    let daemon = ScriptedDaemon::new(vec![step]);
    let output = jeton_at(&daemon.socket, &["status"]).output().unwrap();
    assert_eq!(daemon.asked().len(), 1);
    outcome(&output)
}

#[track_caller]
fn assert_broken_off(step: ConnectionStep, stdout: &str, part: &str) {
    let (code, out, err) = answered(step);
    assert_eq!((code, out.as_str()), (75, stdout));
    assert_line(&err, part);
}

#[test]
fn fields_become_output_errors_and_exit_code() {
    let answer = ok(&[
        (1, b"a"),
        (2, b"b"),
        (1, b""),
        (1, b"c\n"),
        (2, b"d\n"),
        (3, &[42]),
    ]);
    assert_eq!(
        answered(ConnectionStep::Answer(answer)),
        (42, "ac\n".into(), "bd\n".into())
    );
}

#[test]
fn unknown_fields_are_skipped() {
    let answer = ok(&[
        (9, b"what"),
        (1, b"a"),
        (255, &[7; 70_000]),
        (0, b""),
        (1, b"b"),
        (3, &[0]),
    ]);
    assert_eq!(
        answered(ConnectionStep::Answer(answer)),
        (0, "ab".into(), String::new())
    );
}

#[test]
fn the_companion_exits_at_the_exit_code_field_without_reading_further() {
    // The daemon keeps the connection open, so a companion that reads past the exit code would run into its deadline.
    assert_eq!(
        answered(ConnectionStep::Hold(ok(&[(1, b"a"), (3, &[5])]))),
        (5, "a".into(), String::new())
    );
}

#[test]
fn an_answer_without_an_exit_code_is_a_failure() {
    assert_broken_off(
        ConnectionStep::Answer(ok(&[(1, b"tok")])),
        "tok",
        "broke off",
    );
    assert_broken_off(ConnectionStep::Answer(ok(&[])), "", "broke off");
    assert_broken_off(
        ConnectionStep::Answer(b"HTTP/1.1 200 OK\r\n".to_vec()),
        "",
        "broke off",
    );
}

#[test]
fn an_answer_truncated_anywhere_is_a_failure() {
    let whole = ok(&[(1, b"tok\n"), (3, &[0])]);
    for length in 1..whole.len() {
        let (code, stdout, stderr) = answered(ConnectionStep::Answer(whole[..length].to_vec()));
        assert_eq!(code, 75, "cut at {length}");
        assert!("tok\n".starts_with(&stdout));
        assert_line(&stderr, "broke off");
    }
}

#[test]
fn fields_are_printed_before_the_answer_is_complete() {
    // The daemon continues only after the first part was read from the companion's standard output. So the rest of the
    // answer arrives in a separate read, whether it is cut inside a tag, a length or a payload.
    let rest = frame(&[(2, b"note\n"), (1, b"cd"), (77, b"?"), (3, &[4])])[1..].to_vec();
    for cut in 0..rest.len() {
        let (tell, told) = channel::<()>();
        let (first, second) = (rest[..cut].to_vec(), rest[cut..].to_vec());
        let daemon = ScriptedDaemon::new(vec![ConnectionStep::Script(Box::new(
            move |mut stream: UnixStream| {
                let mut answer = ok(&[(1, b"ab")]);
                answer.extend(first);
                stream.write_all(&answer).unwrap();
                told.recv().unwrap();
                stream.write_all(&second).unwrap();
            },
        ))]);
        let mut child = jeton_at(&daemon.socket, &["status"]).spawn().unwrap();
        let mut seen = [0; 2];
        child
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut seen)
            .unwrap();
        assert_eq!(&seen, b"ab");
        tell.send(()).unwrap();
        assert_eq!(
            outcome(&child.wait_with_output().unwrap()),
            (4, "cd".into(), "note\n".into()),
            "cut at {cut}"
        );
        daemon.asked_once();
    }
}

#[test]
fn an_answer_may_arrive_in_tiny_pieces() {
    // Such a small send buffer holds a handful of one-byte writes. So the companion has to read many times, also within
    // the head.
    let whole = ok(&[(1, &[b'x'; 300]), (2, b"note\n"), (3, &[0])]);
    let step = ConnectionStep::Script(Box::new(move |mut stream: UnixStream| {
        rustix::net::sockopt::set_socket_send_buffer_size(&stream, 1).unwrap();
        for byte in whole {
            stream.write_all(&[byte]).unwrap();
        }
    }));
    assert_eq!(answered(step), (0, "x".repeat(300), "note\n".into()));
}

#[test]
fn an_answer_over_256_kib_is_refused() {
    let room = 256 * 1024 - frame(&[(1, b""), (3, &[0])]).len();
    let text = vec![b'x'; room];
    let (code, stdout, _) = answered(ConnectionStep::Answer(ok(&[(1, &text), (3, &[0])])));
    assert_eq!((code, stdout.len()), (0, room));

    // The companion may close the connection before everything is written.
    let too_much = |answer: Vec<u8>| {
        ConnectionStep::Script(Box::new(move |mut stream: UnixStream| {
            drop(stream.write_all(&answer));
        }))
    };
    assert_broken_off(
        too_much(ok(&[(1, b"a"), (1, &vec![b'x'; 256 * 1024]), (3, &[0])])),
        "a",
        "longer than 256 KiB",
    );
    let endless = [ok(&[(1, b"a")]), vec![9, 0xff, 0xff, 0xff, 0xff]].concat();
    assert_broken_off(ConnectionStep::Answer(endless), "a", "longer than 256 KiB");
    let zeros = frame(&[(1, b"")])[1..].repeat(53_000);
    assert_broken_off(
        too_much(http(&[vec![1], zeros].concat())),
        "",
        "longer than 256 KiB",
    );
}

#[test]
fn a_watch_has_a_size_limit_for_each_field_but_not_in_total() {
    let text = vec![b'x'; 200 * 1024];
    let daemon = ScriptedDaemon::answering(&[(1, &text), (1, &text), (3, &[0])]);
    let output = jeton_at(&daemon.socket, &["watch"]).output().unwrap();
    assert_eq!(
        (
            output.status.code(),
            output.stdout.len(),
            output.stderr.len()
        ),
        (Some(0), 2 * text.len(), 0)
    );
    daemon.asked_once();
    // A rotation reports its steps one at a time, for days.
    let daemon = ScriptedDaemon::answering(&[(1, &text), (1, &text), (3, &[0])]);
    let output = jeton_at(&daemon.socket, &["rotate"]).output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.len()),
        (Some(0), 2 * text.len())
    );
    daemon.asked_once();

    let daemon = ScriptedDaemon::new(vec![ConnectionStep::Answer(
        [ok(&[]), vec![1, 0, 0, 4, 0]].concat(),
    )]);
    assert_refusal(
        &jeton_at(&daemon.socket, &["watch"]).output().unwrap(),
        75,
        "longer than 256 KiB",
    );
    daemon.asked_once();
}

#[test]
fn an_answer_in_a_later_format_is_a_failure() {
    assert_broken_off(
        ConnectionStep::Answer(http(&[2, 1, 0, 0])),
        "",
        "does not know",
    );
    assert_broken_off(ConnectionStep::Answer(ok(&[(3, b"")])), "", "is malformed");
    assert_broken_off(ConnectionStep::Answer(ok(&[(4, &[2])])), "", "is malformed");
}

#[test]
fn an_answer_that_is_not_http_is_a_failure() {
    assert_broken_off(
        ConnectionStep::Answer(b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        "",
        "not HTTP",
    );
    assert_broken_off(
        ConnectionStep::Answer(b"HTTP/1.1\n\n".to_vec()),
        "",
        "not HTTP",
    );
    let endless = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'x'; 20_000]].concat();
    assert_broken_off(
        ConnectionStep::Script(Box::new(move |mut s: UnixStream| {
            drop(s.write_all(&endless));
        })),
        "",
        "not HTTP",
    );
}

#[test]
fn the_companion_waits_for_a_silent_daemon_until_the_deadline() {
    for step in [
        ConnectionStep::Hold(Vec::new()),
        ConnectionStep::Hold(ok(&[])),
    ] {
        let daemon = ScriptedDaemon::new(vec![step]);
        let output = jeton_at(&daemon.socket, &["token", "--timeout", "2"])
            .output()
            .unwrap();
        assert_refusal(&output, 75, "no answer in time");
        let left = daemon.asked_once().deadline().unwrap();
        assert!(left <= 2_000, "{left}");
    }
}

#[test]
fn the_companion_waits_for_silent_standard_input_until_the_deadline() {
    let daemon = ScriptedDaemon::new(vec![ConnectionStep::Answer(ok(&[(4, &[0])]))]);
    let mut command = jeton_at(&daemon.socket, &["git", "--timeout", "2"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let kept_open = child.stdin.take();
    assert_refusal(&child.wait_with_output().unwrap(), 75, "no answer in time");
    drop(kept_open);
    daemon.asked_once();
}

#[test]
fn the_companion_waits_until_the_deadline_for_a_daemon_that_does_not_read() {
    // More than the socket's buffer holds, so that sending blocks. The listener accepts nothing.
    let folder = tempfile::TempDir::new().unwrap();
    let socket = folder.path().join("jeton.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let large = "x".repeat(100_000);
    let mut command = jeton_at(&socket, &["token", "--timeout", "2", &large, &large]);
    assert_refusal(
        &command.env("JETON_PROFILE", "p").output().unwrap(),
        75,
        "no answer in time",
    );
}

#[test]
fn a_connection_that_breaks_before_the_first_byte_is_retried() {
    for step in [ConnectionStep::Close, ConnectionStep::Reset] {
        let daemon = ScriptedDaemon::new(vec![
            step,
            ConnectionStep::Answer(ok(&[(1, b"tok\n"), (3, &[0])])),
        ]);
        let output = jeton_at(&daemon.socket, &["status"]).output().unwrap();
        assert_eq!(outcome(&output), (0, "tok\n".into(), String::new()));
        assert!(!daemon.asked().is_empty());
    }
}

#[test]
fn the_second_request_is_the_same_as_the_first() {
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Close,
        ConnectionStep::Answer(ok(&[(3, &[0])])),
    ]);
    assert_eq!(
        outcome(&jeton_at(&daemon.socket, &["token", "p"]).output().unwrap()).0,
        0
    );
    let asked = daemon.asked();
    let [first, second] = asked.as_slice() else {
        panic!("{asked:?}")
    };
    assert_eq!(first.head, second.head);
    assert_eq!(
        first.frame[..first.frame.len() - 4],
        second.frame[..second.frame.len() - 4]
    );
    assert!(second.deadline() <= first.deadline());
}

#[test]
fn a_broken_connection_is_retried_only_once() {
    let daemon = ScriptedDaemon::new(vec![ConnectionStep::Close, ConnectionStep::Close]);
    assert_refusal(
        &jeton_at(&daemon.socket, &["status"]).output().unwrap(),
        75,
        "broke before the answer",
    );
    assert_eq!(daemon.asked().len(), 2);
}

#[test]
fn a_connection_that_breaks_after_the_first_byte_is_not_retried() {
    let daemon = ScriptedDaemon::new(vec![
        ConnectionStep::Answer(b"H".to_vec()),
        ConnectionStep::Answer(ok(&[(3, &[0])])),
    ]);
    assert_refusal(
        &jeton_at(&daemon.socket, &["status"]).output().unwrap(),
        75,
        "broke off",
    );
    assert_eq!(daemon.asked().len(), 1);
}

#[test]
fn an_answer_sent_before_the_request_was_read_is_used() {
    // The daemon closes the connection when a request is too long. Sending then fails, and the answer has the reason.
    let refusal =
        b"HTTP/1.1 413 x\r\n\r\n{\"code\":\"payload_too_large\",\"detail\":\"too much\"}".to_vec();
    let daemon = ScriptedDaemon::new(vec![ConnectionStep::Early(refusal)]);
    let large = "x".repeat(120_000);
    let output = jeton_at(&daemon.socket, &["token", &large, &large])
        .output()
        .unwrap();
    assert_eq!(
        outcome(&output),
        (64, String::new(), "jeton: too much\n".into())
    );
    assert_eq!(daemon.asked().len(), 0, "nothing was sent again");
}

#[test]
fn a_refusal_at_accept_is_shown() {
    // The daemon refuses before it reads. Whether the companion has sent its request by then is a race, so try many
    // times.
    for (status, code, exit) in [(503, "unavailable", 75), (403, "forbidden", 77)] {
        let refusal = format!(
            "HTTP/1.1 {status} x\r\n\r\n{{\"code\":\"{code}\",\"detail\":\"too many connections\"}}"
        );
        let steps = (0..20).map(|_| ConnectionStep::Early(refusal.clone().into_bytes()));
        let daemon = ScriptedDaemon::new(steps.collect());
        for _ in 0..20 {
            let output = jeton_at(&daemon.socket, &["token"]).output().unwrap();
            assert_refusal(&output, exit, "too many connections");
        }
        assert_eq!(daemon.asked().len(), 0);
    }
}

fn problem(status: u16, body: &str) -> (i32, String, String) {
    answered(ConnectionStep::Answer(
        format!(
            "HTTP/1.1 {status} Some Words\r\ncontent-type: application/problem+json\r\n\r\n{body}"
        )
        .into_bytes(),
    ))
}

#[test]
fn a_problem_is_printed_in_the_daemons_words() {
    let body = r#"{ "title":"Forbidden","status":403,"code":"forbidden","x":{"detail":"no"},"y":["detail"],"z":"detail","detail" : "uid 7 may not use \"p\"" }"#;
    assert_eq!(
        problem(403, body),
        (77, String::new(), "jeton: uid 7 may not use \"p\"\n".into())
    );
}

#[test]
fn escapes_are_decoded_and_control_characters_printed_as_hex() {
    let body = "{\"detail\":\"\\u00e9\\ud83d\\ude00 \\ud83d \\/\\\\ a\\nb\\tc\\u001b[2J\\u009b\\u007f\u{9b}\u{e9}\\b\\f\\r\"}";
    let (code, _, stderr) = problem(503, body);
    assert_eq!(code, 75);
    assert_eq!(
        stderr,
        "jeton: é😀 \u{fffd} /\\ a\\x0ab\\x09c\\x1b[2J\\x9b\\x7f\\x9bé\\x08\\x0c\\x0d\n"
    );
}

#[test]
fn a_malformed_problem_is_reported_with_its_status() {
    for body in [
        "",
        "<html>",
        "{\"detail\":5}",
        "{\"detail\":\"cut",
        "{\"detail\":\"\\u00",
        "}{\"detail\":\"x\"}",
        "\"detail\":\"x\"",
    ] {
        let (code, _, stderr) = problem(503, body);
        assert_eq!(
            (code, stderr.as_str()),
            (75, "jeton: the daemon answered with HTTP status 503\n"),
            "{body}"
        );
    }
    let long = format!("{{\"detail\":\"{}\"}}", "x".repeat(5000));
    assert_eq!(problem(404, &long).0, 64);
}

#[test]
fn a_long_line_is_not_truncated() {
    let text = "é".repeat(1500);
    assert_eq!(
        problem(500, &format!("{{\"detail\":\"{text}\"}}")),
        (1, String::new(), format!("jeton: {text}\n"))
    );
}

#[test]
fn every_code_has_its_exit_code() {
    // The table of the problem codes (design, section 4).
    let table = "bad_request 400/64, payload_too_large 413/64, method_not_allowed 405/64, not_found 404/64, forbidden 403/77, \
        unknown_profile 404/78, not_enrolled 409/78, misconfigured 503/78, binding_changed 409/78, rejected_by_provider 502/1, \
        unavailable 503/75, deadline 504/75, too_many_requests 429/75, cooling_down 503/75, conflict 409/75, needs_human 409/1, \
        not_supported 501/64, internal 500/1";
    for row in table.split(", ") {
        let (code, numbers) = row.trim().split_once(' ').unwrap();
        let (status, exit) = numbers.split_once('/').unwrap();
        let (status, exit): (u16, i32) = (status.parse().unwrap(), exit.parse().unwrap());
        assert_eq!(
            problem(status, &format!("{{\"code\":\"{code}\",\"detail\":\"d\"}}")).0,
            exit,
            "{row}"
        );
        // The code decides, not the status.
        assert_eq!(
            problem(418, &format!("{{\"detail\":\"d\",\"code\":\"{code}\"}}")).0,
            exit,
            "{row}"
        );
    }
}

#[test]
fn the_status_decides_the_exit_code_for_an_unknown_code() {
    for (status, exit) in [
        (400, 64),
        (403, 77),
        (404, 64),
        (429, 75),
        (500, 1),
        (502, 1),
        (503, 75),
        (504, 75),
        (302, 75),
        (204, 75),
    ] {
        let (code, _, stderr) = problem(status, r#"{"code":"of_a_later_daemon","detail":"d"}"#);
        assert_eq!((code, stderr.as_str()), (exit, "jeton: d\n"), "{status}");
    }
}

#[test]
fn a_broken_pipe_is_reported() {
    // With the signal at its default and with the signal ignored. The reader is gone from the start.
    for script in ["exec \"$0\" token", "trap '' PIPE; exec \"$0\" token"] {
        let daemon = ScriptedDaemon::answering(&[(1, b"tok\n"), (3, &[0])]);
        let mut command = program("/bin/sh");
        command
            .env("JETON_SOCKET", &daemon.socket)
            .args(["-c", script, env!("CARGO_BIN_EXE_jeton")])
            .stdout(unread_pipe());
        assert_refusal(
            &command.output().unwrap(),
            141,
            "cannot write to standard output: Broken pipe",
        );
        daemon.asked_once();
    }
}

#[test]
fn a_watch_ends_when_its_output_is_closed() {
    // The daemon sends nothing more, and there is no deadline. So only the end of the reader can end the companion.
    let daemon = ScriptedDaemon::new(vec![ConnectionStep::Hold(ok(&[(1, b"first\n")]))]);
    let mut child = jeton_at(&daemon.socket, &["watch"]).spawn().unwrap();
    let mut seen = [0; 6];
    let mut reader = child.stdout.take().unwrap();
    reader.read_exact(&mut seen).unwrap();
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_refusal(&output, 141, "cannot write to standard output: Broken pipe");
    daemon.asked_once();
}

#[test]
fn a_full_standard_output_is_reported() {
    let daemon = ScriptedDaemon::answering(&[(1, b"tok\n"), (3, &[0])]);
    let mut command = jeton_at(&daemon.socket, &["status"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_refusal(
        &command.stdout(full).output().unwrap(),
        1,
        "cannot write to standard output: No space left on device",
    );
    daemon.asked_once();
}

#[test]
fn output_does_not_go_to_the_socket_if_standard_output_is_closed() {
    // The socket would get the free descriptor 1. The daemon keeps the connection open, so a write to it would succeed.
    let daemon = ScriptedDaemon::new(vec![ConnectionStep::Hold(ok(&[(1, b"tok\n"), (3, &[0])]))]);
    let mut command = program("/bin/sh");
    command.env("JETON_SOCKET", &daemon.socket).args([
        "-c",
        "exec \"$0\" token >&-",
        env!("CARGO_BIN_EXE_jeton"),
    ]);
    assert_refusal(
        &command.output().unwrap(),
        1,
        "cannot write to standard output: Bad file descriptor",
    );
    daemon.asked_once();
}

#[test]
fn a_non_blocking_standard_output_gets_the_whole_answer() {
    // A pipe that another process has set to non-blocking. It is full long before the answer ends.
    let text = vec![b'x'; 250_000];
    let daemon = ScriptedDaemon::answering(&[(1, &text), (3, &[0])]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut child = jeton_at(&daemon.socket, &["status"])
        .stdout(writer)
        .spawn()
        .unwrap();
    let mut seen = Vec::new();
    reader.read_to_end(&mut seen).unwrap();
    assert_eq!(
        (child.wait().unwrap().code(), seen.len()),
        (Some(0), text.len())
    );
    daemon.asked_once();
}
