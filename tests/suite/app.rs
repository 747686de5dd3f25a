//! `jetond app`: keys are listed, made, renewed and deleted, and no secret that the issuer made comes out.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, which stop at the first surprise as tests do"
)]

mod changing;
mod lines;
mod making;
mod reading;
mod recorded;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use jetond::sandbox::{Application, Line};

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// A place with a sandbox of this line, a profile `research` and a running daemon.
pub(crate) fn place(line: Line, token_life: u64) -> (TestEnv, Daemon) {
    let env = TestEnv::with_line(line, token_life);
    env.enrol("research");
    let daemon = env.start();
    (env, daemon)
}

/// Stops the daemon, and has every secret that the sandbox made among what must not have come out.
pub(crate) fn end(mut env: TestEnv, mut daemon: Daemon) {
    env.stop(&mut daemon);
    for secret in env.sandbox().secrets() {
        env.watch_for_secret("a secret that the issuer made", &secret);
    }
}

/// The sandbox's key of this name.
pub(crate) fn key(env: &TestEnv, name: &str) -> Option<Application> {
    let keys = env.sandbox().applications();
    keys.into_iter().find(|key| key.name == name)
}

/// The names in the journal of calls that have not ended.
pub(crate) fn journal(env: &TestEnv) -> String {
    fs::read_to_string(env.path("state/jeton/key-intents/research.json")).unwrap_or_default()
}

/// Makes a call of the sandbox's API with the profile's token, and gives back the status. What it answers is not kept: it may
/// have a secret.
pub(crate) fn call(env: &TestEnv, daemon: &Daemon, method: &str, path: &str, body: &str) -> u16 {
    let token = env.token(daemon, "research");
    let url = env.sandbox().url();
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream
        .write_all(format!("{head}{body}").as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
