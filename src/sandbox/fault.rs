//! What can be made to go wrong, and the plain words for it: `kind` or `kind:argument`.

use std::fmt;
use std::time::Duration;

mod parse;

/// Stands for a token, issued for the occasion and valid, in the text of [`Fault::Answer`].
pub const TOKEN_PLACEHOLDER: &str = "$TOKEN";

/// Something that goes wrong. [`Fault::HELP`] says in plain words what each does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the table HELP describes them, once, for people as well"
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
    Redirect { status: u16, location: String },
    InvalidClient,
    Answer { status: u16, body: String },
    Skew(i64),
    Revoke,
    NonAscii,
    SameToken,
    Swallow,
    Keys(Box<Self>),
    Tls(TlsFault),
}

/// What goes wrong in a TLS handshake. [`Fault::HELP`] says in plain words what each does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "as above")]
pub enum TlsFault {
    WrongName,
    Expired,
    SelfSigned,
    Hang,
}

/// Why a text is not a fault. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidFault {
    /// No fault has this name.
    Unknown,
    /// The fault takes no argument.
    NoArgument,
    /// The argument is missing, or is not one that this fault can have.
    Argument,
}

// === impl Fault ===

impl Fault {
    /// An example of each fault, and what it does.
    #[rustfmt::skip]
    pub const HELP: [(&'static str, &'static str); 32] = [
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
        ("garbage", "200, said to be JSON, that is none"),
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
        ("same-token", "the newest token that holds is given again, with the seconds that are left of it"),
        ("swallow", "a key is created, regenerated, changed or deleted, and the connection closed without an answer"),
        ("keys:status:503", "any of the faults of an answer, from hang-headers to answer, when keys are changed"),
        ("tls:wrong-name", "with TLS: new connections are shown a certificate for another name"),
        ("tls:expired", "with TLS: new connections are shown a certificate that expired yesterday"),
        ("tls:self-signed", "with TLS: new connections are shown a certificate that no CA has signed"),
        ("tls:hang", "with TLS: new connections are accepted, and their handshake never answered"),
    ];

    /// What it does to a token request. The endpoint's own doings need the endpoint; the others happen in front of it
    /// (a proxy, the network), and so also where the line does not have it.
    pub(super) fn of_tokens(&self, has_endpoint: bool) -> Option<Self> {
        let concerned = match self {
            Self::Swallow | Self::Keys(_) | Self::Tls(_) => false,
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

    /// What it does to a request that changes keys.
    pub(super) fn of_keys(&self) -> Option<Self> {
        match self {
            Self::Swallow => Some(Self::Swallow),
            Self::Keys(fault) => Some(Self::clone(fault)),
            _ => None,
        }
    }

    /// Whether it concerns connections, before there is any request on them.
    pub(super) const fn is_of_connections(&self) -> bool {
        matches!(self, Self::Refuse | Self::HangConnect | Self::Tls(_))
    }

    /// Whether the right answer is made, and what it says happens, however little of it arrives.
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
        )
    }

    /// Whether it is one of an answer, so that it can be one of any endpoint's.
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
                | Self::Tls(_)
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::HangConnect => f.write_str("hang-connect"),
            Self::Hang => f.write_str("hang"),
            Self::HangHeaders => f.write_str("hang-headers"),
            Self::HangBody => f.write_str("hang-body"),
            Self::Slow(delay) => write!(f, "slow:{}", delay.as_secs_f64()),
            Self::Drip(pace) => write!(f, "drip:{}", pace.as_millis()),
            Self::Reset => f.write_str("reset"),
            Self::ResetEarly => f.write_str("reset-early"),
            Self::Status(status) => write!(f, "status:{status}"),
            Self::RateLimit(seconds) => write!(f, "rate-limit:{seconds}"),
            Self::RetryAfterDate(seconds) => write!(f, "retry-after-date:{seconds}"),
            Self::Html => f.write_str("html"),
            Self::Garbage => f.write_str("garbage"),
            Self::Truncated => f.write_str("truncated"),
            Self::Empty => f.write_str("empty"),
            Self::Huge => f.write_str("huge"),
            Self::EarlyHints => f.write_str("early-hints"),
            Self::Redirect { status, location } => write!(f, "redirect:{status}:{location}"),
            Self::InvalidClient => f.write_str("invalid-client"),
            Self::Answer { status: 200, body } => write!(f, "raw:{body}"),
            Self::Answer { status, body } => write!(f, "answer:{status}:{body}"),
            Self::Skew(seconds) => write!(f, "skew:{seconds}"),
            Self::Revoke => f.write_str("revoke"),
            Self::NonAscii => f.write_str("non-ascii"),
            Self::SameToken => f.write_str("same-token"),
            Self::Swallow => f.write_str("swallow"),
            Self::Keys(fault) => write!(f, "keys:{fault}"),
            Self::Tls(fault) => write!(f, "tls:{}", fault.as_str()),
        }
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

// === impl InvalidFault ===

impl fmt::Display for InvalidFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no fault has this name",
            Self::NoArgument => "this fault takes no argument",
            Self::Argument => "this fault needs another argument",
        })
    }
}

impl std::error::Error for InvalidFault {}
