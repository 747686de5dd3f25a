//! pip and uv: installation from an HTTPS index that accepts our tokens as passwords, through the program `keyring`.

use std::path::Path;

use crate::bound::{bind, daemon, home_file, named, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::tools::{MissingProgram, Test, python_program};

pub(crate) const TESTS: &[(&str, Test)] = &[
    (
        "pip_installs_with_a_user_in_the_address",
        pip_installs_with_a_user_in_the_address,
    ),
    (
        "uv_installs_with_a_user_in_the_address",
        uv_installs_with_a_user_in_the_address,
    ),
    ("uv_installs_without_a_user", uv_installs_without_a_user),
];

fn pip_installs_with_a_user_in_the_address() -> Result<(), MissingProgram> {
    let pip = python_program("pip")?;
    installs(|env, server| {
        let mut command = env.command(&pip);
        command
            .args([
                "install",
                "--no-deps",
                "--target",
                "installed",
                "--keyring-provider",
                "subprocess",
            ])
            .args([
                "--disable-pip-version-check",
                "--no-cache-dir",
                "demo-of-jeton",
                "--index-url",
            ])
            .arg(server.url("/simple/").replace("://", "://oauth2@"));
        command
    })
}

fn uv_installs_with_a_user_in_the_address() -> Result<(), MissingProgram> {
    uv(|server| {
        format!(
            "[[index]]\nname = \"here\"\ndefault = true\nurl = \"{}\"\n",
            server.url("/simple/").replace("://", "://oauth2@")
        )
    })
}

/// uv asks the program for the user name as well.
fn uv_installs_without_a_user() -> Result<(), MissingProgram> {
    uv(|server| {
        format!(
            "[[index]]\nname = \"here\"\ndefault = true\nurl = \"{}\"\nauthenticate = \"always\"\n",
            server.url("/simple/")
        )
    })
}

fn uv(config: fn(&Server) -> String) -> Result<(), MissingProgram> {
    let uv = python_program("uv")?;
    let python = python_program("python")?;
    installs(|env, server| {
        let config = home_file(env, "uv.toml", &config(server));
        let mut command = env.command(&uv);
        command
            .args([
                "pip",
                "install",
                "--no-deps",
                "--target",
                "installed",
                "--keyring-provider",
                "subprocess",
            ])
            .args(["--no-cache", "--no-progress", "demo-of-jeton"])
            .arg("--python")
            .arg(&python)
            .arg("--config-file")
            .arg(config);
        command
    })
}

fn installs(
    command: impl Fn(&TestEnv, &Server) -> std::process::Command,
) -> Result<(), MissingProgram> {
    let env = set_up(600);
    let mut server = Server::start(&env, "index.py", &[])?;
    bind(&env, &server.url("/"), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let mut command = command(&env, &server);
    command
        .env("PATH", named(&env, "keyring"))
        .env("SSL_CERT_FILE", ca(&env))
        .env("PIP_CERT", ca(&env))
        .env("PIP_CONFIG_FILE", Path::new("/dev/null"));
    let output = env.finish("an installer", command, b"", false);
    let seen = server.seen();
    assert_eq!(output.code, 0, "{seen:?}: {output:?}");
    assert!(
        env.path("home/installed/demo_of_jeton.py").is_file(),
        "{output:?}"
    );
    assert!(
        seen.iter()
            .any(|r| r == "GET /simple/demo-of-jeton/ Basic oauth2 1 200"),
        "{seen:?}"
    );
    let file = "/files/demo_of_jeton-1.0-py3-none-any.whl Basic oauth2 1 200";
    assert!(
        seen.iter().any(|request| request.ends_with(file)),
        "{seen:?}"
    );
    env.stop(&mut daemon);
    Ok(())
}
