//! Reloads that change the profile's policy or replace its keeper.

use super::*;
use crate::clock::testing::TestClock;
use crate::schedule::Reissue;

const WARM: Policy = Policy {
    keep_warm: true,
    reissue: Reissue::Normal,
};

#[tokio::test(start_paused = true)]
async fn a_policy_change_keeps_the_token_and_causes_no_attempt() {
    let issuer = ScriptedIssuer::new(&[grant(1_000)]);
    let store = MemoryStore::new(Some("secret"));
    let (handle, _) = keep(&issuer, &store);
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    let generation = handle.generation();
    for reissue in [
        Reissue::KillsOld,
        Reissue::SameUntilExpiry,
        Reissue::Normal,
        Reissue::KillsOld,
    ] {
        for keep_warm in [true, false] {
            handle.set_policy(Policy { keep_warm, reissue }).await;
            assert_eq!(text(&handle, NOW, secs(0)).await, "token-1");
        }
    }
    tokio::time::sleep(secs(700)).await;
    assert_eq!(issuer.seen().len(), 1, "no refresh before the end any more");
    assert_eq!(handle.generation(), generation);
}

#[tokio::test(start_paused = true)]
async fn enabling_keep_warm_refreshes_a_resting_profile() {
    let issuer = ScriptedIssuer::new(&[grant(100), grant(100), grant(100)]);
    let store = MemoryStore::new(Some("secret"));
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(secs(1_000)).await;
    assert!(handle.state().resting);
    let calls = issuer.seen().len();
    handle.set_policy(WARM).await;
    tokio::time::sleep(secs(1)).await;
    assert!(!handle.state().resting);
    assert_eq!(issuer.seen().len(), calls + 1);
}

#[tokio::test(start_paused = true)]
async fn a_policy_change_keeps_the_back_off_and_the_circuit_breaker() {
    let store = MemoryStore::new(Some("secret"));
    for fault in [FaultKind::Connect, FaultKind::Rejected] {
        let issuer = ScriptedIssuer::new(&vec![fail(fault); 50]);
        let (handle, _) = keep(&issuer, &store);
        tokio::time::sleep(secs(20)).await;
        let (next, calls) = (handle.state().reply.next_attempt_at, issuer.seen().len());
        for reissue in [Reissue::KillsOld, Reissue::Normal] {
            handle.set_policy(Policy { reissue, ..WARM }).await;
        }
        assert_eq!(handle.state().reply.next_attempt_at, next);
        assert_eq!(issuer.seen().len(), calls);
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_change_does_not_delay_the_refresh_of_a_reported_token() {
    let issuer = ScriptedIssuer::new(&[grant(1_000), grant(1_000)]);
    let store = MemoryStore::new(Some("secret"));
    let (handle, _) = keep(&issuer, &store);
    let generation = handle.token(NOW, secs(5)).await.unwrap().held.generation;
    let reporting = Arc::clone(&handle);
    let report = tokio::spawn(async move {
        let which = crate::wire::Rejected::Generation(generation);
        reporting
            .reject(&which, crate::lifecycle::Reporter::Ours(1_000), secs(10))
            .await
            .map(|served| served.held.generation)
    });
    tokio::task::yield_now().await;
    let policy = Policy {
        reissue: Reissue::KillsOld,
        ..WARM
    };
    handle.set_policy(policy).await;
    assert!(report.await.unwrap().unwrap() > generation);
}

/// Starts a keeper that replaces this one.
async fn next(
    handle: &Handle,
    issuer: &Arc<ScriptedIssuer>,
    store: &Arc<MemoryStore>,
    clock: &Arc<TestClock>,
    rejections: bool,
) -> Arc<Handle> {
    let credentials = handle.hand_over(rejections).await;
    handle.retire();
    keep_after(credentials, issuer, store, clock)
}

#[tokio::test(start_paused = true)]
async fn repeated_keeper_restarts_obey_the_limit_on_attempts() {
    let issuer = ScriptedIssuer::new(&vec![grant(1_000); 40]);
    let store = MemoryStore::new(Some("secret"));
    let (mut handle, clock) = keep(&issuer, &store);
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        handle = next(&handle, &issuer, &store, &clock, true).await;
    }
    // One second has passed: two calls ran in it, and more may be due at its end.
    assert!(issuer.seen().len() <= 4, "{}", issuer.seen().len());
    assert!(handle.token(NOW, secs(5)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_new_keeper_does_not_resend_a_rejected_credential() {
    let issuer = ScriptedIssuer::new(&vec![fail(FaultKind::Rejected); 40]);
    let store = MemoryStore::new(Some("secret"));
    let (handle, clock) = keep(&issuer, &store);
    tokio::time::sleep(secs(20)).await;
    let calls = issuer.seen().len();
    let handle = next(&handle, &issuer, &store, &clock, true).await;
    tokio::time::sleep(secs(10)).await;
    assert_eq!(issuer.seen().len(), calls);
    // It is sent again if the configuration now asks the issuer in another way.
    let _handle = next(&handle, &issuer, &store, &clock, false).await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(issuer.seen().len(), calls + 1);
}
