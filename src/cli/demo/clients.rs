//! The client programs of the demo: each asks the socket for a token all the time, and calls the API with each.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;

use super::link::{Link, LinkPeer};
use crate::clock::{Clock as _, SystemClock};
use crate::instant::BootInstant;

/// The pause of a program between two requests: a shorter one would only show how fast the machine is.
const PAUSE: Duration = Duration::from_millis(8);

/// An endpoint that takes a token.
const API: &str = "/api/v1/authorization/permissions";

/// The daemon's answer.
#[derive(Deserialize)]
struct DemoAnswer {
    access_token: String,
    expires_in: u64,
    generation: u64,
}

/// The results of the programs' requests.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// Tokens asked for.
    pub(super) requests: u64,
    /// The number of requests that returned no token, or one that the API rejected.
    pub(super) failed: u64,
    /// The reason of the first failure.
    pub(super) first_failure: Option<String>,
    /// The number of different tokens so far.
    pub(super) tokens: u64,
    /// The newest of them.
    pub(super) newest: Option<Newest>,
    /// The slowest answer of the socket.
    pub(super) slowest: Duration,
    /// The time for which a new token is served.
    served: Duration,
}

/// The newest token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Newest {
    generation: u64,
    /// The end of the token's use: by the daemon's whole seconds, and between them by our own estimate.
    until: BootInstant,
}

/// The tally that all programs share.
#[derive(Debug, Clone)]
pub(super) struct SharedTally(Arc<Mutex<Tally>>);

impl Tally {
    /// Counts one request; `from` and `to` are the times of the request to the socket and of its answer.
    fn enter(&mut self, from: BootInstant, to: BootInstant, outcome: Result<(u64, u64), String>) {
        self.requests += 1;
        self.slowest = self.slowest.max(to.since(from));
        match outcome {
            Ok((generation, expires_in)) => self.see(to, generation, expires_in),
            Err(why) => {
                self.failed += 1;
                self.first_failure.get_or_insert(why);
            }
        }
    }

    fn see(&mut self, at: BootInstant, generation: u64, expires_in: u64) {
        let floor = at.after(Duration::from_secs(expires_in));
        let sure = |until: BootInstant| until.clamp(floor, floor.after(Duration::from_secs(1)));
        match &mut self.newest {
            Some(newest) if newest.generation > generation => {}
            Some(newest) if newest.generation == generation => newest.until = sure(newest.until),
            newest => {
                *newest = Some(Newest {
                    generation,
                    until: sure(at.after(self.served)),
                });
                self.tokens += 1;
            }
        }
    }

    /// The time for which the newest token is still served.
    pub(super) fn left(&self, now: BootInstant) -> Duration {
        self.newest
            .map_or(Duration::ZERO, |newest| newest.until.since(now))
    }
}

impl SharedTally {
    /// Starts an empty tally, for tokens that are served for this time.
    pub(super) fn new(served: Duration) -> Self {
        let tally = Tally {
            served,
            ..Tally::default()
        };
        Self(Arc::new(Mutex::new(tally)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends requests for ever.
pub(super) async fn ask(
    profile: &'static str,
    socket: LinkPeer,
    api: LinkPeer,
    tally: SharedTally,
) {
    let path = format!("/v1/profiles/{profile}/token");
    let (mut socket, mut api) = (Link::new(socket), Link::new(api));
    loop {
        let from = SystemClock.now().boot;
        let answer = token(&mut socket, &path).await;
        let to = SystemClock.now().boot;
        let outcome = match answer {
            Ok(answer) => call(&mut api, &answer)
                .await
                .map(|()| (answer.generation, answer.expires_in)),
            Err(why) => Err(format!("the daemon gave no token: {why}")),
        };
        tally.lock().enter(from, to, outcome);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Gets one token, if there is no companion to show.
pub(super) async fn token_once(socket: LinkPeer, profile: &str) -> Result<String, String> {
    let path = format!("/v1/profiles/{profile}/token");
    let answer = token(&mut Link::new(socket), &path).await?;
    Ok(answer.access_token)
}

/// Gets a token once, and calls the API with it.
pub(super) async fn ask_once(profile: &str, socket: LinkPeer, api: LinkPeer) -> Result<(), String> {
    let path = format!("/v1/profiles/{profile}/token");
    let answer = token(&mut Link::new(socket), &path).await?;
    call(&mut Link::new(api), &answer).await
}

async fn token(socket: &mut Link, path: &str) -> Result<DemoAnswer, String> {
    let (status, body) = socket.get(path, None).await?;
    if status != StatusCode::OK {
        return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
    }
    serde_json::from_slice(&body).map_err(|_| "a malformed answer".to_owned())
}

async fn call(api: &mut Link, answer: &DemoAnswer) -> Result<(), String> {
    match api.get(API, Some(&answer.access_token)).await {
        Ok((StatusCode::OK, _)) => Ok(()),
        Ok((status, _)) => Err(format!("the API did not take the token: {status}")),
        Err(why) => Err(format!("the API did not answer: {why}")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::disallowed_methods,
        reason = "a test's own numbers are seconds"
    )]

    use super::*;

    fn at(seconds: f64) -> BootInstant {
        BootInstant::from_boot(Duration::from_secs_f64(100.0 + seconds))
    }

    #[test]
    fn each_token_is_counted_once_and_its_time_left_matches_the_daemons_seconds() {
        let shared = SharedTally::new(Duration::from_secs_f64(5.7));
        let mut tally = shared.lock();
        assert_eq!(tally.left(at(0.0)), Duration::ZERO);
        tally.enter(at(0.0), at(0.0), Ok((7, 5)));
        assert_eq!(tally.left(at(0.0)), Duration::from_secs_f64(5.7));
        // The answer comes half a second late, so the token is served for less time than estimated.
        tally.enter(at(0.5), at(0.5), Ok((7, 4)));
        assert_eq!(tally.left(at(0.5)), Duration::from_secs(5));
        tally.enter(at(0.6), at(0.6), Ok((8, 5)));
        tally.enter(at(0.5), at(0.7), Ok((7, 4)));
        assert_eq!((tally.tokens, tally.requests, tally.failed), (2, 4, 0));
        assert_eq!(tally.slowest, Duration::from_millis(200));
        assert_eq!(tally.left(at(60.0)), Duration::ZERO);
    }

    #[test]
    fn only_the_first_failure_is_reported() {
        let shared = SharedTally::new(Duration::from_secs(5));
        let mut tally = shared.lock();
        for why in ["first", "second"] {
            tally.enter(at(0.0), at(0.0), Err(why.to_owned()));
        }
        assert_eq!((tally.requests, tally.failed), (2, 2));
        assert_eq!(tally.first_failure.as_deref(), Some("first"));
    }
}
