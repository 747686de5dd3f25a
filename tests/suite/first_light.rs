//! End to end in the fewest steps: enrol, start, get a token, see it refreshed.

use crate::support::TestEnv;
use crate::support::daemon::wait_until;

#[test]
fn an_enrolled_profile_is_served_and_refreshed() {
    let env = TestEnv::with_sandbox(3);
    env.enrol("research");
    let mut daemon = env.start();
    let first = env.token(&daemon, "research");
    assert!(env.sandbox().issued().contains(&first));
    wait_until("the next token", || env.token(&daemon, "research") != first);
    let status = env.get(&daemon, "/v1/profiles/research").json();
    assert_eq!(status["phase"], "fresh");
    assert_eq!(status["counts"]["failures"], 0);
    env.stop(&mut daemon);
    assert!(!daemon.socket.exists() && !daemon.admin.exists());
}

#[test]
fn the_search_for_secrets_finds_a_planted_token_and_secret() {
    let env = TestEnv::with_sandbox(60);
    env.enrol("research");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    env.stop(&mut daemon);
    assert_eq!(env.leaks(), Vec::<String>::new());
    std::fs::write(
        env.path("home/notes"),
        format!("Authorization: Bearer {token}"),
    )
    .unwrap();
    assert_eq!(env.leaks().len(), 1);
    std::fs::write(env.path("home/notes"), env.secret()).unwrap();
    assert_eq!(env.leaks().len(), 1);
    std::fs::remove_file(env.path("home/notes")).unwrap();
}
