//! Profiles without requests: the daemon leaves their issuer alone until a caller asks.

use super::*;
use crate::lifecycle::Policy;

/// A profile whose tokens have a lifetime of 100 s and take a second to get.
fn kept(policy: Policy) -> (Arc<Handle>, Arc<ScriptedIssuer>) {
    let issuer = ScriptedIssuer::new(&[Play::Grant {
        secs: 100,
        after: secs(1),
    }]);
    let (handle, _) = keep_with(&issuer, &MemoryStore::new(Some("s")), policy);
    (handle, issuer)
}

/// The same profile after two lifetimes without a request.
async fn at_rest() -> (Arc<Handle>, Arc<ScriptedIssuer>) {
    let (handle, issuer) = kept(Policy::default());
    tokio::time::sleep(secs(205)).await;
    let state = handle.state();
    assert_eq!((state.reply.phase, state.resting), (Phase::Resting, true));
    assert_eq!(state.reply.next_attempt_at, None);
    (handle, issuer)
}

#[tokio::test(start_paused = true)]
async fn no_attempt_is_made_after_two_lifetimes_without_a_token_request() {
    let (handle, issuer) = at_rest().await;
    let asked = issuer.seen().len();
    assert!((3..=5).contains(&asked), "{asked}");
    for _ in 0..1_000 {
        tokio::time::sleep(secs(10)).await;
        assert_eq!(handle.state().reply.phase, Phase::Resting);
        assert_eq!(handle.ready(NOW).await, Ok(()));
        handle.recheck().await;
    }
    assert_eq!(issuer.seen().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn polling_the_state_lets_a_profile_rest_and_token_requests_do_not() {
    for (asking, rests) in [(false, true), (true, false)] {
        let (handle, issuer) = kept(Policy::default());
        for _ in 0..60 {
            tokio::time::sleep(secs(10)).await;
            assert!(!asking || !handle.state().resting, "awake at every moment");
            assert_eq!(handle.ready(NOW).await, Ok(()));
            if asking {
                assert!(text(&handle, NOW, NOW).await.starts_with("token-"));
            }
        }
        assert_eq!(handle.state().resting, rests);
        assert_eq!(issuer.seen().len() < 6, rests, "{}", issuer.seen().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_is_kept_warm_never_rests() {
    let policy = Policy {
        keep_warm: true,
        ..Policy::default()
    };
    let (handle, issuer) = kept(policy);
    for _ in 0..100 {
        tokio::time::sleep(secs(100)).await;
        assert_eq!(handle.state().reply.phase, Phase::Fresh);
    }
    assert!(issuer.seen().len() > 150, "{}", issuer.seen().len());
}

#[tokio::test(start_paused = true)]
async fn a_resting_profile_serves_its_valid_token_immediately_and_wakes_up() {
    let (handle, issuer) = at_rest().await;
    let before = issuer.seen().len();
    let held = text(&handle, NOW, secs(60)).await;
    assert_eq!(
        held,
        format!("token-{before}"),
        "without waiting for the attempt"
    );
    for _ in 0..1_000 {
        assert_eq!(text(&handle, NOW, secs(60)).await, held);
    }
    tokio::time::sleep(secs(2)).await;
    assert_eq!(
        issuer.seen().len(),
        before + 1,
        "one attempt for all of them"
    );
    assert_eq!(
        text(&handle, NOW, NOW).await,
        format!("token-{}", before + 1)
    );
    assert_eq!(handle.state().reply.phase, Phase::Fresh);
    tokio::time::sleep(secs(10_000)).await;
    assert!(issuer.seen().len() <= before + 6, "and it rests again");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_of_an_expired_resting_profile_share_one_attempt() {
    let (handle, issuer) = at_rest().await;
    tokio::time::sleep(secs(5_000)).await;
    let before = issuer.seen().len();
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let handle = Arc::clone(&handle);
            tokio::spawn(async move { text(&handle, NOW, secs(5)).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), format!("token-{}", before + 1));
    }
    assert_eq!(issuer.seen().len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_without_wait_gets_the_token_on_its_next_request() {
    let (handle, _) = at_rest().await;
    tokio::time::sleep(secs(5_000)).await;
    assert_eq!(text(&handle, NOW, NOW).await, "unavailable");
    tokio::time::sleep(secs(2)).await;
    assert!(text(&handle, NOW, NOW).await.starts_with("token-"));
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_wants_more_validity_waits_for_a_resting_profile() {
    let (handle, issuer) = at_rest().await;
    tokio::time::sleep(secs(40)).await;
    let before = issuer.seen().len();
    let fresh = text(&handle, secs(50), secs(5)).await;
    assert_eq!(fresh, format!("token-{}", before + 1));
}

#[tokio::test(start_paused = true)]
async fn a_requested_refresh_keeps_a_profile_awake() {
    let (handle, issuer) = at_rest().await;
    handle.refresh(secs(5)).await.unwrap();
    let before = issuer.seen().len();
    tokio::time::sleep(secs(150)).await;
    assert!(!handle.state().resting);
    assert!(issuer.seen().len() > before);
}

#[tokio::test(start_paused = true)]
async fn a_profile_that_wakes_during_an_outage_obeys_the_back_off() {
    let mut script = vec![grant(100); 4];
    script.push(fail(FaultKind::Connect));
    let issuer = ScriptedIssuer::new(&script);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    tokio::time::sleep(secs(5_000)).await;
    assert_eq!(issuer.seen().len(), 4);
    for _ in 0..100 {
        assert_eq!(text(&handle, NOW, NOW).await, "unavailable");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(issuer.seen().len() <= 4 + 8, "{}", issuer.seen().len());
}
