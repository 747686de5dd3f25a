//! A client that keeps its token asks for it a second time.

use super::*;
use crate::clock::testing::TestClock;
use crate::lifecycle::Policy;
use crate::schedule::{REFRESH_BUDGET, Reissue};

/// Returns the answer to a client that seems to distrust this token, and how long it waited.
async fn instead_of(handle: &Handle, clock: &TestClock, generation: u64) -> (String, Duration) {
    let start = clock.now().boot;
    let answer = said(handle.instead_of(generation, secs(3)).await);
    (answer, clock.now().boot.since(start))
}

fn generation(handle: &Handle) -> u64 {
    handle.held().unwrap().generation
}

#[tokio::test(start_paused = true)]
async fn second_requests_for_a_token_share_one_refresh_and_wait_for_it() {
    let after = secs(2);
    let later = Play::Grant { secs: 3_600, after };
    let issuer = ScriptedIssuer::new(&[grant(3_600), later]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    let first = generation(&handle);
    let (one, other) = tokio::join!(
        instead_of(&handle, &clock, first),
        instead_of(&handle, &clock, first)
    );
    assert_eq!(one, ("token-2".to_owned(), secs(2)));
    assert_eq!(other, one);
    assert_eq!(issuer.seen().len(), 2);
    // A client that still has the old token gets the new one and causes no call.
    assert_eq!(
        instead_of(&handle, &clock, first).await,
        ("token-2".to_owned(), NOW)
    );
    assert_eq!(issuer.seen().len(), 2);
    let reply = handle.state().reply;
    assert_eq!((reply.counts.reports, reply.reported), (0, false));
    assert_eq!(reply.cooling_down_until, None);
}

#[tokio::test(start_paused = true)]
async fn a_second_request_gets_the_held_token_when_the_issuer_is_slow_or_fails() {
    let issuer = ScriptedIssuer::new(&[grant(3_600), Play::Hang]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    let held = generation(&handle);
    assert_eq!(
        instead_of(&handle, &clock, held).await,
        ("token-1".to_owned(), secs(3))
    );
    let issuer = ScriptedIssuer::new(&[grant(3_600), fail(FaultKind::Connect)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    let held = generation(&handle);
    for _ in 0..20 {
        assert_eq!(
            instead_of(&handle, &clock, held).await,
            ("token-1".to_owned(), NOW)
        );
    }
    assert_eq!(issuer.seen().len(), 2, "the back-off is left alone");
}

#[tokio::test(start_paused = true)]
async fn second_requests_stay_within_the_budget_of_requested_refreshes() {
    let issuer = ScriptedIssuer::new(&[grant(3_600)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    for second in 0..600 {
        let held = generation(&handle);
        let (answer, waited) = instead_of(&handle, &clock, held).await;
        assert!(answer.starts_with("token-"), "{second}");
        assert_eq!(waited, NOW);
        tokio::time::sleep(secs(1)).await;
    }
    assert_eq!(
        issuer.seen().len(),
        1 + REFRESH_BUDGET,
        "at most one in 10 s"
    );
    let refused = handle.refresh(secs(5)).await.unwrap_err();
    assert_eq!(refused.code, Code::TooManyRequests, "it is the same budget");
    let reply = handle.state().reply;
    assert_eq!((reply.counts.reports, reply.cooling_down_until), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_second_request_causes_no_refresh_when_a_new_token_would_not_help() {
    for reissue in [Reissue::KillsOld, Reissue::SameUntilExpiry] {
        let issuer = ScriptedIssuer::new(&[grant(3_600)]);
        let policy = Policy {
            reissue,
            ..Policy::default()
        };
        let (handle, clock) = keep_with(&issuer, &MemoryStore::new(Some("s")), policy);
        assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
        let held = generation(&handle);
        assert_eq!(
            instead_of(&handle, &clock, held).await,
            ("token-1".to_owned(), NOW)
        );
        assert_eq!(issuer.seen().len(), 1, "{reissue:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_request_after_expiry_does_not_get_the_expired_token() {
    let issuer = ScriptedIssuer::new(&[grant(100), fail(FaultKind::Connect)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    let held = generation(&handle);
    tokio::time::sleep(secs(96)).await;
    assert_eq!(
        instead_of(&handle, &clock, held).await,
        ("unavailable".to_owned(), NOW)
    );
}
