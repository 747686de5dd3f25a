//! Writes a fault in the text form that [`Fault::parse`] reads.

use std::fmt;

use super::Fault;

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
            Self::Reads(fault) => write!(f, "reads:{fault}"),
            Self::Executed(fault) => write!(f, "executed:{fault}"),
            Self::Late { after, answer } => {
                write!(f, "late:{}", after.as_secs_f64())?;
                answer.iter().try_for_each(|fault| write!(f, ":{fault}"))
            }
            Self::Again(after) => write!(f, "again:{}", after.as_secs_f64()),
            Self::Twice(execution) => write!(f, "twice:{}", execution.as_str()),
            Self::Secret(fault) => write!(f, "secret:{}", fault.as_str()),
            Self::Tls(fault) => write!(f, "tls:{}", fault.as_str()),
        }
    }
}
