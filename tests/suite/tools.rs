//! Helper protocols of other tools with a real daemon, under the names by which the tools start them.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::{Value, json};

use crate::enrol::write_config;
use crate::support::daemon::Daemon;
use crate::support::env::Output;
use crate::support::{TestEnv, unix_now};

/// The addresses of the profile `research`.
const HOSTS: &str = r#"
[[profiles.research.hosts]]
url = "https://reg.example:5000"
username = "<token>"
[[profiles.research.hosts]]
url = "https://pypi.example/simple"
[[profiles.research.hosts]]
url = "https://k8s.example:6443"
[[profiles.research.hosts]]
url = "https://mcp.example"
auth = "basic"
username = "me"
[[profiles.research.hosts]]
url = "https://crates.example/index"
"#;

/// Starts a daemon with two profiles. `ci` has no address.
fn serving() -> (TestEnv, Daemon) {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    env.enrol("ci");
    let profiles = fs::read_to_string(env.config()).unwrap();
    write_config(&env, format!("{profiles}{HOSTS}"));
    let daemon = env.start();
    (env, daemon)
}

/// Returns the companion under this name, as a link.
fn named(env: &TestEnv, name: &str) -> Command {
    let link = env.path("tmp").join(name);
    if !link.exists() {
        symlink(env!("CARGO_BIN_EXE_jeton"), &link).unwrap();
    }
    env.command(link)
}

/// Runs the companion under this name, with these environment variables and this standard input.
fn run(env: &TestEnv, name: &str, args: &[&str], set: &[(&str, &str)], stdin: &str) -> Output {
    let mut command = named(env, name);
    command.args(args).envs(set.iter().copied());
    env.finish(name, command, stdin.as_bytes(), true)
}

/// Returns the output of a request that must succeed.
fn done(env: &TestEnv, name: &str, args: &[&str], set: &[(&str, &str)], stdin: &str) -> String {
    let output = run(env, name, args, set, stdin);
    let ends = (output.code, output.stderr.as_str());
    assert_eq!(ends, (0, ""), "{name} {args:?}");
    output.stdout
}

fn exec_info(version: &str, server: Option<&str>) -> String {
    let cluster = server.map(|server| json!({"server": server, "certificate-authority-data": ""}));
    let spec = json!({"cluster": cluster, "interactive": false});
    json!({"apiVersion": version, "kind": "ExecCredential", "spec": spec}).to_string()
}

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";
const DOCKER: &str = "docker-credential-jeton";

#[test]
fn each_tool_gets_the_token_of_the_address_in_its_own_form() {
    let (env, mut daemon) = serving();
    let held = env.token(&daemon, "research");
    let in_json = |text: &str| serde_json::from_str::<Value>(text).unwrap();

    for registry in [
        "reg.example:5000",
        "reg.example:5000\n",
        "https://reg.example:5000/",
    ] {
        let answer = done(&env, DOCKER, &["get"], &[], registry);
        let want = json!({"ServerURL": registry.trim_end(), "Username": "<token>", "Secret": held});
        assert_eq!(in_json(&answer), want);
    }
    let list = in_json(&done(&env, DOCKER, &["list"], &[], "unused"));
    assert_eq!(list["reg.example:5000"], "<token>");

    for version in [V1, V1BETA1] {
        let info = exec_info(version, Some("https://k8s.example:6443"));
        for args in [&["kube"][..], &["kube", "research"]] {
            let answer = done(&env, "jeton", args, &[("KUBERNETES_EXEC_INFO", &info)], "");
            let answer = in_json(&answer);
            assert_eq!(answer["apiVersion"], version);
            assert_eq!(answer["kind"], "ExecCredential");
            // From this client's second call on, the token is a newer one.
            let held = env.token(&daemon, "research");
            assert_eq!(answer["status"]["token"], held.as_str());
            let expires = answer["status"]["expirationTimestamp"].as_str().unwrap();
            let expires: u64 = humantime(expires);
            let now = unix_now();
            assert!((now..now + 3_600).contains(&expires), "{expires} {now}");
        }
    }
    let held = env.token(&daemon, "research");

    let pypi = "https://pypi.example/simple/";
    assert_eq!(
        done(&env, "keyring", &["get", pypi, "me"], &[], ""),
        format!("{held}\n")
    );
    let both = done(&env, "keyring", &["get", pypi, "--mode", "creds"], &[], "");
    assert_eq!(both, format!("oauth2\n{held}\n"));
    let of_pip = ["--mode=creds", "--output=json", "get", pypi, "me"];
    let answer = in_json(&done(&env, "keyring", &of_pip, &[], ""));
    assert_eq!(answer, json!({"username": "me", "password": held}));

    let mcp = [("CLAUDE_CODE_MCP_SERVER_URL", "https://mcp.example/sse")];
    let answer = in_json(&done(&env, "jeton", &["mcp-headers"], &mcp, ""));
    let pair = base64(&format!("me:{held}"));
    assert_eq!(answer, json!({"Authorization": format!("Basic {pair}")}));

    let cargo = [(
        "CARGO_REGISTRY_INDEX_URL",
        "sparse+https://crates.example/index/",
    )];
    let bearer = format!("Bearer {held}\n");
    let args = ["token", "--bearer", "research"];
    assert_eq!(done(&env, "jeton", &args, &cargo, ""), bearer);
    assert_eq!(done(&env, "jeton", &args, &[], ""), bearer);
    let config = done(
        &env,
        "jeton",
        &["header", "--curl-config", "research"],
        &[],
        "",
    );
    assert_eq!(
        config,
        format!("header = \"Authorization: Bearer {held}\"\n")
    );
    env.stop(&mut daemon);
}

#[test]
fn an_address_without_a_profile_gets_the_protocols_no_credential_answer() {
    const NONE: &str = "credentials not found in native keychain\n";
    let (env, mut daemon) = serving();
    let other = exec_info(V1, Some("https://k8s.example"));
    let kube = [("KUBERNETES_EXEC_INFO", other.as_str())];
    let mcp = [("CLAUDE_CODE_MCP_SERVER_URL", "https://mcp.example:8443")];
    let cargo = [("CARGO_REGISTRY_INDEX_URL", "sparse+https://crates.example/")];
    let none: &[(&str, &str)] = &[];
    for (name, args, set, stdin, stdout, code) in [
        (DOCKER, &["get"][..], none, "reg.example", NONE, 1),
        (
            DOCKER,
            &["get"],
            none,
            "reg.example:5000.evil.example",
            NONE,
            1,
        ),
        (DOCKER, &["get"], none, "http://reg.example:5000", NONE, 1),
        (DOCKER, &["get"], none, "reg.example:5000\nevil", NONE, 1),
        (
            "jeton",
            &["docker", "ci", "get"],
            none,
            "reg.example:5000",
            NONE,
            1,
        ),
        (
            "keyring",
            &["get", "https://pypi.example", "me"],
            none,
            "",
            "",
            1,
        ),
        ("keyring", &["get", "pypi.example", "me"], none, "", "", 1),
        ("jeton", &["kube"], &kube, "", "", 78),
        ("jeton", &["kube", "research"], &kube, "", "", 78),
        ("jeton", &["kube", "ci"], &kube, "", "", 78),
        ("jeton", &["mcp-headers", "research"], &mcp, "", "", 78),
        (
            "jeton",
            &["token", "--bearer", "research"],
            &cargo,
            "",
            "",
            78,
        ),
        ("jeton", &["token", "ci"], &cargo, "", "", 78),
    ] {
        let got = run(&env, name, args, set, stdin);
        assert_eq!(
            (got.stdout.as_str(), got.code),
            (stdout, code),
            "{args:?} {}",
            got.stderr
        );
        assert_eq!(got.stderr.lines().count(), 1, "{args:?}: {}", got.stderr);
        assert!(!got.stderr.contains("evil"), "{}", got.stderr);
    }
    env.stop(&mut daemon);
}

#[test]
fn without_an_address_only_a_named_profile_is_served() {
    let (env, mut daemon) = serving();
    let held = env.token(&daemon, "ci");
    let info = exec_info(V1, None);
    let info = [("KUBERNETES_EXEC_INFO", info.as_str())];
    assert!(done(&env, "jeton", &["kube", "ci"], &info, "").contains(&held));
    for args in [&["kube", "research"][..], &["kube"]] {
        let got = run(&env, "jeton", args, &info, "");
        assert_eq!((got.code, got.stdout.as_str()), (64, ""), "{args:?}");
        assert!(got.stderr.contains("provideClusterInfo"), "{}", got.stderr);
    }
    for profile in ["ci", "research"] {
        let got = run(
            &env,
            "jeton",
            &["mcp-headers", profile],
            &[("JETON_PROFILE", "ci")],
            "",
        );
        assert_eq!((got.code, got.stdout.as_str()), (64, ""), "{profile}");
        assert!(
            got.stderr.contains("CLAUDE_CODE_MCP_SERVER_URL"),
            "{}",
            got.stderr
        );
    }
    env.stop(&mut daemon);
}

#[test]
fn clients_can_neither_store_nor_erase() {
    let (env, mut daemon) = serving();
    let held = env.token(&daemon, "research");
    let login = |server: &str| json!({"ServerURL": server, "Username": "u", "Secret": "hunter2"});
    let ours = login("reg.example:5000").to_string();
    assert_eq!(done(&env, DOCKER, &["store"], &[], &ours), "");
    assert_eq!(done(&env, DOCKER, &["erase"], &[], "reg.example:5000"), "");
    for (name, args, stdin) in [
        (DOCKER, &["store"][..], login("reg.example").to_string()),
        (
            "keyring",
            &["set", "https://pypi.example/simple/", "me"],
            "hunter2\n".to_owned(),
        ),
        (
            "keyring",
            &["del", "https://pypi.example/simple/", "me"],
            String::new(),
        ),
    ] {
        let got = run(&env, name, args, &[], &stdin);
        assert_eq!(got.code, 1, "{args:?}");
        assert!(
            got.stderr.contains("Jeton keeps no passwords"),
            "{}",
            got.stderr
        );
        assert!(!got.stderr.contains("hunter2") && !got.stdout.contains("hunter2"));
    }
    assert_eq!(env.token(&daemon, "research"), held);
    assert!(!daemon.log().contains("hunter2"));
    env.stop(&mut daemon);
}

#[test]
fn without_a_daemon_each_protocol_says_so_in_one_line() {
    let env = TestEnv::new();
    let info = exec_info(V1, Some("https://k8s.example:6443"));
    let kube = [("KUBERNETES_EXEC_INFO", info.as_str())];
    let none: &[(&str, &str)] = &[];
    for (name, args, set) in [
        (DOCKER, &["get"][..], none),
        (DOCKER, &["list"], none),
        ("keyring", &["get", "https://pypi.example", "me"], none),
        ("jeton", &["kube"], &kube),
        (
            "jeton",
            &["mcp-headers"],
            &[("CLAUDE_CODE_MCP_SERVER_URL", "https://mcp.example")],
        ),
    ] {
        let got = run(&env, name, args, set, "reg.example");
        assert_eq!((got.code, got.stdout.as_str()), (69, ""), "{args:?}");
        assert_eq!(got.stderr.lines().count(), 1, "{}", got.stderr);
    }
}

/// Parses a time as the protocols write it.
fn humantime(text: &str) -> u64 {
    let output = Command::new("date")
        .args(["-u", "+%s", "-d", text])
        .output()
        .unwrap();
    String::from_utf8(output.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap()
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}
