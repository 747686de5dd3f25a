//! Reports of rejected tokens, as callers make them.

use super::*;
use crate::clock::testing::TestClock;
use crate::lifecycle::Reporter;
use crate::wire::Rejected;

const OWNER: Reporter = Reporter::Ours(1_000);

async fn next(handle: &Handle, which: Rejected, max_wait: Duration) -> String {
    said(handle.reject(&which, OWNER, max_wait).await)
}

fn generation(handle: &Handle) -> Rejected {
    Rejected::Generation(handle.state().reply.generation)
}

/// A profile that holds its third token, after the first two were reported.
async fn reported_twice() -> (Arc<ScriptedIssuer>, Arc<Handle>, Arc<TestClock>) {
    let issuer = ScriptedIssuer::new(&[grant(3_600)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    for token in ["token-2", "token-3"] {
        tokio::time::sleep(secs(5)).await;
        assert_eq!(next(&handle, generation(&handle), secs(5)).await, token);
    }
    (issuer, handle, clock)
}

#[tokio::test(start_paused = true)]
async fn a_thousand_reports_of_one_token_cause_one_refresh_and_late_ones_none() {
    let slow = Play::Grant {
        secs: 3_600,
        after: secs(1),
    };
    let issuer = ScriptedIssuer::new(&[grant(3_600), slow]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(60)).await;
    let rejected = generation(&handle);
    let report = |handle: &Arc<Handle>| {
        let handle = Arc::clone(handle);
        tokio::spawn(async move { next(&handle, rejected, secs(5)).await })
    };
    let reporters: Vec<_> = (0..1_000).map(|_| report(&handle)).collect();
    // The other callers get the held token, marked as stale.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1 stale");
    for reporter in reporters {
        assert_eq!(reporter.await.unwrap(), "token-2");
    }
    let start = clock.now().boot;
    for straggler in [
        rejected,
        Rejected::Generation(0),
        Rejected::Generation(u64::MAX),
        Rejected::Sha256([0; 32]),
    ] {
        assert_eq!(next(&handle, straggler, secs(5)).await, "token-2");
    }
    assert_eq!(clock.now().boot, start, "at once");
    assert_eq!(text(&handle, NOW, NOW).await, "token-2");
    assert_eq!(issuer.seen().len(), 2);
    assert_eq!(handle.state().reply.counts.reports, 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_can_name_the_token_by_its_hash() {
    let issuer = ScriptedIssuer::new(&[grant(3_600)]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    let served = handle.token(NOW, secs(5)).await.unwrap();
    let hash = Rejected::Sha256(served.held.token.sha256());
    tokio::time::sleep(secs(60)).await;
    assert_eq!(next(&handle, hash, secs(5)).await, "token-2");
    assert_eq!(next(&handle, hash, secs(5)).await, "token-2");
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_report_waits_up_to_max_wait_and_never_returns_the_reported_token() {
    let issuer = ScriptedIssuer::new(&[grant(3_600), Play::Hang]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(60)).await;
    for wait in [NOW, secs(3)] {
        let start = clock.now().boot;
        assert_eq!(
            next(&handle, generation(&handle), wait).await,
            "unavailable"
        );
        assert_eq!(clock.now().boot.since(start), wait);
    }
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1 stale");
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_report_during_the_cool_down_fails_immediately_with_its_end() {
    let (issuer, handle, clock) = reported_twice().await;
    tokio::time::sleep(secs(5)).await;
    let start = clock.now();
    let problem = handle
        .reject(&generation(&handle), OWNER, secs(5))
        .await
        .unwrap_err();
    assert_eq!(problem.code, Code::CoolingDown);
    assert_eq!(
        problem.retry_at.unwrap(),
        start.unix_of(start.boot.after(secs(55)))
    );
    assert_eq!(clock.now().boot, start.boot, "at once");
    let status = handle.state().reply;
    assert!(status.reported);
    assert_eq!(
        status.cooling_down_until,
        problem.retry_at.map(|at| at.seconds_up())
    );
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-3 stale");
    tokio::time::sleep(secs(55)).await;
    assert_eq!(next(&handle, generation(&handle), secs(5)).await, "token-4");
    assert_eq!(issuer.seen().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_report_is_processed_while_an_attempt_runs() {
    let issuer = ScriptedIssuer::new(&[grant(3_600), Play::Hang]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(60)).await;
    handle.refresh(Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(
        next(&handle, generation(&handle), secs(1)).await,
        "unavailable"
    );
    assert_eq!(text(&handle, NOW, NOW).await, "token-1 stale");
    assert_eq!(handle.state().reply.counts.reports, 1);
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_report_without_wait_is_processed_despite_many_concurrent_callers() {
    let issuer = ScriptedIssuer::new(&[grant(3_600), Play::Hang]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    // These callers want more validity than is left, so each of them asks the keeper, whose queue holds 64.
    tokio::time::sleep(secs(1_790)).await;
    let generation = generation(&handle);
    let reporter = tokio::spawn({
        let handle = Arc::clone(&handle);
        async move {
            for _ in 0..200 {
                assert_eq!(text(&handle, secs(3_600), NOW).await, "token-1 stale");
            }
            next(&handle, generation, NOW).await
        }
    });
    assert_eq!(reporter.await.unwrap(), "unavailable");
    assert_eq!(handle.state().reply.counts.reports, 1);
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_report_without_wait_during_the_cool_down_fails_immediately() {
    let (_, handle, clock) = reported_twice().await;
    let start = clock.now().boot;
    assert_eq!(
        next(&handle, generation(&handle), NOW).await,
        "cooling_down"
    );
    assert_eq!(clock.now().boot, start);
}
