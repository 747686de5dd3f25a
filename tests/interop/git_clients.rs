//! git before and since 2.46: both clone over HTTPS from git's own server, behind a gate that accepts our tokens in one
//! scheme.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bound::{JETON, PROFILE, bind, daemon, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::env::Output;
use crate::tools::{MissingProgram, Test, git_with_authtype, git_without_authtype};

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("new_git_clones_by_bearer", || {
        clones(&git_with_authtype()?, "Bearer", "")
    }),
    ("new_git_clones_by_basic", || {
        clones(&git_with_authtype()?, "Basic", "")
    }),
    ("old_git_erases_a_good_token", old_git_erases_a_good_token),
    ("old_git_clones_by_basic", || {
        clones(&git_without_authtype()?, "Basic", "auth = \"basic\"")
    }),
];

/// The old git cannot send Bearer. It sends nothing and reports the token as bad, and the daemon keeps serving the
/// token.
fn old_git_erases_a_good_token() -> Result<(), MissingProgram> {
    let program = git_without_authtype()?;
    let env = set_up(600);
    let root = repositories(&env, &program);
    let mut server = serves(&env, &program, "Bearer", &root)?;
    bind(&env, &server.url("/team/"), "");
    let (mut daemon, token) = daemon(&env);
    server.take(&token);
    let output = clone(&env, &program, &server);
    assert_ne!(output.code, 0, "{output:?}");
    let seen = server.seen();
    assert!(
        seen.iter()
            .all(|request| request == "GET /team/demo.git/info/refs - 401"),
        "{seen:?}"
    );
    assert_eq!(env.token(&daemon, PROFILE), token);
    env.stop(&mut daemon);
    Ok(())
}

/// git in the test environment, without prompts and without the machine's configuration.
pub(crate) fn git(env: &TestEnv, git: &Path) -> Command {
    let mut command = env.command(git);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_SSL_CAINFO", ca(env))
        .args(["-c", "init.defaultBranch=main"])
        .args([
            "-c",
            "user.name=interop",
            "-c",
            "user.email=interop@localhost",
        ]);
    command
}

/// Creates a repository with one commit at `team/demo.git` below the returned folder.
pub(crate) fn repositories(env: &TestEnv, program: &Path) -> String {
    let root = env.path("repositories");
    let work = env.path("work");
    let demo = root.join("team/demo.git");
    fs::create_dir_all(&root).unwrap();
    let run = |args: &[&str]| {
        let mut command = git(env, program);
        command.args(args);
        let output = env.finish("git", command, b"", false);
        assert_eq!(output.code, 0, "{args:?}: {output:?}");
    };
    let work = work.to_str().unwrap();
    run(&["init", "-q", work]);
    run(&["-C", work, "commit", "-q", "--allow-empty", "-m", "first"]);
    run(&["clone", "-q", "--bare", work, demo.to_str().unwrap()]);
    root.to_str().unwrap().to_owned()
}

fn clones(program: &Path, scheme: &str, entry: &str) -> Result<(), MissingProgram> {
    let env = set_up(600);
    let root = repositories(&env, program);
    let mut server = Server::start(&env, "git.py", &[scheme, program.to_str().unwrap(), &root])?;
    bind(&env, &server.url("/team/"), entry);
    let (mut daemon, token) = daemon(&env);
    server.take(&token);

    let output = clone(&env, program, &server);
    assert_eq!(output.code, 0, "{output:?}");
    assert!(env.path("home/cloned/.git").is_dir());

    let credential = match scheme {
        "Basic" => "Basic oauth2 1",
        _ => "Bearer 1",
    };
    let seen = server.seen();
    let wanted = [
        "GET /team/demo.git/info/refs - 401".to_owned(),
        format!("GET /team/demo.git/info/refs {credential} 200"),
        format!("POST /team/demo.git/git-upload-pack {credential} 200"),
    ];
    // Protocol version 2 makes two POST requests: for the references, and for the objects.
    assert_eq!(seen[..3], wanted, "{seen:?}");
    assert!(
        seen[3..].iter().all(|request| *request == wanted[2]),
        "{seen:?}"
    );
    env.stop(&mut daemon);
    Ok(())
}

fn serves(
    env: &TestEnv,
    program: &Path,
    scheme: &str,
    root: &str,
) -> Result<Server, MissingProgram> {
    Server::start(env, "git.py", &[scheme, program.to_str().unwrap(), root])
}

fn clone(env: &TestEnv, program: &Path, server: &Server) -> Output {
    let helper = format!("credential.{}.helper={JETON} git", server.url("/team"));
    let mut command = git(env, program);
    command
        .args(["-c", &helper, "-c", "credential.useHttpPath=true"])
        .args(["clone", "-q", &server.url("/team/demo.git"), "cloned"]);
    env.finish("git clone", command, b"", false)
}
