//! Tokens with every valid character and of 64 KiB: each dialect returns them byte for byte.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::http::Response;
use crate::support::{TestEnv, http, ignored};
use jetond::sandbox::Fault;

/// Returns every character of RFC 6749, appendix A.12, except the space.
fn all() -> String {
    ('!'..='~').collect()
}

/// Returns the longest token, with all characters.
fn longest() -> String {
    all().chars().cycle().take(65_536).collect()
}

/// Starts a daemon whose profile `research` holds this token.
fn holding(token: &str) -> (TestEnv, Daemon) {
    let mut env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.forbid_token(token);
    let body = serde_json::json!({
        "access_token": token, "token_type": "Bearer", "expires_in": 3_600,
    });
    let answer = Fault::Answer {
        status: 200,
        body: body.to_string(),
    };
    env.block_on(env.sandbox().set_fault(Some(answer))).unwrap();
    let daemon = env.start();
    (env, daemon)
}

/// Returns the output of a command that is allowed to print the token.
fn printed(env: &TestEnv, mut command: Command, args: &[&str], stdin: &[u8]) -> String {
    command.args(args);
    let output = env.finish("a door of the token", command, stdin, true);
    assert_eq!(output.code, 0, "{args:?}: {}", output.stderr);
    output.stdout
}

fn jeton(env: &TestEnv, args: &[&str]) -> String {
    printed(env, env.command(env!("CARGO_BIN_EXE_jeton")), args, b"")
}

fn in_json(text: &str) -> String {
    let json: Value = serde_json::from_str(text).expect("the text is JSON");
    json["access_token"].as_str().unwrap().to_owned()
}

fn token_by_http(env: &TestEnv, daemon: &Daemon, accept: &str) -> Response {
    let target = "/v1/profiles/research/token";
    let response = env.request(&daemon.socket, "GET", target, &[("Accept", accept)], b"");
    assert_eq!(response.status, 200, "{:?}", response.headers);
    response
}

#[test]
fn every_dialect_returns_each_byte_of_a_token() {
    for token in [all(), longest(), "\"".repeat(65_536)] {
        let (env, mut daemon) = holding(&token);
        let plain = token_by_http(&env, &daemon, "text/plain").text();
        assert_eq!(plain, format!("{token}\n"));
        let json = token_by_http(&env, &daemon, "application/json").text();
        assert_eq!(in_json(&json), token);

        let form = [("Content-Type", "application/x-www-form-urlencoded")];
        let asked = b"grant_type=client_credentials&client_id=research";
        let response = env.request(&daemon.socket, "POST", "/oauth2/token", &form, asked);
        assert_eq!(in_json(&response.text()), token);

        assert_eq!(jeton(&env, &["token", "research"]), format!("{token}\n"));
        assert_eq!(
            in_json(&jeton(&env, &["token", "--json", "research"])),
            token
        );
        let header = format!("Authorization: Bearer {token}\n");
        assert_eq!(jeton(&env, &["header", "research"]), header);
        let exec = [
            "exec",
            "--env",
            "T0",
            "research",
            "--",
            "/usr/bin/printenv",
            "T0",
        ];
        assert_eq!(jeton(&env, &exec), format!("{token}\n"));

        assert_eq!(first_event(&env, &daemon), token);
        assert_eq!(first_line_of_a_watch(&env), token);
        // Each log line must be complete as well, because the search for leaks reads it.
        env.stop(&mut daemon);
    }
}

/// Returns the token of the first server-sent event that has one.
fn first_event(env: &TestEnv, daemon: &Daemon) -> String {
    let mut stream = http::connect(&daemon.socket);
    let watch = b"GET /v1/profiles/research/watch HTTP/1.0\r\n\r\n";
    stream.write_all(watch).unwrap();
    let mut lines = BufReader::new(stream).lines();
    let is_token = |line: &String| line == "event: token";
    lines.by_ref().map(Result::unwrap).find(is_token).unwrap();
    assert!(lines.next().unwrap().unwrap().starts_with("id: "));
    let data = lines.next().unwrap().unwrap();
    env.add_output("an event", data.as_bytes(), true);
    assert_eq!(lines.next().unwrap().unwrap(), "", "the event ends there");
    in_json(data.strip_prefix("data: ").unwrap())
}

/// Returns the token in the first line of `jeton watch` that has one.
fn first_line_of_a_watch(env: &TestEnv) -> String {
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    command.args(["watch", "research"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines
        .map(Result::unwrap)
        .find(|line| line.contains("\"event\":\"token\""))
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    env.add_output("a line of a watch", line.as_bytes(), true);
    in_json(&line)
}

#[test]
fn a_token_of_64_kib_is_reported_by_standard_input() {
    let token = longest();
    let (env, mut daemon) = holding(&token);
    assert_eq!(env.token(&daemon, "research"), token);
    let after = "t".repeat(65_536);
    let body = format!(r#"{{"access_token":"{after}","expires_in":3600}}"#);
    let answer = Fault::Answer { status: 200, body };
    env.block_on(env.sandbox().set_fault(Some(answer))).unwrap();
    let companion = env.command(env!("CARGO_BIN_EXE_jeton"));
    let next = printed(&env, companion, &["reject", "research"], token.as_bytes());
    assert_eq!(next, format!("{after}\n"));
    env.stop(&mut daemon);
}

/// Returns the `Authorization` header of the first request that an HTTP server gets.
fn authorization(listener: &TcpListener) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut head = vec![];
    let mut buffer = [0; 65_536];
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the request is complete");
        head.extend_from_slice(&buffer[..read]);
    }
    stream
        .write_all(b"HTTP/1.1 204 X\r\nConnection: close\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let value = lines.find_map(|line| line.strip_prefix("Authorization: "));
    value.unwrap().to_owned()
}

#[test]
fn curl_sends_the_token_from_jeton_header_byte_for_byte() {
    if !std::path::Path::new("/usr/bin/curl").exists() {
        return ignored("/usr/bin/curl is not there, which reads a header from 'jeton header'");
    }
    for token in [all(), longest()] {
        let (env, mut daemon) = holding(&token);
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let served = thread::spawn(move || authorization(&server));
        let mut shell = env.command("/bin/sh");
        shell.env("JETON", env!("CARGO_BIN_EXE_jeton"));
        let script = "\"$JETON\" header research | curl -sS --fail --max-time 30 -H @- \"$0\"";
        printed(&env, shell, &["-c", script, &url], b"");
        assert_eq!(served.join().unwrap(), format!("Bearer {token}"));
        env.stop(&mut daemon);
    }
}
