//! The table of profiles for a person; a narrow terminal gets fewer columns.

use std::borrow::Cow;
use std::time::Duration;

use super::sinks;
use super::style::{BAR, Style};
use crate::command_line;
use crate::dialect::{human, key};
use crate::lifecycle::Phase;
use crate::query::{DaemonState, PrintContext, ProfileState};
use crate::wire::SKEW_LIMIT;

/// Formats the complete text.
pub(super) fn table(state: &DaemonState, around: PrintContext<'_>, style: Style) -> String {
    let profiles = &state.profiles[..];
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    if profiles.is_empty() {
        line(&command_line::proposed(
            "no profiles yet; make one with: jetond add NAME --provider runai --url https://…",
            None,
        ));
    } else {
        let columns = Columns::of(profiles, style);
        line(&columns.row(
            "PROFILE",
            ("STATE", None),
            ("", "LEFT"),
            "NEXT",
            "LAST FAULT",
            style,
        ));
        for profile in profiles {
            line(&row(profile, around, &columns, style));
            for note in notes(profile, around) {
                for text in human::wrap(&note, style.columns.saturating_sub(2)) {
                    line(&format!("  {text}"));
                }
            }
        }
    }
    line(&human::fit(
        &format!("socket {}", around.socket),
        style.columns,
    ));
    if state.version.binary_replaced == Some(true) {
        let note = format!(
            "the daemon still runs version {}, and its program was replaced; restart it",
            state.version.version
        );
        human::wrap(&note, style.columns)
            .iter()
            .for_each(|text| line(text));
    }
    out
}

/// Returns the notes below the row of a profile: its problems, and the files that its token is written to.
fn notes<'a>(profile: &'a ProfileState, around: PrintContext<'_>) -> Vec<Cow<'a, str>> {
    let reply = &profile.reply;
    let mut notes = vec![];
    match (&profile.blocked, &reply.last_fault) {
        (Some(why), _) => notes.push(Cow::Borrowed(&**why)),
        (None, Some(fault)) if reply.phase != Phase::Fresh => {
            notes.push(Cow::Borrowed(&*fault.detail));
        }
        _ => {}
    }
    if let (None, Some(why)) = (&profile.blocked, &reply.unusable) {
        notes.push(Cow::Owned(format!(
            "the stored credential cannot be used, so the one that was read before stays in use: {why}"
        )));
    }
    if let Some(fault) = &reply.stored_credential_rejected {
        notes.push(Cow::Owned(format!(
            "the stored credential was rejected, so the former one stays in use: {}",
            fault.detail
        )));
    }
    if let (Some(granted), Some(missing)) = (&reply.granted_scope, &reply.missing_scope) {
        notes.push(Cow::Owned(format!(
            "the issuer granted a narrower scope than the configuration asks for: {granted}, without {missing}"
        )));
    }
    if reply.real_expiry_told {
        notes.push(Cow::Borrowed(
            "tools got this token's real expiry, since no newer one is certain to come in time for them: they may ask at each use",
        ));
    }
    if let Some(secs) = reply.queued_for.filter(|secs| *secs > 0) {
        notes.push(Cow::Owned(format!(
            "its refresh has waited for {} for its turn at the issuer, which other profiles use too",
            human::duration(Duration::from_secs(secs))
        )));
    }
    if let Some(until) = reply.cooling_down_until {
        let wait = Duration::from_secs(until.saturating_sub(around.now.unix.seconds_down()));
        notes.push(Cow::Owned(format!(
            "fresh tokens keep being reported as rejected: for {} a report leads to no new one",
            human::duration(wait)
        )));
    }
    if let Some(skew) = reply
        .clock_skew
        .filter(|skew| skew.unsigned_abs() > SKEW_LIMIT.as_secs())
    {
        let by = human::duration(Duration::from_secs(skew.unsigned_abs()));
        let side = if skew > 0 { "behind" } else { "ahead of" };
        notes.push(Cow::Owned(format!(
            "this machine's clock is {by} {side} the issuer's; set it by NTP"
        )));
    }
    let now = around.now.unix.seconds_down();
    notes.extend(key::lines(reply, now).into_iter().map(Cow::Owned));
    let files = reply.sinks.iter().map(|sink| sinks::line(sink, now));
    notes.extend(files.map(Cow::Owned));
    notes
}

/// The widths of the table's columns; 0 for a column that a narrow terminal omits.
struct Columns {
    name: usize,
    state: usize,
    bar: usize,
    left: usize,
    next: usize,
    fault: usize,
}

impl Columns {
    fn of(profiles: &[ProfileState], style: Style) -> Self {
        let longest = profiles
            .iter()
            .map(|p| p.reply.profile.len())
            .max()
            .unwrap_or(0);
        let mut room = style.columns;
        let mut take = |width: usize| {
            let taken = if width <= room { width } else { 0 };
            room -= taken;
            taken
        };
        // The most important columns first.
        let (name, state) = (
            take(longest.clamp(7, 24).min(style.columns / 2) + 1),
            take(14),
        );
        let (left, bar, next) = (take(13), take(BAR + 1), take(13));
        let fault = if room < 12 { 0 } else { room.min(24) };
        Self {
            name,
            state,
            bar,
            left,
            next,
            fault,
        }
    }

    fn row(
        &self,
        name: &str,
        (state, phase): (&str, Option<Phase>),
        (bar, left): (&str, &str),
        next: &str,
        fault: &str,
        style: Style,
    ) -> String {
        let cell = |text: &str, width: usize| match width {
            0 => String::new(),
            _ => format!("{:<width$}", human::fit(text, width - 1)),
        };
        let state = match (self.state, phase) {
            (0, _) => String::new(),
            (width, None) => cell(state, width),
            (width, Some(phase)) => {
                style.paint(state, phase) + &" ".repeat(width.saturating_sub(state.len()))
            }
        };
        let bar = cell(bar, self.bar);
        let name = if self.name == 0 {
            human::fit(name, style.columns)
        } else {
            cell(name, self.name)
        };
        name + &state
            + &cell(left, self.left)
            + &bar
            + &cell(next, self.next)
            + &cell(fault, self.fault)
    }
}

fn row(
    profile: &ProfileState,
    around: PrintContext<'_>,
    columns: &Columns,
    style: Style,
) -> String {
    let reply = &profile.reply;
    let now = around.now.unix.seconds_down();
    let left = reply.expires_in.map(Duration::from_secs);
    let next = match reply.next_attempt_at {
        None if profile.resting => "when asked".to_owned(),
        None => "now".to_owned(),
        Some(at) => format!(
            "in {}",
            human::duration(Duration::from_secs(at.saturating_sub(now)))
        ),
    };
    let fault = match &reply.last_fault {
        None => "-".to_owned(),
        Some(fault) => {
            let ago = Duration::from_secs(now.saturating_sub(fault.at));
            format!("{}, {} ago", fault.kind.as_str(), human::duration(ago))
        }
    };
    columns.row(
        &reply.profile,
        (phase(reply.phase), Some(reply.phase)),
        (
            &style.bar(
                left.unwrap_or_default(),
                profile.lifetime.unwrap_or_default(),
            ),
            &left.map_or_else(|| "none".to_owned(), human::duration),
        ),
        &next,
        &fault,
        style,
    )
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Fresh => "fresh",
        Phase::Retrying => "retrying",
        Phase::Rejected => "rejected",
        Phase::Expired => "expired",
        Phase::Resting => "resting",
        Phase::Misconfigured => "misconfigured",
        Phase::Locked => "locked",
    }
}
