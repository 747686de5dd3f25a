//! Problems: every way in which a request can fail, as one table of code, HTTP status, exit code and texts.
//!
//! The texts are fixed, so a client's screen never shows what an issuer or another client wrote. Only faults of the
//! configuration are described in their own words, which name files and keys and quote no value.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use crate::command_line;
use crate::instant::UnixTime;
use crate::profile::ProfileName;

mod code;

pub use code::{Code, Row, TABLE};

/// A failed request, as reported to its client (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The kind of failure.
    pub code: Code,
    /// A fixed sentence that is more specific than the code's own.
    pub detail: Option<&'static str>,
    /// The fault of the configuration, in its own words.
    pub reason: Option<Arc<str>>,
    /// The profile concerned.
    pub profile: Option<ProfileName>,
    /// When the next attempt is due.
    pub retry_at: Option<UnixTime>,
    /// The reason why the caller's wait ended early, if it did.
    pub ended_early: Option<EarlyEnd>,
}

/// The reason why a caller's wait ended before its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyEnd {
    /// The next attempt is due after the limit.
    NextAttemptIsLater,
    /// The daemon needed the slot of the caller's connection for another user.
    SlotIsNeeded,
}

// === impl Problem ===

impl Problem {
    /// Creates a problem with the code's own text.
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            reason: None,
            profile: None,
            retry_at: None,
            ended_early: None,
        }
    }

    /// Creates the problem of a malformed request, with a fixed sentence that says what is wrong.
    pub fn bad_request(detail: &'static str) -> Self {
        Self {
            detail: Some(detail),
            ..Self::new(Code::BadRequest)
        }
    }

    /// Sets a more specific fixed sentence.
    #[must_use]
    pub fn with_detail(mut self, detail: &'static str) -> Self {
        self.detail = Some(detail);
        self
    }

    /// Sets the fault of the configuration.
    #[must_use]
    pub fn because(mut self, reason: Arc<str>) -> Self {
        self.reason = Some(reason);
        self
    }

    /// Sets the profile.
    #[must_use]
    pub fn of(mut self, profile: &ProfileName) -> Self {
        self.profile = Some(profile.clone());
        self
    }

    /// Sets the time of the next attempt.
    #[must_use]
    pub fn until(mut self, retry_at: Option<UnixTime>) -> Self {
        self.retry_at = retry_at;
        self
    }

    /// Sets the reason why the caller's wait ended early, if it did.
    #[must_use]
    pub fn ended_early(mut self, early: Option<EarlyEnd>) -> Self {
        self.ended_early = early;
        self
    }

    /// Returns the sentence for people.
    pub fn detail(&self) -> Cow<'static, str> {
        let fixed = self.detail.unwrap_or(self.code.row().detail);
        let mut text = command_line::proposed(fixed, self.profile.as_ref());
        if let Some(reason) = &self.reason {
            text = Cow::Owned(format!("{text}: {reason}"));
        }
        if let Some(early) = self.ended_early {
            let why = early.why();
            text = Cow::Owned(format!("{text}; the wait ended early, since {why}"));
        }
        text
    }

    /// Formats the body of the response: `application/problem+json`.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            title: &'a str,
            status: u16,
            code: &'a str,
            detail: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            profile: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            retry_at: Option<u64>,
        }
        let row = self.code.row();
        let body = Body {
            title: row.title,
            status: row.status,
            code: row.name,
            detail: &self.detail(),
            profile: self.profile.as_ref().map(ProfileName::as_str),
            retry_at: self.retry_at.map(UnixTime::seconds_up),
        };
        // A struct of strings and numbers always serialises.
        serde_json::to_vec(&body).unwrap_or_default()
    }
}

// === impl EarlyEnd ===

impl EarlyEnd {
    const fn why(self) -> &'static str {
        match self {
            Self::NextAttemptIsLater => "the next attempt is due after it",
            Self::SlotIsNeeded => "the daemon has too many connections",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_problem_table_has_the_designed_statuses_and_exit_codes() {
        let table: Vec<String> = TABLE
            .iter()
            .map(|row| format!("{} {}/{}", row.name, row.status, row.exit))
            .collect();
        assert_eq!(
            table.join(", "),
            "bad_request 400/64, payload_too_large 413/64, method_not_allowed 405/64, not_found 404/64, \
             forbidden 403/77, unknown_profile 404/78, not_enrolled 409/78, misconfigured 503/78, \
             binding_changed 409/78, rejected_by_provider 502/1, unavailable 503/75, deadline 504/75, \
             too_many_requests 429/75, cooling_down 503/75, conflict 409/75, needs_human 409/1, \
             locked 503/75, not_supported 501/64, internal 500/1"
        );
        for row in TABLE {
            assert_eq!(row.code.row().name, row.name);
        }
    }

    #[test]
    fn the_command_in_a_problem_has_the_profile_name() {
        let research = ProfileName::parse("research").unwrap();
        for code in [
            Code::NotEnrolled,
            Code::BindingChanged,
            Code::RejectedByProvider,
        ] {
            let problem = Problem::new(code);
            assert!(problem.detail().contains("'jetond add NAME --rebind'"));
            let problem = problem.of(&research);
            assert!(problem.detail().contains("'jetond add research --rebind'"));
        }
    }

    #[test]
    fn a_problem_has_the_members_of_rfc_9457_and_our_own() {
        let research = ProfileName::parse("research").unwrap();
        let problem = Problem::new(Code::Unavailable)
            .of(&research)
            .until(Some(UnixTime::from_epoch(Duration::from_millis(1_500))));
        assert_eq!(
            String::from_utf8(problem.to_json()).unwrap(),
            "{\"title\":\"No token now\",\"status\":503,\"code\":\"unavailable\",\"detail\":\"there is no valid token, and \
             the issuer did not issue one; 'jeton status' shows why\",\"profile\":\"research\",\"retry_at\":2}"
        );
    }
}
