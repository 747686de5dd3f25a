//! Nonsensical headers of an issuer, from their text to the answer that a caller gets.

use zeroize::Zeroizing;

use super::*;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::instant::UnixTime;
use crate::problem::EarlyEnd;
use crate::provider::answer::{IssuerResponse, RequestContext, Spelling};

const DATE: &str = "Wed, 25 Nov 2026 12:00:00 GMT";

fn answer(status: u16, date: Option<&str>, retry_after: Option<&str>) -> IssuerResponse {
    IssuerResponse {
        status,
        content_type: None,
        date: date.map(str::to_owned),
        retry_after: retry_after.map(str::to_owned),
        location: None,
        coding: None,
        is_challenge: false,
        body: Zeroizing::default(),
    }
}

fn too_many_requests(retry_after: &str) -> Fault {
    let credential = Credential::parse("id", "secret").unwrap();
    let asked = RequestContext {
        at: "https://issuer.example",
        credential: &credential,
        token_type: None,
        has_vendor_errors: false,
    };
    let answer = answer(429, Some(DATE), Some(retry_after));
    answer.into_grant(Spelling::Snake, asked).unwrap_err()
}

/// Returns the delay of the next attempt after a refusal with this `Retry-After`, in milliseconds. The token is served
/// meanwhile.
async fn next_attempt_after(retry_after: &str) -> u128 {
    let issuer = ScriptedIssuer::new(&[grant(3_600), Play::Refuse(too_many_requests(retry_after))]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
    let mut view = handle.follow();
    // Wait on the view instead of sleeping: the delay is measured from the moment of the failure.
    while view.borrow_and_update().failures == 0 {
        view.changed().await.unwrap();
    }
    assert_eq!(text(&handle, NOW, NOW).await, "token-1");
    let state = handle.state().reply;
    assert_eq!(state.phase, Phase::Retrying);
    assert_eq!(state.last_fault.unwrap().kind, FaultKind::RateLimited);
    let due = handle.follow().borrow().next_attempt.unwrap();
    due.since(clock.now().boot).as_millis()
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_of_zero_or_in_the_past_waits_one_second() {
    for text in ["0", "00", "Thu, 01 Jan 1970 00:00:00 GMT", DATE] {
        assert_eq!(next_attempt_after(text).await, 1_000, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_excessive_retry_after_is_capped_at_five_minutes() {
    for text in [
        "1000000000000",
        "99999999999999999999999999",
        "Fri, 31 Dec 9999 23:59:59 GMT",
    ] {
        assert_eq!(next_attempt_after(text).await, 300_000, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_retry_after_is_ignored_and_the_back_off_applies() {
    for text in ["-1", "", "soon", "1.5", "1e3", "\u{7f}", "Wed, 25 Nov 2026"] {
        assert_eq!(next_attempt_after(text).await, 500, "{text:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_invalid_date_header_affects_only_the_displayed_clock_skew() {
    let absurd = i64::try_from(1_800_000_000u64).unwrap();
    for (date, skew) in [
        (None, None),
        (Some(""), None),
        (Some("1994-11-06T08:49:37Z"), None),
        (Some("Thu, 01 Jan 1969 00:00:00 GMT"), None),
        (Some("Wed, 25 Nov 2026 12:00:00 +0100"), None),
        (Some("Thu, 01 Jan 1970 00:00:00 GMT"), Some(1 - absurd)),
        (
            Some("Fri, 31 Dec 9999 23:59:59 GMT"),
            Some(253_402_300_799 - absurd),
        ),
        // The two other forms of RFC 9110 section 5.6.7.
        (
            Some("Sunday, 06-Nov-94 08:49:37 GMT"),
            Some(784_111_778 - absurd),
        ),
        (Some("Sun Nov  6 08:49:37 1994"), Some(784_111_778 - absurd)),
    ] {
        let read: Option<UnixTime> = answer(200, date, None).server_date();
        let issuer = ScriptedIssuer::dated(&[grant(3_600)], read);
        let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
        assert_eq!(text(&handle, NOW, secs(5)).await, "token-1");
        let state = handle.state().reply;
        assert_eq!(state.clock_skew, skew, "{date:?}");
        assert_eq!((state.phase, state.expires_in), (Phase::Fresh, Some(3_570)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_retry_after_ends_early_reports_that_reason() {
    let issuer = ScriptedIssuer::new(&[Play::Refuse(too_many_requests("120")), grant(3_600)]);
    let (handle, clock) = keep(&issuer, &MemoryStore::new(Some("s")));
    let start = clock.now().boot;
    let problem = handle.token(NOW, secs(30)).await.unwrap_err();
    assert_eq!(problem.code, Code::Unavailable);
    assert_eq!(problem.ended_early, Some(EarlyEnd::NextAttemptIsLater));
    assert!(clock.now().boot.since(start) < secs(30));
    // A request that does not wait, or that waits past the stated time, does not end early.
    assert_eq!(handle.token(NOW, NOW).await.unwrap_err().ended_early, None);
    assert_eq!(text(&handle, NOW, secs(200)).await, "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_times_out_during_an_attempt_is_not_reported_as_early() {
    let issuer = ScriptedIssuer::new(&[Play::Hang]);
    let (handle, _) = keep(&issuer, &MemoryStore::new(Some("s")));
    let problem = handle.token(NOW, secs(3)).await.unwrap_err();
    assert_eq!((problem.code, problem.ended_early), (Code::Deadline, None));
}

#[tokio::test(start_paused = true)]
async fn a_failed_refresh_mentions_the_held_token_only_if_one_is_held() {
    // `is_held`: the first attempt brings a token. `is_stated`: later attempts fail with a stated wait, which delays
    // the next refresh.
    for (is_held, is_stated) in [(true, false), (true, true), (false, false), (false, true)] {
        let failure = || match is_stated {
            true => Play::Refuse(too_many_requests("100")),
            false => fail(FaultKind::Connect),
        };
        let mut plays: Vec<_> = (0..40).map(|_| failure()).collect();
        if is_held {
            plays.insert(0, grant(1_000));
        }
        let (handle, _) = keep(&ScriptedIssuer::new(&plays), &MemoryStore::new(Some("s")));
        tokio::time::sleep(secs(1)).await;
        for _ in 0..2 {
            let problem = handle.refresh(secs(5)).await.unwrap_err();
            let text = problem.detail();
            assert_eq!(
                problem.code,
                Code::Unavailable,
                "{is_held} {is_stated}: {text}"
            );
            assert_eq!(
                text.contains("is still served"),
                is_held,
                "{is_stated}: {text}"
            );
            assert_eq!(
                text.contains("there is no valid token"),
                !is_held,
                "{is_stated}: {text}"
            );
            tokio::time::sleep(secs(11)).await;
        }
    }
}
