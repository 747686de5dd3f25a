//! Addresses of profiles (`hosts`): what the commands report about them, and how a reload applies them.

use std::fs;
use std::process::Stdio;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::wait_until;

/// A test environment with two profiles, and with these lines after them in the configuration.
fn set_up(lines: &str) -> (TestEnv, String) {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("ci");
    let profiles = fs::read_to_string(env.config()).unwrap();
    write_config(&env, format!("{profiles}{lines}"));
    (env, profiles)
}

fn entry(profile: &str, url: &str) -> String {
    format!("[[profiles.{profile}.hosts]]\nurl = \"{url}\"\n")
}

#[test]
fn check_and_doctor_list_addresses_and_unable_clients() {
    let (env, _) = set_up(
        &[
            entry("research", "HTTPS://Git.Example/team/"),
            entry("ci", "reg.example:5000"),
        ]
        .concat(),
    );
    let mut daemon = env.start();
    let check = env.jetond(&["check"]);
    assert_eq!(check.code, 0, "{check:?}");
    for line in [
        "research: its tokens are for https://git.example/team\n",
        "ci: its tokens are for https://reg.example:5000\n",
        "research: no entry is for https://git.example without a path",
    ] {
        assert!(check.stdout.contains(line), "{line}: {check:?}");
    }
    let doctor = env.jetond(&["doctor", "--json"]);
    let findings: serde_json::Value = serde_json::from_str(&doctor.stdout).unwrap();
    let of_hosts: Vec<_> = findings
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["check"] == "hosts")
        .map(|finding| (&finding["profile"], &finding["verdict"]))
        .collect();
    let [ci, research] = ["ci", "research"].map(serde_json::Value::from);
    let ok = serde_json::Value::from("ok");
    assert_eq!(of_hosts, [(&ci, &ok), (&research, &ok)], "{findings:#}");
    env.stop(&mut daemon);
}

#[test]
fn check_and_doctor_warn_of_an_entry_with_username_token_and_basic_auth() {
    let lines = [
        entry("ci", "reg.example"),
        "username = \"<token>\"\nauth = \"basic\"\n".to_owned(),
    ]
    .concat();
    let (env, _) = set_up(&lines);
    let check = env.jetond(&["check"]);
    assert_eq!(check.code, 0, "{check:?}");
    assert!(
        check
            .stderr
            .contains("warning: ci: the entry for https://reg.example has username"),
        "{check:?}"
    );
    let doctor = env.jetond(&["doctor"]);
    assert!(doctor.stdout.contains("warn  ci: hosts"), "{doctor:?}");
}

#[test]
fn two_entries_for_one_address_are_a_fault_with_both_places() {
    let (env, profiles) = set_up(
        &[
            entry("research", "https://git.example/team"),
            entry("ci", "GIT.example:443/team/"),
        ]
        .concat(),
    );
    let first = profiles.lines().count() + 2;
    let says = format!(
        "{}:{}:7: profiles.ci.hosts.url: line {first} has an entry for this address already (profiles.research.hosts.url)",
        env.config().display(),
        first + 2
    );
    for command in [&["check"][..], &["run"]] {
        let refused = env.jetond(command);
        assert_eq!(refused.code, 78, "{refused:?}");
        assert!(refused.stderr.contains(&says), "{says}\n{refused:?}");
    }
}

#[test]
fn a_reload_applies_changed_addresses_and_keeps_every_token() {
    let (env, profiles) = set_up("");
    let mut daemon = env.start();
    let before = env.token(&daemon, "research");
    let explain = |address: &str| env.jeton(&["explain", address]);
    let refused = explain("git.example/team/app");
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (78, ""),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("no entry is there"), "{refused:?}");

    write_config(
        &env,
        format!(
            "{profiles}{}",
            entry("research", "https://git.example/team")
        ),
    );
    let reloaded = env.jeton(&["reload"]);
    assert_eq!(
        reloaded.stdout,
        "reloaded: 0 added, 0 removed, 0 changed, 2 unchanged\n"
    );
    daemon.wait_for_log("the addresses that this profile's tokens are for have changed");
    let found = explain("https://GIT.example/team/app");
    assert_eq!((found.code, found.stderr.as_str()), (0, ""), "{found:?}");
    for row in [
        "profile   research\n",
        "address   https://git.example/team/app\n",
        "entry     https://git.example/team\n",
        "matched   https://git.example exactly, and the path is below /team\n",
    ] {
        assert!(found.stdout.contains(row), "{found:?}");
    }
    let refused = explain("https://git.example");
    assert_eq!(
        (refused.code, refused.stdout.as_str()),
        (78, ""),
        "{refused:?}"
    );
    assert!(
        refused
            .stderr
            .contains("https://git.example/team (research) has a path"),
        "{refused:?}"
    );
    let refused = env.jeton(&["explain", "https://git.example/team", "ci"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("is not of the profile that is named"),
        "{refused:?}"
    );
    let refused = env.jeton(&["explain", "https://git.example/team", "absent"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("absent: there is no such profile"),
        "{refused:?}"
    );
    assert_eq!(explain("https://me@git.example/team").code, 64);
    assert_eq!(env.token(&daemon, "research"), before);
    env.stop(&mut daemon);
}

#[test]
fn a_reload_that_moves_an_address_also_applies_to_waiting_tools() {
    let (env, profiles) = set_up("");
    let with = |lines: &str| write_config(&env, format!("{profiles}{lines}"));
    let address = "https://git.example";
    for (after, gets_a_token) in [
        (entry("research", "https://git.example/team"), false),
        (entry("ci", "https://other.example"), false),
        (entry("ci", address), true),
        (
            format!("{}auth = 'basic'\n", entry("research", address)),
            true,
        ),
    ] {
        with(&entry("research", address));
        env.fault("slow:3");
        let mut daemon = env.start();
        let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
        command.args(["keyring", "get", address, "me"]);
        let waits = std::thread::scope(|scope| {
            let waits = scope.spawn(|| {
                let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
                child.spawn().unwrap().wait_with_output().unwrap()
            });
            wait_until("the tool to wait", || {
                let state = env.get(&daemon, "/v1/profiles/research").json();
                state["counts"]["requests"] == 1
            });
            with(&after);
            assert_eq!(env.jeton(&["reload"]).code, 0);
            waits.join().unwrap()
        });
        env.fault("none");
        let given = String::from_utf8(waits.stdout).unwrap();
        env.add_output("jeton keyring", given.as_bytes(), gets_a_token);
        let now = match after.contains("ci") {
            true => env.token(&daemon, "ci"),
            false => env.token(&daemon, "research"),
        };
        let want = if gets_a_token {
            format!("{now}\n")
        } else {
            String::new()
        };
        assert_eq!(given, want, "{after} {:?}", String::from_utf8(waits.stderr));
        env.stop(&mut daemon);
    }
}
