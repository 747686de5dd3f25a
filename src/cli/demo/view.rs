//! The formatting of the demo's output: pure functions that build lines.

use std::time::Duration;

use super::line::{Line, Tone};
use super::score::{counted, grouped};

/// The width of the bar, in cells.
const BAR: usize = 40;

/// The number of characters of a token that are shown: the start of its header, which all tokens share.
const SHOWN: usize = 12;

/// The content of the live part.
#[derive(Debug, Clone)]
pub(super) struct LivePart<'a> {
    /// One sentence about the current step.
    pub(super) caption: &'a str,
    /// Whether the issuer fails.
    pub(super) outage: bool,
    /// The number of the held token, from 1.
    pub(super) token: u64,
    /// The time for which it is still served.
    pub(super) left: Duration,
    /// The time for which a new token is served.
    pub(super) served: Duration,
    pub(super) requests: u64,
    pub(super) per_second: u64,
    pub(super) slowest: Duration,
    pub(super) failed: u64,
    /// The output of a command, shown beside it.
    pub(super) aside: &'a [Line],
}

/// The title of the demo.
pub(super) fn title() -> Line {
    Line::new(Tone::Bold, "jetond demo").and(
        Tone::Plain,
        ": the whole story in half a minute, without an account",
    )
}

/// A step, and its command.
pub(super) fn step(what: &str, command: &str) -> [Line; 2] {
    [Line::new(Tone::Plain, what), Line::command(command)]
}

/// The output of a command, cleaned.
pub(super) fn output(text: &str) -> Line {
    let clean = text.chars().map(|c| if c.is_control() { '?' } else { c });
    Line::new(Tone::Dim, clean.collect::<String>())
}

/// The shown part of a token.
pub(super) fn token(token: &str) -> Line {
    let shown: String = token.chars().take(SHOWN).collect();
    let all = counted(token.chars().count() as u64, "character", "characters");
    output(&format!("{shown}…  (the first {SHOWN} of its {all})"))
}

/// An event with its time.
fn event(at: Duration, tone: Tone, what: &str) -> Line {
    let (minutes, seconds) = (at.as_secs() / 60, at.as_secs() % 60);
    Line::new(Tone::Dim, format!("{minutes:>2}:{seconds:02}  ")).and(tone, what)
}

/// The start of an outage.
pub(super) fn down(at: Duration, how: &str) -> Line {
    event(at, Tone::Bad, &format!("the issuer is down: {how}"))
}

/// The end of an outage, with the numbers of the daemon's attempts and of the programs' requests meanwhile.
pub(super) fn back(at: Duration, attempts: u64, requests: u64) -> Line {
    let attempts = counted(attempts, "attempt", "attempts");
    let (tone, requests) = failed(requests);
    let what = format!("it is back: {attempts} to renew had failed, and {requests}");
    event(at, tone, &what)
}

/// The number of failed requests, for people.
fn failed(requests: u64) -> (Tone, String) {
    match requests {
        0 => (Tone::Good, "not one request".to_owned()),
        n => (Tone::Bad, counted(n, "request", "requests")),
    }
}

/// The first use of a new application: the API accepted its token.
pub(super) fn used(at: Duration, profile: &str) -> Line {
    let what = format!("{profile} has a token of its own, and the API takes it");
    event(at, Tone::Good, &what)
}

/// The start of a new key's use, and the number of requests that failed meanwhile.
pub(super) fn rotated(at: Duration, profile: &str, requests: u64) -> Line {
    let (tone, requests) = failed(requests);
    let what = format!("jeton rotate {profile}: a new key is in use, and {requests} failed");
    event(at, tone, &what)
}

/// A new token, if there is no live part.
pub(super) fn renewed(at: Duration, token: u64, requests: u64, failed: u64) -> Line {
    let (requests, failed) = (counted(requests, "request", "requests"), grouped(failed));
    let what = format!("token {token} is served; so far {requests}, {failed} failed");
    event(at, Tone::Plain, &what)
}

/// The lines of the live part.
pub(super) fn board(board: &LivePart<'_>) -> Vec<Line> {
    let label = |label: &str| Line::new(Tone::Plain, format!("  {label:<10}"));
    let issuer = if board.outage {
        label("issuer").and(Tone::Bad, "● down")
    } else {
        label("issuer").and(Tone::Good, "● up")
    };
    let left = board.left.as_secs_f64();
    let part = left / board.served.as_secs_f64().max(f64::MIN_POSITIVE);
    let full = cells(part);
    let tone = if part > 0.35 {
        Tone::Good
    } else {
        Tone::Warning
    };
    let token = label(&format!("token {}", board.token))
        .and(tone, "█".repeat(full))
        .and(Tone::Dim, "░".repeat(BAR - full))
        .and(Tone::Plain, format!("  {left:.1} s left"));
    let counts = format!(
        "{} requests, {} a second, slowest {}, ",
        grouped(board.requests),
        grouped(board.per_second),
        milliseconds(board.slowest),
    );
    let tone = if board.failed == 0 {
        Tone::Good
    } else {
        Tone::Bad
    };
    let programs = label("programs")
        .and(Tone::Plain, counts)
        .and(tone, format!("{} failed", grouped(board.failed)));
    let caption = Line::new(Tone::Bold, format!("  {}", board.caption));
    let mut lines = vec![Line::default(), caption, issuer, token, programs];
    lines.extend_from_slice(board.aside);
    lines
}

/// The number of full cells of the bar: 0 only if no time is left.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "0 ..= BAR after the clamp"
)]
fn cells(part: f64) -> usize {
    (part * BAR as f64).ceil().clamp(0.0, BAR as f64) as usize
}

/// Formats milliseconds, with a decimal if there are few.
fn milliseconds(d: Duration) -> String {
    let ms = d.as_secs_f64() * 1_000.0;
    if ms < 10.0 {
        format!("{ms:.1} ms")
    } else {
        format!("{ms:.0} ms")
    }
}

#[cfg(test)]
mod tests;
