//! Durations in the configuration: `1h`, `90s`, `1h 30m`.

use std::time::Duration;

use super::url::{InvalidUrl, invalid};

/// The units, the longest first, each with the spellings that people use. The first spelling is ours.
const UNITS: [(u64, &[&str]); 4] = [
    (86_400, &["d", "day", "days"]),
    (3_600, &["h", "hr", "hour", "hours"]),
    (60, &["m", "min", "minute", "minutes"]),
    (1, &["s", "sec", "second", "seconds"]),
];

/// The most digits that a number may have.
const MAX_DIGITS: usize = 9;

/// Parses a duration of at least a second. A number without a unit counts seconds, as in a systemd unit.
///
/// # Errors
/// [`InvalidUrl`] for any other text, and for zero.
pub(super) fn parse(text: &str) -> Result<Duration, InvalidUrl> {
    let span = sum(text.trim()).filter(|span| !span.is_zero());
    span.ok_or_else(|| {
        invalid("this must be a time such as \"1h\", \"45m\" or \"1h 30m\", of at least \"1s\"")
    })
}

/// Formats a duration for [`parse`], in whole seconds.
pub(super) fn shown(span: Duration) -> String {
    let mut left = span.as_secs();
    let parts = UNITS.into_iter().filter_map(|(unit, words)| {
        let count = left / unit;
        left %= unit;
        let word = words.first().filter(|_| count > 0)?;
        Some(format!("{count}{word}"))
    });
    parts.collect::<Vec<_>>().join(" ")
}

fn sum(text: &str) -> Option<Duration> {
    let mut seconds = 0_u64;
    let mut rest = text;
    let mut is_first = true;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit());
        let (word, after) = split(after.trim_start(), |c| c.is_ascii_alphabetic());
        let unit = match word {
            "" if is_first && after.is_empty() => 1,
            word => UNITS.iter().find(|(_, words)| words.contains(&word))?.0,
        };
        if number.len() > MAX_DIGITS {
            return None;
        }
        let more = number.parse::<u64>().ok()?.checked_mul(unit)?;
        seconds = seconds.checked_add(more)?;
        rest = after.trim_start();
        is_first = false;
    }
    Some(Duration::from_secs(seconds))
}

/// Splits a text after its longest prefix of characters of this kind.
fn split(text: &str, is_of_it: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !is_of_it(c)).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_is_written_as_numbers_with_units() {
        for (text, seconds) in [
            ("1h", 3_600),
            ("45m", 2_700),
            ("90s", 90),
            ("3600", 3_600),
            ("1h 30m", 5_400),
            ("1h30m", 5_400),
            (" 2 hours ", 7_200),
            ("1 day 1 second", 86_401),
            ("30min", 1_800),
            ("30d", 2_592_000),
        ] {
            assert_eq!(parse(text).unwrap(), Duration::from_secs(seconds), "{text}");
        }
        for bad in [
            "",
            " ",
            "0",
            "0s",
            "h",
            "1x",
            "1.5h",
            "-1h",
            "+1h",
            "1h 30",
            "1h, 30m",
            "1H",
            "1e3",
            "9999999999s",
            "PT1H",
            "one hour",
        ] {
            parse(bad).expect_err(bad);
        }
    }

    proptest! {
        #[test]
        fn a_displayed_duration_parses_back_unchanged(seconds in 1_u64..100_000_000) {
            let span = Duration::from_secs(seconds);
            prop_assert_eq!(parse(&shown(span)).unwrap(), span);
        }
    }
}
