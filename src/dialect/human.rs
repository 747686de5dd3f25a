//! Durations and short texts in readable form.

use std::time::Duration;

/// Formats a duration in at most two units: `12 s`, `1 min 30 s`, `59 min`, `3 h 5 min`, `2 d 4 h`. From 10 min on it
/// leaves out seconds.
pub(crate) fn duration(d: Duration) -> String {
    let s = d.as_secs();
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big} {big_unit}"),
        _ => format!("{big} {big_unit} {small} {small_unit}"),
    };
    match s {
        0..60 => format!("{s} s"),
        60..600 => two(s / 60, "min", s % 60, "s"),
        600..3_600 => format!("{} min", s / 60),
        3_600..86_400 => two(s / 3_600, "h", s % 3_600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3_600, "h"),
    }
}

/// Shortens `text` to at most `width` columns; `…` replaces the cut end. Control characters, which would move the
/// cursor, become `?`.
pub(super) fn fit(text: &str, width: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '?' } else { c });
    if text.chars().count() <= width {
        clean.collect()
    } else {
        clean
            .take(width.saturating_sub(1))
            .chain(std::iter::once('…'))
            .collect()
    }
}

/// Breaks `text` into lines of at most `width` columns, between words if possible. Control characters become `?`.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.is_empty() {
        return vec![];
    }
    let width = width.max(1);
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    let mut lines: Vec<String> = vec![String::new()];
    for word in clean.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(width) {
            let used = lines.last().map_or(0, |line| line.chars().count());
            match lines.last_mut() {
                Some(line) if used == 0 => line.extend(piece),
                Some(line) if used + 1 + piece.len() <= width => {
                    line.push(' ');
                    line.extend(piece);
                }
                _ => lines.push(piece.iter().collect()),
            }
        }
    }
    lines
}

/// How a wait is told, at this moment in Unix seconds: since when, if it is one between tries, and for how long. A moment
/// that is past is not told; `None` if nothing is left.
pub(super) fn wait(since: Option<u64>, until: Option<u64>, now: u64) -> Option<String> {
    let shown = |seconds| duration(Duration::from_secs(seconds));
    let left = until?.checked_sub(now).filter(|left| *left > 0)?;
    let Some(since) = since else {
        return Some(format!("for {}", shown(left)));
    };
    let next = format!("next try in {}", shown(left));
    Some(match now.saturating_sub(since) {
        0 => next,
        ago => format!("since {}, {next}", shown(ago)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_at_most_two_units() {
        for (s, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (90, "1 min 30 s"),
            (601, "10 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (11_100, "3 h 5 min"),
            (187_200, "2 d 4 h"),
        ] {
            assert_eq!(duration(Duration::from_secs(s)), text);
        }
    }

    #[test]
    fn texts_are_wrapped_between_words_and_long_words_cut() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrap("", 3), [""; 0]);
    }

    #[test]
    fn long_texts_are_cut_and_control_characters_replaced() {
        assert_eq!(fit("abc", 3), "abc");
        assert_eq!(fit("abcd", 3), "ab…");
        assert_eq!(fit("a\u{1b}[2J", 10), "a?[2J");
        assert_eq!(fit("abc", 0), "…");
    }
}
