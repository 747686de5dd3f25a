//! More programs that read their token from a file: botocore, scitokens and curl.

use std::path::{Path, PathBuf};

use crate::bound::{JETON, PROFILE, append, bind, daemon, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::tools::{MissingProgram, Test, file_readers, program, python};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("botocore_exchanges_a_web_identity_token_file", aws),
    ("scitokens_discovers_the_bt_u_file", wlcg),
    ("curl_reads_a_header_and_a_netrc_file", curl),
];

/// Adds a sink at this path, which may be relative to the socket's folder. Returns its file.
fn sink(env: &TestEnv, path: &Path, keys: &str) -> PathBuf {
    let table = format!(
        "[[profiles.{PROFILE}.sinks]]\npath = \"{}\"\n{keys}",
        path.display()
    );
    append(env, &table);
    // The daemon creates the folder of a relative path. The folder of an absolute path must exist.
    let file = env.path("run/jeton").join(path);
    env.is_sink(&file);
    file
}

/// Runs a program of `file_readers.py` that returns the token. It must return the first token, and the next one after
/// the first was rejected.
fn gives_each_token(
    of: &str,
    path: &Path,
    keys: &str,
    more: &[(&str, &str)],
) -> Result<(), MissingProgram> {
    let (python, packages) = (python()?, file_readers()?);
    let env = set_up(600);
    // An absolute path in a place where the program looks by itself.
    let path = match path.strip_prefix("RUN") {
        Ok(name) => env.path("run").join(name),
        Err(_) => path.to_owned(),
    };
    let file = sink(&env, &path, keys);
    let (mut daemon, token) = daemon(&env);
    wait_until("the file", || file.exists());
    let mut command = env.command(python);
    command
        .arg("-B")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/interop/file_readers.py"
        ))
        .arg(of)
        .arg(&file)
        .env("JETON", JETON)
        .env("PYTHONPATH", packages)
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", &file)
        .envs(more.iter().copied());
    let output = env.finish(of, command, b"", true);
    assert_eq!(output.code, 0, "{output:?}");
    let read: [String; 2] = serde_json::from_str(&output.stdout).unwrap();
    let issued = env.sandbox().issued();
    assert_eq!(read, [token, issued.last().unwrap().clone()]);
    assert_ne!(read[0], read[1]);
    env.stop(&mut daemon);
    Ok(())
}

fn aws() -> Result<(), MissingProgram> {
    let more = [
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/research"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    gives_each_token(
        "aws",
        Path::new("identity/token"),
        "format = \"jwt\"",
        &more,
    )
}

/// The file is `$XDG_RUNTIME_DIR/bt_uUID`.
fn wlcg() -> Result<(), MissingProgram> {
    let name = format!("bt_u{}", rustix::process::geteuid().as_raw());
    gives_each_token(
        "wlcg",
        &Path::new("RUN").join(name),
        "format = \"raw\"",
        &[],
    )
}

fn curl() -> Result<(), MissingProgram> {
    let curl = program("curl")?;
    let env = set_up(600);
    bind(&env, "https://localhost", "username = \"research\"");
    let header = sink(&env, Path::new("header"), "format = \"header\"");
    let netrc = sink(&env, Path::new("netrc"), "format = \"netrc\"");
    let mut server = Server::start(&env, "gateway.py", &[])?;
    let (mut daemon, token) = daemon(&env);
    wait_until("the header file", || header.exists());
    wait_until("the netrc file", || netrc.exists());
    server.take(&token);
    let by_header = ["-H".to_owned(), format!("@{}", header.display())];
    let by_netrc = ["--netrc-file".to_owned(), netrc.display().to_string()];
    for arguments in [by_header, by_netrc] {
        let mut command = env.command(&curl);
        command
            .args(["-sS", "--cacert"])
            .arg(ca(&env))
            .args(arguments)
            .arg(server.url("/v1/models"));
        let output = env.finish("curl", command, b"", false);
        assert_eq!(output.code, 0, "{output:?}");
    }
    let seen = server.seen();
    assert_eq!(seen[0], "GET /v1/models Bearer 1 200", "{seen:?}");
    // This server accepts only Bearer, and curl uses Basic for a netrc file.
    assert_eq!(seen[1], "GET /v1/models Basic research 1 401", "{seen:?}");
    env.stop(&mut daemon);
    Ok(())
}
