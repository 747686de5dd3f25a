//! The Python package under adverse conditions: forks, daemons that end, and listeners that are not daemons.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::jeton_client::{installed, run_and_report, script};
use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "no_child_has_a_copy_of_a_connection",
        no_child_has_a_copy_of_a_connection,
    ),
    ("a_watch_outlives_the_daemon", a_watch_outlives_the_daemon),
    (
        "every_hostile_answer_raises_an_error_of_the_package",
        every_hostile_answer_raises_an_error_of_the_package,
    ),
];

/// Children are forked while other threads connect.
fn no_child_has_a_copy_of_a_connection() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let saw = run_and_report(&["research"], |env| {
        let mut command = env.command(&installed.python);
        command.args([&script("forks.py"), "400"]);
        command
    });
    assert_eq!(saw, json!({"copies": 0}));
    Ok(())
}

/// One daemon ends and another one starts, while a process keeps a watch open.
fn a_watch_outlives_the_daemon() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let mut child = env
        .command(&installed.python)
        .arg(script("restarts.py"))
        .env("JETON_SOCKET", &daemon.socket)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut goes_on = child.stdin.take().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut says = || serde_json::from_str::<Value>(&said.next().unwrap().unwrap()).unwrap();
    assert_eq!(says(), json!({"held": true}));
    env.stop(&mut daemon);
    writeln!(goes_on).unwrap();
    let away = json!(["UnreachableError", "unreachable", false, true]);
    assert_eq!(says(), json!({ "away": away }));
    let mut daemon = env.start();
    env.token(&daemon, "research");
    writeln!(goes_on).unwrap();
    assert_eq!(
        says(),
        json!({"another": true, "child": "fresh", "ended": true})
    );
    writeln!(goes_on).unwrap();
    assert!(child.wait().unwrap().success());
    env.stop(&mut daemon);
    Ok(())
}

fn every_hostile_answer_raises_an_error_of_the_package() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let env = TestEnv::new();
    let mut command = env.command(&installed.python);
    command
        .args([&script("hostile.py"), "3000"])
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = env.finish("python", command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    let saw: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(saw["wrong"], json!([]));
    assert!(saw["answers"].as_u64().unwrap() > 3_000, "{saw}");
    Ok(())
}
