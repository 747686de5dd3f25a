//! Errors for an OAuth 2.0 client (RFC 6749 section 5.2), which knows fewer kinds than Jeton.
//!
//! One table maps Jeton's codes to OAuth's. The status is the problem's own, since it keeps the distinctions that
//! OAuth's codes lack. The exceptions are the 401 that section 5.2 requires, and the 503 of "not now".
//!
//! Section 5.2 has no code for "not now". Jeton chose `temporarily_unavailable` (section 4.1.2.1) with 503 and
//! `Retry-After`: every other code of the registry tells a client that a retry does not help.

use std::borrow::Cow;

use serde::Serialize;

use crate::instant::UnixTime;
use crate::problem::{Code, Problem};

/// An error code of OAuth 2.0 (the registry of RFC 6749 section 11.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Error {
    /// The request is malformed.
    InvalidRequest,
    /// The client is unknown, or the request names none.
    InvalidClient,
    /// The grant is not client credentials.
    UnsupportedGrantType,
    /// The scope, audience or resource is not the profile's.
    InvalidScope,
    /// The caller may not have this profile's tokens.
    AccessDenied,
    /// There is no token, and a retry does not help.
    ServerError,
    /// There is no token now; a later retry helps. Only Jeton uses this code at a token endpoint.
    TemporarilyUnavailable,
}

/// A refusal in the form of section 5.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The error's code.
    pub error: Error,
    /// The HTTP status.
    pub status: u16,
    /// A sentence for people, with only the characters that section 5.2 allows.
    pub description: Cow<'static, str>,
    /// The time of the next attempt, if it is known.
    pub retry_at: Option<UnixTime>,
}

/// Maps Jeton's code to OAuth's.
const fn error_of(code: Code) -> Error {
    match code {
        Code::BadRequest | Code::PayloadTooLarge | Code::MethodNotAllowed | Code::NotFound => {
            Error::InvalidRequest
        }
        Code::UnknownProfile => Error::InvalidClient,
        Code::Forbidden => Error::AccessDenied,
        Code::NotEnrolled
        | Code::Misconfigured
        | Code::BindingChanged
        | Code::RejectedByProvider
        | Code::Conflict
        | Code::NeedsHuman
        | Code::NotSupported
        | Code::Internal => Error::ServerError,
        Code::Unavailable
        | Code::Deadline
        | Code::TooManyRequests
        | Code::CoolingDown
        | Code::Locked => Error::TemporarilyUnavailable,
    }
}

// === impl Error ===

impl Error {
    /// Returns the code as spelled in the registry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
}

// === impl Refusal ===

impl Refusal {
    /// Creates a refusal of the request itself: 401 for an unknown client, else 400.
    pub const fn new(error: Error, description: &'static str) -> Self {
        let status = match error {
            Error::InvalidClient => 401,
            _ => 400,
        };
        Self {
            error,
            status,
            description: Cow::Borrowed(description),
            retry_at: None,
        }
    }

    /// Returns the earliest time at which a retry helps; `None` if it never does. If the time is unknown, it is `now`:
    /// an attempt may be running, and the next request waits for it.
    pub fn again_at(&self, now: UnixTime) -> Option<UnixTime> {
        let is_passing = self.error == Error::TemporarilyUnavailable;
        self.retry_at.or(is_passing.then_some(now))
    }

    /// Formats the body of the response: `application/json`.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'static str,
            error_description: &'a str,
        }
        let body = Body {
            error: self.error.as_str(),
            error_description: &self.description,
        };
        // A struct of strings always serialises.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let refusal = Self::new(error_of(problem.code), "");
        Self {
            description: allowed(problem.detail()),
            status: match refusal.error {
                Error::InvalidClient => refusal.status,
                Error::TemporarilyUnavailable => 503,
                _ => problem.code.row().status,
            },
            retry_at: problem.retry_at,
            ..refusal
        }
    }
}

/// Replaces characters that section 5.2 does not allow. A reason may quote the configuration.
fn allowed(text: Cow<'static, str>) -> Cow<'static, str> {
    let is_allowed = |c: char| matches!(c, ' '..='!' | '#'..='[' | ']'..='~');
    if text.chars().all(is_allowed) {
        return text;
    }
    let replaced = text.chars().map(|c| if is_allowed(c) { c } else { '\'' });
    Cow::Owned(replaced.collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::problem::TABLE;

    #[test]
    fn every_problem_maps_to_an_oauth2_error_and_temporary_ones_to_503() {
        let table: Vec<String> = TABLE
            .iter()
            .map(|row| {
                let refusal = Refusal::from(Problem::new(row.code));
                let (error, status) = (refusal.error.as_str(), refusal.status);
                format!("{} {error}/{status}", row.name)
            })
            .collect();
        assert_eq!(
            table,
            [
                "bad_request invalid_request/400",
                "payload_too_large invalid_request/413",
                "method_not_allowed invalid_request/405",
                "not_found invalid_request/404",
                "forbidden access_denied/403",
                "unknown_profile invalid_client/401",
                "not_enrolled server_error/409",
                "misconfigured server_error/503",
                "binding_changed server_error/409",
                "rejected_by_provider server_error/502",
                "unavailable temporarily_unavailable/503",
                "deadline temporarily_unavailable/503",
                "too_many_requests temporarily_unavailable/503",
                "cooling_down temporarily_unavailable/503",
                "conflict server_error/409",
                "needs_human server_error/409",
                "locked temporarily_unavailable/503",
                "not_supported server_error/501",
                "internal server_error/500",
            ]
        );
    }

    #[test]
    fn every_temporary_refusal_says_when_to_retry() {
        let [now, later] = [100, 160].map(|s| UnixTime::from_epoch(Duration::from_secs(s)));
        for row in TABLE {
            let refusal = Refusal::from(Problem::new(row.code));
            let is_not_now = row.exit == 75 && row.code != Code::Conflict;
            let again = refusal.again_at(now);
            assert_eq!(again, is_not_now.then_some(now), "{}", row.name);
            let known = Refusal::from(Problem::new(row.code).until(Some(later)));
            assert_eq!(known.again_at(now), Some(later), "{}", row.name);
        }
    }

    #[test]
    fn an_oauth2_error_has_two_members_in_characters_of_section_5_2() {
        let allowed = |text: &str| {
            text.bytes()
                .all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e))
        };
        for row in TABLE {
            assert!(allowed(row.detail), "{}", row.detail);
        }
        assert_eq!(
            String::from_utf8(Refusal::new(Error::InvalidScope, "another one").to_json()).unwrap(),
            r#"{"error":"invalid_scope","error_description":"another one"}"#
        );
        let quoting =
            Problem::new(Code::Misconfigured).because("line 3: \"é\\\n\" is no key".into());
        let told = Refusal::from(quoting).description;
        assert!(told.ends_with("line 3: ''''' is no key"), "{told}");
    }
}
