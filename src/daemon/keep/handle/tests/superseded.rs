//! Tokens that the issuer gave to the same client without the daemon's keeper.

use super::*;
use crate::clock::testing::TestClock;
use crate::instant::BootInstant;

fn ago(clock: &TestClock, s: u64) -> BootInstant {
    clock.now().boot.before(secs(s))
}

#[tokio::test(start_paused = true)]
async fn a_newer_token_elsewhere_causes_one_refresh_while_the_held_one_is_served() {
    let slow = Play::Grant {
        secs: 3_600,
        after: secs(1),
    };
    let issuer = ScriptedIssuer::new(&[grant(3_600), slow]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(60)).await;
    for _ in 0..3 {
        handle.superseded(ago(&clock, 1)).await;
    }
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1 stale");
    assert!(handle.state().reply.reported);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
    // The keeper is notified again, of a moment before its own latest request.
    handle.superseded(ago(&clock, 3)).await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_newer_token_or_a_refused_refresh_does_not_rerun_the_secret_command() {
    let rejected = || fail(FaultKind::Rejected);
    let issuer = ScriptedIssuer::new(&[rejected(), rejected(), rejected(), rejected()]);
    let store = MemoryStore::new(Some("s"));
    let (handle, clock) = keep(&issuer, &store);
    handle.token(NOW, secs(30)).await.unwrap_err();
    let runs = store.reads();
    assert!(runs > 0, "a rejection is a reason");
    let problem = handle.refresh(secs(1)).await.unwrap_err();
    assert_eq!(problem.code, Code::RejectedByProvider);
    handle.superseded(ago(&clock, 1)).await;
    assert_eq!(store.reads(), runs);
    handle.recheck().await;
    assert_eq!(store.reads(), runs + 1, "a reload is a reason, too");
}

#[tokio::test(start_paused = true)]
async fn the_store_is_reread_so_that_an_old_secret_is_not_resent() {
    let issuer = ScriptedIssuer::new(&[grant(3_600)]);
    let store = MemoryStore::new(Some("old"));
    let (handle, clock) = keep(&issuer, &store);
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(60)).await;
    store.set("new");
    handle.superseded(ago(&clock, 1)).await;
    tokio::time::sleep(secs(5)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
    assert_eq!(issuer.seen(), ["old", "new"]);
}
