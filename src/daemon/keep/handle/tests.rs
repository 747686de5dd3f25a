use super::super::bulkhead::Bulkhead;
use super::*;
use crate::daemon::testing::*;
use crate::fault::FaultKind;
use crate::lifecycle::{Phase, Policy};
use crate::problem::{Code, Problem};

mod bad_input;
mod changes;
mod crowd;
mod doubted;
mod jumps;
mod last_try;
mod locked;
mod reissue;
mod reject;
mod resting;
mod store;
mod superseded;

const fn secs(s: u64) -> Duration {
    Duration::from_secs(s)
}

const NOW: Duration = Duration::ZERO;

fn grant(s: u64) -> Play {
    Play::Grant {
        secs: s,
        after: NOW,
    }
}

fn fail(kind: FaultKind) -> Play {
    Play::Fail { kind, after: NOW }
}

async fn text(handle: &Handle, min_valid: Duration, max_wait: Duration) -> String {
    said(handle.token(min_valid, max_wait).await)
}

fn said(answer: Result<ServedToken, Problem>) -> String {
    match answer {
        Ok(served) => {
            let stale = served.freshness.is_stale();
            let token = served.held.token.expose();
            format!("{token}{}", if stale { " stale" } else { "" })
        }
        Err(problem) => problem.code.row().name.to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_callers_without_a_held_token_cause_one_attempt() {
    let issuer = ScriptedIssuer::new(&[Play::Grant {
        secs: 3_600,
        after: secs(1),
    }]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let handle = Arc::clone(&handle);
            tokio::spawn(async move { text(&handle, NOW, secs(5)).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "token-1");
    }
    let counted = || handle.state().reply.counts.requests;
    assert_eq!(counted(), 1_000);
    assert_eq!(text(&handle, NOW, NOW).await, "token-1");
    assert_eq!(counted(), 1_001, "one that is answered at once counts, too");
    assert_eq!(issuer.seen().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn tokens_are_refreshed_early_so_an_outage_shows_only_at_expiry() {
    let issuer = ScriptedIssuer::new(&[grant(100), grant(100), fail(FaultKind::Connect)]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(49)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(2)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
    tokio::time::sleep(secs(90)).await;
    assert_eq!(
        text(&handle, NOW, secs(5)).await,
        "token-2",
        "40 s into the outage"
    );
    assert_eq!(handle.state().reply.phase, Phase::Retrying);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(
        text(&handle, NOW, NOW).await,
        "unavailable",
        "expired, and never served"
    );
    assert_eq!(handle.state().reply.phase, Phase::Expired);
}

#[tokio::test(start_paused = true)]
async fn callers_get_an_answer_at_their_deadline_when_the_issuer_hangs() {
    let issuer = ScriptedIssuer::new(&[Play::Hang]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    for wait in [0, 1, 5, 60] {
        let start = clock.now().boot;
        let problem = handle.token(NOW, secs(wait)).await.unwrap_err();
        assert_eq!(clock.now().boot.since(start), secs(wait));
        let code = if wait == 0 {
            Code::Unavailable
        } else {
            Code::Deadline
        };
        assert_eq!(problem.code, code, "{wait}");
    }
    assert_eq!(issuer.seen().len(), 1, "all joined one attempt");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_continues_after_its_caller_has_timed_out() {
    let issuer = ScriptedIssuer::new(&[
        fail(FaultKind::Connect),
        Play::Grant {
            secs: 100,
            after: secs(3),
        },
    ]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    tokio::task::yield_now().await;
    assert_eq!(text(&handle, NOW, secs(1)).await, "deadline");
    tokio::time::sleep(secs(3)).await;
    assert_eq!(text(&handle, NOW, NOW).await, "token-2");
    assert_eq!(issuer.seen().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_wants_more_validity_gets_a_new_or_a_stale_token() {
    let after = secs(2);
    let issuer = ScriptedIssuer::new(&[grant(100), Play::Grant { secs: 100, after }, Play::Hang]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(46)).await;
    assert_eq!(
        text(&handle, secs(500), secs(1)).await,
        "token-1 stale",
        "the attempt takes 2 s"
    );
    assert_eq!(text(&handle, secs(500), secs(5)).await, "token-2");
    tokio::time::sleep(secs(60)).await;
    assert_eq!(
        text(&handle, secs(50), secs(5)).await,
        "token-2 stale",
        "it hangs"
    );
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn two_hanging_attempts_do_not_lose_the_held_token() {
    let hang = Play::Hang;
    let issuer = ScriptedIssuer::new(&[grant(20), hang.clone(), hang, grant(20)]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    for _ in 0..30 {
        tokio::time::sleep(secs(1)).await;
        assert!(text(&handle, NOW, NOW).await.starts_with("token-"));
    }
    assert_ne!(text(&handle, NOW, NOW).await, "token-1");
}

#[tokio::test(start_paused = true)]
async fn a_rejected_credential_fails_callers_immediately_and_sends_few_requests() {
    let issuer = ScriptedIssuer::new(&[fail(FaultKind::Rejected)]);
    let store = MemoryStore::new(Some("old"));
    let (handle, clock) = keep(&issuer, &store);
    tokio::time::sleep(secs(1)).await;
    let asked = handle.refresh(secs(5)).await.unwrap_err();
    assert_eq!(asked.code, Code::RejectedByProvider);
    assert_eq!(
        issuer.seen(),
        ["old"],
        "a request does not send it again either"
    );
    tokio::time::sleep(secs(5)).await;
    let start = clock.now();
    let problem = handle.token(NOW, secs(60)).await.unwrap_err();
    assert_eq!(problem.code, Code::RejectedByProvider);
    assert_eq!(problem.retry_at.unwrap().seconds_down(), 1_800_000_065);
    assert_eq!(clock.now().boot, start.boot, "without waiting");
    assert_eq!(issuer.seen(), ["old", "old"]);
    assert_eq!(
        handle.refresh(secs(5)).await.unwrap_err().code,
        Code::RejectedByProvider
    );
    tokio::time::sleep(secs(3_600)).await;
    assert!(issuer.seen().len() <= 10, "{}", issuer.seen().len());
}

#[tokio::test(start_paused = true)]
async fn a_requested_refresh_after_an_outage_does_not_send_a_rejected_secret() {
    let script = [
        fail(FaultKind::Rejected),
        fail(FaultKind::Connect),
        grant(100),
    ];
    let issuer = ScriptedIssuer::new(&script);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("old")));
    tokio::time::sleep(secs(6)).await;
    assert_eq!(issuer.seen(), ["old", "old"], "its one quick retry");
    let asked = handle.refresh(secs(5)).await.unwrap_err();
    assert_eq!(asked.code, Code::RejectedByProvider);
    tokio::time::sleep(secs(1)).await;
    assert_eq!(issuer.seen().len(), 2);
    assert_eq!(text(&handle, NOW, secs(10)).await, "token-3", "in its time");
}

#[tokio::test(start_paused = true)]
async fn a_changed_endpoint_blocks_the_profile_but_keeps_the_valid_token() {
    let issuer = ScriptedIssuer::new(&[grant(100), fail(FaultKind::BindingChanged)]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(60)).await;
    assert_eq!(issuer.seen().len(), 2);
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    tokio::time::sleep(secs(40)).await;
    assert_eq!(text(&handle, NOW, secs(5)).await, "binding_changed");
    assert_eq!(handle.state().reply.phase, Phase::Misconfigured);
    tokio::time::sleep(secs(3_600)).await;
    assert!(issuer.seen().len() <= 63, "{}", issuer.seen().len());
}

#[tokio::test(start_paused = true)]
async fn ready_waits_through_rejections_until_a_token_is_held() {
    let issuer = ScriptedIssuer::new(&[
        fail(FaultKind::Rejected),
        fail(FaultKind::Rejected),
        grant(100),
    ]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    let start = clock.now().boot;
    assert_eq!(
        handle.ready(secs(1)).await.unwrap_err().code,
        Code::RejectedByProvider
    );
    assert_eq!(clock.now().boot.since(start), secs(1));
    assert_eq!(handle.ready(secs(100)).await, Ok(()));
    assert_eq!(clock.now().boot.since(start).as_secs(), 65);
}

#[tokio::test(start_paused = true)]
async fn requested_refreshes_get_a_new_token_within_their_budget() {
    let issuer = ScriptedIssuer::new(&[grant(1_000), grant(1_000), fail(FaultKind::ServerError)]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    handle.refresh(secs(5)).await.unwrap();
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
    let problem = handle.refresh(secs(5)).await.unwrap_err();
    assert_eq!(
        (problem.code, problem.retry_at.unwrap().seconds_up()),
        (Code::TooManyRequests, 1_800_000_010)
    );
    tokio::time::sleep(secs(10)).await;
    assert_eq!(
        handle.refresh(secs(5)).await.unwrap_err().code,
        Code::Unavailable
    );
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_caller_waiting_for_more_validity_gets_the_held_token_before_it_expires() {
    let issuer = ScriptedIssuer::new(&[grant(100), fail(FaultKind::Connect)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    // The token is served for 95 s.
    for (at, asked_at_most, waits) in [(70, 60, 15), (84, 60, 1), (90, 3, 3)] {
        tokio::time::sleep(secs(at) - (clock.now().boot.since_boot() - secs(1_000))).await;
        let start = clock.now().boot;
        assert_eq!(
            text(&handle, secs(50), secs(asked_at_most)).await,
            "token-1 stale"
        );
        let waited = clock.now().boot.since(start);
        // The wait ends sooner when no attempt is due before its deadline.
        assert!(waited <= secs(waits), "at {at}: {waited:?}");
    }
    // With less than 10 s of validity left, the wait is no longer shortened in order to serve the held token.
    assert_eq!(text(&handle, secs(50), secs(60)).await, "unavailable");
}

/// A change wakes each waiting caller, which then asks again. These requests must not wake the other callers.
#[tokio::test(start_paused = true)]
async fn callers_waiting_for_the_back_off_neither_wake_others_nor_delay_it() {
    let issuer = ScriptedIssuer::new(&[
        fail(FaultKind::Connect),
        fail(FaultKind::Connect),
        grant(100),
    ]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    let start = clock.now().boot;
    let callers: Vec<_> = (0..1_000)
        .map(|_| {
            let handle = Arc::clone(&handle);
            tokio::spawn(async move { text(&handle, NOW, secs(60)).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), "token-3");
    }
    let waited = clock.now().boot.since(start);
    assert!(waited < secs(3), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_issuer_with_a_hundred_profiles_does_not_delay_other_issuers() {
    let bulkhead = Bulkhead::default();
    let hanging = ScriptedIssuer::new(&[Play::Fail {
        kind: FaultKind::Timeout,
        after: secs(10),
    }]);
    let store = MemoryStore::new(Some("s"));
    let slow: Vec<_> = (0..100)
        .map(|_| {
            keep_at(
                &hanging,
                &store,
                Policy::default(),
                bulkhead.compartment("slow"),
            )
            .0
        })
        .collect();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(hanging.seen().len(), 8, "at once");
    let issuer = ScriptedIssuer::new(&[grant(100)]);
    let (other, _) = keep_at(
        &issuer,
        &store,
        Policy::default(),
        bulkhead.compartment("other"),
    );
    assert_eq!(text(&other, NOW, Duration::from_millis(1)).await, "token-1");
    // The callers of the slow profiles get an answer in time, whether or not their profile had a permit.
    assert_eq!(text(&slow[99], NOW, secs(2)).await, "deadline");
    tokio::time::sleep(secs(130)).await;
    assert!(hanging.seen().len() >= 100, "every one had its turn");
}
