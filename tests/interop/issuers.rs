//! Third-party issuers, each with a client secret of many special characters: enrolment finds how the issuer reads the
//! `Authorization` header. The daemon refreshes and serves tokens through an outage and a changed secret, and a rebind
//! ends the fault.
//!
//! `docs/issuers.md` has the table of the issuers tested.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};
use crate::support::env::Output;
use crate::tools::{MissingProgram, Test};
use served::{LIFETIME, RunningIssuer};

mod served;

pub(crate) const TESTS: &[(&str, Test)] = &[
    ("authlib", || round(RunningIssuer::authlib)),
    ("glewlwyd", || round(RunningIssuer::glewlwyd)),
    ("node_oauth2_server", || {
        round(RunningIssuer::node_oauth2_server)
    }),
    ("oidc_provider", || round(RunningIssuer::oidc_provider)),
];

/// The duration of an outage: shorter than a token's lifetime.
const OUTAGE: Duration = Duration::from_secs(20);

/// Returns a client secret with every character that a form or a header may encode.
fn hard_secret() -> String {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).unwrap();
    let digits: String = random.iter().map(|b| format!("{b:02x}")).collect();
    format!("{digits}:&=+% \"\\/'~!|^#")
}

/// Runs `jetond add` with this secret and these arguments.
fn add(env: &TestEnv, secret: &str, args: &[&str]) -> Output {
    let mut command = env.jetond_command(&["add", "a"]);
    command.args(args).arg("--client-secret-stdin");
    env.finish(
        "jetond add",
        command,
        format!("{secret}\n").as_bytes(),
        false,
    )
}

/// Returns the generation of the served token, and the token. Asserts that it is valid.
fn served(env: &TestEnv, daemon: &Daemon) -> (u64, String) {
    let answer = env.get(daemon, "/v1/profiles/a/token?max_wait=30");
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let left = answer["expires_in"].as_u64().unwrap();
    assert!((1..=LIFETIME.as_secs()).contains(&left), "{left}");
    let token = answer["access_token"].as_str().unwrap().to_owned();
    (answer["generation"].as_u64().unwrap(), token)
}

/// Requests tokens until there is a newer one, and adds it to those whose leak fails the test.
fn next(env: &mut TestEnv, daemon: &Daemon, last: u64) -> u64 {
    let begun = Instant::now();
    loop {
        let (generation, token) = served(env, daemon);
        if generation > last {
            env.forbid_token(&token);
            return generation;
        }
        assert!(
            begun.elapsed() < LIFETIME,
            "no newer token within a lifetime"
        );
        pause();
    }
}

fn phase(env: &TestEnv, daemon: &Daemon) -> String {
    let status = env.get(daemon, "/v1/profiles/a").json();
    status["phase"].as_str().unwrap().to_owned()
}

/// Waits as a client does between two requests.
fn pause() {
    std::thread::sleep(Duration::from_millis(100));
}

fn round(
    start: fn(&mut TestEnv, &str) -> Result<RunningIssuer, MissingProgram>,
) -> Result<(), MissingProgram> {
    let mut env = TestEnv::new();
    let secret = hard_secret();
    env.forbid_secret("the client secret", &secret);
    let mut issuer = start(&mut env, &secret)?;
    let mut args = vec!["--provider", "oauth2", "--client-id", issuer.client_id];
    args.extend(issuer.arguments.iter().map(String::as_str));
    if !issuer.by_hand.is_empty() {
        let refused = add(&env, &secret, &args);
        assert_ne!(refused.code, 0, "{refused:?}");
        let proposed = issuer.by_hand.join(" ");
        assert!(refused.stderr.contains(&proposed), "{refused:?}");
        assert!(!env.config().exists(), "{refused:?}");
        args.extend(issuer.by_hand);
    }
    let added = add(&env, &secret, &args);
    assert_eq!(added.code, 0, "{added:?}");
    let config = fs::read_to_string(env.config()).unwrap();
    let written = config.lines().find(|line| line.starts_with("client-auth"));
    assert_eq!(written, issuer.client_auth, "{config}");

    let mut daemon = env.start();
    let mut last = next(&mut env, &daemon, 0);
    for _ in 0..3 {
        last = next(&mut env, &daemon, last);
    }

    issuer.tell("outage");
    let begun = Instant::now();
    while begun.elapsed() < OUTAGE {
        assert_eq!(
            served(&env, &daemon).0,
            last,
            "the held token is served during the outage"
        );
        pause();
    }
    issuer.tell("back");
    last = next(&mut env, &daemon, last);

    let changed = hard_secret();
    env.forbid_secret("the changed client secret", &changed);
    issuer.tell(&format!("secret {changed}"));
    env.request(&daemon.socket, "POST", "/v1/profiles/a/refresh", &[], b"");
    wait_until("the issuer to reject the old secret", || {
        phase(&env, &daemon) != "fresh"
    });
    // The held token is still served.
    assert_eq!(served(&env, &daemon).0, last);
    let rebound = add(
        &env,
        &changed,
        &["--rebind", "--client-id", issuer.client_id],
    );
    assert_eq!(rebound.code, 0, "{rebound:?}");
    next(&mut env, &daemon, last);
    wait_until("the profile to be fresh", || {
        phase(&env, &daemon) == "fresh"
    });
    env.stop(&mut daemon);
    Ok(())
}
