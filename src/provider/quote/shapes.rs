//! The shapes of message parts that are kept besides words: too short or too regular to carry a secret.

/// The most digits of a number. A longer one may be part of a secret.
const MAX_DIGITS: usize = 5;

/// The accepted units of a number.
const UNITS: [&str; 6] = ["", "%", "s", "ms", "h", "min"];

/// The prefixes of issuers' error codes, each with its most digits.
const CODES: [(&str, usize); 3] = [("AADSTS", 8), ("E", 7), ("IDX", 5)];

fn are_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reports whether a text is a short number with up to one point, and its unit.
pub(super) fn is_number(text: &str) -> bool {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_short = number.len() <= MAX_DIGITS;
    is_short && are_digits(whole) && are_digits(part) && UNITS.contains(&unit)
}

/// Reports whether a text is a date, a time of day or both, as in RFC 3339. Decimal codes of bytes do not match: no
/// letter's code is an hour.
pub(super) fn is_moment(text: &str) -> bool {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (Some(date), Some(time)),
        None if text.contains(':') => (None, Some(text)),
        None => (Some(text), None),
    };
    date.is_none_or(is_date) && time.is_none_or(is_time)
}

fn is_date(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    let [year, month, day] = parts[..] else {
        return false;
    };
    year.len() == 4 && is_in(year, 1970, 2100) && is_in(month, 1, 12) && is_in(day, 1, 31)
}

fn is_time(text: &str) -> bool {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (clock, zone) = match text.split_once(['+', '-']) {
        Some((clock, zone)) => (clock, Some(zone)),
        None => (text, None),
    };
    let (clock, part) = clock.split_once('.').unwrap_or((clock, "0"));
    let is_clock = |text: &str| {
        let mut parts = text.split(':');
        let is_hour = parts.next().is_some_and(|hour| is_in(hour, 0, 23));
        let rest: Vec<_> = parts.collect();
        is_hour && (1..=2).contains(&rest.len()) && rest.iter().all(|it| is_in(it, 0, 60))
    };
    is_clock(clock) && are_digits(part) && part.len() <= 6 && zone.is_none_or(is_clock)
}

/// Reports whether a text is a number in this range, with two digits or more.
fn is_in(text: &str, from: u32, to: u32) -> bool {
    let number = text.parse().ok().filter(|_| are_digits(text));
    (2..=4).contains(&text.len()) && number.is_some_and(|number| (from..=to).contains(&number))
}

/// Reports whether a text is a UUID of a random or time-based kind (RFC 9562 section 4.1), which identifies a request
/// in the issuer's log. The bytes of a text do not match, since no letter has the bits that mark the kind.
pub(super) fn is_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').collect();
    let [_, _, version, variant, _] = groups[..] else {
        return false;
    };
    let lengths = groups.iter().map(|group| group.len());
    lengths.eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|group| group.bytes().all(|b| b.is_ascii_hexdigit()))
        && version.starts_with(|c| ('1'..='8').contains(&c))
        && variant.starts_with(['8', '9', 'a', 'b', 'A', 'B'])
}

/// Reports whether a text is an error code of a known issuer.
pub(super) fn is_code(text: &str) -> bool {
    CODES.iter().any(|(name, most)| {
        let digits = text.strip_prefix(name);
        digits
            .is_some_and(|digits| digits.len() <= *most && digits.len() >= 3 && are_digits(digits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_or_regular_words_are_kept() {
        type Shape = fn(&str) -> bool;
        let table: [(Shape, &[&str], &[&str]); 4] = [
            (
                is_number,
                &["0", "429", "65535", "2.0", "30s", "90%", "250ms"],
                &[
                    "", ".", "1.", "123456", "1.2.3", "12345.6", "30x", "1e9", "-1",
                ],
            ),
            (
                is_moment,
                &[
                    "2026-11-30",
                    "12:00",
                    "12:00:59",
                    "12:00:59.123456Z",
                    "2026-11-30T12:00:00Z",
                    "2026-11-30T12:00:00+01:00",
                ],
                &[
                    "",
                    "T",
                    "2026-13-30",
                    "1115-11-30",
                    "73:33:63",
                    "12:61",
                    "115:51:99",
                    "12:00:00:00",
                    "12:00:59.1234567",
                    "12:00Z12",
                ],
            ),
            (
                is_uuid,
                &[
                    "6731de76-14a6-49ae-97bc-6eba6914391e",
                    "0192F3C1-7B2A-7C3D-8E4F-5A6B7C8D9E0F",
                ],
                &[
                    // The bytes of a text.
                    "68756e74-6572-3268-756e-746572326875",
                    "6731de76-14a6-49ae-97bc-6eba6914391",
                    "6731de76-14a6-09ae-97bc-6eba6914391e",
                    "6731de7614a649ae97bc6eba6914391e",
                    "6731dg76-14a6-49ae-97bc-6eba6914391e",
                ],
            ),
            (
                is_code,
                &["AADSTS7000215", "AADSTS700016", "E0000011"],
                &[
                    "AADSTS",
                    "AADSTS123456789",
                    "E12",
                    "E00000111",
                    "X1234",
                    "aadsts123",
                ],
            ),
        ];
        for (is, kept, hidden) in table {
            for text in kept {
                assert!(is(text), "{text}");
            }
            for text in hidden {
                assert!(!is(text), "{text}");
            }
        }
    }
}
