//! Repeated requests from one client: in general they reject nothing. Only for Kubernetes clients, which keep a token
//! until its expiry or a 401, does an early second request from the same process lead to one refresh.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;

use jetond::sandbox::Setting;
use serde_json::Value;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// A test environment with a profile `research` that has addresses, and a running daemon that holds its token.
fn started() -> (TestEnv, Daemon) {
    place_with("")
}

/// The same, with these lines in the profile.
fn place_with(lines: &str) -> (TestEnv, Daemon) {
    const HOSTS: &str = "
[[profiles.research.hosts]]
url = \"https://git.example\"
[[profiles.research.hosts]]
url = \"https://reg.example:5000\"
";
    let env = TestEnv::with_sandbox(3_600);
    if lines.contains("kills-old") {
        env.sandbox()
            .set(Setting::parse("reissue:kills-old").unwrap());
    }
    env.enrol("research");
    let text = fs::read_to_string(env.config()).unwrap();
    let text = text.replacen("provider = ", &format!("{lines}provider = "), 1);
    write_config(&env, format!("{text}{HOSTS}"));
    let daemon = env.start();
    env.token(&daemon, "research");
    (env, daemon)
}

/// Runs a shell script in which `$jeton` is the companion.
fn script(env: &TestEnv, script: &str) -> String {
    let mut command = env.command("sh");
    command
        .args(["-c", script])
        .env("jeton", env!("CARGO_BIN_EXE_jeton"))
        .env(
            "KUBERNETES_EXEC_INFO",
            r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"https://git.example"}}}"#,
        );
    let output = env.finish("a script", command, b"", true);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{script}");
    output.stdout
}

/// Returns the tokens of the printed credentials, one per line.
fn tokens(printed: &str) -> Vec<String> {
    let token = |line: &str| {
        let credential: Value = serde_json::from_str(line).unwrap();
        credential["status"]["token"].as_str().unwrap().to_owned()
    };
    printed.lines().map(token).collect()
}

fn requests(env: &TestEnv) -> u64 {
    env.sandbox().stats().token_requests
}

/// Asserts that nothing was rejected, and that there was no request to the issuer since `before`.
fn nothing_followed(env: &TestEnv, daemon: &Daemon, before: u64) {
    let state = env.get(daemon, "/v1/profiles/research").json();
    assert_eq!(state["counts"]["reports"], 0, "{state}");
    assert_eq!(state["reported"], false, "{state}");
    assert_eq!(state["cooling_down_until"], Value::Null, "{state}");
    assert_eq!(requests(env), before, "{state}");
}

#[test]
fn a_thousand_kubernetes_clients_cause_no_refresh() {
    let (env, mut daemon) = started();
    let before = requests(&env);
    // Each companion gets a shell of its own as parent. The `:` keeps the shell from replacing itself with the
    // companion.
    let printed = script(
        &env,
        "i=0; while [ $i -lt 1000 ]; do (\"$jeton\" kube research; :) || exit; i=$((i+1)); done",
    );
    let mut tokens = tokens(&printed);
    assert_eq!(tokens.len(), 1_000);
    tokens.dedup();
    assert_eq!(tokens, [env.token(&daemon, "research")]);
    nothing_followed(&env, &daemon, before);
    env.stop(&mut daemon);
}

#[test]
fn an_early_second_kubernetes_call_gets_one_newer_token() {
    let (env, mut daemon) = started();
    let before = requests(&env);
    let given = tokens(&script(
        &env,
        "\"$jeton\" kube research && \"$jeton\" kube research && :",
    ));
    let [first, second] = &given[..] else {
        panic!("{} tokens", given.len())
    };
    assert_ne!(first, second);
    nothing_followed(&env, &daemon, before + 1);
    let log = daemon.log_up_to_now();
    let line = "a client that keeps its token asked for it a second time";
    assert_eq!(log.matches(line).count(), 1, "{log}");
    // A different process starts with a first call of its own.
    let given = tokens(&script(&env, "\"$jeton\" kube research && :"));
    assert_eq!(given, std::slice::from_ref(second));
    nothing_followed(&env, &daemon, before + 1);
    env.stop(&mut daemon);
}

#[test]
fn a_second_call_has_no_effect_if_a_new_token_cannot_help() {
    for lines in [
        "reissue = \"kills-old\"\n",
        "reissue = \"same-until-expiry\"\n",
    ] {
        let (env, mut daemon) = place_with(lines);
        let before = requests(&env);
        let given = tokens(&script(
            &env,
            "\"$jeton\" kube research && \"$jeton\" kube research && :",
        ));
        assert_eq!(given[0], given[1], "{lines}");
        nothing_followed(&env, &daemon, before);
        env.stop(&mut daemon);
    }
}

#[test]
fn a_thousand_calls_of_any_other_client_cause_no_refresh() {
    let (env, mut daemon) = started();
    let before = requests(&env);
    let token = env.token(&daemon, "research");
    for call in [
        "\"$jeton\" token --for claude-code research",
        "\"$jeton\" token --for codex research",
        "printf 'protocol=https\\nhost=git.example\\n\\n' | \"$jeton\" git get",
        "printf reg.example:5000 | \"$jeton\" docker get",
        "\"$jeton\" keyring get https://git.example oauth2",
    ] {
        // All calls have the same parent.
        let printed = script(
            &env,
            &format!("i=0; while [ $i -lt 1000 ]; do {call} || exit; i=$((i+1)); done"),
        );
        assert!(printed.matches(&token).count() >= 1_000, "{call}");
        nothing_followed(&env, &daemon, before);
    }
    env.stop(&mut daemon);
}

#[test]
fn a_clients_erase_or_store_deletes_nothing() {
    let (env, mut daemon) = started();
    let before = requests(&env);
    let token = env.token(&daemon, "research");
    let config = fs::read(env.config()).unwrap();
    let record = fs::read(env.record("research")).unwrap();
    for call in [
        "printf 'protocol=https\\nhost=git.example\\nusername=oauth2\\npassword=x\\n\\n' | \"$jeton\" git store",
        "printf 'protocol=https\\nhost=git.example\\nusername=oauth2\\npassword=x\\n\\n' | \"$jeton\" git erase",
        "printf 'protocol=https\\nhost=git.example\\n\\n' | \"$jeton\" git erase",
        "printf '{\"ServerURL\":\"reg.example:5000\",\"Username\":\"x\",\"Secret\":\"y\"}' | \"$jeton\" docker store",
        "printf reg.example:5000 | \"$jeton\" docker erase",
    ] {
        let printed = script(
            &env,
            &format!("i=0; while [ $i -lt 20 ]; do {call} || exit; i=$((i+1)); done"),
        );
        assert_eq!(printed, "", "{call}");
    }
    assert_eq!(env.token(&daemon, "research"), token);
    nothing_followed(&env, &daemon, before);
    assert_eq!(fs::read(env.config()).unwrap(), config);
    assert_eq!(fs::read(env.record("research")).unwrap(), record);
    env.stop(&mut daemon);
}
