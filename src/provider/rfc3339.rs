//! Dates in the answers of issuers and of their APIs (RFC 3339), parsed without a clock.

/// Parses a date such as `2025-01-02T03:04:05.678Z` to seconds since 1970, rounded down. `None` for a date before 1970.
pub fn seconds(text: &str) -> Option<u64> {
    let (date, time) = text.split_at_checked(10)?;
    let time = time.strip_prefix(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let is_a_date = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 61;
    if !is_a_date {
        return None;
    }
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let here = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    u64::try_from(here - offset(zone)?).ok()
}

/// Parses three numbers with these numbers of digits.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next()?;
        let is_number = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// Parses the seconds by which a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, zone) = zone.split_at_checked(1)?;
    let (hours, minutes) = zone.split_once(':')?;
    let number = |text: &str, most: i64| {
        let is_number = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        let number: i64 = text.parse().ok().filter(|_| is_number)?;
        (number <= most).then_some(number)
    };
    let ahead = number(hours, 23)? * 3_600 + number(minutes, 59)? * 60;
    match sign {
        "+" => Some(ahead),
        "-" => Some(-ahead),
        _ => None,
    }
}

/// Returns the days since 1970 of a date in the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_parsed_as_in_rfc_3339() {
        for (text, unix) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2025-01-02T03:04:05Z", 1_735_787_045),
            ("2025-01-02T03:04:05.678Z", 1_735_787_045),
            ("2025-01-02t03:04:05.123456789z", 1_735_787_045),
            ("2025-01-02T05:04:05+02:00", 1_735_787_045),
            ("2025-01-01T22:04:05-05:00", 1_735_787_045),
            ("2024-02-29T00:00:00Z", 1_709_164_800),
            ("2000-03-01T00:00:00Z", 951_868_800),
        ] {
            assert_eq!(seconds(text), Some(unix), "{text}");
        }
        for bad in [
            "",
            "now",
            "2025-01-02",
            "2025-01-02T03:04Z",
            "2025-13-02T03:04:05Z",
            "2025-00-02T03:04:05Z",
            "2025-01-02T24:04:05Z",
            "2025-01-02T03:04:05",
            "2025-01-02T03:04:05 UTC",
            "2025-01-02T03:04:05+2:00",
            "+025-01-02T03:04:05Z",
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00+01:00",
            "20é5-01-02T03:04:05Z",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
