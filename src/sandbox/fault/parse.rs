//! Parses the text form of a fault.

use std::str::FromStr;
use std::time::Duration;

use hyper::header::HeaderValue;

use super::{Execution, Fault, InvalidFault, SecretFault, TlsFault};
use crate::sandbox::moment::MAX_SKEW;

/// The longest delay: a day.
const MAX_DELAY: Duration = Duration::from_secs(86_400);

impl Fault {
    /// Parses `kind` or `kind:argument`.
    ///
    /// # Errors
    /// [`InvalidFault`] with the reason, which does not quote the text.
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
            "slow" => seconds(argument).map(Self::Slow),
            "again" => seconds(argument).map(Self::Again),
            "late" => late(argument),
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
            "keys" => inner(argument, Self::is_of_an_answer).map(Self::Keys),
            "reads" => inner(argument, Self::is_of_an_answer).map(Self::Reads),
            "executed" => inner(argument, |fault| {
                fault.is_of_an_answer() || *fault == Self::Hang
            })
            .map(Self::Executed),
            "twice" => Execution::ALL
                .into_iter()
                .find(|execution| execution.as_str() == argument)
                .map(Self::Twice),
            "secret" => SecretFault::ALL
                .into_iter()
                .find(|fault| fault.as_str() == argument)
                .map(Self::Secret),
            "tls" => TlsFault::ALL
                .into_iter()
                .find(|fault| fault.as_str() == argument)
                .map(Self::Tls),
            "skew" => argument
                .parse()
                .ok()
                .filter(|by: &i64| by.unsigned_abs() <= MAX_SKEW.unsigned_abs())
                .map(Self::Skew),
            _ => return Err(InvalidFault::Unknown),
        }
        .ok_or(InvalidFault::Argument)
    }

    /// Returns the fault of this name without an argument.
    fn plain(kind: &str) -> Option<Self> {
        Some(match kind {
            "refuse" => Self::Refuse,
            "hang-connect" => Self::HangConnect,
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
            "early-hints" => Self::EarlyHints,
            "invalid-client" => Self::InvalidClient,
            "revoke" => Self::Revoke,
            "non-ascii" => Self::NonAscii,
            "same-token" => Self::SameToken,
            "swallow" => Self::Swallow,
            _ => return None,
        })
    }
}

fn seconds(text: &str) -> Option<Duration> {
    text.parse()
        .ok()
        .and_then(|s| Duration::try_from_secs_f64(s).ok())
        .filter(|delay| *delay <= MAX_DELAY)
}

/// Parses the fault inside another one. It cannot contain a further fault.
fn inner(text: &str, is_one: impl Fn(&Fault) -> bool) -> Option<Box<Fault>> {
    let kind = text.split(':').next().unwrap_or_default();
    // checked before parsing: a text could nest as deep as it is long
    if ["keys", "reads", "executed", "late"].contains(&kind) {
        return None;
    }
    Fault::parse(text).ok().filter(is_one).map(Box::new)
}

fn late(argument: &str) -> Option<Fault> {
    let (after, answer) = match argument.split_once(':') {
        None => (argument, None),
        // a fault that lets the usual answer through would need it, but it is not known yet
        Some((after, text)) => {
            let is_one = |fault: &Fault| {
                *fault == Fault::Hang || fault.is_of_an_answer() && !fault.lets_through()
            };
            (after, Some(inner(text, is_one)?))
        }
    };
    seconds(after).map(|after| Fault::Late { after, answer })
}

/// Parses the status of a final answer. 1xx statuses are invalid: they do not end a request.
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::mem::discriminant;

    use super::*;

    #[test]
    fn every_example_fault_parses_and_prints_back_unchanged() {
        let mut kinds = HashSet::new();
        for (example, _) in Fault::HELP {
            let fault = Fault::parse(example).unwrap();
            assert_eq!(fault.to_string(), example);
            kinds.insert(discriminant(&fault));
        }
        // `raw` and `answer` share one kind; so do both forms of `late`, and the variants of TLS and others
        let more = [
            TlsFault::ALL.len(),
            SecretFault::ALL.len(),
            Execution::ALL.len(),
        ];
        let more: usize = more.iter().map(|all| all - 1).sum();
        assert_eq!(kinds.len(), Fault::HELP.len() - 2 - more);
    }

    #[test]
    fn an_invalid_fault_is_refused_with_the_reason() {
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
            "keys", "keys:", "keys:nonsense", "keys:hang", "keys:refuse", "keys:hang-connect", "keys:swallow", "keys:keys:html", "keys:status:1",
            "reads", "reads:hang", "reads:swallow", "reads:reads:html", "reads:keys:html", "executed:", "executed:swallow",
            "executed:executed:html", "executed:late:1", "late", "late:", "late:x", "late:-1", "late:1:", "late:1:slow:1",
            "late:1:reset", "late:1:late:1", "late:86401", "again", "again:x", "twice", "twice:both", "secret", "secret:html",
            "tls", "tls:", "tls:html", "tls:wrong_name", "keys:tls:hang",
            "skew:", "skew:1.5", "skew:9223372036854775807", "skew:-9223372036854775808",
        ];
        for bad in bad_arguments {
            assert_eq!(Fault::parse(bad), Err(InvalidFault::Argument), "{bad:?}");
        }
    }
}
