//! The faults of the sandbox, and their text form: `kind` or `kind:argument`.

use std::time::Duration;

mod invalid;
mod parse;
mod print;

pub use invalid::InvalidFault;

/// Placeholder in the text of [`Fault::Answer`] for a valid token, which is issued for each answer.
pub const TOKEN_PLACEHOLDER: &str = "$TOKEN";

/// A fault. [`Fault::HELP`] explains each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the table HELP describes the variants, also for users"
)]
pub enum Fault {
    Refuse,
    HangConnect,
    Hang,
    HangHeaders,
    HangBody,
    Slow(Duration),
    Drip(Duration),
    Reset,
    ResetEarly,
    Status(u16),
    RateLimit(u32),
    RetryAfterDate(u32),
    Html,
    Garbage,
    Truncated,
    Empty,
    Huge,
    EarlyHints,
    Redirect {
        status: u16,
        location: String,
    },
    InvalidClient,
    Answer {
        status: u16,
        body: String,
    },
    Skew(i64),
    Revoke,
    NonAscii,
    SameToken,
    Swallow,
    Keys(Box<Self>),
    Reads(Box<Self>),
    Executed(Box<Self>),
    Late {
        after: Duration,
        answer: Option<Box<Self>>,
    },
    Again(Duration),
    Twice(Execution),
    Secret(SecretFault),
    Tls(TlsFault),
}

/// The execution that the answer describes, if a request is executed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the table HELP describes the variants, also for users"
)]
pub enum Execution {
    First,
    Last,
}

/// A replacement for a new secret in an answer. [`Fault::HELP`] explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the table HELP describes the variants, also for users"
)]
pub enum SecretFault {
    Missing,
    Empty,
    Null,
}

/// A fault of the TLS handshake. [`Fault::HELP`] explains each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the table HELP describes the variants, also for users"
)]
pub enum TlsFault {
    WrongName,
    Expired,
    SelfSigned,
    Hang,
}

// === impl Fault ===

impl Fault {
    /// An example and an explanation of each fault.
    #[rustfmt::skip]
    pub const HELP: [(&'static str, &'static str); 42] = [
        ("refuse", "the port is closed: connections are refused, open ones are dropped"),
        ("hang-connect", "connections are neither taken nor refused, as behind a filter that drops; open ones are dropped"),
        ("hang", "requests of every kind are read and never answered"),
        ("hang-headers", "half of the answer's headers, then silence"),
        ("hang-body", "the headers and half of the body, then silence"),
        ("slow:2.5", "the right answer, so many seconds late; the token's life counts from the request"),
        ("drip:20", "the right answer, one byte each so many milliseconds"),
        ("reset", "the connection is reset in the middle of the body"),
        ("reset-early", "the connection is reset before any byte of an answer"),
        ("status:503", "this status with the vendor's error body"),
        ("rate-limit:7", "429 with Retry-After in seconds"),
        ("retry-after-date:7", "429 with Retry-After as a date so many seconds ahead"),
        ("html", "200 with a web page"),
        ("garbage", "200 with a body that is declared as JSON and is none"),
        ("truncated", "200 with the first half of the right JSON, and a Content-Length that fits"),
        ("empty", "200 without a body"),
        ("huge", "200 with a body of up to 1 GiB, of no announced length"),
        ("early-hints", "interim answers (103 Early Hints) without a pause, and never the final one"),
        ("redirect:307:http://127.0.0.1:9/", "this status with this Location"),
        ("invalid-client", "the credential is rejected, whatever it is"),
        ("raw:{\"access_token\":\"$TOKEN\",\"expires_in\":\"60\"}", "200 with this body; $TOKEN is a valid token"),
        ("answer:400:{\"error\":\"invalid_client\"}", "this status with this body; $TOKEN is a valid token"),
        ("skew:-600", "the server's clock is so many seconds off, in the Date header and in the token"),
        ("revoke", "each token is revoked as soon as it is issued"),
        ("non-ascii", "the token names someone whose name is not in ASCII: its payload needs the alphabet of base64url"),
        ("same-token", "the newest valid token is given again, with its remaining seconds"),
        ("swallow", "a key is created, regenerated, changed or deleted, and the connection closed without an answer"),
        ("keys:status:503", "any of the faults of an answer, from hang-headers to answer, when keys are changed"),
        ("executed:status:500", "a change of keys is executed, and the answer is any of the faults of an answer, or hang"),
        ("late:2.5", "a change of keys is executed so many seconds later; the connection is closed at once, without an answer"),
        ("late:2.5:status:504", "the same, and the answer does not show it (status to answer), or hang"),
        ("again:2.5", "a change of keys is executed and answered, and executed once more so many seconds later"),
        ("twice:last", "a change of keys is executed twice, and the answer is the second one: 409 for a key that was created"),
        ("twice:first", "the same, and the answer is the first one: a regenerated secret is already dead"),
        ("secret:missing", "a key is created or regenerated, and the answer is without the secret"),
        ("secret:empty", "the same, and the secret is an empty text"),
        ("secret:null", "the same, and the secret is null"),
        ("reads:status:403", "any of the faults of an answer, when keys, clusters or access rules are read"),
        ("tls:wrong-name", "with TLS: new connections are shown a certificate for another name"),
        ("tls:expired", "with TLS: new connections are shown a certificate that expired yesterday"),
        ("tls:self-signed", "with TLS: new connections are shown a certificate that no CA has signed"),
        ("tls:hang", "with TLS: new connections are accepted, and their handshake never answered"),
    ];

    /// Returns the fault's effect on a token request. Faults of the endpoint itself need the endpoint. Other faults
    /// occur in front of the server (a proxy, the network), so they also affect lines without the endpoint.
    pub(super) fn of_tokens(&self, has_endpoint: bool) -> Option<Self> {
        let concerned = match self {
            Self::Tls(_) | Self::Reads(_) => false,
            fault if fault.of_keys().is_some() => false,
            Self::InvalidClient
            | Self::Answer { .. }
            | Self::Skew(_)
            | Self::Revoke
            | Self::NonAscii
            | Self::SameToken => has_endpoint,
            _ => true,
        };
        concerned.then(|| self.clone())
    }

    /// Returns the fault's effect on a request that changes keys.
    pub(super) fn of_keys(&self) -> Option<Self> {
        match self {
            Self::Keys(fault) => Some(Self::clone(fault)),
            Self::Swallow
            | Self::Executed(_)
            | Self::Late { .. }
            | Self::Again(_)
            | Self::Twice(_)
            | Self::Secret(_) => Some(self.clone()),
            _ => None,
        }
    }

    /// Returns the fault's effect on a request that changes nothing and is not a token request.
    pub(super) fn of_reads(&self) -> Option<Self> {
        match self {
            Self::Reads(fault) => Some(Self::clone(fault)),
            _ => None,
        }
    }

    /// Returns whether the fault affects connections, before any request is sent.
    pub(super) const fn is_of_connections(&self) -> bool {
        matches!(self, Self::Refuse | Self::HangConnect | Self::Tls(_))
    }

    /// Returns whether the request is executed and its usual answer is made, even if little of the answer arrives.
    pub(super) const fn lets_through(&self) -> bool {
        matches!(
            self,
            Self::Slow(_)
                | Self::Drip(_)
                | Self::Reset
                | Self::HangBody
                | Self::HangHeaders
                | Self::Truncated
                | Self::Swallow
                | Self::Executed(_)
                | Self::Late { .. }
                | Self::Again(_)
                | Self::Twice(_)
                | Self::Secret(_)
        )
    }

    /// Returns whether the fault affects only the answer, so that it can apply to any endpoint.
    const fn is_of_an_answer(&self) -> bool {
        !matches!(
            self,
            Self::Refuse
                | Self::HangConnect
                | Self::Hang
                | Self::InvalidClient
                | Self::Skew(_)
                | Self::Revoke
                | Self::NonAscii
                | Self::SameToken
                | Self::Swallow
                | Self::Keys(_)
                | Self::Reads(_)
                | Self::Executed(_)
                | Self::Late { .. }
                | Self::Again(_)
                | Self::Twice(_)
                | Self::Secret(_)
                | Self::Tls(_)
        )
    }
}

// === impl TlsFault ===

impl TlsFault {
    pub(super) const ALL: [Self; 4] =
        [Self::WrongName, Self::Expired, Self::SelfSigned, Self::Hang];

    const fn as_str(self) -> &'static str {
        match self {
            Self::WrongName => "wrong-name",
            Self::Expired => "expired",
            Self::SelfSigned => "self-signed",
            Self::Hang => "hang",
        }
    }
}

// === impl Execution ===

impl Execution {
    const ALL: [Self; 2] = [Self::First, Self::Last];

    const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
        }
    }
}

// === impl SecretFault ===

impl SecretFault {
    const ALL: [Self; 3] = [Self::Missing, Self::Empty, Self::Null];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Empty => "empty",
            Self::Null => "null",
        }
    }
}
