//! Why an attempt to get a token failed: a kind for the program to decide on, and texts for people.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::command_line;
use crate::profile::ProfileName;

/// What went wrong between us and the issuer. The kind decides what happens next; the texts decide nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultKind {
    /// The issuer's name could not be resolved.
    Dns,
    /// No connection: refused, unreachable, or no route.
    Connect,
    /// The certificate is for another name.
    TlsName,
    /// The certificate has expired, or is not valid yet.
    TlsExpired,
    /// The certificate's issuer is not trusted, or the handshake failed otherwise.
    TlsUntrusted,
    /// No root certificates to trust: the system has none, or the CA file cannot be used.
    NoCa,
    /// No complete answer in time.
    Timeout,
    /// The connection broke in the middle of the exchange.
    Reset,
    /// The issuer answered with a redirect, which is never followed: it would carry the secret elsewhere.
    Redirect,
    /// An answer that is not a token answer.
    Malformed,
    /// An answer over the size cap.
    TooLarge,
    /// The issuer rejected the credential: trying again changes nothing until a person does something
    /// (RFC 6749 section 5.2).
    Rejected,
    /// The issuer asked us to slow down (429).
    RateLimited,
    /// The issuer failed (5xx, 408, 425).
    ServerError,
    /// There is no token endpoint at the address, the issuer names none, or something in front of the issuer answered in
    /// its place: this says nothing of the credential.
    NoEndpoint,
    /// The issuer now names another token endpoint than the credential was enrolled for. Nothing secret was sent, so
    /// this is no failed attempt: the profile is blocked until a person enrols the credential anew.
    BindingChanged,
}

/// A failed attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What the program decides on.
    pub kind: FaultKind,
    /// How long the issuer asked us to wait (`Retry-After`), unclamped; the schedule clamps it.
    pub retry_after: Option<Duration>,
    /// Until when it asked us to wait, in Unix time, where only our own clock can tell how long that is: it stated a date
    /// and did not say what its clock shows.
    pub retry_at: Option<Duration>,
    /// Whether a rejection does not say that the credential is why: a bare 401, as issuers answer that start up.
    pub is_doubtful: bool,
    /// One sentence for people: which address, what it said. It is made of our own words, of numbers, and of the
    /// issuer's `error` and `error_description` with everything unprintable escaped; never of the answer's body.
    pub detail: String,
}

/// Why a profile cannot ask its issuer: something on this machine has to be put right first. Nothing is sent meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// No credential is stored for this profile.
    NotEnrolled(ProfileName),
    /// The credential was enrolled for another provider, address, CA or proxy than the configuration or the issuer names now.
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
    /// Whether asking again with the same credential is useless until something is changed by a person.
    pub const fn is_permanent(self) -> bool {
        matches!(self, Self::Rejected | Self::BindingChanged)
    }

    /// The kind as the local interface spells it.
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
    /// A fault of this kind with a sentence for people. The sentence must hold nothing of an answer's body.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            retry_after: None,
            retry_at: None,
            is_doubtful: false,
            detail: detail.into(),
        }
    }

    /// A fault of an address without a token endpoint.
    pub fn no_endpoint(detail: impl Into<String>) -> Self {
        Self::new(FaultKind::NoEndpoint, detail)
    }

    /// Whether the issuer says that the credential is not a good one.
    pub fn is_of_credential(&self) -> bool {
        self.kind == FaultKind::Rejected && !self.is_doubtful
    }

    /// The same rejection, of which it is not certain that the credential is why.
    #[must_use]
    pub const fn in_doubt(mut self) -> Self {
        self.is_doubtful = true;
        self
    }

    /// Whether the issuer asked us to wait. `Retry-After: 0` does not.
    pub fn states_a_wait(&self) -> bool {
        self.retry_at.is_some() || self.retry_after.is_some_and(|wait| !wait.is_zero())
    }

    /// The same fault with the wait that the issuer asked for.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same fault with the date until which the issuer asked us to wait, in Unix time.
    #[must_use]
    pub fn with_retry_at(mut self, date: Option<Duration>) -> Self {
        self.retry_at = date;
        self
    }

    /// Turns a date into a wait by our own clock, which shows `now` in Unix time. It may be wrong; a wait is clamped.
    pub fn resolve_retry_at(&mut self, now: Duration) {
        let wait = self.retry_at.take().map(|date| date.saturating_sub(now));
        self.retry_after = self.retry_after.or(wait);
    }
}

// === impl Block ===

impl fmt::Display for Block {
    /// One sentence for people.
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
    fn a_block_says_what_to_do_about_it() {
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
    fn a_kind_is_spelled_the_same_in_text_and_in_json() {
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
