//! `jetond app`: listing, creating, renewing and deleting keys without a leak of any secret that the issuer made.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

mod asking;
mod bad_input;
mod changing;
mod interrupted;
mod lines;
mod making;
mod reading;
mod recorded;
mod renewing;
mod socket;
mod whoami;

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use jetond::sandbox::{Application, Fault, Line};
use serde_json::{Value, json};

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// A test environment with a sandbox of this server line, an enrolled profile `research` and a running daemon.
pub(crate) fn started(line: Line, token_life: u64) -> (TestEnv, Daemon) {
    let env = TestEnv::with_line(line, token_life);
    env.enrol("research");
    let daemon = env.start();
    (env, daemon)
}

/// Stops the daemon, and adds every secret that the sandbox made to the ones whose leak fails the test.
pub(crate) fn end(env: TestEnv, mut daemon: Daemon) {
    env.stop(&mut daemon);
    watch(env);
}

/// Adds every secret that the sandbox made to the ones whose leak fails the test.
pub(crate) fn watch(mut env: TestEnv) {
    for secret in env.sandbox().secrets() {
        env.forbid_secret("a secret that the issuer made", &secret);
    }
}

/// Returns the sandbox's key of this name.
pub(crate) fn key(env: &TestEnv, name: &str) -> Option<Application> {
    let keys = env.sandbox().applications();
    keys.into_iter().find(|key| key.name == name)
}

/// Returns the journal of the profile `research`: the calls that have not finished. Empty without a journal.
pub(crate) fn journal(env: &TestEnv) -> String {
    fs::read_to_string(env.path("state/jeton/key-intents/research.json")).unwrap_or_default()
}

/// Writes the journal that an interrupted command leaves: the calls with the profile's token that have not finished.
pub(crate) fn write_journal(env: &TestEnv, calls: &Value) {
    let folder = env.path("state/jeton/key-intents");
    let _ = fs::create_dir(&folder);
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let path = folder.join("research.json");
    let mut journal = json!({"version": 1, "profile": "research"});
    for (name, list) in calls.as_object().unwrap() {
        journal[name] = list.clone();
    }
    fs::write(&path, journal.to_string()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
}

/// Returns the secret that is stored for a profile.
pub(crate) fn stored_secret(env: &TestEnv, profile: &str) -> String {
    let record: Value = serde_json::from_slice(&fs::read(env.record(profile)).unwrap()).unwrap();
    record["client_secret"].as_str().unwrap().to_owned()
}

/// Makes the sandbox fail in this way for the given number of requests.
pub(crate) fn fault_for(env: &TestEnv, fault: &str, requests: u64) {
    let fault = Fault::parse(fault).unwrap();
    let set = env.sandbox().set_fault_for(fault, requests);
    env.block_on(set).unwrap();
}

/// Calls the sandbox's API with the profile's token and returns the status. Drops the answer's body, because it may
/// contain a secret.
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
