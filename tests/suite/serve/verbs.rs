//! The companion's verbs with a real daemon, without faults.

use serde_json::Value;

use super::members;
use crate::support::TestEnv;

#[test]
fn every_verb_prints_its_documented_output() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let done = |args: &[&str]| {
        let output = env.jeton(args);
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{args:?}");
        output.stdout
    };
    let held = env.token(&daemon, "research");
    assert_eq!(done(&["token"]), format!("{held}\n"));
    assert_eq!(done(&["token", "research"]), format!("{held}\n"));
    assert_eq!(done(&["header"]), format!("Authorization: Bearer {held}\n"));

    let json: Value = serde_json::from_str(&done(&["token", "--json"])).unwrap();
    let by_path = env.get(&daemon, "/v1/profiles/research/token").json();
    assert_eq!(members(&json), members(&by_path));
    assert_eq!(json["access_token"], held.as_str());

    let table = done(&["status"]);
    let socket = daemon.socket.to_str().unwrap();
    assert!(
        table.starts_with("PROFILE") && table.contains("research"),
        "{table}"
    );
    assert!(table.contains("fresh"), "{table}");
    let json: Value = serde_json::from_str(&done(&["status", "--json"])).unwrap();
    assert_eq!(
        members(&json),
        ["binary_replaced", "profiles", "socket", "version"]
    );
    assert_eq!(json["socket"], socket);
    assert_eq!(json["profiles"][0]["profile"], "research");
    assert_eq!(
        members(&json["profiles"][0]),
        members(&env.get(&daemon, "/v1/profiles/research").json())
    );

    assert_eq!(done(&["ready"]), "");
    assert_eq!(done(&["ready", "research", "--wait", "5"]), "");
    assert_eq!(
        done(&["refresh"]),
        "research: a new token, valid for 59 min\n"
    );
    assert_ne!(done(&["token"]), format!("{held}\n"));
    assert_eq!(
        done(&["reload"]),
        "reloaded: 0 added, 0 removed, 0 changed, 1 unchanged\n"
    );
    assert_eq!(
        done(&["version"]),
        concat!("jeton ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let help = done(&["help"]);
    // All that the companion prints without a daemon, and more.
    for line in include_str!("../../../src/bin/jeton/help.txt").lines() {
        let is_of_the_daemon = line.contains("jetond runs") || line.contains("To set up a tool:");
        assert!(
            is_of_the_daemon || help.lines().any(|other| other == line),
            "{line}"
        );
    }
    assert!(
        help.contains("  docker              pull and push images"),
        "{help}"
    );
    for verb in [
        "token", "header", "status", "ready", "refresh", "reject", "watch", "app", "whoami",
        "explain", "reload", "exec",
    ] {
        let usage = done(&[verb, "--help"]);
        assert!(
            usage.starts_with(&format!("usage: jeton {verb}")),
            "{usage}"
        );
        assert_eq!(done(&[verb, "-h"]), usage);
        assert_eq!(done(&["help", verb]), usage);
    }
    env.stop(&mut daemon);
}

#[test]
fn exec_sets_socket_and_profile_and_the_token_only_on_request() {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut daemon = env.start();
    let exec = |args: &[&str], token_asked_for: bool| {
        let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
        let script = "echo \"$JETON_SOCKET $JETON_PROFILE ${TOKEN-none}\"; exit 7";
        command
            .arg("exec")
            .args(args)
            .args(["--", "/bin/sh", "-c", script]);
        env.finish("jeton exec", command, b"", token_asked_for)
    };
    let socket = daemon.socket.display();
    let plain = exec(&["research"], false);
    assert_eq!(
        (plain.code, plain.stdout, plain.stderr.as_str()),
        (7, format!("{socket} research none\n"), "")
    );
    let token = env.token(&daemon, "research");
    let with = exec(&["--env", "TOKEN", "research"], true);
    assert_eq!(
        (with.code, with.stdout),
        (7, format!("{socket} research {token}\n"))
    );
    assert_eq!(with.stderr.lines().count(), 1);
    assert!(
        with.stderr
            .contains("TOKEN holds a token of research that expires in 59 min"),
        "{}",
        with.stderr
    );
    env.stop(&mut daemon);
}
