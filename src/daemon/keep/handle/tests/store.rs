//! Effects of a read of the store on running attempts, waiting callers and the circuit breaker.

use super::*;
use crate::lifecycle::{AttemptLimits, Reporter};
use crate::wire::Rejected;

#[tokio::test(start_paused = true)]
async fn a_replaced_secret_is_used_after_a_rejection_or_a_recheck() {
    let issuer = ScriptedIssuer::new(&[
        fail(FaultKind::Rejected),
        fail(FaultKind::Rejected),
        grant(100),
    ]);
    let store = MemoryStore::new(Some("old"));
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(secs(6)).await;
    assert_eq!(issuer.seen(), ["old", "old"]);
    handle.recheck().await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(issuer.seen().len(), 2, "the same secret is not sent again");
    store.set("new");
    handle.recheck().await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-3");
    assert_eq!(issuer.seen(), ["old", "old", "new"]);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_or_a_recheck_rereads_the_store_but_an_attempt_does_not() {
    let store = MemoryStore::new(None);
    let issuer = ScriptedIssuer::new(&[fail(FaultKind::Rejected)]);
    let (handle, _) = keep(&issuer, &store);
    // A blocked profile keeps looking for a credential, but does not force a fresh read of the store.
    tokio::time::sleep(secs(600)).await;
    assert_eq!(store.reads(), 0);
    store.set("old");
    handle.recheck().await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!((issuer.seen().len(), store.reads()), (1, 2));
    // Each probe of the rejected secret causes one more read.
    tokio::time::sleep(secs(3_600)).await;
    let sent = issuer.seen().len();
    assert!(sent > 3, "{sent}");
    assert_eq!(store.reads(), 1 + sent);
}

#[tokio::test(start_paused = true)]
async fn repeated_refreshes_do_not_restart_a_slow_store_read() {
    let issuer = ScriptedIssuer::new(&[
        fail(FaultKind::Rejected),
        fail(FaultKind::Rejected),
        grant(100),
    ]);
    let store = MemoryStore::new(Some("old"));
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(secs(6)).await;
    assert_eq!(issuer.seen(), ["old", "old"]);
    store.set("new");
    store.slow(secs(1));
    for _ in 0..30 {
        let refused = handle.refresh(NOW).await.map_err(|p| p.code);
        if refused.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(issuer.seen(), ["old", "old", "new"]);
}

#[tokio::test(start_paused = true)]
async fn a_recheck_requested_during_another_reads_the_store_again_after_it() {
    let issuer = ScriptedIssuer::new(&[
        fail(FaultKind::Rejected),
        fail(FaultKind::Rejected),
        grant(100),
    ]);
    let store = MemoryStore::new(Some("old"));
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(secs(6)).await;
    store.slow(secs(1));
    let first = Arc::clone(&handle);
    let first = tokio::spawn(async move { first.recheck().await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    store.set("new");
    handle.recheck().await;
    first.await.unwrap();
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-3");
}

#[tokio::test(start_paused = true)]
async fn a_store_read_during_the_first_attempt_does_not_send_a_secret_twice() {
    let slow = Play::Grant {
        secs: 100,
        after: secs(3),
    };
    for (stored, seen) in [("s", &["s"][..]), ("other", &["s", "other"])] {
        let issuer = ScriptedIssuer::new(&[slow.clone(), slow.clone()]);
        let store = MemoryStore::new(Some("s"));
        let (handle, _) = keep(&issuer, &store);
        tokio::time::sleep(secs(1)).await;
        store.set(stored);
        handle.recheck().await;
        assert!(text(&handle, NOW, secs(5)).await.starts_with("token-"));
        assert_eq!(issuer.seen(), seen);
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_attempt_uses_the_result_of_an_earlier_store_read() {
    let issuer = ScriptedIssuer::new(&[grant(100)]);
    let store = MemoryStore::new(Some("s"));
    store.slow(secs(2));
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(secs(1)).await;
    store.slow(Duration::ZERO);
    handle.recheck().await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(text(&handle, NOW, NOW).await, "token-1");
    tokio::time::sleep(secs(10)).await;
    assert_eq!(issuer.seen(), ["s"]);
    // A cancelled attempt counts as a failed one, so there must have been none.
    assert_eq!(handle.pace(), AttemptLimits::default());
}

#[tokio::test(start_paused = true)]
async fn a_recheck_does_not_cancel_the_first_attempt_after_enrolment() {
    for found in [Some("s"), None] {
        let issuer = ScriptedIssuer::new(&[Play::Grant {
            secs: 100,
            after: secs(3),
        }]);
        let store = MemoryStore::new(None);
        let (handle, _) = keep(&issuer, &store);
        tokio::time::sleep(secs(30)).await;
        store.set("s");
        tokio::time::sleep(secs(31)).await;
        assert_eq!(issuer.seen(), ["s"], "it has looked again by itself");
        store.put(found);
        handle.recheck().await;
        assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
        assert_eq!(issuer.seen(), ["s"]);
    }
}

/// A profile whose secret was rejected twice and then was missing from the store when its probe was due.
async fn rejected_and_gone() -> (Arc<ScriptedIssuer>, Arc<MemoryStore>, Arc<Handle>) {
    let issuer = ScriptedIssuer::new(&[fail(FaultKind::Rejected)]);
    let store = MemoryStore::new(Some("old"));
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(secs(10)).await;
    store.put(None);
    tokio::time::sleep(secs(60)).await;
    (issuer, store, handle)
}

#[tokio::test(start_paused = true)]
async fn a_recovered_store_does_not_send_a_rejected_secret_before_its_probe() {
    let (issuer, store, handle) = rejected_and_gone().await;
    assert_eq!(text(&handle, NOW, NOW).await, "not_enrolled");
    store.put(Some("old"));
    handle.recheck().await;
    tokio::time::sleep(secs(20)).await;
    assert_eq!(issuer.seen(), ["old", "old"]);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(issuer.seen(), ["old"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_new_secret_found_by_a_probe_starts_without_earlier_rejections() {
    let rejected = fail(FaultKind::Rejected);
    for (first, soon) in [(FaultKind::Rejected, 6), (FaultKind::Connect, 9)] {
        let mut script = vec![rejected.clone(); 3];
        script.extend([fail(first), grant(100)]);
        let issuer = ScriptedIssuer::new(&script);
        let store = MemoryStore::new(Some("old"));
        let (handle, _) = keep(&issuer, &store);
        tokio::time::sleep(secs(100)).await;
        assert_eq!(issuer.seen(), ["old"; 3], "two tries and a probe");
        store.set("new");
        tokio::time::sleep(secs(86 + soon)).await;
        assert_eq!(issuer.seen(), ["old", "old", "old", "new", "new"]);
        assert_eq!(text(&handle, NOW, NOW).await, "token-5");
    }
}

#[tokio::test(start_paused = true)]
async fn a_recheck_that_finds_no_credential_does_not_close_the_breaker() {
    let (issuer, store, handle) = rejected_and_gone().await;
    handle.recheck().await;
    store.put(Some("old"));
    tokio::time::sleep(secs(100)).await;
    assert_eq!(issuer.seen(), ["old"; 3], "and not again after 5 s");
}

#[tokio::test(start_paused = true)]
async fn a_profile_without_a_credential_reports_it_and_fetches_after_enrolment() {
    let issuer = ScriptedIssuer::new(&[grant(100)]);
    let store = MemoryStore::new(None);
    let (handle, _) = keep(&issuer, &store);
    assert_eq!(text(&handle, NOW, secs(5)).await, "not_enrolled");
    assert!(issuer.seen().is_empty());
    store.set("s");
    handle.recheck().await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_store_fails_the_attempt_and_is_retried_soon() {
    let issuer = ScriptedIssuer::new(&[grant(100), fail(FaultKind::Rejected), grant(100)]);
    let store = MemoryStore::new(Some("s"));
    store.refuse(2);
    let (handle, _) = keep(&issuer, &store);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(text(&handle, NOW, NOW).await, "unavailable");
    let state = handle.state();
    assert_eq!(state.reply.counts.failures, 1, "{state:?}");
    assert_eq!(state.reply.last_fault.unwrap().detail, "no thread");
    tokio::time::sleep(secs(5)).await;
    assert_eq!(text(&handle, NOW, NOW).await, "token-1");
    assert_eq!(handle.state().reply.counts.failures, 2);
    // The credential in use stays in use when the store cannot be read again, and the state says so.
    store.refuse(1);
    handle.recheck().await;
    assert_eq!(text(&handle, NOW, NOW).await, "token-1");
    assert_eq!(handle.state().reply.counts.failures, 2);
    let reply = handle.state().reply;
    assert_eq!(reply.unusable.as_deref(), Some("no thread"));
    assert_eq!(reply.phase, Phase::Fresh);
    handle.recheck().await;
    assert_eq!(handle.state().reply.unusable, None);
    assert_eq!(issuer.seen(), ["s"]);
}

#[tokio::test(start_paused = true)]
async fn a_first_rejection_fails_a_refresh_and_a_caller_without_a_held_token() {
    let rejected = Code::RejectedByProvider;
    for (kind, code) in [
        (FaultKind::Rejected, rejected),
        (FaultKind::Connect, Code::Unavailable),
    ] {
        let issuer = ScriptedIssuer::new(&[fail(kind)]);
        let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
        let problem = handle.token(NOW, secs(1)).await.unwrap_err();
        assert_eq!(problem.code, code);
        assert!(problem.retry_at.is_some());

        // A valid token is served. Only a request for a newer one gets the error.
        let issuer = ScriptedIssuer::new(&[grant(3_600), fail(kind)]);
        let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
        assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
        assert_eq!(handle.refresh(secs(5)).await.unwrap_err().code, code);
        assert_eq!(handle.state().reply.phase, Phase::Retrying);
        assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
        let reported = Rejected::Generation(handle.generation());
        let problem = handle
            .reject(&reported, Reporter::Ours(1_000), NOW)
            .await
            .unwrap_err();
        assert_eq!(problem.code, code);
    }
}

#[tokio::test(start_paused = true)]
async fn an_earlier_rejection_is_not_reported_after_another_fault() {
    let issuer = ScriptedIssuer::new(&[fail(FaultKind::Rejected), fail(FaultKind::Connect)]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    tokio::time::sleep(secs(6)).await;
    assert_eq!(issuer.seen().len(), 2);
    assert_eq!(text(&handle, NOW, NOW).await, "unavailable");
}
