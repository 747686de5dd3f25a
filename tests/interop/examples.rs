//! The programs of `examples/`: each does what it says.

use std::path::Path;
use std::{env, fs};

use serde_json::{Value, json};

use crate::jeton_client::{installed, run_and_report};
use crate::support::TestEnv;
use crate::support::scripts::write_script;
use crate::tools::{MissingProgram, Test, kubectl, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "a_dozen_lines_of_python_get_a_token",
        a_dozen_lines_of_python_get_a_token,
    ),
    (
        "training_goes_on_for_three_token_lifetimes",
        training_goes_on_for_three_token_lifetimes,
    ),
    (
        "the_openai_example_sends_the_current_token_with_each_request",
        the_openai_example_sends_the_current_token_with_each_request,
    ),
    (
        "the_tasks_of_a_slurm_job_get_tokens",
        the_tasks_of_a_slurm_job_get_tokens,
    ),
    ("kubectl_reads_the_pod", kubectl_reads_the_pod),
];

fn example(name: &str) -> String {
    format!("{}/examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn a_dozen_lines_of_python_get_a_token() -> Result<(), MissingProgram> {
    let python = python()?;
    let env = TestEnv::with_sandbox(600);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    let run = |profile: &str| {
        let mut command = env.command(&python);
        // No other package is available.
        command.args(["-I", "-S", &example("standard_library.py"), profile]);
        env.finish("python", command, b"", true)
    };
    let ran = run("research");
    assert_eq!(
        (ran.code, ran.stdout.trim_end()),
        (0, &token[..]),
        "{ran:?}"
    );
    let ran = run("absent");
    assert_eq!((ran.code, &ran.stdout[..]), (1, ""));
    assert!(
        ran.stderr.starts_with("there is no such profile"),
        "{ran:?}"
    );
    let text = fs::read_to_string(example("standard_library.py")).unwrap();
    let code = text.split("\"\"\"").nth(2).unwrap();
    let lines = code.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 12, "{lines} lines");
    env.stop(&mut daemon);
    Ok(())
}

fn training_goes_on_for_three_token_lifetimes() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let env = TestEnv::with_sandbox(8);
    env.enrol("research");
    let mut daemon = env.start();
    env.token(&daemon, "research");
    let mut command = env.command(&installed.python);
    command
        .arg(example("train.py"))
        .arg(format!("{}/api/v1/clusters", env.sandbox().url()))
        .env("JETON_PROFILE", "research")
        .env("JETON_SOCKET", &daemon.socket);
    let ran = env.finish("python", command, b"", false);
    assert_eq!((ran.code, &ran.stderr[..]), (0, ""), "{}", ran.stdout);
    let number = |at: usize| -> usize { ran.stdout.split(' ').nth(at).unwrap().parse().unwrap() };
    let (steps, tokens) = (number(0), number(6));
    // A token is replaced after about half of its lifetime.
    assert!(steps > 3 && tokens > 3, "{}", ran.stdout);
    env.stop(&mut daemon);
    Ok(())
}

fn the_openai_example_sends_the_current_token_with_each_request() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let saw = run_and_report(&["research"], |env| {
        let mut command = env.command(&installed.python);
        command
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/interop/jeton_client/gateway.py"
            ))
            .args([&example("openai_client.py"), "research"]);
        command
    });
    let wanted = json!({"code": 0, "said": "Yes\nYes\n", "errors": "", "tokens": 2});
    assert_eq!(saw, wanted);
    Ok(())
}

/// Uses a substitute for `srun` that runs as many tasks as the script requests. `.ci/boot` runs the script under Slurm.
fn the_tasks_of_a_slurm_job_get_tokens() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let env = TestEnv::with_sandbox(3);
    env.enrol("research");
    let programs = env.path("home/bin");
    fs::create_dir(&programs).unwrap();
    let srun = programs.join("srun");
    write_script(
        &srun,
        "#!/bin/sh\n[ \"$1\" = --kill-on-bad-exit ] || exit 2\nshift\n\"$@\" & \"$@\" && wait $!\n",
    );
    let folder = |program: &Path| program.parent().unwrap().to_owned();
    let path = [
        programs,
        folder(&installed.python),
        folder(Path::new(env!("CARGO_BIN_EXE_jetond"))),
        "/usr/bin".into(),
        "/bin".into(),
    ];
    let mut command = env.command("bash");
    command
        .arg(example("slurm.sh"))
        .env("PATH", env::join_paths(path).unwrap())
        .env("API", format!("{}/api/v1/clusters", env.sandbox().url()))
        .env("JETON_LOG", "warn")
        // Slurm starts the script in the folder in which it was submitted.
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = env.finish("slurm.sh", command, b"", false);
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    assert_eq!(ran.stdout.matches("none refused").count(), 2, "{ran:?}");
    Ok(())
}

/// kubectl reads the manifest without a server.
fn kubectl_reads_the_pod() -> Result<(), MissingProgram> {
    let kubectl = kubectl()?;
    let env = TestEnv::new();
    let mut command = env.command(kubectl);
    command
        .args(["set", "image", "--local", "--output=json", "--filename"])
        .args([
            &example("pod.yaml"),
            "jetond=registry.example/jeton:1",
            "train=registry.example/train:1",
        ]);
    let ran = env.finish("kubectl", command, b"", false);
    assert_eq!(ran.code, 0, "{ran:?}");
    let pod: Value = serde_json::from_str(&ran.stdout).unwrap();
    let (daemon, job) = (
        &pod["spec"]["initContainers"][0],
        &pod["spec"]["containers"][0],
    );
    assert_eq!(
        [&daemon["image"], &job["image"]],
        ["registry.example/jeton:1", "registry.example/train:1"]
    );
    // Both containers have the socket at the same path of one volume.
    let script = daemon["args"][0].as_str().unwrap();
    let socket = job["env"][0]["value"].as_str().unwrap();
    assert!(script.contains(&format!("--socket {socket}")), "{script}");
    for container in [daemon, job] {
        let mount = &container["volumeMounts"][0];
        assert_eq!(mount["name"], "socket");
        assert!(socket.starts_with(mount["mountPath"].as_str().unwrap()));
    }
    Ok(())
}
