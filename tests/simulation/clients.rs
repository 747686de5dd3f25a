//! The clients of a run: each sends one HTTP request and records its answer.

use std::sync::Arc;
use std::time::Duration;

use jetond::daemon::service::SocketKind;
use jetond::lifecycle::Phase;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bug::Bug;
use crate::coverage::EventKind;
use crate::daemon::Daemon;
use crate::history::{Answer, Ask, Event};
use crate::world::{Count, SeenToken, World};

/// A client without an answer gives up this long after its deadline.
const PATIENCE: Duration = Duration::from_secs(30);

/// One client, or several.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    pub(crate) daemon: Arc<Daemon>,
    pub(crate) profile: usize,
    pub(crate) uid: u32,
}

impl Client {
    /// Sends a request and waits for the answer; hangs up after `hangs_up`. If the token's service rejects it,
    /// reports the token and tries again with the next one.
    pub(crate) async fn ask(self, mut ask: Ask, hangs_up: Option<Duration>) {
        const TRIES: usize = 4;
        for _ in 0..TRIES {
            let Some(got) = self.ask_once(ask, hangs_up).await else {
                return;
            };
            let pause = {
                let state = &mut *self.world.state();
                let is_rejecting = state.subjects[self.profile].is_rejecting;
                is_rejecting.then(|| Duration::from_millis(state.rng.u64(0..3_000)))
            };
            let Some(pause) = pause else { return };
            tokio::time::sleep(pause).await;
            ask = self.report(got, Duration::from_secs(5));
        }
    }

    /// Makes a report of the token.
    pub(crate) fn report(&self, seen: SeenToken, max_wait: Duration) -> Ask {
        let met = if self.world.state().subjects[self.profile].holds(&seen) {
            EventKind::RejectHeld
        } else {
            EventKind::RejectOther
        };
        self.world.meets(self.profile, met);
        Ask::Reject {
            token: seen.token,
            generation: seen.generation,
            life: seen.life,
            got: seen.got,
            by_hash: self.world.state().rng.bool(),
            max_wait,
            uid: self.uid,
        }
    }

    /// Sends one request. All other clients then know the token that it gets.
    async fn ask_once(&self, ask: Ask, hangs_up: Option<Duration>) -> Option<SeenToken> {
        let request = self.begins(ask);
        let begun = self.world.at().run;
        let mut stream = self.daemon.connect(door(&ask), self.uid);
        let text = self.text(&ask);
        let answered = async {
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut bytes = vec![];
            stream.read_to_end(&mut bytes).await.unwrap();
            tokio::time::sleep(self.dawdles(&ask, begun)).await;
            String::from_utf8(bytes).unwrap()
        };
        let limit = hangs_up.unwrap_or(ask.max_wait() + PATIENCE);
        let (what, seen) = match tokio::time::timeout(limit, answered).await {
            Ok(text) => {
                let (status, body) = status_and_body(&text);
                let plain = matches!(ask, Ask::Token { plain: true, .. }) && status == 200;
                let answer = self.passed_on(request, answer(status, body, plain));
                let seen = self.sees(&answer);
                (Event::Answered { request, answer }, seen)
            }
            Err(_) if hangs_up.is_some() => (Event::HungUp { request }, None),
            Err(_) => (Event::Silence { request }, None),
        };
        self.world.record(what);
        seen
    }

    /// Returns how long a relay with a bug delays an answer.
    fn dawdles(&self, ask: &Ask, begun: Duration) -> Duration {
        let left = (begun + ask.max_wait()).saturating_sub(self.world.at().run);
        match self.world.bug {
            Some(Bug::SlowDoor) => Duration::from_millis(50),
            Some(Bug::LazyDoor) => left / 2,
            _ => Duration::ZERO,
        }
    }

    /// Returns an answer as a relay with a bug passes it on.
    fn passed_on(&self, request: u32, mut answer: Answer) -> Answer {
        match self.world.bug {
            Some(Bug::ForgetfulDoor) if request.is_multiple_of(3) => {
                answer.generation = answer.generation.map(|generation| generation - 1);
            }
            Some(Bug::FlatteringDoor) => answer.stale = false,
            _ => {}
        }
        answer
    }

    /// Records the request.
    pub(crate) fn begins(&self, ask: Ask) -> u32 {
        let phase = self.world.phase(self.profile);
        let at = self.world.at();
        let request = {
            let state = &mut *self.world.state();
            if ask.is_asking() && phase == Some(Phase::Resting) {
                state.subjects[self.profile].woken = Some(at.run);
            }
            state.next(Count::Request)
        };
        let profile = self.profile;
        self.world.record(Event::Asked {
            request,
            profile,
            ask,
        });
        request
    }

    pub(crate) fn text(&self, ask: &Ask) -> String {
        let name = self.world.state().subjects[self.profile].name.clone();
        let token = format!("tok-p{}-", self.profile);
        request_text(name.as_str(), ask, &token)
    }

    /// Returns the token of an answer, and makes it known to all clients.
    pub(crate) fn sees(&self, answer: &Answer) -> Option<SeenToken> {
        let got = self.world.at().run;
        let token = answer.token.as_ref()?.rsplit_once('-')?.1.parse().ok()?;
        let generation = answer.generation?;
        let subject = &mut self.world.state().subjects[self.profile];
        let seen = SeenToken {
            token,
            generation,
            life: subject.life,
            got,
        };
        subject.sees(seen);
        Some(seen)
    }
}

const fn door(ask: &Ask) -> SocketKind {
    if matches!(ask, Ask::Reload) {
        SocketKind::Admin
    } else {
        SocketKind::Tokens
    }
}

/// Formats seconds as the interface takes them.
fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

fn request_text(name: &str, ask: &Ask, token: &str) -> String {
    let (line, more, body) = match ask {
        Ask::Token {
            min_valid,
            max_wait,
            plain,
        } => {
            let (min_valid, max_wait) = (seconds(*min_valid), seconds(*max_wait));
            let accept = if *plain { "Accept: text/plain\r\n" } else { "" };
            let query = format!("min_valid={min_valid}&max_wait={max_wait}");
            let line = format!("GET /v1/profiles/{name}/token?{query}");
            (line, accept.to_owned(), String::new())
        }
        Ask::Oauth2 => {
            let body = format!("grant_type=client_credentials&client_id={name}");
            let length = body.len();
            let more = format!(
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n"
            );
            ("POST /oauth2/token".to_owned(), more, body)
        }
        Ask::Status => (
            format!("GET /v1/profiles/{name}"),
            String::new(),
            String::new(),
        ),
        Ask::Ready => (format!("GET /readyz/{name}"), String::new(), String::new()),
        Ask::Refresh => {
            let line = format!("POST /v1/profiles/{name}/refresh");
            (line, String::new(), String::new())
        }
        Ask::Reject {
            token: number,
            generation,
            by_hash,
            max_wait,
            ..
        } => {
            let body = if *by_hash {
                let hash = Sha256::digest(format!("{token}{number}"));
                let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("{{\"token_sha256\":\"{hex}\"}}")
            } else {
                format!("{{\"generation\":{generation}}}")
            };
            let wait = seconds(*max_wait);
            let line = format!("POST /v1/profiles/{name}/token/reject?max_wait={wait}");
            let length = body.len();
            let more = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
            (line, more, body)
        }
        Ask::Watch { since, .. } => {
            let line = format!("GET /v1/profiles/{name}/watch");
            let more = since.map(|since| format!("Last-Event-ID: {since}\r\n"));
            (line, more.unwrap_or_default(), String::new())
        }
        Ask::Reload => ("POST /v1/reload".to_owned(), String::new(), String::new()),
    };
    // Without chunked coding, the body consists of the events alone.
    let version = if matches!(ask, Ask::Watch { .. }) {
        "1.0"
    } else {
        "1.1"
    };
    format!("{line} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n{body}")
}

pub(crate) fn status_and_body(text: &str) -> (u16, &str) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    (status.unwrap_or(0), body)
}

/// Parses a body: a token as plain text, or an answer or a problem as JSON.
pub(crate) fn answer(status: u16, body: &str, plain: bool) -> Answer {
    let json: Value = serde_json::from_str(body).unwrap_or_default();
    let text_of = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
    Answer {
        status,
        code: text_of("code").or_else(|| text_of("error")),
        token: if plain {
            Some(body.trim_end().to_owned())
        } else {
            text_of("access_token")
        },
        generation: json.get("generation").and_then(Value::as_u64),
        expires_in: json.get("expires_in").and_then(Value::as_u64),
        stale: json.get("stale").and_then(Value::as_bool).unwrap_or(false),
        body: body.to_owned(),
    }
}
