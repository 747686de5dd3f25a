//! `jetond setup`: the lines that users paste, and the changes that it makes and undoes with the tools' own commands.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::path::{Path, PathBuf};

use crate::enrol::write_config;
use crate::support::env::Output;
use crate::support::{TestEnv, ignored};

/// A test environment with two profiles: `research` has a host of each kind, `plain` has none.
fn set_up() -> TestEnv {
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    env.enrol("plain");
    let text = fs::read_to_string(env.config()).unwrap();
    let hosts = ["git.example", "reg.example:5000", "k8s.example:6443"];
    let hosts =
        hosts.map(|host| format!("[[profiles.research.hosts]]\nurl = \"https://{host}\"\n"));
    let index =
        "[[profiles.research.hosts]]\nurl = \"https://pypi.example/simple\"\nusername = \"me\"\n";
    write_config(&env, format!("{text}{}{index}", hosts.concat()));
    env
}

/// The companion beside `jetond`.
const JETON: &str = env!("CARGO_BIN_EXE_jeton");

/// `jetond setup` with these arguments.
fn setup(env: &TestEnv, args: &[&str]) -> Output {
    env.jetond(&[&["setup"], args].concat())
}

/// Returns the folder of this machine's pip. Prints a message and returns `None` if there is none.
fn folder_of_pip() -> Option<PathBuf> {
    let script = "import sys, os; print(os.path.dirname(os.path.realpath(sys.executable)))";
    let printed = std::process::Command::new("python3")
        .args(["-c", script])
        .output();
    let printed = printed
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let folder = printed.map(|text| PathBuf::from(text.trim()));
    let folder = folder.filter(|folder| folder.join("pip").exists());
    if folder.is_none() {
        ignored("there is no pip beside python3");
    }
    folder
}

/// Returns whether a program of this name is on the environment's `PATH`. Prints a message if not.
fn has(env: &TestEnv, program: &str) -> bool {
    let shown = env
        .command("sh")
        .args(["-c", "command -v \"$0\"", program])
        .output();
    let found = shown.unwrap().status.success();
    if !found {
        ignored(&format!(
            "there is no {program} in /usr/local/bin, /usr/bin or /bin"
        ));
    }
    found
}

fn lines_of(output: &Output) -> Vec<&str> {
    assert_eq!(output.code, 0, "{output:?}");
    output.stdout.lines().collect()
}

#[test]
fn setup_without_a_name_lists_the_supported_tools() {
    let env = TestEnv::new();
    let listed = setup(&env, &[]);
    assert_eq!(listed.code, 0, "{listed:?}");
    for name in ["git", "docker", "kubectl", "pip", "curl", "socket"] {
        let mut lines = listed.stdout.lines();
        assert!(
            lines.any(|line| line.trim_start().starts_with(&format!("{name} "))),
            "{name}: {listed:?}"
        );
    }
    for args in [&["--apply"][..], &["--profile", "a"]] {
        assert_eq!(setup(&env, args).code, 64);
    }
    let unknown = setup(&env, &["gti"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (64, ""));
}

#[test]
fn the_printed_lines_use_the_profile_that_has_the_address() {
    let env = set_up();
    let curl = setup(&env, &["curl", "https://git.example/api"]);
    assert_eq!(
        lines_of(&curl),
        [format!(
            "{JETON} header research | curl --fail-with-body -H @- https://git.example/api"
        )]
    );
    // If no entry has the address, the lines to add come first, as comments.
    let other = setup(
        &env,
        &["curl", "https://other.example", "--profile", "plain"],
    );
    let lines = lines_of(&other);
    assert!(
        lines[0].starts_with("# no profile has this address yet: add the next lines to "),
        "{other:?}"
    );
    assert!(lines[0].ends_with("then run: jeton reload"), "{other:?}");
    assert_eq!(
        lines[1..3],
        [
            "# [[profiles.plain.hosts]]",
            "# url = \"https://other.example\""
        ]
    );
    for (args, part) in [
        // Two profiles, neither of which has this address.
        (
            &["curl", "https://other.example"][..],
            "say for which profile",
        ),
        (
            &["curl", "https://git.example", "--profile", "plain"],
            "research, not for plain",
        ),
        (&["git"], "say for which address"),
        (&["git", "https://user:hunter2@git.example"], "names a user"),
        (&["git", "http://git.example"], "only https"),
        (&["git", "https://git.example/../x"], "more than one way"),
        (
            &["docker", "reg.example/team"],
            "leave the path out of ADDRESS",
        ),
        (&["curl", "git.example", "--jeton", "jeton"], "absolute"),
        (&["curl", "git.example", "--apply"], "has no command"),
        (&["socket", "git.example"], "takes only --config"),
    ] {
        let refused = setup(&env, args);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (64, ""),
            "{args:?}: {refused:?}"
        );
        assert!(refused.stderr.contains(part), "{args:?}: {refused:?}");
        assert!(!refused.stderr.contains("hunter2"), "{refused:?}");
    }
    let gone = setup(&env, &["curl", "git.example", "--jeton", "/nowhere/jeton"]);
    assert_eq!(gone.code, 78, "{gone:?}");
}

#[test]
fn notes_about_json_lines_go_to_standard_error() {
    let env = set_up();
    let docker = setup(&env, &["docker", "reg.example:5000"]);
    assert_eq!(docker.code, 0, "{docker:?}");
    let json: serde_json::Value = serde_json::from_str(&docker.stdout).unwrap();
    assert_eq!(json["credHelpers"]["reg.example:5000"], "jeton");
    assert!(docker.stderr.contains("install-helpers"), "{docker:?}");
    let other = setup(&env, &["docker", "other.example"]);
    let _: serde_json::Value = serde_json::from_str(&other.stdout).unwrap();
    assert!(
        other.stderr.contains("[[profiles.NAME.hosts]]"),
        "{other:?}"
    );
}

#[test]
fn setup_places_a_token_file_where_the_systems_daemon_can_write() {
    let env = set_up();
    let address = "https://metrics.example";
    for (args, wanted) in [
        (
            &[][..],
            &[
                "path = \"plain-prometheus/token\"",
                "then run: jeton reload",
            ][..],
        ),
        (
            &["--config", "/etc/jeton/config.toml"],
            &[
                "path = \"files/plain-prometheus-token\"",
                "/run/jeton/files/plain-prometheus-token",
                "SupplementaryGroups=GROUP",
            ],
        ),
    ] {
        let mut command = env.command("unshare");
        let script = "mkdir -p /etc/jeton; mount --bind \"$1\" /etc/jeton; shift; exec \"$@\"";
        command.args(["--mount", "sh", "-ec", script, "sh"]);
        command.arg(env.config().parent().unwrap());
        command.args([env!("CARGO_BIN_EXE_jetond"), "setup", "prometheus", address]);
        command.args(["--profile", "plain"]).args(args);
        let printed = env.finish("jetond setup", command, b"", false);
        if printed.stderr.contains("unshare") || printed.stderr.contains("mount") {
            ignored("nothing can be mounted here");
            return;
        }
        for part in wanted {
            assert!(printed.stdout.contains(part), "{part}: {printed:?}");
        }
    }
}

// === Changes that are applied and undone ===

/// Returns the bytes of a file, if it exists.
fn bytes(path: &Path) -> Option<Vec<u8>> {
    fs::read(path).ok()
}

/// Returns the number of records of applied changes.
fn records(env: &TestEnv) -> usize {
    let entries = fs::read_dir(env.path("state/jeton/setup"));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "json"))
        .count()
}

/// A kubeconfig with a comment. kubectl's own commands would remove the comment.
const KUBECONFIG: &str = "\
# mine
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {server: 'https://K8S.example:6443/'}
- name: other
  cluster: {server: 'https://other.example'}
contexts:
- name: -work.it
  context: {cluster: c, user: old}
- name: none
  context: {cluster: c}
- name: away
  context: {cluster: other, user: old}
current-context: -work.it
users:
- name: old
  user: {token: hunter2}
";

fn kubeconfig(env: &TestEnv) -> PathBuf {
    let path = env.path("home/.kube/config");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, KUBECONFIG).unwrap();
    path
}

#[test]
fn kubectl_is_set_up_and_restored_byte_for_byte() {
    let env = set_up();
    if !has(&env, "kubectl") {
        return;
    }
    let path = kubeconfig(&env);
    let address = "https://k8s.example:6443";
    let printed = setup(&env, &["kubectl", address]);
    assert!(
        printed.stdout.contains("--user=jeton -- -work.it\n")
            && printed.stdout.contains("-- none\n"),
        "{printed:?}"
    );
    assert!(!printed.stdout.contains("away"), "{printed:?}");
    let absent = setup(
        &env,
        &[
            "kubectl",
            "https://absent.example",
            "--profile",
            "plain",
            "--apply",
        ],
    );
    assert_eq!(absent.code, 78, "{absent:?}");
    assert!(
        absent
            .stderr
            .contains("nothing is changed: no profile has this address yet"),
        "{absent:?}"
    );
    let view = |what: &str| {
        let mut kubectl = env.command("kubectl");
        kubectl.args(["config", "view", "--raw", "-o", &format!("jsonpath={what}")]);
        String::from_utf8(kubectl.output().unwrap().stdout).unwrap()
    };
    for _ in 0..2 {
        let applied = setup(&env, &["kubectl", address, "--apply"]);
        assert_eq!(applied.code, 0, "{applied:?}");
        assert!(applied.stdout.contains("--undo"), "{applied:?}");
        let exec = view("{.users[?(@.name=='jeton')].user.exec}");
        let exec: serde_json::Value = serde_json::from_str(&exec).unwrap();
        assert_eq!(exec["command"], JETON);
        assert_eq!(exec["args"], serde_json::json!(["kube"]));
        assert_eq!(exec["provideClusterInfo"], true);
        assert_eq!(exec["interactiveMode"], "Never");
        let users = view("{.contexts[*].context.user}");
        assert_eq!(
            users.split(' ').filter(|user| *user == "jeton").count(),
            2,
            "{users}"
        );
        assert_eq!(records(&env), 1);
    }
    let undone = setup(&env, &["kubectl", "--undo"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), KUBECONFIG);
    assert_eq!(records(&env), 0);
    let again = setup(&env, &["kubectl", "--undo"]);
    assert_eq!(again.code, 78, "{again:?}");
    assert!(again.stderr.contains("nothing to undo"), "{again:?}");
}

#[test]
fn foreign_changes_in_kubeconfig_are_kept() {
    let env = set_up();
    if !has(&env, "kubectl") {
        return;
    }
    kubeconfig(&env);
    let address = "https://k8s.example:6443";
    let run = |args: &[&str]| {
        let mut kubectl = env.command("kubectl");
        assert!(kubectl.args(args).output().unwrap().status.success());
    };
    let applied = setup(&env, &["kubectl", address, "--apply"]);
    assert_eq!(applied.code, 0, "{applied:?}");
    run(&[
        "config",
        "set-cluster",
        "late",
        "--server=https://late.example",
    ]);
    run(&["config", "set-context", "none", "--user=old"]);
    let undone = setup(&env, &["kubectl", address, "--undo"]);
    assert_eq!(undone.code, 0, "{undone:?}");
    let mut kubectl = env.command("kubectl");
    let view = kubectl
        .args(["config", "view", "-o", "json"])
        .output()
        .unwrap();
    let view: serde_json::Value = serde_json::from_slice(&view.stdout).unwrap();
    let text = view.to_string();
    assert!(
        text.contains("late.example") && !text.contains("jeton"),
        "{text}"
    );
    for context in view["contexts"].as_array().unwrap() {
        assert_eq!(context["context"]["user"], "old", "{text}");
    }
}

#[test]
fn setup_does_not_overwrite_a_kubeconfig_user_named_jeton() {
    let env = set_up();
    if !has(&env, "kubectl") {
        return;
    }
    let path = kubeconfig(&env);
    let text = format!("{KUBECONFIG}- name: jeton\n  user: {{username: a, password: b}}\n");
    fs::write(&path, &text).unwrap();
    let refused = setup(&env, &["kubectl", "https://k8s.example:6443", "--apply"]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(refused.stderr.contains("rename it first"), "{refused:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(records(&env), 0);
}

#[test]
fn pip_is_set_up_and_restored_byte_for_byte() {
    let env = set_up();
    let Some(folder) = folder_of_pip() else {
        return;
    };
    let setup = |args: &[&str]| {
        let mut command = env.jetond_command(&[&["setup"], args].concat());
        command.env("PATH", format!("{}:/usr/bin:/bin", folder.display()));
        env.finish("jetond setup pip", command, b"", false)
    };
    let path = env.path("config/pip/pip.conf");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    for before in [
        None,
        Some("# mine\n[global]\nindex-url = https://old.example/simple\ntimeout=60\n"),
    ] {
        if let Some(text) = before {
            fs::write(&path, text).unwrap();
        }
        let args = ["pip", "https://pypi.example/simple"];
        let applied = setup(&[&args[..], &["--apply"]].concat());
        assert_eq!(applied.code, 0, "{applied:?}");
        assert!(applied.stdout.contains("install-helpers"), "{applied:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("index-url = https://me@pypi.example/simple/\n"),
            "{text}"
        );
        assert!(text.contains("keyring-provider = subprocess\n"), "{text}");
        let undone = setup(&[&args[..], &["--undo"]].concat());
        assert_eq!(undone.code, 0, "{undone:?}");
        assert_eq!(bytes(&path).as_deref(), before.map(str::as_bytes));
        // If the file has changed in the meantime, our settings are removed and the rest stays.
        assert_eq!(setup(&[&args[..], &["--apply"]].concat()).code, 0);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("[global]\n", "[global]\nretries = 7\n")).unwrap();
        let undone = setup(&[&args[..], &["--undo"]].concat());
        assert_eq!(undone.code, 0, "{undone:?}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("retries = 7") && !text.contains("pypi.example"),
            "{text}"
        );
        assert_eq!(text.contains("old.example"), before.is_some(), "{text}");
        let _ = fs::remove_file(&path);
    }
}

#[test]
fn setup_does_not_run_a_tool_that_others_can_change() {
    use std::os::unix::fs::PermissionsExt as _;
    let env = set_up();
    let folder = env.path("home/bin");
    fs::create_dir(&folder).unwrap();
    let (tool, mark) = (folder.join("kubectl"), env.path("home/ran"));
    fs::write(&tool, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let run = |path: String| {
        let mut command =
            env.jetond_command(&["setup", "kubectl", "https://k8s.example:6443", "--apply"]);
        command.env("PATH", path);
        env.finish("jetond setup kubectl", command, b"", false)
    };
    let refused = run(format!("{}:/usr/bin:/bin", folder.display()));
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("others could change it"),
        "{refused:?}"
    );
    // A relative folder on PATH is skipped.
    let refused = run("bin:.:".to_owned());
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("there is no kubectl on PATH"),
        "{refused:?}"
    );
    assert!(!mark.exists());
}
