//! Effects of suspends and steps of the wall clock on callers.

use super::*;
use crate::clock::testing::TestClock;
use crate::daemon::keep::jumps::Jump;
use crate::instant::UnixTime;

fn hours(h: u64) -> Duration {
    secs(h * 3_600)
}

/// Suspends the machine and reports that to the handle.
async fn sleep(handle: &Handle, clock: &TestClock, by: Duration) {
    clock.suspend(by);
    let suspended = Some(by);
    let stepped = None;
    handle.jumped(Jump { suspended, stepped }).await;
}

async fn set(handle: &Handle, clock: &TestClock, by: i64) {
    clock.step(by);
    let suspended = None;
    let stepped = Some(by);
    handle.jumped(Jump { suspended, stepped }).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_suspend_an_expired_token_is_not_served_and_refreshed_immediately() {
    let late = Play::Grant {
        secs: 3_600,
        after: Duration::from_millis(100),
    };
    let issuer = ScriptedIssuer::new(&[grant(3_600), late]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    // The suspend has not been noticed yet.
    clock.suspend(hours(4));
    assert_eq!(text(&handle, NOW, NOW).await, "unavailable");
    let start = clock.now().boot;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
    let waited = clock.now().boot.since(start);
    assert!(waited <= Duration::from_millis(101), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_interrupted_by_a_suspend_is_restarted() {
    let issuer = ScriptedIssuer::new(&[grant(3_600), Play::Hang, grant(3_600)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(1_801)).await;
    assert_eq!(issuer.seen().len(), 2);
    sleep(&handle, &clock, hours(1)).await;
    assert_eq!(text(&handle, NOW, secs(1)).await, "token-3");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_started_after_resume_is_not_restarted_by_suspend_detection() {
    let issuer = ScriptedIssuer::new(&[
        grant(3_600),
        Play::Grant {
            secs: 3_600,
            after: secs(3),
        },
    ]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    clock.suspend(hours(1));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(issuer.seen().len(), 2);
    let jump = Jump {
        suspended: Some(hours(1)),
        stepped: None,
    };
    handle.jumped(jump).await;
    assert_eq!(text(&handle, NOW, secs(2)).await, "token-2");
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_long_back_off_does_not_outlast_a_suspend() {
    let mut script = vec![fail(FaultKind::Connect); 12];
    script.push(grant(3_600));
    let issuer = ScriptedIssuer::new(&script);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    while issuer.seen().len() < 12 {
        tokio::time::sleep(secs(1)).await;
    }
    sleep(&handle, &clock, secs(3)).await;
    assert_eq!(text(&handle, NOW, secs(3)).await, "token-13");
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_step_changes_only_the_displayed_times() {
    const YEARS: i64 = 10 * 365 * 86_400;
    let issuer = ScriptedIssuer::new(&[grant(3_600)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    let shown = handle.state().reply;
    let expires_at = i64::try_from(shown.expires_at.unwrap()).unwrap();
    for by in [YEARS, -2 * YEARS, YEARS] {
        set(&handle, &clock, by).await;
        assert_eq!(text(&handle, NOW, NOW).await, "token-1");
        let now = handle.state().reply;
        let moved = i64::try_from(now.expires_at.unwrap()).unwrap() - expires_at;
        assert!([0, YEARS, -YEARS].contains(&moved), "{moved}");
        assert_eq!((now.expires_in, now.phase), (shown.expires_in, shown.phase));
    }
    tokio::time::sleep(secs(1_799)).await;
    assert_eq!(issuer.seen().len(), 1);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(issuer.seen().len(), 2, "at half of the lifetime, as ever");
}

/// The issuer's `Date` is shown, but no decision depends on it.
#[tokio::test(start_paused = true)]
async fn the_issuer_clock_only_affects_the_displayed_skew() {
    const OURS: u64 = 1_800_000_000;
    let skew = |handle: &Handle| handle.state().reply.clock_skew;
    for (date, ahead) in [
        (None, None),
        (Some(OURS), Some(0)),
        (Some(OURS + 600), Some(600)),
        (Some(OURS - 600), Some(-599)),
        (Some(0), Some(-1_799_999_999)),
        (Some(253_402_300_799), Some(253_402_300_799 - 1_800_000_000)),
    ] {
        let date = date.map(|date| UnixTime::from_epoch(secs(date)));
        let issuer = ScriptedIssuer::dated(&[grant(3_600)], date);
        let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
        assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
        let state = handle.state().reply;
        assert_eq!((state.clock_skew, state.expires_in), (ahead, Some(3_570)));
        // A correction of our clock shows before the issuer's next answer.
        if let Some(ahead) = ahead.filter(|ahead| ahead.abs() < 1_000) {
            set(&handle, &clock, ahead).await;
            assert_eq!(skew(&handle).unwrap().abs(), 0);
        }
        tokio::time::sleep(secs(1_799)).await;
        assert_eq!(issuer.seen().len(), 1);
    }
}
