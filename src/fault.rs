//! The failure of an attempt to get a token: a kind for the program, and texts for people.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command_line;
use crate::profile::ProfileName;

/// The kind of a failure between Jeton and the issuer. It decides what happens next; the texts decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The issuer's name could not be resolved.
    Dns,
    /// There was no connection: refused, unreachable, or no route.
    Connect,
    /// The certificate is for another name.
    TlsName,
    /// The certificate has expired, or is not valid yet.
    TlsExpired,
    /// The certificate's issuer is not trusted, or the handshake failed otherwise.
    TlsUntrusted,
    /// There are no root certificates: the system has none, or the CA file cannot be used.
    NoCa,
    /// There was no complete answer in time.
    Timeout,
    /// The connection broke during the exchange.
    Reset,
    /// The issuer answered with a redirect, which is never followed: it would carry the secret elsewhere.
    Redirect,
    /// The answer is not a token answer.
    Malformed,
    /// Too many interim answers (RFC 9110 section 15.2) and no final one.
    InterimAnswers,
    /// The answer exceeds the size limit.
    TooLarge,
    /// The issuer rejected the credential. A retry will not help until a person changes something (RFC 6749 section
    /// 5.2).
    Rejected,
    /// The issuer demands fewer requests (429).
    RateLimited,
    /// The issuer failed (5xx, 408, 425).
    ServerError,
    /// There is no token endpoint at the address, the issuer names none, or another server answered in the issuer's
    /// place. This says nothing about the credential.
    NoEndpoint,
    /// The issuer now names another token endpoint than the one that the credential was enrolled for. No secret was
    /// sent, so this does not count as a failed attempt. The profile is blocked until a person enrols the credential
    /// again.
    BindingChanged,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind, on which the program decides.
    pub kind: FaultKind,
    /// The wait that the issuer demands (`Retry-After`), unclamped; the schedule clamps it.
    pub retry_after: Option<Duration>,
    /// The end of the wait that the issuer demands, in Unix time, if the issuer stated a date without its own clock's
    /// time. Only our own clock can then tell how long the wait is.
    pub retry_at: Option<Duration>,
    /// Whether the rejection may have another cause than the credential: a bare 401, which issuers also send while they
    /// start up.
    pub is_doubtful: bool,
    /// One sentence for people: which address, and what it said. It contains our own words, numbers, and the issuer's
    /// `error` and `error_description` with everything unprintable escaped, but never the answer's body.
    pub detail: String,
}

/// The reason why a profile cannot make requests to its issuer: a problem on this machine has to be fixed first.
/// Nothing is sent meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// No credential is stored for this profile.
    NotEnrolled(ProfileName),
    /// The credential was enrolled for another provider, address, CA or proxy than the configuration or the issuer
    /// names now.
    BindingChanged {
        /// One sentence for people: what changed, and what to do.
        detail: String,
    },
    /// The credential is encrypted, and the store is locked.
    Locked,
    /// The credential or the configuration cannot be used.
    Unusable {
        /// One sentence for people: what cannot be used, and why.
        detail: String,
    },
}

// === impl FaultKind ===

impl FaultKind {
    /// Reports whether a retry with the same credential is useless until a person changes something.
    pub const fn is_permanent(self) -> bool {
        matches!(self, Self::Rejected | Self::BindingChanged)
    }

    /// Returns the local interface's spelling of the kind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::TlsName => "tls_name",
            Self::TlsExpired => "tls_expired",
            Self::TlsUntrusted => "tls_untrusted",
            Self::NoCa => "no_ca",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Redirect => "redirect",
            Self::Malformed => "malformed",
            Self::InterimAnswers => "interim_answers",
            Self::TooLarge => "too_large",
            Self::Rejected => "rejected",
            Self::RateLimited => "rate_limited",
            Self::ServerError => "server_error",
            Self::NoEndpoint => "no_endpoint",
            Self::BindingChanged => "binding_changed",
        }
    }
}

// === impl Fault ===

impl Fault {
    /// Creates a fault of this kind with a sentence for people. The sentence must not contain an answer's body.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            retry_after: None,
            retry_at: None,
            is_doubtful: false,
            detail: detail.into(),
        }
    }

    /// Creates the fault of an address without a token endpoint.
    pub fn no_endpoint(detail: impl Into<String>) -> Self {
        Self::new(FaultKind::NoEndpoint, detail)
    }

    /// Reports whether the issuer says that the credential is wrong.
    pub fn is_of_credential(&self) -> bool {
        self.kind == FaultKind::Rejected && !self.is_doubtful
    }

    /// Marks the rejection as doubtful: its cause may not be the credential.
    #[must_use]
    pub const fn in_doubt(mut self) -> Self {
        self.is_doubtful = true;
        self
    }

    /// Reports whether the issuer demands a wait. `Retry-After: 0` does not.
    pub fn states_a_wait(&self) -> bool {
        self.retry_at.is_some() || self.retry_after.is_some_and(|wait| !wait.is_zero())
    }

    /// Sets the wait that the issuer demands.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Sets the end of the wait that the issuer demands, in Unix time.
    #[must_use]
    pub fn with_retry_at(mut self, date: Option<Duration>) -> Self {
        self.retry_at = date;
        self
    }

    /// Converts a date to a wait by our own clock, which shows `now` in Unix time. The clock may be wrong; a wait is
    /// clamped.
    pub fn resolve_retry_at(&mut self, now: Duration) {
        let wait = self.retry_at.take().map(|date| date.saturating_sub(now));
        self.retry_after = self.retry_after.or(wait);
    }
}

// === impl Block ===

impl fmt::Display for Block {
    /// Writes one sentence for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnrolled(profile) => {
                let run = command_line::proposed("run 'jetond add NAME --rebind'", Some(profile));
                write!(f, "no credential is stored for {profile}; {run}")
            }
            Self::Locked => {
                let run = command_line::proposed("run 'jetond unlock'", None);
                write!(
                    f,
                    "the credential is encrypted and the store is locked; {run}"
                )
            }
            Self::BindingChanged { detail } | Self::Unusable { detail } => f.write_str(detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_block_has_a_remedy() {
        let name = ProfileName::parse("ci.prod").unwrap();
        assert_eq!(
            Block::NotEnrolled(name).to_string(),
            "no credential is stored for ci.prod; run 'jetond add ci.prod --rebind'"
        );
        assert_eq!(
            Block::Locked.to_string(),
            "the credential is encrypted and the store is locked; run 'jetond unlock'"
        );
        let detail = "the record is damaged".to_owned();
        assert_eq!(
            Block::Unusable { detail }.to_string(),
            "the record is damaged"
        );
    }

    #[test]
    fn a_fault_kind_has_the_same_name_in_text_and_json() {
        for kind in [
            FaultKind::Dns,
            FaultKind::Connect,
            FaultKind::TlsName,
            FaultKind::TlsExpired,
            FaultKind::TlsUntrusted,
            FaultKind::NoCa,
            FaultKind::Timeout,
            FaultKind::Reset,
            FaultKind::Redirect,
            FaultKind::Malformed,
            FaultKind::InterimAnswers,
            FaultKind::TooLarge,
            FaultKind::Rejected,
            FaultKind::RateLimited,
            FaultKind::ServerError,
            FaultKind::NoEndpoint,
            FaultKind::BindingChanged,
        ] {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.as_str()));
        }
    }
}
