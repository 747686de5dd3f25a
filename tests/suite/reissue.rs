//! An issuer that returns the same token until it expires.

use crate::support::TestEnv;
use crate::support::daemon::wait_until;

#[test]
fn an_issuer_that_repeats_its_token_is_recognized() {
    let env = TestEnv::with_sandbox(8);
    env.fault("same-token");
    env.enrol("research");
    let mut daemon = env.start();
    let number = || {
        let status = env.get(&daemon, "/v1/profiles/research").json();
        status["generation"].as_u64().unwrap()
    };
    let first = env.token(&daemon, "research");
    let issued = env.sandbox().issued();
    assert_eq!(
        issued,
        std::slice::from_ref(&first),
        "the enrolment got the only token"
    );
    let generation = number();
    let news = "the issuer gives the same token until it expires";
    wait_until("the daemon to notice the reissued token", || {
        // Every answer has status 200, here and below.
        env.token(&daemon, "research");
        daemon.log().contains(news)
    });
    assert_eq!(env.token(&daemon, "research"), first);
    assert_eq!(number(), generation);
    let requests = env.sandbox().stats().token_requests;
    for n in 1..=2 {
        let last = env.token(&daemon, "research");
        wait_until("the next token", || env.token(&daemon, "research") != last);
        assert_eq!(number(), generation + n);
        assert_eq!(env.sandbox().issued().len() as u64, n + 1);
    }
    // About eight requests for each token.
    let made = env.sandbox().stats().token_requests - requests;
    assert!(made <= 24, "{made} requests");
    assert_eq!(
        daemon.log().matches(news).count(),
        1,
        "the daemon logs it once"
    );
    env.stop(&mut daemon);
}
