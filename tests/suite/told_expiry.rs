//! The expiry that helpers report to the clients of tools.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;

use serde_json::Value;

use crate::enrol::write_config;
use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// A test environment with tokens of this lifetime in seconds, a profile `research` with an address, and a running
/// daemon.
fn started(token_life: u64) -> (TestEnv, Daemon) {
    const HOSTS: &str = "
[[profiles.research.hosts]]
url = \"https://git.example\"
";
    let env = TestEnv::with_sandbox(token_life);
    env.enrol("research");
    let text = fs::read_to_string(env.config()).unwrap();
    write_config(&env, text + HOSTS);
    let daemon = env.start();
    env.token(&daemon, "research");
    (env, daemon)
}

/// Returns what a tool's helper prints for this input.
fn prints(env: &TestEnv, args: &[&str], stdin: &[u8]) -> String {
    // Each call has a different parent, because a second call of the same client would lead to a refresh.
    let mut command = env.command("sh");
    let jeton = env!("CARGO_BIN_EXE_jeton");
    command.args(["-c", "\"$@\"; exit $?", "sh", jeton]);
    command.args(args).env(
        "KUBERNETES_EXEC_INFO",
        r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"https://git.example"}}}"#,
    );
    let output = env.finish("a tool", command, stdin, true);
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{args:?}");
    output.stdout
}

/// Returns the expiry that git gets, in Unix seconds.
fn told_git(env: &TestEnv) -> u64 {
    let printed = prints(
        env,
        &["git", "get"],
        b"protocol=https\nhost=git.example\n\n",
    );
    let mut lines = printed.lines();
    let told = lines.find_map(|line| line.strip_prefix("password_expiry_utc="));
    told.unwrap().parse().unwrap()
}

/// The same for a Kubernetes client.
fn told_kube(env: &TestEnv) -> u64 {
    let printed = prints(env, &["kube", "research"], b"");
    let credential: Value = serde_json::from_str(&printed).unwrap();
    let told = &credential["status"]["expirationTimestamp"];
    let date = env
        .command("date")
        .args(["-u", "+%s", "-d"])
        .arg(told.as_str().unwrap())
        .output();
    String::from_utf8(date.unwrap().stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn state(env: &TestEnv, daemon: &Daemon) -> Value {
    env.get(daemon, "/v1/profiles/research").json()
}

const NOTE: &str = "got this token's real expiry";

#[test]
fn the_reported_expiry_is_between_refresh_and_real_expiry() {
    let (env, mut daemon) = started(3_600);
    for (told, window) in [(told_git as fn(&TestEnv) -> u64, 0), (told_kube, 300)] {
        let spread: Vec<u64> = (0..20).map(|_| told(&env)).collect();
        let state = state(&env, &daemon);
        let [next, end] =
            ["next_attempt_at", "expires_at"].map(|name| state[name].as_u64().unwrap());
        for told in &spread {
            assert!(next < told - window && *told <= end, "{next} {told} {end}");
            assert!(told - window - next <= 10 + 360, "{next} {told}");
        }
        assert!(spread.iter().any(|told| *told != spread[0]), "{spread:?}");
        assert_eq!(state["real_expiry_told"], Value::Null, "{state}");
    }
    assert!(!env.jeton(&["status"]).stdout.contains(NOTE));
    env.stop(&mut daemon);
}

#[test]
fn a_too_short_token_is_reported_with_its_real_expiry() {
    let (env, mut daemon) = started(300);
    // The Python client would come back 5 minutes before that.
    for _ in 0..5 {
        let told = told_kube(&env);
        let state = state(&env, &daemon);
        assert_eq!(state["expires_at"], told, "{state}");
        assert_eq!(state["real_expiry_told"], true, "{state}");
    }
    let status = env.jeton(&["status"]);
    assert_eq!(
        status.stdout.replace("\n  ", " ").matches(NOTE).count(),
        1,
        "{status:?}"
    );
    let log = daemon.log_up_to_now();
    assert_eq!(
        log.matches("a tool got the real expiry").count(),
        1,
        "{log}"
    );
    env.stop(&mut daemon);
}

#[test]
fn in_an_outage_the_real_expiry_is_reported() {
    let (env, mut daemon) = started(3_600);
    env.fault("status:503");
    let refused = env.jeton(&["refresh", "research"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    let end = state(&env, &daemon)["expires_at"].as_u64().unwrap();
    assert_eq!((told_git(&env), told_kube(&env)), (end, end));
    env.stop(&mut daemon);
}
