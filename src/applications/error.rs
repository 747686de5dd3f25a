//! The errors of calls, with words that say what to do.

use std::fmt;
use std::time::Duration;

use crate::fault::{Fault, FaultKind};
use crate::key_name::NAME_RULE;

/// The kind of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApiErrorKind {
    /// The server has no endpoint for this kind of keys.
    NoSuchEndpoint,
    /// 400: the server does not accept the request.
    BadRequest,
    /// 401: the token is not accepted.
    Unauthorized,
    /// 403: the token's user may not do this.
    Forbidden,
    /// 404: the key does not exist.
    NotFound,
    /// 409: the name is taken.
    Conflict,
    /// 429, 408, 425 or 5xx: the server cannot handle the call now.
    Busy,
    /// The answer differs from the documented form.
    Malformed,
    /// There is no answer, or the call was not sent.
    Unreachable(FaultKind),
}

/// The error of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError {
    /// The kind, on which the program's decisions depend.
    pub kind: ApiErrorKind,
    /// Whether the server may have executed the call despite the error, or may still do so.
    pub may_be_done: bool,
    /// The ID of a new key, if the answer has it but its secret is lost.
    pub id: Option<String>,
    /// How long the server asks to wait before the next call.
    pub retry_after: Option<Duration>,
    detail: String,
    /// Advice for a person.
    remedy: Option<String>,
}

// === impl Trouble ===

impl ApiError {
    /// Returns an error of this kind for a call that was not executed. `detail` must not contain a secret.
    pub(super) fn new(kind: ApiErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            may_be_done: false,
            id: None,
            retry_after: None,
            detail: detail.into(),
            remedy: None,
        }
    }

    /// Returns the error for a call whose answer was lost in this process. The server may have executed it.
    pub fn lost() -> Self {
        let kind = ApiErrorKind::Unreachable(FaultKind::Connect);
        Self::new(kind, "the call was lost").after_all(true)
    }

    /// Converts a status other than success. `said` is the server's message, quoted and with a colon before it.
    pub(super) fn of_status(status: u16, at: &str, said: &str) -> Self {
        let (kind, what, remedy) = match status {
            400 | 422 => (
                ApiErrorKind::BadRequest,
                "does not take the request",
                format!("the rule for names: {NAME_RULE}; a user has at most 20 keys"),
            ),
            401 => (
                ApiErrorKind::Unauthorized,
                "does not accept the token",
                "it may be of another tenant, have expired, or its key is deleted; to see whether a new token can be had, run 'jeton refresh'".to_owned(),
            ),
            403 => (
                ApiErrorKind::Forbidden,
                "does not let the token's user do this",
                "use a profile whose user has the permission, or ask an administrator for it".to_owned(),
            ),
            404 => (
                ApiErrorKind::NotFound,
                "has no such key",
                "to see the keys, run 'jetond app list'".to_owned(),
            ),
            409 => (
                ApiErrorKind::Conflict,
                "has a key of this name already",
                "choose another name; to see the keys, run 'jetond app list'".to_owned(),
            ),
            408 | 425 | 429 | 500.. => (
                ApiErrorKind::Busy,
                "cannot do this now",
                "try again later".to_owned(),
            ),
            300..400 => (
                ApiErrorKind::Malformed,
                "answers with a redirect, which is never followed",
                "check the profile's address".to_owned(),
            ),
            _ => (
                ApiErrorKind::Malformed,
                "answers with an unexpected status",
                "check the profile's address".to_owned(),
            ),
        };
        let detail = format!("{at} {what} ({status}){said}");
        // A server that fails (5xx), or whose gateway timed out, may have executed the call.
        let trouble = Self::new(kind, detail).with_remedy(remedy);
        trouble.after_all(matches!(status, 408 | 500..))
    }

    /// Converts a missing answer. Without a connection, nothing was sent.
    pub(super) fn of_fault(fault: &Fault) -> Self {
        let was_sent = matches!(
            fault.kind,
            FaultKind::Timeout
                | FaultKind::Reset
                | FaultKind::InterimAnswers
                | FaultKind::TooLarge
                | FaultKind::Malformed
        );
        let trouble = Self::new(ApiErrorKind::Unreachable(fault.kind), &*fault.detail);
        let trouble = trouble.with_remedy("try again later".to_owned());
        trouble.after_all(was_sent)
    }

    #[must_use]
    fn with_remedy(mut self, remedy: String) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// Returns what happened, without the advice: for a wait that ends without a person's help.
    pub fn cause(&self) -> &str {
        &self.detail
    }

    /// Sets whether the server may have executed the call despite the error.
    #[must_use]
    pub(super) const fn after_all(mut self, may_be_done: bool) -> Self {
        self.may_be_done = may_be_done;
        self
    }

    /// Adds how long the server asks to wait.
    #[must_use]
    pub(super) const fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Adds the ID of a key whose secret is lost.
    #[must_use]
    pub(super) fn with_id(mut self, id: Option<String>) -> Self {
        self.id = id;
        self
    }

    /// Returns whether a later try can succeed.
    pub const fn is_passing(&self) -> bool {
        match self.kind {
            ApiErrorKind::Busy => true,
            ApiErrorKind::Unreachable(kind) => matches!(
                kind,
                FaultKind::Dns
                    | FaultKind::Connect
                    | FaultKind::Timeout
                    | FaultKind::Reset
                    | FaultKind::RateLimited
                    | FaultKind::ServerError
            ),
            _ => false,
        }
    }

    /// Returns whether a person must first correct something on this machine: the address, a certificate or the
    /// request.
    pub const fn is_of_configuration(&self) -> bool {
        match self.kind {
            ApiErrorKind::NoSuchEndpoint | ApiErrorKind::Malformed => true,
            ApiErrorKind::Unreachable(_) => !self.is_passing(),
            _ => false,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_for_each_status_says_what_to_do_next() {
        for (status, kind, says, may_be_done) in [
            (400, ApiErrorKind::BadRequest, "lowercase", false),
            (401, ApiErrorKind::Unauthorized, "jeton refresh", false),
            (403, ApiErrorKind::Forbidden, "administrator", false),
            (404, ApiErrorKind::NotFound, "jetond app list", false),
            (409, ApiErrorKind::Conflict, "another name", false),
            (429, ApiErrorKind::Busy, "try again later", false),
            (500, ApiErrorKind::Busy, "try again later", true),
            (503, ApiErrorKind::Busy, "try again later", true),
            (302, ApiErrorKind::Malformed, "redirect", false),
            (418, ApiErrorKind::Malformed, "unexpected", false),
        ] {
            let trouble = ApiError::of_status(status, "https://a.b", ": \"no\"");
            let text = trouble.to_string();
            assert_eq!(
                (trouble.kind, trouble.may_be_done),
                (kind, may_be_done),
                "{text}"
            );
            assert!(
                text.contains(says) && text.contains(&format!("({status}): \"no\"")),
                "{text}"
            );
        }
    }

    #[test]
    fn a_call_may_have_been_executed_only_if_it_was_sent() {
        for (kind, may_be_done) in [
            (FaultKind::Dns, false),
            (FaultKind::Connect, false),
            (FaultKind::TlsUntrusted, false),
            (FaultKind::NoCa, false),
            (FaultKind::Timeout, true),
            (FaultKind::Reset, true),
            (FaultKind::TooLarge, true),
        ] {
            let trouble = ApiError::of_fault(&Fault::new(kind, "x"));
            assert_eq!(trouble.may_be_done, may_be_done, "{kind:?}");
        }
    }
}
