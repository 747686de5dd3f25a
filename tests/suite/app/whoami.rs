//! `jeton whoami`: the identity behind a profile's token.

use jetond::sandbox::{Line, Setting};
use serde_json::Value;

use super::{end, started};
use crate::support::TestEnv;

fn set(env: &TestEnv, setting: &str) {
    env.sandbox().set(Setting::parse(setting).unwrap());
}

fn json(env: &TestEnv, args: &[&str]) -> Value {
    let output = env.jeton(&[&["whoami", "--json"], args].concat());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn whoami_reports_key_server_line_user_roles_and_clusters() {
    for (line, kind, is) in [
        (Line::V2_18, "application", "2.19 or earlier"),
        (Line::V2_20, "user-application", "2.20"),
        (Line::V2_23, "user-application", "2.21 to 2.23"),
        (Line::V2_24, "access-key", "2.24 or later"),
        (Line::V3_0, "access-key", "2.24 or later"),
    ] {
        let (env, daemon) = started(line, 600);
        let who = json(&env, &["research"]);
        assert_eq!(who["profile"], "research", "{line}: {who}");
        assert_eq!(who["client_id"], "test-client", "{line}: {who}");
        assert_eq!(who["key"]["kind"], kind, "{line}: {who}");
        assert_eq!(who["server"]["line"], is, "{line}: {who}");
        assert_eq!(who["server"]["url"], env.sandbox().url(), "{line}: {who}");
        assert_eq!(who["token_claims"]["verified"], false, "{line}: {who}");
        assert_eq!(who["secret_age_days"], 0, "{line}: {who}");
        let has_rules = line >= Line::V2_23;
        assert_eq!(who["roles"].is_array(), has_rules, "{line}: {who}");
        assert_eq!(who["subject"].is_object(), has_rules, "{line}: {who}");
        let old = who["clusters_below_2_20"].as_array().unwrap();
        assert_eq!(old.len(), usize::from(line == Line::V2_18), "{line}: {who}");
        let shown = env.jeton(&["whoami"]);
        assert_eq!(shown.code, 0, "{line}: {shown:?}");
        let says = if has_rules {
            "System administrator in cluster sandbox"
        } else {
            "(by the token, unverified)"
        };
        for says in [says, "test-client", "stored today"] {
            assert!(shown.stdout.contains(says), "{line}: {says}: {shown:?}");
        }
        end(env, daemon);
    }
}

#[test]
fn whoami_shows_a_user_without_permissions_what_it_can_read() {
    let (env, daemon) = started(Line::V3_0, 600);
    set(&env, "own-keys:forbidden");
    set(&env, "access-rules:user=practitioner");
    set(&env, "clusters:403");
    let shown = env.jeton(&["whoami"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for says in [
        "key        cannot tell: ",
        "clusters   cannot tell: ",
        "AI practitioner in cluster",
    ] {
        assert!(shown.stdout.contains(says), "{says}: {shown:?}");
    }
    end(env, daemon);
}

#[test]
fn clusters_below_2_20_are_named_and_null_versions_skipped() {
    let (env, daemon) = started(Line::V2_24, 600);
    set(&env, "clusters:2.24.1,2.20,2.9,null,absent");
    let who = json(&env, &[]);
    let old = who["clusters_below_2_20"].as_array().unwrap();
    assert_eq!(old.len(), 1, "{who}");
    assert_eq!(old[0]["version"], "2.9", "{who}");
    end(env, daemon);
}

#[test]
fn a_failed_look_up_is_reported_and_does_not_reject_the_token() {
    for (fault, exit, says) in [
        ("status:401", 1, "does not accept the token"),
        ("status:503", 75, "try again later"),
        ("rate-limit:60", 75, "next attempt in"),
        ("hang", 75, "within 10"),
    ] {
        let (env, daemon) = started(Line::V2_24, 600);
        env.token(&daemon, "research");
        env.fault(&format!(
            "reads:{}",
            if fault == "hang" { "hang-body" } else { fault }
        ));
        let refused = env.jeton(&["whoami"]);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (exit, ""),
            "{fault}: {refused:?}"
        );
        assert!(refused.stderr.contains(says), "{fault}: {refused:?}");
        let state = env.get(&daemon, "/v1/profiles/research").json();
        assert_eq!(state["counts"]["refreshes"], 1, "{fault}: {state}");
        end(env, daemon);
    }
    for fault in ["html", "raw:null", "raw:[]", "raw:{}", "status:403"] {
        let (env, daemon) = started(Line::V2_24, 600);
        env.token(&daemon, "research");
        env.fault(&format!("reads:{fault}"));
        let shown = env.jeton(&["whoami"]);
        assert_eq!(shown.code, 0, "{fault}: {shown:?}");
        assert!(shown.stdout.contains("cannot"), "{fault}: {shown:?}");
        end(env, daemon);
    }
}

#[test]
fn whoami_calls_in_quick_succession_share_one_look_up() {
    let (env, daemon) = started(Line::V2_24, 600);
    for _ in 0..5 {
        assert_eq!(env.jeton(&["whoami"]).code, 0);
    }
    assert_eq!(daemon.log().matches("look-up starts").count(), 1);
    end(env, daemon);
}

#[test]
fn a_profile_of_another_provider_shows_its_tokens_claims() {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let added = env.jetond(&[
        "add",
        "ci",
        "--provider",
        "oauth2",
        "--token-url",
        &format!("{}/api/v2/token", env.sandbox().url()),
        "--client-auth",
        "post",
        "--client-id",
        "test-client",
        "--client-secret-file",
        env.secret_file().to_str().unwrap(),
    ]);
    assert_eq!(added.code, 0, "{added:?}");
    let daemon = env.start();
    let shown = env.jeton(&["whoami", "ci"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for says in ["(by the token, unverified)", "for Run:ai profiles alone"] {
        assert!(shown.stdout.contains(says), "{shown:?}");
    }
    let refused = env.jeton(&["app", "list", "ci"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("another provider"), "{refused:?}");
    end(env, daemon);
}
