//! Access rules: which user may use which profile, for every request on every socket.

use std::fs;
use std::io::Read as _;

use super::*;
use crate::support::users::{ask_on, install, is_root_or_skip};

/// Returns every request about a profile.
fn asks(profile: &str) -> [(&'static str, String); 4] {
    [
        ("GET", format!("/v1/profiles/{profile}/token")),
        ("GET", format!("/v1/profiles/{profile}")),
        ("POST", format!("/v1/profiles/{profile}/refresh")),
        ("GET", format!("/readyz/{profile}")),
    ]
}

fn names(list: &serde_json::Value) -> Vec<&str> {
    let list = list["profiles"].as_array().unwrap();
    list.iter()
        .map(|state| state["profile"].as_str().unwrap())
        .collect()
}

#[test]
fn users_see_only_the_profiles_that_rules_allow() {
    if !is_root_or_skip("users_see_only_the_profiles_that_rules_allow") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap();
    let rules = [("research", "uid = 60001"), ("ci", "gid = 60060")];
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    configure(&env, &profiles, &group, &rules);
    let mut daemon = start_shared(&env);
    for profile in ["research", "ci"] {
        env.token(&daemon, profile);
    }
    for (user, own, other) in [(ALICE, "research", "ci"), (BOB, "ci", "research")] {
        let ask = |method: &str, target: &str| user.ask(&env, &daemon.socket, method, target).0;
        let list = ask("GET", "/v1/profiles");
        assert_eq!((list.status, names(&list.json())), (200, vec![own]));
        assert_eq!(ask("GET", "/healthz").status, 200);
        assert_eq!(ask("GET", "/readyz").status, 200);
        for (method, target) in asks(own) {
            let answer = ask(method, &target);
            // The other profile's refresh may have been requested a moment ago.
            assert!([200, 429].contains(&answer.status), "{target} {answer:?}");
        }
        // A forbidden profile and a missing one get the same answer, byte for byte, except for the name in the request.
        for ((method, target), (_, absent)) in asks(other).into_iter().zip(asks("absent")) {
            let (answer, absent) = (ask(method, &target), ask(method, &absent));
            assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
            assert_eq!(
                answer.header("connection"),
                None,
                "the connection stays open for further requests"
            );
            assert_eq!(answer.text().replace(other, "absent"), absent.text());
            assert_eq!(answer.status, absent.status);
        }
    }
    // Root may use everything, and learns what exists.
    let list = env.get(&daemon, "/v1/profiles");
    assert_eq!(names(&list.json()), ["ci", "research"]);
    let absent = env.get(&daemon, "/v1/profiles/absent");
    assert_eq!(absent.code(), "unknown_profile");
    // A user that can connect but has no rule may request nothing at all.
    for (method, target) in asks("research").into_iter().chain([
        ("GET", "/v1/profiles".to_owned()),
        ("GET", "/healthz".to_owned()),
        ("POST", "/v1/helper".to_owned()),
        ("POST", "/v1/reload".to_owned()),
    ]) {
        let (answer, rest) = CAROL.ask(&env, &daemon.socket, method, &target);
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
        assert_eq!(answer.header("connection"), Some("close"), "{target}");
        assert!(rest.is_empty() && !answer.text().contains("research"));
    }
    daemon.wait_for_log("no rule allows it");
    env.stop(&mut daemon);
}

#[test]
fn the_companion_of_another_user_gets_only_what_the_rules_allow() {
    if !is_root_or_skip("the_companion_of_another_user_gets_only_what_the_rules_allow") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap();
    let group = format!("mode = 'group'\ngroup = {TEAM}");
    configure(
        &env,
        &profiles,
        &group,
        &[("research", "uid = '60001-60001'")],
    );
    let mut daemon = start_shared(&env);
    let token = env.token(&daemon, "research");
    let jeton = install(env!("CARGO_BIN_EXE_jeton"));
    let run = |user: User, args: &[&str]| {
        let mut command = user.command(&env, &jeton.program, args);
        command.env("JETON_SOCKET", &daemon.socket);
        env.finish("jeton of another user", command, b"", args[0] == "token")
    };
    // The only profile that the user may use needs no name.
    for args in [&["token"][..], &["token", "research"]] {
        let output = run(ALICE, args);
        assert_eq!((output.code, output.stdout.trim_end()), (0, token.as_str()));
    }
    assert_eq!(run(ALICE, &["ready", "research"]).code, 0);
    let status = run(ALICE, &["status"]);
    assert!(status.stdout.contains("research") && !status.stdout.contains("ci "));
    for profile in ["ci", "absent"] {
        for verb in ["token", "status", "ready", "refresh"] {
            let output = run(ALICE, &[verb, profile]);
            assert_eq!(
                (output.code, output.stdout.as_str()),
                (77, ""),
                "{output:?}"
            );
            assert!(output.stderr.contains("or no profile has that name"));
        }
    }
    let output = run(CAROL, &["token"]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (77, ""),
        "{output:?}"
    );
    assert!(output.stderr.contains("no rule allows it"), "{output:?}");
    // A user outside the group cannot connect.
    let output = run(MALLORY, &["token"]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (77, ""),
        "{output:?}"
    );
    assert!(output.stderr.contains("you may not connect"), "{output:?}");
    env.stop(&mut daemon);
}

#[test]
fn a_rule_never_allows_the_admin_socket() {
    if !is_root_or_skip("a_rule_never_allows_the_admin_socket") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap();
    configure(
        &env,
        &profiles,
        "mode = 'all'",
        &[("research", "uid = 60001")],
    );
    let mut daemon = start_shared(&env);
    // Even if the user opens the socket's mode by hand.
    chmod(daemon.admin.parent().unwrap(), 0o755);
    chmod(&daemon.admin, 0o666);
    for (method, target) in [
        ("POST", "/v1/reload"),
        ("POST", "/v1/helper"),
        ("GET", "/healthz"),
    ] {
        let (answer, _) = ALICE.ask(&env, &daemon.admin, method, target);
        assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
    let (answer, _) = ALICE.ask(&env, &daemon.socket, "POST", "/v1/reload");
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    assert!(!daemon.log().contains("reloaded"));
    env.stop(&mut daemon);
}

#[test]
fn a_reload_changes_the_rules_for_open_connections_and_touches_no_token() {
    if !is_root_or_skip("a_reload_changes_the_rules_for_open_connections_and_touches_no_token") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap();
    let alices = [("research", "uid = 60001"), ("ci", "uid = 60001")];
    configure(&env, &profiles, "mode = 'all'", &alices);
    let mut daemon = start_shared(&env);
    let (research, ci) = ("/v1/profiles/research/token", "/v1/profiles/ci/token");
    let mut alice = ALICE.connect(&daemon.socket);
    let before = ask_on(&env, &mut alice, "GET", research);
    assert_eq!(before.status, 200);
    assert_eq!(ask_on(&env, &mut alice, "GET", ci).status, 200);
    let asked = env.sandbox().stats().token_requests;
    let reload = || {
        env.request(&daemon.admin, "POST", "/v1/reload", &[], b"")
            .json()
    };
    let kept = serde_json::json!({ "added": 0, "removed": 0, "changed": 0, "kept": 2 });

    configure(
        &env,
        &profiles,
        "mode = 'all'",
        &[("research", "uid = 60001")],
    );
    assert_eq!(reload(), kept);
    assert_eq!(ask_on(&env, &mut alice, "GET", ci).code(), "forbidden");
    let after = ask_on(&env, &mut alice, "GET", research).json();
    assert_eq!(after["generation"], before.json()["generation"]);

    let bobs = [("research", "uid = 60002")];
    configure(&env, &profiles, "mode = 'all'", &bobs);
    assert_eq!(reload(), kept);
    let mut bob = BOB.connect(&daemon.socket);
    assert_eq!(ask_on(&env, &mut bob, "GET", research).status, 200);
    let last = ask_on(&env, &mut alice, "GET", research);
    assert_eq!(
        (last.status, last.header("connection")),
        (403, Some("close"))
    );
    assert_eq!(alice.read(&mut [0]).unwrap(), 0, "the connection ends");
    assert_eq!(env.sandbox().stats().token_requests, asked);
    daemon.wait_for_log("the rules of this profile have changed");

    // An invalid rule changes nothing, and a changed mode takes effect at a restart.
    configure(
        &env,
        &profiles,
        "mode = 'all'",
        &[("research", "unit = 'x.service'")],
    );
    let refused = env.request(&daemon.admin, "POST", "/v1/reload", &[], b"");
    assert_eq!(refused.code(), "misconfigured");
    assert_eq!(ask_on(&env, &mut bob, "GET", research).status, 200);
    configure(&env, &profiles, "mode = 'private'", &bobs);
    assert_eq!(reload()["restart_needed"], true);
    daemon.wait_for_log("restart needed");
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    command.arg("reload").env("JETON_SOCKET", &daemon.socket);
    let told = env.finish("jeton reload", command, b"", false);
    assert_eq!(told.code, 0);
    assert!(told.stderr.contains("restart needed"), "{told:?}");
    assert_eq!(ask_on(&env, &mut bob, "GET", research).status, 200);
    env.stop(&mut daemon);
}

/// The maximum number of groups of a process. The group that matters is the last one.
static CROWD: [u32; 65_536] = {
    let mut groups = [0; 65_536];
    let mut at = 0;
    while at < groups.len() {
        groups[at] = 100_000 + at as u32;
        at += 1;
    }
    groups
};

#[test]
fn a_rule_finds_a_group_among_65536() {
    if !is_root_or_skip("a_rule_finds_a_group_among_65536") {
        return;
    }
    let env = shared_place();
    let profiles = fs::read_to_string(env.config()).unwrap();
    configure(
        &env,
        &profiles,
        "mode = 'all'",
        &[("research", "gid = 165535")],
    );
    let mut daemon = start_shared(&env);
    // Around the initial size of the daemon's buffer, and the maximum.
    for count in [1, 64, 65, 65_536] {
        let last = CROWD.len();
        let with = User {
            groups: &CROWD[last - count..],
            ..MALLORY
        };
        let (answer, _) = with.ask(&env, &daemon.socket, "GET", "/readyz");
        assert_eq!(answer.status, 200, "{count}");
        let without = User {
            groups: &CROWD[last - count..last - 1],
            ..MALLORY
        };
        let (answer, _) = without.ask(&env, &daemon.socket, "GET", "/readyz");
        assert_eq!(answer.status, 403);
    }
    env.stop(&mut daemon);
}
