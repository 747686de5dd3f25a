//! Logins of container registry clients with the companion as credential helper: it stores none of their passwords.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::bound::{JETON, bind, daemon, home_file, named, set_up};
use crate::servers::{Server, ca};
use crate::support::TestEnv;
use crate::support::env::Output;
use crate::tools::{MissingProgram, Test, program};

pub(crate) const TESTS: &[(&str, Test)] = &[
    // Older versions need a daemon of their own for a login, but not for a logout.
    ("docker_logout_prints_no_error", || {
        tried("docker", ".docker/config.json", |_, _, _| {})
    }),
    (
        "podman_login_succeeds_only_at_an_address_of_a_profile",
        || tried("podman", "auth.json", logs_in),
    ),
    (
        "skopeo_login_succeeds_only_at_an_address_of_a_profile",
        || tried("skopeo", "auth.json", logs_in),
    ),
];

/// The password typed for the registry.
const PASSWORD: &str = "interop-hunter2-password";

/// Runs the client with these arguments.
type Run<'a> = &'a dyn Fn(&[&str]) -> Output;

/// Tests a client that configures its helpers in this file, with two registries, and logs out.
fn tried(
    name: &str,
    file: &str,
    test: impl FnOnce(Run<'_>, &mut Server, &mut Server),
) -> Result<(), MissingProgram> {
    let client = program(name)?;
    let mut env = set_up(600);
    env.forbid("the password", PASSWORD);
    let mut ours = Server::start(&env, "registry.py", &[])?;
    let mut other = Server::start(&env, "registry.py", &[])?;
    ours.take_any();
    other.take_any();
    bind(&env, &ours.url("/"), "");
    let (mut daemon, token) = daemon(&env);
    let helpers = json!({"credHelpers": {ours.host(): "jeton", other.host(): "jeton"}});
    let config = home_file(&env, file, &helpers.to_string());
    let path = named(&env, "docker-credential-jeton");
    let run = |args: &[&str]| {
        let mut command = env.command(&client);
        command
            .args(args)
            .env("PATH", &path)
            .env("SSL_CERT_FILE", ca(&env))
            .env("REGISTRY_AUTH_FILE", &config);
        env.finish(name, command, PASSWORD.as_bytes(), false)
    };
    test(&run, &mut ours, &mut other);
    let logged_out = run(&["logout", &ours.host()]);
    assert_eq!(logged_out.code, 0, "{logged_out:?}");
    assert!(!logged_out.stderr.contains("jeton: "), "{logged_out:?}");
    assert!(!fs::read_to_string(&config).unwrap().contains("\"auth\""));
    let answer = get(&env, &ours.host());
    assert!(answer.stdout.contains(&token), "{}", answer.stderr);
    env.stop(&mut daemon);
    Ok(())
}

/// A login at the profile's address succeeds. At another address, the registry accepts the password, but the helper
/// refuses to store it.
fn logs_in(run: Run<'_>, ours: &mut Server, other: &mut Server) {
    let log_in = |host: &str| run(&["login", "-u", "me", "--password-stdin", host]);
    let done = log_in(&ours.host());
    assert_eq!(done.code, 0, "{done:?}");
    let refused = log_in(&other.host());
    assert_ne!(refused.code, 0, "{refused:?}");
    let says = "Jeton keeps no passwords";
    assert!(refused.stderr.contains(says), "{refused:?}");
    for seen in [ours.seen(), other.seen()] {
        let took = |request: &String| request.ends_with(" 200");
        assert!(seen.iter().any(took), "{seen:?}");
    }
}

/// Returns what the helper prints for a registry.
fn get(env: &TestEnv, host: &str) -> Output {
    let mut command = env.command(Path::new(JETON));
    command.args(["docker", "get"]);
    env.finish("jeton docker get", command, host.as_bytes(), true)
}
