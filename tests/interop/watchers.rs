//! Generic clients of server-sent events: they watch a profile through the Unix socket.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, program, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "httpx_receives_token_events_and_reconnects",
        httpx_receives_token_events_and_reconnects,
    ),
    ("curl_prints_events", curl_prints_events),
];

fn httpx_receives_token_events_and_reconnects() -> Result<(), MissingProgram> {
    let python = python()?;
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let mut command = env.command(python);
    command
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/watchers.py"
        ))
        .env("JETON_SOCKET", &daemon.socket);
    let output = env.finish("httpx-sse", command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    let saw: Value = serde_json::from_str(&output.stdout).unwrap();
    let wanted = json!({
        "first": ["token", "state"],
        "id is the generation": true,
        "rejected": true,
        "back": ["token", "state"],
        "told the next": true,
        "again": ["state"],
        "phase": "fresh",
    });
    assert_eq!(saw, wanted);
    env.stop(&mut daemon);
    Ok(())
}

fn curl_prints_events() -> Result<(), MissingProgram> {
    let curl = program("curl")?;
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let mut command = env.command(curl);
    let mut child = command
        .args(["-sSN", "--fail", "--unix-socket"])
        .arg(&daemon.socket)
        .arg("http://localhost/v1/profiles/research/watch")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told: Vec<String> = lines.map(Result::unwrap).take(7).collect();
    assert_eq!(told[0], "event: token");
    assert!(told[1].starts_with("id: "), "{}", told[1]);
    assert!(told[2].contains(&token) && told[2].starts_with("data: {"));
    assert_eq!((told[3].as_str(), told[4].as_str()), ("", "event: state"));
    assert!(told[5].starts_with("data: {\"profile\":\"research\","));
    // The client does not treat the daemon's end as a failure, because the answer is complete.
    env.stop(&mut daemon);
    child.kill().unwrap();
    child.wait().unwrap();
    Ok(())
}
