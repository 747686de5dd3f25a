//! Kubernetes clients at an API server that accepts our tokens, over TLS. kubectl runs its helper only with TLS.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::bound::{JETON, PROFILE, bind, daemon, home_file, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::scripts::write_script;
use crate::tools::{MissingProgram, Test, kubectl, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "kubectl_runs_the_companion_once",
        kubectl_runs_the_companion_once,
    ),
    (
        "kubectl_sends_the_next_token_after_a_401",
        kubectl_sends_the_next_token_after_a_401,
    ),
    (
        "python_keeps_its_token_after_a_401",
        python_keeps_its_token_after_a_401,
    ),
    (
        "python_asks_again_near_the_expiry",
        python_asks_again_near_the_expiry,
    ),
    (
        "a_thousand_runs_cause_no_refresh",
        a_thousand_runs_cause_no_refresh,
    ),
];

/// Writes a kubeconfig whose helper is a script that notes each run and executes the companion.
fn kubeconfig(env: &TestEnv, server: &Server) {
    let runs = env.path("out/runs");
    let helper = env.path("home/helper");
    write_script(
        &helper,
        &format!(
            "#!/bin/sh\necho run >>'{}'\nexec '{JETON}' \"$@\"\n",
            runs.display()
        ),
    );
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "stub", "user": "us"}}],
        "clusters": [{"name": "stub", "cluster": {
            "server": server.url(""),
            "certificate-authority": ca(env),
        }}],
        "users": [{"name": "us", "user": {"exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": helper,
            "args": ["kube", PROFILE],
            "interactiveMode": "Never",
            "provideClusterInfo": true,
        }}}],
    });
    home_file(env, ".kube/config", &config.to_string());
}

/// Returns how often the client ran its helper.
fn runs(env: &TestEnv) -> usize {
    fs::read_to_string(env.path("out/runs"))
        .unwrap_or_default()
        .lines()
        .count()
}

fn get_namespaces(env: &TestEnv, kubectl: &Path) -> Command {
    let mut command = env.command(kubectl);
    command.args(["get", "namespaces", "-o", "name"]);
    command
}

fn kubectl_runs_the_companion_once() -> Result<(), MissingProgram> {
    let kubectl = kubectl()?;
    let env = set_up(3600);
    let mut server = Server::start(&env, "kube.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    kubeconfig(&env, &server);
    let output = env.finish("kubectl", get_namespaces(&env, &kubectl), b"", false);
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "namespace/made-here\n"),
        "{output:?}"
    );
    let seen = server.seen();
    assert!(
        seen.len() > 1
            && seen
                .iter()
                .all(|request| request.ends_with(" Bearer 1 200")),
        "{seen:?}"
    );
    assert_eq!(runs(&env), 1, "{seen:?}");
    env.stop(&mut daemon);
    Ok(())
}

/// The request that gets the 401 fails. The helper's second run starts a refresh, and the same kubectl continues with
/// the new token.
fn kubectl_sends_the_next_token_after_a_401() -> Result<(), MissingProgram> {
    let kubectl = kubectl()?;
    let env = set_up(3600);
    let mut server = Server::start(&env, "kube.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take_any();
    server.refuse(&token);
    kubeconfig(&env, &server);
    let issued = env.sandbox().issued().len();
    let output = env.finish("kubectl", get_namespaces(&env, &kubectl), b"", false);
    let seen = server.seen();
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "namespace/made-here\n"),
        "{seen:?}: {output:?}"
    );
    assert!(seen[0].ends_with(" Bearer 1 401"), "{seen:?}");
    let rest = seen
        .iter()
        .skip_while(|request| request.ends_with(" Bearer 1 401"));
    assert!(
        rest.clone().count() > 0
            && rest
                .clone()
                .all(|request| request.ends_with(" Bearer 2 200")),
        "{seen:?}"
    );
    assert_eq!(env.sandbox().issued().len(), issued + 1);
    env.stop(&mut daemon);
    Ok(())
}

/// Makes two requests with one process of the Python client. Returns the status of each, and how often the helper ran.
fn run_python(env: &TestEnv) -> Result<(Value, usize), MissingProgram> {
    let mut command = env.command(python()?);
    command.args([
        "-B",
        concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/kubernetes_client.py"
        ),
    ]);
    let output = env.finish("kubernetes", command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    Ok((serde_json::from_str(&output.stdout).unwrap(), runs(env)))
}

fn python_keeps_its_token_after_a_401() -> Result<(), MissingProgram> {
    let env = set_up(3600);
    let mut server = Server::start(&env, "kube.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take_any();
    server.refuse(&token);
    kubeconfig(&env, &server);
    let issued = env.sandbox().issued().len();
    assert_eq!(run_python(&env)?, (json!([401, 401]), 1));
    assert_eq!(server.seen(), ["GET /api/v1/namespaces Bearer 1 401"; 2]);
    // The client never reports the 401.
    assert_eq!(env.sandbox().issued().len(), issued);
    env.stop(&mut daemon);
    Ok(())
}

/// The tokens last less than the 5 minutes before the expiry at which the client asks again. So it asks before each
/// request.
fn python_asks_again_near_the_expiry() -> Result<(), MissingProgram> {
    let env = set_up(240);
    let mut server = Server::start(&env, "kube.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    kubeconfig(&env, &server);
    // Once when it reads its configuration, and once for each request.
    assert_eq!(run_python(&env)?, (json!([200, 200]), 3));
    assert_eq!(server.seen(), ["GET /api/v1/namespaces Bearer 1 200"; 2]);
    env.stop(&mut daemon);
    Ok(())
}

/// Each run has a different parent, and every fiftieth is by the Python client. None reports a rejection, so no refresh
/// follows.
fn a_thousand_runs_cause_no_refresh() -> Result<(), MissingProgram> {
    python()?;
    let env = set_up(3600);
    let mut server = Server::start(&env, "kube.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    kubeconfig(&env, &server);
    let issued = env.sandbox().issued().len();
    let info = json!({
        "kind": "ExecCredential",
        "apiVersion": "client.authentication.k8s.io/v1",
        "spec": {"cluster": {"server": server.url("")}, "interactive": false},
    });
    for done in 1..=20 {
        let mut shell = env.command("sh");
        // The `exit` keeps the shell from replacing itself with the companion, so each companion has its own parent.
        let each = format!("('{JETON}' kube {PROFILE} >/dev/null; exit $?) || exit");
        shell.args([
            "-c",
            &format!("i=0; while [ $i -lt 49 ]; do {each}; i=$((i+1)); done"),
        ]);
        shell.env("KUBERNETES_EXEC_INFO", info.to_string());
        let output = env.finish("49 runs", shell, b"", false);
        assert_eq!((output.code, &*output.stderr), (0, ""), "{output:?}");
        assert_eq!(run_python(&env)?, (json!([200, 200]), done));
    }
    let state = env.get(&daemon, &format!("/v1/profiles/{PROFILE}")).json();
    assert_eq!(
        state["counts"]["requests"].as_u64().map(|it| it >= 1_000),
        Some(true),
        "{state}"
    );
    assert_eq!(state["counts"]["reports"], 0, "{state}");
    assert_eq!(state["reported"], false, "{state}");
    assert_eq!(env.sandbox().issued().len(), issued);
    env.stop(&mut daemon);
    Ok(())
}
