//! The OS keyring, with a real one on a private bus: unlocked, locked, hanging, and absent.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;
use crate::support::keyring::{Bus, FakeBehaviour};

const PASSWORD: Option<&str> = Some("a password of the keyring");

fn add(env: &TestEnv, profile: &str, more: &[&str]) -> Output {
    let (url, secret) = (env.sandbox().url(), env.secret_file());
    let secret = secret.to_str().unwrap();
    let mut args = vec!["add", profile, "--provider", "runai", "--url", &url];
    args.extend(["--client-id", "test-client", "--client-secret-file", secret]);
    args.extend(more);
    env.jetond(&args)
}

/// The threads of an idle daemon.
const OWN_THREADS: [&str; 4] = ["jetond", "resolver", "log", "issuers"];

/// Returns the processes in which the daemon calls a keyring.
fn calls(daemon: &Daemon) -> Vec<u32> {
    let parent = format!("\nPPid:\t{}\n", daemon.child.id());
    let processes = fs::read_dir("/proc").unwrap();
    processes
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let status = fs::read_to_string(format!("/proc/{pid}/status"));
            let cmdline = fs::read_to_string(format!("/proc/{pid}/cmdline"));
            // Before its exec, a new process still has its parent's command line.
            status.is_ok_and(|status| status.contains(&parent))
                && cmdline.is_ok_and(|cmdline| cmdline.contains("keyring-call"))
        })
        .collect()
}

/// Returns what the descriptors of a process refer to.
fn descriptors(pid: u32) -> Vec<String> {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .map(|is| is.display().to_string())
        .collect()
}

fn assert_nothing_written(env: &TestEnv, profile: &str) {
    assert!(!env.record(profile).exists());
    let config = fs::read_to_string(env.config()).unwrap_or_default();
    assert!(!config.contains(profile), "{config}");
}

#[test]
fn a_keyring_credential_is_stored_only_in_the_keyring() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    let added = add(&env, "research", &[]);
    assert_eq!(added.code, 0, "{added:?}");
    let sentence = "the credential is in the OS keyring (Secret Service)";
    assert!(added.stdout.contains(sentence), "{added:?}");
    let config = fs::read_to_string(env.config()).unwrap();
    assert!(config.contains("store = \"keyring\""), "{config}");
    assert!(!env.record("research").exists());

    // The record is in the real keyring, where another program finds it.
    let record: serde_json::Value = serde_json::from_str(&bus.lookup("research")).unwrap();
    assert_eq!(record["client_secret"], env.secret());
    let checked = env.jetond(&["check"]);
    let sentence = "credential in the OS keyring (Secret Service)";
    assert!(
        checked.code == 0 && checked.stdout.contains(sentence),
        "{checked:?}"
    );

    // The record survives a restart of the keyring, whose file is encrypted.
    bus.keyring(PASSWORD);
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    assert!(env.sandbox().issued().contains(&token));
    env.stop(&mut daemon);

    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert_eq!(bus.lookup("research"), "");
    assert_nothing_written(&env, "research");
}

#[test]
fn an_uncreatable_state_folder_does_not_affect_the_keyring() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    // Even root can create no folder here.
    let state = ["--state", "/proc/jeton"];
    let added = add(
        &env,
        "research",
        &[&["--store", "keyring"], &state[..]].concat(),
    );
    assert_eq!(added.code, 0, "{added:?}");
    assert_ne!(bus.lookup("research"), "");
    // A file store needs the folder.
    let refused = add(&env, "other", &[&["--store", "file"], &state[..]].concat());
    assert!(
        refused.code == 78 && refused.stderr.contains("/proc/jeton: "),
        "{refused:?}"
    );
    assert_nothing_written(&env, "other");
}

#[test]
fn a_locked_keyring_is_reported_with_how_to_unlock_it() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    assert_eq!(add(&env, "research", &[]).code, 0);
    bus.lock();
    let checked = env.jetond(&["check"]);
    assert_eq!(checked.code, 78);
    assert!(
        checked.stderr.contains("it is locked (unlock it"),
        "{checked:?}"
    );
    let removed = env.jetond(&["remove", "research", "--yes"]);
    assert!(
        removed.code == 78 && removed.stderr.contains("locked"),
        "{removed:?}"
    );

    let asked = add(&env, "asked", &["--store", "keyring"]);
    assert!(
        asked.code == 78 && asked.stderr.contains("it is locked"),
        "{asked:?}"
    );
    assert_nothing_written(&env, "asked");
    let chosen = add(&env, "chosen", &[]);
    let sentence = "no OS keyring to use here (it is locked), so the credential is in ";
    assert!(
        chosen.code == 0 && chosen.stdout.contains(sentence),
        "{chosen:?}"
    );

    // The daemon runs, reports why there is no token, and loads the credential once the keyring is unlocked.
    let mut daemon = env.start();
    let answer = env.get(&daemon, "/v1/profiles/research/token");
    assert_eq!(
        (answer.status, answer.code()),
        (503, "misconfigured".to_owned())
    );
    daemon.wait_for_log("it is locked (unlock it");
    bus.keyring(PASSWORD);
    daemon.signal(Signal::HUP);
    wait_until("the token", || {
        env.get(&daemon, "/v1/profiles/research/token").status == 200
    });
    env.stop(&mut daemon);
}

#[test]
fn a_hanging_keyring_delays_no_request() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    assert_eq!(add(&env, "research", &[]).code, 0);
    bus.hang(true);
    let checked = env.jetond(&["check"]);
    assert!(
        checked.code == 78 && checked.stderr.contains("it does not answer"),
        "{checked:?}"
    );
    let asked = add(&env, "asked", &["--store", "keyring"]);
    assert!(
        asked.code == 78 && asked.stderr.contains("it does not answer"),
        "{asked:?}"
    );
    assert_nothing_written(&env, "asked");
    let chosen = add(&env, "chosen", &[]);
    let sentence = "no OS keyring to use here (it does not answer), so ";
    assert!(
        chosen.code == 0 && chosen.stdout.contains(sentence),
        "{chosen:?}"
    );

    let mut daemon = env.start();
    env.token(&daemon, "chosen");
    for _ in 0..5 {
        daemon.signal(Signal::HUP);
        env.token(&daemon, "chosen");
    }
    daemon.wait_for_log("it does not answer");
    bus.hang(false);
    // An earlier call to the keyring may still be pending.
    wait_until("the token", || {
        daemon.signal(Signal::HUP);
        env.get(&daemon, "/v1/profiles/research/token").status == 200
    });
    // No call leaves a thread or a process behind.
    wait_until("the threads to end", || {
        let mut names = daemon.threads();
        names.retain(|name| !OWN_THREADS.contains(&&**name));
        names.is_empty()
    });
    assert_eq!(calls(&daemon), Vec::<u32>::new());
    env.stop(&mut daemon);
}

#[test]
fn a_denying_or_broken_keyring_is_not_used() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    assert_eq!(add(&env, "research", &[]).code, 0);
    let denied = "it failed: org.freedesktop.DBus.Error.AccessDenied";
    for (from, conduct, why) in [
        ("ReadAlias", FakeBehaviour::Denies, denied),
        ("Get", FakeBehaviour::Denies, denied),
        ("SearchItems", FakeBehaviour::Denies, denied),
        ("OpenSession", FakeBehaviour::Denies, denied),
        (
            "ReadAlias",
            FakeBehaviour::ReturnsAnotherType,
            "it failed: ",
        ),
        ("Get", FakeBehaviour::ReturnsAnotherType, "it failed: "),
        (
            "SearchItems",
            FakeBehaviour::ReturnsAnotherType,
            "it failed: ",
        ),
        (
            "OpenSession",
            FakeBehaviour::ReturnsAnotherType,
            "it failed: ",
        ),
    ] {
        bus.stand_in(from, conduct);
        let asked = add(&env, "asked", &["--store", "keyring"]);
        assert!(
            asked.code == 78 && asked.stderr.contains(why),
            "{from} {conduct:?}: {asked:?}"
        );
        assert!(!asked.stderr.contains("canary of"), "{asked:?}");
        assert_nothing_written(&env, "asked");
    }
    let chosen = add(&env, "chosen", &[]);
    let sentence = "no OS keyring to use here (it failed: ";
    assert!(
        chosen.code == 0 && chosen.stdout.contains(sentence),
        "{chosen:?}"
    );

    // The daemon serves the other profiles, and uses the keyring again once it works.
    let mut daemon = env.start();
    env.token(&daemon, "chosen");
    let answer = env.get(&daemon, "/v1/profiles/research/token");
    assert_eq!(
        (answer.status, answer.code()),
        (503, "misconfigured".to_owned())
    );
    env.stop(&mut daemon);
    assert!(!daemon.log().contains("canary of"));
}

#[test]
fn the_keyring_process_inherits_nothing_from_the_daemon() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    assert_eq!(add(&env, "research", &[]).code, 0);
    assert_eq!(add(&env, "ci", &[]).code, 0);
    assert_eq!(add(&env, "filed", &["--store", "file"]).code, 0);
    bus.hang(true);
    let mut daemon = env.start();
    env.token(&daemon, "filed");
    let mut call = 0;
    wait_until("a call to the keyring", || {
        let calls = calls(&daemon);
        assert!(calls.len() <= 1, "more than one call at a time: {calls:?}");
        call = calls.first().copied().unwrap_or(0);
        call != 0
    });
    let proc = |pid: u32, what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
    for what in ["cmdline", "environ"] {
        env.add_output(&format!("{what} of the call"), &proc(call, what), false);
    }
    let cmdline = String::from_utf8(proc(call, "cmdline")).unwrap();
    let [_, _, operation, profile, item, _] = &cmdline.split('\0').collect::<Vec<_>>()[..] else {
        panic!("{cmdline:?}");
    };
    assert_eq!((*operation, *item), ("load", "record"));
    assert!(["research", "ci"].contains(profile), "{cmdline:?}");
    let shared: Vec<_> = descriptors(call)
        .into_iter()
        .filter(|is| is.starts_with("socket:") && descriptors(daemon.child.id()).contains(is))
        .collect();
    assert_eq!(shared, Vec::<String>::new());
    // Like the daemon, the process gives up its rights before it gets a secret.
    wait_until("the process to give up its rights", || {
        let status = String::from_utf8(proc(call, "status")).unwrap();
        let limits = String::from_utf8(proc(call, "limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core"));
        let core: Vec<_> = core.unwrap_or("").split_whitespace().collect();
        status.contains("\nNoNewPrivs:\t1\n") && core.get(4..6) == Some(&["1", "1"])
    });

    // As if the process ended by a panic.
    let pid = Pid::from_raw(i32::try_from(call).unwrap()).unwrap();
    kill_process(pid, Signal::ABORT).unwrap();
    daemon.wait_for_log("the process that asks it was ended by signal: 6 (SIGABRT)");
    env.token(&daemon, "filed");
    bus.hang(false);
    wait_until("both tokens", || {
        daemon.signal(Signal::HUP);
        ["research", "ci"].iter().all(|profile| {
            env.get(&daemon, &format!("/v1/profiles/{profile}/token"))
                .status
                == 200
        })
    });
    env.stop(&mut daemon);
}

#[test]
fn a_keyring_call_ends_with_its_process_and_never_prompts() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    bus.keyring(PASSWORD);
    assert_eq!(add(&env, "research", &[]).code, 0);
    let by_hand = env
        .jetond_command(&["keyring-call", "load", "research"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(by_hand.status.code(), Some(64), "{by_hand:?}");
    assert_eq!(by_hand.stdout, b"");
    assert!(!env.jetond(&["--help"]).stdout.contains("keyring-call"));
    bus.hang(true);
    let mut daemon = env.start();
    let mut call = 0;
    wait_until("a call to the keyring", || {
        call = calls(&daemon).first().copied().unwrap_or(0);
        call != 0
    });
    daemon.signal(Signal::KILL);
    daemon.wait();
    let gone = || !Path::new(&format!("/proc/{call}/exe")).exists();
    wait_until("the call to end", gone);
    bus.hang(false);
}

#[test]
fn add_does_not_choose_a_keyring_that_is_absent_or_ends_with_the_session() {
    let env = TestEnv::with_sandbox(60);
    let Some(mut bus) = Bus::start(&env) else {
        return;
    };
    let chosen = |profile: &str, why: &str| {
        let added = add(&env, profile, &[]);
        let sentence = format!("no OS keyring to use here ({why}), so ");
        assert!(
            added.code == 0 && added.stdout.contains(&sentence),
            "{added:?}"
        );
        assert!(env.record(profile).exists());
    };
    chosen("a", "there is none on the session bus");
    bus.keyring(None);
    chosen("b", "it has no default keyring");
    bus.session_is_default();
    chosen("c", "its default keyring ends with the session");
    let asked = add(&env, "asked", &["--store", "keyring"]);
    assert_eq!(asked.code, 78, "{asked:?}");
    assert_nothing_written(&env, "asked");
}

#[test]
fn without_a_session_bus_the_credential_is_stored_in_a_file() {
    let env = TestEnv::with_sandbox(60);
    let added = add(&env, "research", &[]);
    let sentence = "no OS keyring to use here (there is no session bus), so the credential is in ";
    assert!(
        added.code == 0 && added.stdout.contains(sentence),
        "{added:?}"
    );
    let asked = add(&env, "asked", &["--store", "keyring"]);
    assert!(
        asked.code == 78 && asked.stderr.contains("there is no session bus"),
        "{asked:?}"
    );
    assert_nothing_written(&env, "asked");
    let plain = add(&env, "plain", &["--store", "file"]);
    assert!(
        plain.code == 0 && !plain.stdout.contains("keyring"),
        "{plain:?}"
    );
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let names = daemon.threads();
    let of_keyring = |name: &String| ["keyring", "async-io"].contains(&name.as_str());
    assert!(!names.iter().any(of_keyring), "{names:?}");
    assert_eq!(calls(&daemon), Vec::<u32>::new());
    env.stop(&mut daemon);
}
