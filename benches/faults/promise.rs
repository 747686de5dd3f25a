//! The promises about every reply, and checks that they are kept.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::place::LIFE;
use super::wire::Answer;

/// The largest difference between two clock readings that count as the same moment: the daemon has its own readings,
/// and the wall clock is slewed.
const SLACK: f64 = 0.05;

/// A reading of both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at: Instant,
    /// The Unix time in seconds.
    pub(crate) unix: f64,
}

/// The parameters of a request.
#[derive(Debug, Clone)]
pub(crate) struct TokenParameters {
    pub(crate) profile: String,
    pub(crate) min_valid: Duration,
    pub(crate) max_wait: Duration,
    /// Whether the issuer may have rejected the credential.
    pub(crate) rejecting: bool,
}

/// The last token that a client got from a profile.
#[derive(Debug, Default)]
pub(crate) struct Last {
    token: String,
    generation: u64,
    expires_at: u64,
    /// The expiry in the token itself, which a resource would check.
    exp: u64,
}

/// A reply that keeps the promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GoodReply {
    /// A token, which is served until then.
    Served { until: u64 },
    /// A refusal.
    Refused,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Token {
    profile: String,
    access_token: String,
    token_type: String,
    expires_in: u64,
    expires_at: u64,
    generation: u64,
    stale: bool,
}

#[derive(Deserialize)]
struct Problem {
    status: u16,
    code: String,
    profile: String,
    retry_at: Option<u64>,
}

#[derive(Deserialize)]
struct Claims {
    exp: u64,
}

impl Moment {
    /// Reads both clocks now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            at: Instant::now(),
            unix: since.unwrap().as_secs_f64(),
        }
    }
}

impl TokenParameters {
    /// Returns the request's target.
    pub(crate) fn target(&self) -> String {
        format!(
            "/v1/profiles/{}/token?min_valid={}&max_wait={}",
            self.profile,
            self.min_valid.as_secs_f64(),
            self.max_wait.as_secs_f64()
        )
    }

    /// Returns the remaining validity, in seconds, with which a token is served without a wait.
    pub(crate) fn wanted(&self) -> f64 {
        self.min_valid.min(LIFE / 2).as_secs_f64()
    }

    /// Checks a reply against the promises. The caller decides whether a refusal or a late reply is allowed at all.
    ///
    /// # Errors
    /// The broken promise.
    pub(crate) fn judge(
        &self,
        answer: &Answer,
        sent: Moment,
        came: Moment,
        last: &mut Last,
    ) -> Result<GoodReply, String> {
        let shown = || String::from_utf8_lossy(&answer.body).into_owned();
        if answer.status == 200 {
            let token =
                serde_json::from_slice(&answer.body).map_err(|e| format!("{e} in a 200"))?;
            self.served(&token, sent, came, last)
        } else {
            let problem = serde_json::from_slice(&answer.body)
                .map_err(|e| format!("{e} in {}", answer.status))?;
            self.refused(answer, &problem, sent, came)
                .map_err(|why| format!("{why}: {}, {}", answer.status, shown()))
        }
    }

    fn served(
        &self,
        token: &Token,
        sent: Moment,
        came: Moment,
        last: &mut Last,
    ) -> Result<GoodReply, String> {
        let (from, until) = (token.expires_at as f64, token.expires_at as f64 + 1.0);
        if token.profile != self.profile || token.token_type != "Bearer" {
            return Err("a token of another kind".to_owned());
        }
        if token.access_token != last.token {
            last.exp = exp(&token.access_token).ok_or("a token that the issuer did not give")?;
            if token.generation <= last.generation {
                let (new, old) = (token.generation, last.generation);
                return Err(format!("another token of generation {new} after {old}"));
            }
        } else if token.generation != last.generation
            || token.expires_at.abs_diff(last.expires_at) > 1
        {
            return Err("the same token with another generation or end".to_owned());
        }
        last.token.clone_from(&token.access_token);
        last.generation = token.generation;
        last.expires_at = token.expires_at;
        if sent.unix > until + SLACK || token.expires_at > last.exp {
            let past = sent.unix - from;
            return Err(format!(
                "a token that had ended {past:.3} s ago, by itself at {}",
                last.exp
            ));
        }
        let left = token.expires_in as f64;
        if left > until - sent.unix + SLACK || left < from - came.unix - 1.0 - SLACK {
            return Err(format!(
                "{left} s left of what ends in {:.3}",
                from - came.unix
            ));
        }
        // With the shortest and the longest time that can have been left when the daemon decided.
        let wanted = self.wanted();
        let stale = from - came.unix < wanted + SLACK;
        let fresh = until - sent.unix > wanted - SLACK;
        if !(if token.stale { stale } else { fresh }) {
            let word = if token.stale { "stale" } else { "not stale" };
            let left = from - came.unix;
            return Err(format!("{word} with {left:.3} s of {wanted} left"));
        }
        Ok(GoodReply::Served {
            until: token.expires_at,
        })
    }

    fn refused(
        &self,
        answer: &Answer,
        problem: &Problem,
        sent: Moment,
        came: Moment,
    ) -> Result<GoodReply, &'static str> {
        if !answer.is_problem || problem.status != answer.status || problem.profile != self.profile
        {
            return Err("not the problem that it says");
        }
        let early = came.at - sent.at + Duration::from_millis(5) < self.max_wait;
        let retry_at = problem.retry_at.map(|at| at as f64);
        let is_past = |at: f64| at + SLACK < sent.unix.floor();
        match (answer.status, problem.code.as_str(), retry_at) {
            (503, "unavailable", Some(at)) => {
                let end = sent.unix + self.max_wait.as_secs_f64();
                if early && at + SLACK < end {
                    return Err("sent away before an attempt that was due in time");
                }
                let wait = answer.retry_after.ok_or("no Retry-After")? as f64;
                let (least, most) = (at - came.unix.floor(), at - sent.unix.floor());
                if wait < least.max(1.0) - SLACK || wait > most.max(1.0) + SLACK {
                    return Err("Retry-After and retry_at do not agree");
                }
                if is_past(at) {
                    Err("retry_at is past")
                } else {
                    Ok(GoodReply::Refused)
                }
            }
            // An attempt is running, so the time of the next one is unknown.
            (504, "deadline", None) if early => Err("the deadline, before it had come"),
            (504, "deadline", None) => Ok(GoodReply::Refused),
            // The same while a rejected credential is probed.
            (502, "rejected_by_provider", at) if self.rejecting && !at.is_some_and(is_past) => {
                Ok(GoodReply::Refused)
            }
            _ => Err("a wrong code, or retry_at where it must not be, or not where it must"),
        }
    }
}

/// Returns the `exp` of a sandbox's token.
fn exp(token: &str) -> Option<u64> {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    Some(claims.exp)
}
