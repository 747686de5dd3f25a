//! Keys over the token socket: `jeton app list` and `jeton app show`.

use std::process::Child;
use std::process::Stdio;
use std::time::Instant;

use jetond::sandbox::{Line, Setting};
use serde_json::Value;

use super::{end, started};
use crate::support::TestEnv;

fn set(env: &TestEnv, setting: &str) {
    env.sandbox().set(Setting::parse(setting).unwrap());
}

/// Starts `jeton` with these arguments.
fn begin(env: &TestEnv, args: &[&str]) -> Child {
    let mut command = env.command(env!("CARGO_BIN_EXE_jeton"));
    command.args(args).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn jeton_app_and_jetond_app_print_the_same_on_every_server_line() {
    for line in Line::ALL {
        let (env, daemon) = started(line, 600);
        let kind: &[&str] = match line {
            Line::V2_18 => &["--kind", "application"],
            _ => &[],
        };
        for args in [
            &["app", "list"][..],
            &["app", "list", "research", "--json"],
            &["app", "show", "test-client"],
            &["app", "show", "test-client", "research", "--json"],
        ] {
            let args = [args, kind].concat();
            let (ours, theirs) = (env.jetond(&args), env.jeton(&args));
            assert_eq!(theirs.code, 0, "{line}: {args:?}: {theirs:?}");
            assert_eq!(theirs.stdout, ours.stdout, "{line}: {args:?}");
            assert_eq!(theirs.stderr, "", "{line}: {args:?}");
            assert!(theirs.stdout.contains("research"), "{line}: {theirs:?}");
        }
        if line == Line::V2_18 {
            let lacking = env.jeton(&["app", "list"]);
            assert_eq!(lacking.code, 78, "{lacking:?}");
            assert!(lacking.stderr.contains("--kind application"), "{lacking:?}");
        }
        end(env, daemon);
    }
}

#[test]
fn an_unknown_key_and_an_ambiguous_name_have_different_errors() {
    let (env, daemon) = started(Line::V2_24, 600);
    let none = env.jeton(&["app", "show", "no-such-key"]);
    assert_eq!((none.code, none.stdout.as_str()), (1, ""), "{none:?}");
    assert!(none.stderr.contains("jeton app list"), "{none:?}");
    set(&env, "other-keys:40");
    let list = env.jeton(&["app", "list", "--all", "--json"]);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let name = list["keys"][1]["name"].as_str().unwrap();
    let several = env.jeton(&["app", "show", name, "--all"]);
    assert_eq!(several.code, 64, "{several:?}");
    assert!(
        several.stderr.contains("give one of their IDs"),
        "{several:?}"
    );
    end(env, daemon);
}

#[test]
fn a_key_beyond_a_truncated_list_is_found_by_its_client_id() {
    let (env, daemon) = started(Line::V2_24, 600);
    set(&env, "other-keys:300");
    set(&env, "max-items:none");
    let all = env.jetond(&["app", "list", "--all", "--json"]);
    let all: Value = serde_json::from_str(&all.stdout).unwrap();
    let last = all["keys"].as_array().unwrap().last().unwrap().clone();
    set(&env, "max-items:100");
    let client_id = last["client_id"].as_str().unwrap();
    let shown = env.jeton(&["app", "show", client_id, "--all", "--json"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown, last);
    end(env, daemon);
}

#[test]
fn a_list_of_ten_thousand_is_truncated_with_advice() {
    let (env, daemon) = started(Line::V2_24, 600);
    set(&env, "other-keys:10000");
    set(&env, "max-items:none");
    let table = env.jeton(&["app", "list", "--all"]);
    assert_eq!(table.code, 0, "{}", table.stderr);
    let last = table.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("first ") && last.ends_with(" of 10001; all: jetond app list --all"),
        "{last}"
    );
    assert!(table.stdout.len() > 200_000, "{}", table.stdout.len());
    let json = env.jeton(&["app", "list", "--all", "--json"]);
    assert!(
        json.stderr
            .contains(" of 10001; all: jetond app list --all --json")
    );
    let list: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(list["total"], 10_001);
    end(env, daemon);
}

#[test]
fn concurrent_callers_share_one_call_and_its_answer() {
    let (env, daemon) = started(Line::V2_24, 600);
    env.fault("reads:slow:1");
    let before = env.sandbox().stats().resource_ok;
    let callers: Vec<_> = (0..10).map(|_| begin(&env, &["app", "list"])).collect();
    for caller in callers {
        let output = caller.wait_with_output().unwrap();
        env.add_output("jeton app list", &output.stdout, false);
        assert!(output.status.success(), "{output:?}");
    }
    assert_eq!(env.jeton(&["app", "list"]).code, 0);
    assert_eq!(env.jeton(&["app", "show", "test-client"]).code, 0);
    assert_eq!(env.sandbox().stats().resource_ok - before, 1);
    end(env, daemon);
}

#[test]
fn a_hanging_control_plane_times_out_after_10_s_while_tokens_are_served() {
    let (env, daemon) = started(Line::V2_24, 600);
    let token = env.token(&daemon, "research");
    env.fault("reads:hang-headers");
    let begun = Instant::now();
    let caller = begin(&env, &["app", "list"]);
    while begun.elapsed().as_secs() < 2 {
        assert_eq!(env.token(&daemon, "research"), token);
    }
    let output = caller.wait_with_output().unwrap();
    let took = begun.elapsed().as_secs_f64();
    env.add_output("jeton app list", &output.stderr, false);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(75), "{said}");
    assert!(said.contains("within 10"), "{said}");
    assert!((9.0..14.0).contains(&took), "{took}");
    end(env, daemon);
}

#[test]
fn no_request_is_sent_during_a_wait_that_the_server_stated() {
    let (env, daemon) = started(Line::V2_24, 600);
    env.fault("reads:rate-limit:60");
    for args in [
        &["app", "list"][..],
        &["app", "list", "--kind", "service-account"],
        &["app", "show", "x"],
    ] {
        let refused = env.jeton(args);
        assert_eq!(refused.code, 75, "{args:?}: {refused:?}");
        assert!(refused.stderr.contains("next attempt in "), "{refused:?}");
    }
    assert_eq!(daemon.log().matches("look-up starts").count(), 1);
    end(env, daemon);
}

#[test]
fn each_kind_of_failed_answer_is_explained_with_a_remedy() {
    for (fault, exit, says) in [
        ("status:401", 1, "does not accept the token"),
        ("status:403", 1, "ask an administrator"),
        ("status:500", 75, "try again later"),
        ("html", 78, "has no keys of users"),
        ("raw:{}", 78, "something other than a list"),
        ("raw:null", 78, "something other than a list"),
        ("raw:[]", 78, "something other than a list"),
        ("redirect:307:http://127.0.0.1:9/", 78, "redirect"),
    ] {
        let (env, daemon) = started(Line::V2_24, 600);
        env.fault(&format!("reads:{fault}"));
        let refused = env.jeton(&["app", "list"]);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (exit, ""),
            "{fault}: {refused:?}"
        );
        assert!(refused.stderr.contains(says), "{fault}: {refused:?}");
        assert_eq!(refused.stderr.lines().count(), 1, "{fault}: {refused:?}");
        // The daemon did not count this as a rejection of the token.
        let state = env.get(&daemon, "/v1/profiles/research").json();
        assert_eq!(state["counts"]["refreshes"], 1, "{fault}: {state}");
        end(env, daemon);
    }
}

#[test]
fn list_reports_the_403_of_a_user_without_permission() {
    let (env, daemon) = started(Line::V3_0, 600);
    set(&env, "own-keys:forbidden");
    let refused = env.jeton(&["app", "list"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("(403)"), "{refused:?}");
    end(env, daemon);
}

#[test]
fn app_list_without_a_token_prints_the_message_of_jeton_token() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.fault("refuse");
    let mut daemon = env.start();
    let refused = env.jeton(&["app", "list"]);
    assert_eq!(refused.code, 75, "{refused:?}");
    // The message is that of `jeton token`. It depends on whether an attempt is running when the wait ends.
    let running = refused.stderr.contains("has not answered yet");
    let between = refused.stderr.contains("there is no valid token");
    assert!(running || between, "{refused:?}");
    env.stop(&mut daemon);
}

#[test]
fn names_from_the_server_are_printed_without_control_characters_or_secrets() {
    let (env, daemon) = started(Line::V2_23, 600);
    env.fault("reads:raw:[{\"id\":\"1\",\"name\":\"\\u001b[31m$TOKEN\",\"clientId\":\"\\u202e\"}]");
    for args in [
        &["app", "list", "--kind", "user-application"][..],
        &["app", "show", "1", "--kind", "user-application"],
    ] {
        let shown = env.jeton(args);
        assert_eq!(shown.code, 0, "{shown:?}");
        let is_safe = |c: char| c == '\n' || (' '..='~').contains(&c);
        assert!(shown.stdout.chars().all(is_safe), "{shown:?}");
    }
    end(env, daemon);
}
