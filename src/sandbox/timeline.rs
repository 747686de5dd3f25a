//! Faults over time, and their text form.

use std::fmt;
use std::time::Duration;

use super::fault::{Fault, InvalidFault};

/// The latest time of a step: a week.
const MAX_AFTER: Duration = Duration::from_secs(7 * 86_400);

/// The maximum number of steps.
const MAX_STEPS: usize = 10_000;

/// Faults at times that are counted from the start; the first step is the earliest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline(Vec<(Duration, Option<Fault>)>);

/// The reason why a text is not a timeline. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidTimeline {
    /// The line, counted from 1.
    pub line: usize,
    /// The error in that line.
    pub why: InvalidStep,
}

/// The reason why a line is not a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidStep {
    /// It is not a number of seconds, a blank, and a fault.
    Shape,
    /// It does not begin with a number of seconds up to a week.
    Seconds,
    /// It is earlier than the line before.
    Order,
    /// There are too many steps.
    TooMany,
    /// Its fault is invalid.
    Fault(InvalidFault),
}

// === impl Timeline ===

impl Timeline {
    /// Makes a timeline of faults, or ends of faults (`None`), in any order. Of two at the same time, the later in
    /// the list wins.
    pub fn new(steps: impl IntoIterator<Item = (Duration, Option<Fault>)>) -> Self {
        let mut steps: Vec<_> = steps.into_iter().collect();
        steps.sort_by_key(|(after, _)| *after);
        Self(steps)
    }

    /// Parses lines of `SECONDS FAULT`, where the fault may be `none`: `10 hang`, `12.5 none`. Lines that begin with
    /// `#` are comments; elsewhere `#` can be a part of a fault.
    ///
    /// # Errors
    /// [`InvalidTimeline`] with the line and the error.
    pub fn parse(text: &str) -> Result<Self, InvalidTimeline> {
        let mut steps: Vec<(Duration, Option<Fault>)> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let invalid = |why| InvalidTimeline {
                line: number + 1,
                why,
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let step = step(line).map_err(invalid)?;
            if steps.last().is_some_and(|(before, _)| *before > step.0) {
                return Err(invalid(InvalidStep::Order));
            }
            if steps.len() >= MAX_STEPS {
                return Err(invalid(InvalidStep::TooMany));
            }
            steps.push(step);
        }
        Ok(Self(steps))
    }

    /// Returns the steps, the earliest first.
    pub fn steps(&self) -> &[(Duration, Option<Fault>)] {
        &self.0
    }
}

fn step(line: &str) -> Result<(Duration, Option<Fault>), InvalidStep> {
    let (seconds, fault) = line
        .split_once(char::is_whitespace)
        .ok_or(InvalidStep::Shape)?;
    let after = seconds
        .parse()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|after| *after <= MAX_AFTER)
        .ok_or(InvalidStep::Seconds)?;
    let fault = match fault.trim_start() {
        "none" => None,
        text => Some(Fault::parse(text).map_err(InvalidStep::Fault)?),
    };
    Ok((after, fault))
}

// === impl InvalidTimeline ===

impl fmt::Display for InvalidTimeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.why {
            InvalidStep::Shape => f.write_str("it is not SECONDS FAULT"),
            InvalidStep::Seconds => f.write_str("the time is not a number of seconds up to a week"),
            InvalidStep::Order => f.write_str("it is earlier than the line before"),
            InvalidStep::TooMany => write!(f, "there are more than {MAX_STEPS} steps"),
            InvalidStep::Fault(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for InvalidTimeline {}

#[cfg(test)]
mod tests;
