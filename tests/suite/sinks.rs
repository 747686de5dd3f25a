//! Files that a profile's token is written to, as programs read them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;

/// Appends a sink of the profile to the configuration. Returns its file.
fn add_sink(env: &TestEnv, path: &str, keys: &str) -> PathBuf {
    let config = fs::read_to_string(env.config()).unwrap();
    let sink = format!("\n[[profiles.research.sinks]]\npath = \"{path}\"\n{keys}\n");
    fs::write(env.config(), config + &sink).unwrap();
    let file = env.path("run/jeton").join(path);
    env.is_sink(&file);
    file
}

fn status(env: &TestEnv) -> Value {
    let shown = env.jeton(&["status", "research", "--json"]);
    let all: Value = serde_json::from_str(&shown.stdout).unwrap();
    all["profiles"][0].clone()
}

fn sink(env: &TestEnv) -> Value {
    status(env)["sinks"][0].clone()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Waits until the file holds the newest token.
fn wait_for_newest(env: &TestEnv, file: &Path) -> String {
    wait_until("the file to hold the newest token", || {
        env.sandbox().issued().last() == Some(&text(file))
    });
    text(file)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn reload(env: &TestEnv) {
    let done: Output = env.jeton(&["reload"]);
    assert_eq!(done.code, 0, "{done:?}");
}

/// Stops a daemon hard.
fn kill(daemon: &mut Daemon) {
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
}

#[test]
fn a_file_stays_fresh_although_nobody_asks_for_a_token() {
    let env = TestEnv::with_sandbox(2);
    env.enrol("research");
    let file = add_sink(&env, "one/token", "format = \"raw\"");
    let mut daemon = env.start();
    let first = wait_for_newest(&env, &file);
    // Without the sink it would rest after two lifetimes.
    let before = env.sandbox().stats().token_requests;
    wait_until("six more refreshes", || {
        env.sandbox().stats().token_requests >= before + 6
    });
    assert_ne!(wait_for_newest(&env, &file), first);
    let meta = file.metadata().unwrap();
    assert_eq!(meta.mode() & 0o7777, 0o600);
    assert_eq!(names(file.parent().unwrap()), ["token"]);
    let shown = status(&env);
    assert_ne!(shown["phase"], "resting", "{shown}");
    let sink = &shown["sinks"][0];
    assert_eq!(sink["path"], file.to_str().unwrap());
    assert_eq!(sink["format"], "raw");
    assert_eq!(sink["state"], "fresh", "{sink}");
    assert!(
        sink["written_at"].is_u64() && sink["generation"].is_u64(),
        "{sink}"
    );
    env.stop(&mut daemon);
}

#[test]
fn a_reload_adds_changes_and_removes_files() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let bare = fs::read_to_string(env.config()).unwrap();
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let file = add_sink(&env, "token", "format = \"raw\"");
    reload(&env);
    wait_until("the file", || text(&file) == token);
    let as_raw = fs::read_to_string(env.config()).unwrap();
    let as_header = as_raw.replace("\"raw\"", "\"header\"\nmode = \"0644\"");
    fs::write(env.config(), as_header).unwrap();
    reload(&env);
    let header = format!("Authorization: Bearer {token}\n");
    wait_until("the other form", || text(&file) == header);
    assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o644);
    fs::write(env.config(), bare).unwrap();
    reload(&env);
    wait_until("the file to be removed", || !file.exists());
    assert_eq!(status(&env)["sinks"], Value::Null);
    assert_eq!(
        env.sandbox().issued().len(),
        2,
        "each reload kept the token"
    );
    env.stop(&mut daemon);
}

#[test]
fn an_expired_token_is_removed_unless_the_file_is_to_stay() {
    let env = TestEnv::with_sandbox(3);
    env.enrol("research");
    let gone = add_sink(&env, "gone", "format = \"raw\"");
    let stays = add_sink(&env, "stays", "format = \"raw\"\non-expiry = \"keep\"");
    let mut daemon = env.start();
    let token = wait_for_newest(&env, &gone);
    wait_until("the second file", || text(&stays) == token);
    env.fault("refuse");
    wait_until("the file to be removed", || !gone.exists());
    let states = || {
        let sinks = status(&env)["sinks"].clone();
        (sinks[0]["state"].clone(), sinks[1]["state"].clone())
    };
    wait_until("the states to say so", || {
        states() == ("removed".into(), "expired".into())
    });
    assert!(!text(&stays).is_empty());
    env.fault("none");
    wait_for_newest(&env, &gone);
    wait_for_newest(&env, &stays);
    wait_until("both to be fresh", || {
        states() == ("fresh".into(), "fresh".into())
    });
    env.stop(&mut daemon);
}

#[test]
fn a_rejected_token_is_replaced_at_once() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let file = add_sink(&env, "token", "format = \"raw\"");
    let mut daemon = env.start();
    let rejected = wait_for_newest(&env, &file);
    let generation = status(&env)["generation"].to_string();
    let reported = env.jeton(&["reject", "research", "--generation", &generation]);
    assert_eq!(reported.code, 0, "{reported:?}");
    assert_ne!(wait_for_newest(&env, &file), rejected);
    env.stop(&mut daemon);
}

#[test]
fn another_programs_file_stays_and_status_says_so() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let file = add_sink(&env, "token", "format = \"raw\"");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "another's").unwrap();
    let mode = fs::Permissions::from(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    fs::set_permissions(file.parent().unwrap(), mode).unwrap();
    let mut daemon = env.start();
    wait_until("the failure", || sink(&env)["state"] == "failed");
    let detail = sink(&env)["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("replace = true"), "{detail}");
    assert_eq!(text(&file), "another's");
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), config + "replace = true\n").unwrap();
    reload(&env);
    wait_for_newest(&env, &file);
    env.stop(&mut daemon);
}

#[test]
fn a_stop_keeps_a_valid_token_and_the_next_start_removes_an_expired_one() {
    let env = TestEnv::with_sandbox(4);
    env.enrol("research");
    let bare = fs::read_to_string(env.config()).unwrap();
    let file = add_sink(&env, "token", "format = \"raw\"");
    let mut daemon = env.start();
    let token = wait_for_newest(&env, &file);
    env.stop(&mut daemon);
    assert_eq!(text(&file), token);
    // The token ends while no daemon runs, and its issuer stays away.
    env.fault("refuse");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(text(&file), token);
    let mut daemon = env.start();
    wait_until("the file to be removed", || !file.exists());
    env.fault("none");
    wait_for_newest(&env, &file);
    // A daemon that was killed, and a sink that is gone when the next one starts.
    kill(&mut daemon);
    fs::write(env.config(), bare).unwrap();
    let mut daemon = env.start();
    wait_until("the file to be removed", || !file.exists());
    env.stop(&mut daemon);
}
