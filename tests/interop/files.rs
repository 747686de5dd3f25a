//! Programs that read their token from a sink, a file that the daemon keeps fresh.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::bound::{PROFILE, append, daemon, home_file, set_up};
use crate::models::asks_twice;
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::tools::{MissingProgram, Test, program, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("prometheus_sends_each_token", prometheus_sends_each_token),
    (
        "anthropic_exchanges_an_identity_token",
        anthropic_exchanges_an_identity_token,
    ),
    (
        "anthropic_reads_a_credentials_file",
        anthropic_reads_a_credentials_file,
    ),
    (
        "hugging_face_reads_each_token",
        hugging_face_reads_each_token,
    ),
    (
        "runapy_reads_the_files_of_the_command_line",
        runapy_reads_the_files_of_the_command_line,
    ),
];

/// Adds a sink of the profile at this path below the socket's folder, with these further lines in its entry.
fn sink(env: &TestEnv, path: &str, more: &str) -> PathBuf {
    append(
        env,
        &format!("[[profiles.{PROFILE}.sinks]]\npath = \"{path}\"\n{more}"),
    );
    let file = env.path("run/jeton").join(path);
    env.is_sink(&file);
    file
}

/// Starts a daemon and waits until it has written the file. Returns it with its token.
fn daemon_with(env: &TestEnv, file: &Path) -> (Daemon, String) {
    let (daemon, token) = daemon(env);
    wait_until("the file to be written", || file.exists());
    (daemon, token)
}

/// Reports the token as rejected, and returns the next one.
fn replace(env: &TestEnv, daemon: &Daemon, token: &str) -> String {
    let mut command = env.command(crate::bound::JETON);
    command.args(["reject", PROFILE]);
    let output = env.finish("jeton reject", command, token.as_bytes(), true);
    assert_eq!(output.code, 0, "{output:?}");
    let newer = env.token(daemon, PROFILE);
    assert_ne!(newer, token);
    newer
}

/// Uses `credentials_file`, which Prometheus reads at each scrape.
fn prometheus_sends_each_token() -> Result<(), MissingProgram> {
    let prometheus = program("prometheus")?;
    let env = set_up(600);
    let mut server = Server::start(&env, "api.py", &[])?;
    let file = sink(&env, "prometheus/token", "format = \"raw\"");
    let (mut daemon, token) = daemon_with(&env, &file);
    server.take(&token);
    let config = json!({"scrape_configs": [{
        "job_name": "here",
        "scheme": "https",
        "scrape_interval": "200ms",
        "scrape_timeout": "200ms",
        "authorization": {"credentials_file": file},
        "tls_config": {"ca_file": ca(&env)},
        "static_configs": [{"targets": [server.host()]}],
    }]});
    // JSON is valid YAML.
    let config = home_file(&env, "prometheus.yml", &config.to_string());
    let mut scraper = env
        .command(prometheus)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            env.path("prometheus").display()
        ))
        .arg("--web.listen-address=127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(env.path("out/prometheus")).unwrap())
        .spawn()
        .unwrap();
    let mut sees = |server: &mut Server, wanted: &str| {
        let mut seen = vec![];
        wait_until(&format!("Prometheus to send {wanted}"), || {
            let ended = scraper.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "{}",
                fs::read_to_string(env.path("out/prometheus")).unwrap()
            );
            seen.extend(server.seen());
            seen.iter().any(|request| request == wanted)
        });
    };
    sees(&mut server, "GET /metrics Bearer 1 200");
    let newer = replace(&env, &daemon, &token);
    server.take(&newer);
    sees(&mut server, "GET /metrics Bearer 2 200");
    scraper.kill().unwrap();
    scraper.wait().unwrap();
    env.stop(&mut daemon);
    Ok(())
}

/// The SDK exchanges our token for one of the gateway's (RFC 7523).
fn anthropic_exchanges_an_identity_token() -> Result<(), MissingProgram> {
    let env = set_up(600);
    let mut server = Server::start(&env, "gateway.py", &[])?;
    let file = sink(&env, "anthropic/identity", "format = \"jwt\"");
    let (mut daemon, token) = daemon_with(&env, &file);
    server.take(&token);
    asks_twice(
        &env,
        "anthropic",
        &server,
        &[
            ("ANTHROPIC_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
            ("ANTHROPIC_FEDERATION_RULE_ID", "fdrl_1"),
            (
                "ANTHROPIC_ORGANIZATION_ID",
                "00000000-0000-0000-0000-000000000001",
            ),
        ],
    )?;
    let seen = server.seen();
    assert_eq!(seen[0], "assertion 1", "{seen:?}");
    assert_eq!(seen[2..], ["POST /v1/messages Bearer 2 200"; 2], "{seen:?}");
    env.stop(&mut daemon);
    Ok(())
}

/// A profile of the SDK that cannot get a token itself, so the SDK reads the file again.
fn anthropic_reads_a_credentials_file() -> Result<(), MissingProgram> {
    let env = set_up(600);
    let mut server = Server::start(&env, "gateway.py", &[])?;
    let file = sink(
        &env,
        "anthropic/credentials/jeton.json",
        "format = \"anthropic\"",
    );
    let (mut daemon, token) = daemon_with(&env, &file);
    server.take(&token);
    let folder = env.path("run/jeton/anthropic");
    fs::create_dir(folder.join("configs")).unwrap();
    let config = json!({
        "version": "1.0",
        "organization_id": "00000000-0000-0000-0000-000000000001",
        "authentication": {"type": "user_oauth"},
    });
    fs::write(folder.join("configs/jeton.json"), config.to_string()).unwrap();
    asks_twice(
        &env,
        "anthropic",
        &server,
        &[
            ("ANTHROPIC_CONFIG_DIR", folder.to_str().unwrap()),
            ("ANTHROPIC_PROFILE", "jeton"),
        ],
    )?;
    assert_eq!(server.seen(), ["POST /v1/messages Bearer 1 200"; 2]);
    env.stop(&mut daemon);
    Ok(())
}

/// Runs a Python script that reads a file, and returns what it reports. It shows only the token's digest.
fn python_reads(env: &TestEnv, case: &str, file: &Path) -> Result<Value, MissingProgram> {
    let mut command = env.command(python()?);
    command
        .args([
            "-B",
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/files.py"),
            case,
        ])
        .arg(file)
        .env("HF_TOKEN_PATH", file);
    let output = env.finish(case, command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    Ok(serde_json::from_str(&output.stdout).unwrap())
}

/// Uses `HF_TOKEN_PATH`.
fn hugging_face_reads_each_token() -> Result<(), MissingProgram> {
    let env = set_up(600);
    let file = sink(&env, "huggingface/token", "format = \"raw\"");
    let (mut daemon, token) = daemon_with(&env, &file);
    assert_eq!(
        python_reads(&env, "huggingface", &file)?,
        json!({"token": digest(&token)})
    );
    let newer = replace(&env, &daemon, &token);
    wait_until("the file to be written again", || {
        fs::read_to_string(&file).unwrap() == newer
    });
    assert_eq!(
        python_reads(&env, "huggingface", &file)?,
        json!({"token": digest(&newer)})
    );
    env.stop(&mut daemon);
    Ok(())
}

/// Uses `CLIv2Config`, which reads the files that the vendor's command line writes at a login.
fn runapy_reads_the_files_of_the_command_line() -> Result<(), MissingProgram> {
    let env = set_up(600);
    let cluster = "0a1b2c3d-0a1b-4a1b-8a1b-0a1b2c3d4e5f";
    let file = sink(
        &env,
        "runai/authentication.json",
        &format!("format = \"runai-cli\"\ncluster = \"{cluster}\""),
    );
    env.is_sink(file.with_file_name("config.json"));
    let (mut daemon, token) = daemon_with(&env, &file);
    wait_until("the second file", || {
        file.with_file_name("config.json").exists()
    });
    let wanted = json!({"token": digest(&token), "cluster": cluster, "url": env.sandbox().url()});
    assert_eq!(python_reads(&env, "runapy", &file)?, wanted);
    env.stop(&mut daemon);
    Ok(())
}

fn digest(token: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
