//! What can be made to go wrong at the token endpoint, and the plain words for it: `kind` or `kind:argument`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::header::HeaderValue;

use super::moment::MAX_SKEW;

/// The longest delay that can be asked for: a day.
const MAX_DELAY: Duration = Duration::from_secs(86_400);

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
    Redirect { status: u16, location: String },
    InvalidClient,
    Answer { status: u16, body: String },
    Skew(i64),
    Revoke,
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
    pub const HELP: [(&'static str, &'static str); 22] = [
        ("refuse", "the port is closed: connections are refused, open ones are dropped"),
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
        ("redirect:307:http://127.0.0.1:9/", "this status with this Location"),
        ("invalid-client", "the credential is rejected, whatever it is"),
        ("raw:{\"access_token\":\"$TOKEN\",\"expires_in\":\"60\"}", "200 with this body; $TOKEN is a valid token"),
        ("answer:400:{\"error\":\"invalid_client\"}", "this status with this body; $TOKEN is a valid token"),
        ("skew:-600", "the server's clock is so many seconds off, in the Date header and in the token"),
        ("revoke", "each token is revoked as soon as it is issued"),
    ];

    /// Parses `kind` or `kind:argument`.
    ///
    /// # Errors
    /// [`InvalidFault`] tells what is wrong, without the text.
    pub fn parse(text: &str) -> Result<Self, InvalidFault> {
        let (kind, argument) = match text.split_once(':') {
            Some((kind, argument)) => (kind, Some(argument)),
            None => (text, None),
        };
        if let Some(fault) = Self::plain(kind) {
            return match argument {
                None => Ok(fault),
                Some(_) => Err(InvalidFault::NoArgument),
            };
        }
        let argument = argument.unwrap_or_default();
        match kind {
            "slow" => argument
                .parse()
                .ok()
                .and_then(|s| Duration::try_from_secs_f64(s).ok())
                .filter(|delay| *delay <= MAX_DELAY)
                .map(Self::Slow),
            "drip" => argument
                .parse()
                .ok()
                .map(Duration::from_millis)
                .filter(|pace| *pace <= MAX_DELAY)
                .map(Self::Drip),
            "status" => status(argument).map(Self::Status),
            "rate-limit" => argument.parse().ok().map(Self::RateLimit),
            "retry-after-date" => argument.parse().ok().map(Self::RetryAfterDate),
            "redirect" => status_and_text(argument)
                .filter(|(status, to)| {
                    (300..400).contains(status) && HeaderValue::from_str(to).is_ok()
                })
                .map(|(status, location)| Self::Redirect { status, location }),
            "raw" if !argument.is_empty() => Some(Self::Answer {
                status: 200,
                body: argument.to_owned(),
            }),
            "raw" => None,
            "answer" => {
                status_and_text(argument).map(|(status, body)| Self::Answer { status, body })
            }
            "skew" => argument
                .parse()
                .ok()
                .filter(|by: &i64| by.unsigned_abs() <= MAX_SKEW.unsigned_abs())
                .map(Self::Skew),
            _ => return Err(InvalidFault::Unknown),
        }
        .ok_or(InvalidFault::Argument)
    }

    /// The faults without an argument.
    fn plain(kind: &str) -> Option<Self> {
        Some(match kind {
            "refuse" => Self::Refuse,
            "hang" => Self::Hang,
            "hang-headers" => Self::HangHeaders,
            "hang-body" => Self::HangBody,
            "reset" => Self::Reset,
            "reset-early" => Self::ResetEarly,
            "html" => Self::Html,
            "garbage" => Self::Garbage,
            "truncated" => Self::Truncated,
            "empty" => Self::Empty,
            "huge" => Self::Huge,
            "invalid-client" => Self::InvalidClient,
            "revoke" => Self::Revoke,
            _ => return None,
        })
    }

    /// Whether it is the endpoint's own doing. The others happen in front of it (a proxy, the network), and so
    /// also where the line does not have the endpoint.
    pub(super) const fn is_of_the_endpoint(&self) -> bool {
        matches!(
            self,
            Self::InvalidClient | Self::Answer { .. } | Self::Skew(_) | Self::Revoke
        )
    }
}

/// A status that ends a request. 101 and the like would leave HTTP, and are no answers.
fn status(text: &str) -> Option<u16> {
    text.parse()
        .ok()
        .filter(|status| (200..600).contains(status))
}

fn status_and_text(argument: &str) -> Option<(u16, String)> {
    let (number, text) = argument.split_once(':')?;
    Some((status(number)?, text.to_owned()))
}

impl FromStr for Fault {
    type Err = InvalidFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
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
            Self::Redirect { status, location } => write!(f, "redirect:{status}:{location}"),
            Self::InvalidClient => f.write_str("invalid-client"),
            Self::Answer { status: 200, body } => write!(f, "raw:{body}"),
            Self::Answer { status, body } => write!(f, "answer:{status}:{body}"),
            Self::Skew(seconds) => write!(f, "skew:{seconds}"),
            Self::Revoke => f.write_str("revoke"),
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn every_example_is_parsed_and_printed_back_as_it_was() {
        let mut kinds = HashSet::new();
        for (example, _) in Fault::HELP {
            let fault = Fault::parse(example).unwrap();
            assert_eq!(fault.to_string(), example);
            kinds.insert(discriminant(&fault));
        }
        // `raw` and `answer` are one kind
        assert_eq!(kinds.len(), Fault::HELP.len() - 1);
    }

    #[test]
    fn what_is_not_a_fault_is_refused_with_the_reason() {
        for bad in ["", "Hang", "hang ", "none", "nonsense:1"] {
            assert_eq!(Fault::parse(bad), Err(InvalidFault::Unknown), "{bad:?}");
        }
        for bad in ["hang:", "refuse:1", "html:<p>"] {
            assert_eq!(Fault::parse(bad), Err(InvalidFault::NoArgument), "{bad:?}");
        }
        #[rustfmt::skip]
        let bad_arguments = [
            "slow", "slow:", "slow:-1", "slow:NaN", "slow:inf", "slow:1e300", "slow:86401",
            "drip:-1", "drip:1.5", "drip:99999999999", "status:101", "status:600", "status:abc",
            "rate-limit:-1", "rate-limit:4294967296", "retry-after-date:x", "redirect:307",
            "redirect:200:http://a/", "redirect:302:a\nb", "raw", "raw:", "answer:{}", "answer:99:{}",
            "skew:", "skew:1.5", "skew:9223372036854775807", "skew:-9223372036854775808",
        ];
        for bad in bad_arguments {
            assert_eq!(Fault::parse(bad), Err(InvalidFault::Argument), "{bad:?}");
        }
    }
}
