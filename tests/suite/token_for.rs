//! `jeton token --for CLIENT`: a token that stays valid for as long as the client keeps it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::TestEnv;
use crate::support::daemon::{Daemon, wait_until};

/// The lifetime of the tokens in seconds. A client that keeps its token for minutes gets one with at least half of this
/// left.
const LIFE: u64 = 24;

/// Returns the output of `jeton token` with these arguments.
fn printed(env: &TestEnv, args: &[&str]) -> String {
    let output = env.jeton(&[&["token", "research"], args].concat());
    assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{args:?}");
    output.stdout.trim_end().to_owned()
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Returns when the held token expires, and when the daemon replaces it if no caller wants a longer one, in Unix
/// seconds.
fn times(env: &TestEnv, daemon: &Daemon) -> (u64, u64) {
    let state = env.get(daemon, "/v1/profiles/research").json();
    let of = |name: &str| state[name].as_u64().unwrap();
    (of("expires_at"), of("next_attempt_at"))
}

#[test]
fn the_option_for_replaces_a_token_too_short_for_the_client() {
    for client in ["codex", "claude-code"] {
        replaces(client);
    }
}

fn replaces(client: &str) {
    let env = TestEnv::with_sandbox(LIFE);
    env.enrol("research");
    loop {
        // Each start chooses a random moment for the refresh, between 40 and 60 % of the lifetime. This test needs a
        // late one.
        let mut daemon = env.start();
        let first = env.token(&daemon, "research");
        let (expires, due) = times(&env, &daemon);
        let half = expires - LIFE / 2;
        if due < half + 2 {
            env.stop(&mut daemon);
            continue;
        }
        let asked = env.sandbox().stats().token_requests;
        wait_until("half of the lifetime to be over", || now() > half);
        let bare = printed(&env, &[]);
        let kept = printed(&env, &["--for", client]);
        if now() >= due {
            // This machine was too busy to ask in time.
            env.stop(&mut daemon);
            continue;
        }
        assert_eq!(bare, first);
        assert_ne!(kept, first, "--for {client}");
        assert_eq!(env.sandbox().stats().token_requests, asked + 1);
        // For the next request, the token's remaining lifetime is long enough.
        assert_eq!(printed(&env, &["--for", client]), kept);
        assert_eq!(env.sandbox().stats().token_requests, asked + 1);
        env.stop(&mut daemon);
        return;
    }
}

#[test]
fn a_client_gets_the_held_token_before_its_timeout() {
    let env = TestEnv::with_sandbox(LIFE);
    env.enrol("research");
    let mut daemon = env.start();
    let first = env.token(&daemon, "research");
    env.fault("hang");
    let (expires, _) = times(&env, &daemon);
    wait_until("half of the lifetime to be over", || {
        now() > expires - LIFE / 2
    });
    let started = std::time::Instant::now();
    let output = env.jeton(&["token", "research", "--for", "codex"]);
    // Codex ends its command after 5 s.
    assert!(started.elapsed().as_millis() < 5_000);
    assert_eq!((output.code, output.stdout.trim_end()), (0, &first[..]));
    assert!(output.stderr.contains("no newer one"), "{output:?}");
    env.fault("none");
    env.stop(&mut daemon);
}
