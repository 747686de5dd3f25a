//! Limits interim answers (RFC 9110 section 15.2).
//!
//! A server may send any number of them before the final answer. Each costs the server a few bytes, but the client
//! has to parse a head.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Request;
use hyper::ext::on_informational;
use tokio::sync::Notify;

use super::exceeded::Exceeded;

/// The maximum number of interim answers to one request. Real servers send one or two, if any.
const MOST: usize = 64;

/// Sends a request, and cancels it after more than [`MOST`] interim answers.
///
/// # Errors
/// [`Exceeded::InterimAnswers`] in that case.
pub(super) async fn limited<B, T, S>(
    mut request: Request<B>,
    send: impl FnOnce(Request<B>) -> S,
) -> Result<T, Exceeded>
where
    S: Future<Output = T>,
{
    let (seen, too_many) = (AtomicUsize::new(0), Arc::new(Notify::new()));
    let tell = Arc::clone(&too_many);
    on_informational(&mut request, move |_| {
        if seen.fetch_add(1, Ordering::Relaxed) == MOST {
            tell.notify_one();
        }
    });
    tokio::select! { biased;
        () = too_many.notified() => Err(Exceeded::InterimAnswers),
        sent = send(request) => Ok(sent),
    }
}

#[cfg(test)]
mod tests {
    use super::MOST;
    use crate::config::BaseUrl;
    use crate::fault::{Fault, FaultKind};
    use crate::provider::fake::{Fake, Play};
    use crate::provider::http::{Http, Request, Settings};

    const FINAL: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

    /// Returns the status of an exchange with a server that sends this answer.
    async fn exchange(answer: &str) -> Result<u16, Fault> {
        let fake = Fake::start(vec![Play::Answer(answer.as_bytes().to_vec())]).await;
        let origin = BaseUrl::parse(&fake.url()).unwrap().origin();
        let request = Request {
            url: origin.join("/token"),
            authorization: None,
            post: None,
        };
        let http = Http::new(origin, Settings::default());
        http.send(request, None).await.map(|answer| answer.status)
    }

    #[tokio::test]
    async fn interim_responses_are_skipped_up_to_a_limit() {
        let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        let most = interim.repeat(MOST / 2);
        assert_eq!(exchange(&format!("{most}{FINAL}")).await, Ok(200));
        for more in ["HTTP/1.1 102 Processing\r\n\r\n", &most.repeat(100)] {
            for end in ["", FINAL] {
                let fault = exchange(&format!("{most}{more}{end}")).await.unwrap_err();
                assert_eq!(fault.kind, FaultKind::InterimAnswers, "{fault:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_few_large_interim_responses_exceed_the_limit() {
        let large = format!("HTTP/1.1 103 X\r\nX: {}\r\n\r\n", "x".repeat(60_000));
        let answer = |interim: usize| large.repeat(interim) + FINAL;
        assert_eq!(exchange(&answer(8)).await, Ok(200));
        let fault = exchange(&answer(9)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::InterimAnswers, "{fault:?}");
    }
}
