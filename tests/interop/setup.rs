//! Lines of `jetond setup`, pasted as printed: each tool gets its token through them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::bound::{PROFILE, bind, daemon, home_file, set_up};
use crate::jeton_client::installed;
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::support::env::Output;
use crate::tools::{MissingProgram, Test, kubectl, program, python, python_program};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("curl_runs_the_line_of_setup", curl),
    ("rclone_has_the_remote_of_setup", rclone),
    ("openai_runs_the_lines_of_setup", openai),
    ("the_hub_reads_the_file_of_setup", huggingface),
    ("prometheus_scrapes_by_the_lines_of_setup", prometheus),
    ("mlflow_runs_the_lines_of_setup", mlflow),
    ("pip_installs_by_the_lines_of_setup", pip),
    ("uv_installs_by_the_lines_of_setup", uv),
    (
        "kubectl_reaches_a_cluster_that_setup_applies",
        kubectl_applied,
    ),
];

/// Returns what `jetond setup` prints for a tool and an address of the profile.
fn lines(env: &TestEnv, tool: &str, address: &str) -> String {
    let printed = env.jetond(&["setup", tool, address]);
    assert_eq!(
        (printed.code, printed.stderr.as_str()),
        (0, ""),
        "{printed:?}"
    );
    printed.stdout
}

/// Runs a shell script. Variables give the servers' CA to the tools that read them.
fn shell(env: &TestEnv, script: &str) -> Output {
    let mut command = env.command("bash");
    command.args(["-ec", script]);
    for variable in ["CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
        command.env(variable, ca(env));
    }
    env.finish("bash", command, b"", true)
}

fn curl() -> Result<(), MissingProgram> {
    program("curl")?;
    let env = set_up(600);
    let mut server = Server::start(&env, "api.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let output = shell(&env, &lines(&env, "curl", &server.url("/api/v1")));
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "{\"path\": \"/api/v1\"}"),
        "{output:?}"
    );
    assert_eq!(server.seen(), ["GET /api/v1 Bearer 1 200"]);
    env.stop(&mut daemon);
    Ok(())
}

fn rclone() -> Result<(), MissingProgram> {
    let rclone = program("rclone")?;
    let env = set_up(600);
    let mut server = Server::start(&env, "webdav.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let config = home_file(&env, "rclone.conf", &lines(&env, "rclone", &server.url("")));
    let mut command = env.command(rclone);
    command
        .args(["lsf", "jeton:", "--retries", "1", "--config"])
        .arg(config);
    command.arg("--ca-cert").arg(ca(&env));
    let output = env.finish("rclone", command, b"", false);
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "made-here\n"),
        "{output:?}"
    );
    assert_eq!(server.seen(), ["PROPFIND / Bearer 1 207"]);
    env.stop(&mut daemon);
    Ok(())
}

fn openai() -> Result<(), MissingProgram> {
    let python = python()?;
    let env = set_up(600);
    let mut server = Server::start(&env, "gateway.py", &[])?;
    bind(&env, &server.url("/v1"), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let asks = "question = [{\"role\": \"user\", \"content\": \"say a word\"}]\n\
        answer = client.chat.completions.create(model=\"stub\", messages=question)\n\
        print(answer.choices[0].message.content)\n";
    let script = format!("{}{asks}", lines(&env, "openai", &server.url("/v1")));
    let mut command = env.command(python);
    command
        .args(["-B", "-c", &script])
        .env("SSL_CERT_FILE", ca(&env));
    let output = env.finish("python", command, b"", false);
    assert_eq!((output.code, &*output.stdout), (0, "jeton\n"), "{output:?}");
    assert_eq!(server.seen(), ["POST /v1/chat/completions Bearer 1 200"]);
    env.stop(&mut daemon);
    Ok(())
}

/// Runs a shell script with these folders and the one of `jetond` first on `PATH`.
fn shell_with(env: &TestEnv, folders: &[&Path], script: &str) -> Output {
    let jetond = Path::new(env!("CARGO_BIN_EXE_jetond")).parent().unwrap();
    let folders = folders.iter().chain([&jetond]);
    let mut path: Vec<_> = folders.map(|folder| folder.display().to_string()).collect();
    path.push("/usr/bin:/bin".to_owned());
    let mut command = env.command("bash");
    command.args(["-ec", script]).env("PATH", path.join(":"));
    for variable in ["SSL_CERT_FILE", "PIP_CERT"] {
        command.env(variable, ca(env));
    }
    env.finish("bash", command, b"", false)
}

fn pip() -> Result<(), MissingProgram> {
    installs("pip", |lines, _| {
        format!(
            "{lines}pip install --no-deps --target installed --disable-pip-version-check --no-cache-dir demo-of-jeton\n"
        )
    })
}

fn uv() -> Result<(), MissingProgram> {
    installs("uv", |lines, env| {
        // The note has the command that makes the link. The lines are for the file.
        let link = lines.split_once(": ").unwrap().1;
        let link = link.split_once("; then").unwrap().0;
        home_file(env, "../config/uv/uv.toml", lines);
        format!(
            "{link}\nexport PATH=~/.local/lib/jeton/keyring:$PATH\nuv pip install --no-deps --target installed --no-cache --no-progress --python \"$(command -v python)\" demo-of-jeton\n"
        )
    })
}

/// Runs an installer, configured with the printed lines, at an index that accepts a token as the password.
fn installs(tool: &str, script: fn(&str, &TestEnv) -> String) -> Result<(), MissingProgram> {
    let program = python_program(tool)?;
    let env = set_up(600);
    let mut server = Server::start(&env, "index.py", &[])?;
    bind(&env, &server.url("/"), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let script = script(&lines(&env, tool, &server.url("/simple")), &env);
    let output = shell_with(&env, &[program.parent().unwrap()], &script);
    let seen = server.seen();
    assert_eq!(output.code, 0, "{seen:?}: {output:?}");
    let installed = env.path("home/installed/demo_of_jeton.py");
    assert!(installed.is_file(), "{output:?}");
    let asked = "GET /simple/demo-of-jeton/ Basic oauth2 1 200";
    assert!(seen.iter().any(|request| request == asked), "{seen:?}");
    env.stop(&mut daemon);
    Ok(())
}

fn kubectl_applied() -> Result<(), MissingProgram> {
    let kubectl = kubectl()?;
    let env = set_up(3_600);
    let mut server = Server::start(&env, "kube.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let before = format!(
        "# mine\napiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: {{cluster: stub, user: old}}\nclusters:\n- name: stub\n  cluster: {{server: '{}', certificate-authority: {}}}\nusers:\n- name: old\n  user: {{token: old}}\n",
        server.url(""),
        ca(&env).display()
    );
    let config = home_file(&env, ".kube/config", &before);
    let run = |script: &str| shell_with(&env, &[kubectl.parent().unwrap()], script);
    let output = run(&format!(
        "jetond setup kubectl {} --apply && kubectl get namespaces -o name",
        server.url("")
    ));
    assert_eq!(output.code, 0, "{output:?}");
    assert!(
        output.stdout.ends_with("namespace/made-here\n"),
        "{output:?}"
    );
    let seen = server.seen();
    let is_ours = |request: &String| request.ends_with(" Bearer 1 200");
    assert!(!seen.is_empty() && seen.iter().all(is_ours), "{seen:?}");
    let output = run("jetond setup kubectl --undo");
    assert_eq!(output.code, 0, "{output:?}");
    assert_eq!(fs::read_to_string(config).unwrap(), before);
    env.stop(&mut daemon);
    Ok(())
}

/// Adds the commented-out lines for our configuration to it, and returns the tool's lines without them.
fn configure(env: &TestEnv, tool: &str, address: &str) -> String {
    let text = lines(env, tool, address);
    let comments = text.lines().filter_map(|line| line.strip_prefix("# "));
    let sink: Vec<_> = comments
        .skip_while(|line| !line.starts_with("[["))
        .take_while(|line| line.starts_with("[[") || line.contains(" = "))
        .collect();
    assert_eq!(sink.len(), 3, "{text}");
    let config = fs::read_to_string(env.config()).unwrap();
    fs::write(env.config(), format!("{config}\n{}\n", sink.join("\n"))).unwrap();
    env.is_sink(file_of(env, tool));
    // Now the configuration has the sink.
    let text = lines(env, tool, address);
    assert!(!text.contains("sinks"), "{text}");
    text
}

/// Returns the file with the token that the printed lines name, below the socket's folder.
fn file_of(env: &TestEnv, tool: &str) -> PathBuf {
    env.path("run/jeton")
        .join(format!("{PROFILE}-{tool}/token"))
}

fn huggingface() -> Result<(), MissingProgram> {
    let python = python()?;
    let env = set_up(600);
    let mut server = Server::start(&env, "api.py", &[])?;
    bind(&env, &server.url(""), "");
    let lines = configure(&env, "huggingface", &server.url(""));
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let file = file_of(&env, "huggingface");
    wait_until("the file with the token", || file.exists());
    let asks = "from huggingface_hub import HfApi; print(HfApi().whoami()[\"path\"])";
    let script = format!(
        "export HF_TOKEN=old\n{lines}{} -B -c '{asks}'\n",
        python.display()
    );
    let output = shell(&env, &script);
    assert_eq!(
        (output.code, &*output.stdout),
        (0, "/api/whoami-v2\n"),
        "{output:?}"
    );
    // It also makes other requests, without a token.
    let seen = server.seen();
    let with_token: Vec<_> = seen.iter().filter(|line| !line.contains(" - ")).collect();
    assert_eq!(with_token, ["GET /api/whoami-v2 Bearer 1 200"], "{seen:?}");
    env.stop(&mut daemon);
    Ok(())
}

/// promtool accepts the lines, and Prometheus scrapes with them. A setting before them makes the first scrape come
/// soon.
fn prometheus() -> Result<(), MissingProgram> {
    let (promtool, prometheus) = (program("promtool")?, program("prometheus")?);
    let env = set_up(600);
    let mut server = Server::start(&env, "api.py", &[])?;
    bind(&env, &server.url("/federate"), "");
    let text = configure(&env, "prometheus", &server.url("/federate"));
    let often = "global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n";
    let config = home_file(&env, "prometheus.yml", &format!("{often}{text}"));
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    // promtool checks that the file with the token exists.
    let file = file_of(&env, "prometheus");
    wait_until("the file with the token", || file.exists());
    let mut command = env.command(promtool);
    command.args(["check", "config"]).arg(&config);
    let output = env.finish("promtool", command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    let mut scraper = env
        .command(prometheus)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            env.path("prometheus").display()
        ))
        .arg("--web.listen-address=127.0.0.1:0")
        .env("SSL_CERT_FILE", ca(&env))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(env.path("out/prometheus")).unwrap())
        .spawn()
        .unwrap();
    let mut seen = vec![];
    wait_until("Prometheus to send the token", || {
        assert!(scraper.try_wait().unwrap().is_none(), "{seen:?}");
        seen.extend(server.seen());
        seen.iter()
            .any(|request| request == "GET /federate Bearer 1 200")
    });
    scraper.kill().unwrap();
    scraper.wait().unwrap();
    env.stop(&mut daemon);
    Ok(())
}

/// Uses the Python package in the environment of MLflow, as the lines say.
fn mlflow() -> Result<(), MissingProgram> {
    let installed = installed()?;
    let env = set_up(600);
    let mut server = Server::start(&env, "api.py", &[])?;
    bind(&env, &server.url(""), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let asks =
        "from mlflow.tracking import MlflowClient; print(len(MlflowClient().search_experiments()))";
    let script = format!(
        "export MLFLOW_TRACKING_TOKEN=old REQUESTS_CA_BUNDLE=$SSL_CERT_FILE\n{}{} -B -W ignore -c '{asks}'\n",
        lines(&env, "mlflow", &server.url("")),
        installed.python.display()
    );
    let output = shell(&env, &script);
    assert_eq!((output.code, &*output.stdout), (0, "0\n"), "{output:?}");
    let seen = server.seen();
    let is_ours = |request: &String| request.ends_with(" Bearer 1 200");
    assert!(!seen.is_empty() && seen.iter().all(is_ours), "{seen:?}");
    env.stop(&mut daemon);
    Ok(())
}
