//! `jeton status`: a table for a person that fits the terminal, or JSON for a program.

use std::time::Duration;

use super::args::{Grammar, Usage};
use super::{Dialect, Outcome, ProfileState, Query, Surroundings, human, unexpected};
use crate::lifecycle::Phase;
use crate::profile::ProfileName;
use crate::wire::frame::{Invocation, Reply};

/// The width of a table that is not for a terminal, and of one whose width is not known.
const DEFAULT_COLUMNS: usize = 100;

/// The cells of the bar of seconds left.
const BAR: usize = 10;

/// The verb.
pub(super) struct Status {
    profile: Option<ProfileName>,
    json: bool,
    style: Style,
}

/// How the table looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    columns: usize,
    colour: bool,
    /// Block characters and an ellipsis, or ASCII alone.
    unicode: bool,
}

const GRAMMAR: Grammar = Grammar {
    usage: "jeton status [PROFILE] [--json]",
    values: &[],
    flags: &["--json"],
    profile: true,
};

// === impl Status ===

impl Status {
    pub(super) fn parse(run: &Invocation) -> Result<Self, Usage> {
        let mut named = run.clone();
        // Status without an argument is about everything, whatever profile the shell prefers.
        named.env.remove("JETON_PROFILE");
        let args = GRAMMAR.read(&named)?;
        Ok(Self {
            profile: args.profile(),
            json: args.flag("--json"),
            style: Style::of(run),
        })
    }
}

impl Dialect for Status {
    fn query(&self) -> Query {
        Query::Profiles {
            profile: self.profile.clone(),
        }
    }

    fn render(&self, outcome: &Outcome, around: Surroundings<'_>) -> Reply {
        let Outcome::Profiles(profiles) = outcome else {
            return unexpected();
        };
        let stdout = if self.json {
            json(profiles, around)
        } else {
            table(profiles, around, self.style)
        };
        Reply {
            stdout: stdout.into_bytes().into(),
            ..Reply::default()
        }
    }
}

// === impl Style ===

impl Style {
    /// Colours and block characters only for a terminal that has them, and colours only without `NO_COLOR`
    /// (no-color.org: set and not empty).
    fn of(run: &Invocation) -> Self {
        let var = |name: &str| run.env.get(name).map_or("", String::as_str);
        let rich = run.terminal.output && !matches!(var("TERM"), "" | "dumb");
        let columns = match (run.columns, var("COLUMNS").parse::<usize>()) {
            (0, Ok(columns)) if columns > 0 => columns,
            (0, _) => DEFAULT_COLUMNS,
            (columns, _) => columns.into(),
        };
        Self {
            columns: if run.terminal.output {
                columns
            } else {
                columns.max(DEFAULT_COLUMNS)
            },
            colour: rich && var("NO_COLOR").is_empty(),
            unicode: rich,
        }
    }

    fn paint(self, text: &str, phase: Phase) -> String {
        let colour = match phase {
            Phase::Fresh | Phase::Resting => 32,
            Phase::Starting | Phase::Retrying => 33,
            Phase::Rejected | Phase::Expired | Phase::Misconfigured => 31,
        };
        if self.colour {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn bar(self, left: Duration, whole: Duration) -> String {
        let part = if whole.is_zero() {
            0.0
        } else {
            left.as_secs_f64() / whole.as_secs_f64()
        };
        // At most BAR, and at least one cell while anything is left: an empty bar means expired.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 ..= BAR after the clamp"
        )]
        let full = ((part * BAR as f64).ceil().clamp(0.0, BAR as f64)) as usize;
        let (on, off) = if self.unicode {
            ("█", "░")
        } else {
            ("#", ".")
        };
        on.repeat(full) + &off.repeat(BAR - full)
    }
}

fn json(profiles: &[ProfileState], around: Surroundings<'_>) -> String {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        socket: &'a str,
        profiles: Vec<&'a crate::wire::ProfileReply>,
    }
    let body = Body {
        socket: around.socket,
        profiles: profiles.iter().map(|p| &p.reply).collect(),
    };
    // A struct of strings and numbers always serialises.
    serde_json::to_string_pretty(&body).unwrap_or_default() + "\n"
}

fn table(profiles: &[ProfileState], around: Surroundings<'_>, style: Style) -> String {
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    if profiles.is_empty() {
        line("no profiles yet; make one with: jetond add NAME --provider runai --url https://…");
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
            for text in human::wrap(explanation(profile), style.columns.saturating_sub(2)) {
                line(&format!("  {text}"));
            }
        }
    }
    line(&human::fit(
        &format!("socket {}", around.socket),
        style.columns,
    ));
    out
}

/// What stands below the row of a profile that is not well.
fn explanation(profile: &ProfileState) -> &str {
    match (&profile.blocked, &profile.reply.last_fault) {
        (Some(why), _) => why,
        (None, Some(fault)) if profile.reply.phase != Phase::Fresh => &fault.detail,
        _ => "",
    }
}

/// The widths of the table's columns; 0 where a narrow terminal does without.
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
        // In the order in which a reader would miss them.
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
    around: Surroundings<'_>,
    columns: &Columns,
    style: Style,
) -> String {
    let reply = &profile.reply;
    let now = around.now.unix.seconds_down();
    let left = reply.expires_in.map(Duration::from_secs);
    let next = match reply.next_attempt_at {
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
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::wire::{Counts, FaultReply, ProfileReply};

    fn states() -> Outcome {
        let now = around().now.unix.seconds_down();
        let fresh = ProfileReply {
            profile: "research".into(),
            provider: "runai".into(),
            phase: Phase::Fresh,
            generation: 7,
            expires_in: Some(2_500),
            expires_at: Some(now + 2_500),
            next_attempt_at: Some(now + 700),
            last_fault: None,
            counts: Counts {
                requests: 3,
                refreshes: 2,
                failures: 0,
            },
        };
        let broken = ProfileReply {
            profile: "a-profile-with-a-rather-long-name".into(),
            phase: Phase::Rejected,
            expires_in: None,
            expires_at: None,
            next_attempt_at: Some(now + 60),
            last_fault: Some(FaultReply {
                kind: crate::fault::FaultKind::Rejected,
                at: now - 30,
                detail:
                    "https://acme.run.ai answered 401: invalid_client: Client authentication failed"
                        .into(),
            }),
            ..fresh.clone()
        };
        let hour = Some(Duration::from_secs(3_600));
        Outcome::Profiles(vec![
            ProfileState {
                reply: fresh,
                lifetime: hour,
                blocked: None,
            },
            ProfileState {
                reply: broken,
                lifetime: None,
                blocked: None,
            },
        ])
    }

    fn show(columns: u16, env: &[(&str, &str)], terminal: bool, args: &[&str]) -> String {
        let mut run = run(args);
        run.columns = columns;
        run.terminal.output = terminal;
        run.env = env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let reply = Status::parse(&run).unwrap().render(&states(), around());
        assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""));
        String::from_utf8(reply.stdout.to_vec()).unwrap()
    }

    #[test]
    fn the_table_shows_state_time_left_next_refresh_and_last_fault() {
        let table = show(0, &[], false, &["status"]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 5, "{table}");
        for (line, words) in [
            (0, &["PROFILE", "STATE", "LEFT", "NEXT", "LAST FAULT"][..]),
            (
                1,
                &[
                    "research ",
                    "fresh",
                    "#######...",
                    "41 min",
                    "in 11 min",
                    "-",
                ],
            ),
            (
                2,
                &[
                    "a-profile-with-a-rather…",
                    "rejected",
                    "..........",
                    "none",
                    "in 1 min",
                    "rejected, 30 s ago",
                ],
            ),
            (
                3,
                &[
                    "  https://acme.run.ai answered 401: invalid_client: Client authentication failed",
                ],
            ),
            (4, &["socket /run/user/1000/jeton/jeton.sock"]),
        ] {
            for word in words {
                assert!(lines[line].contains(word), "{word:?} in {table}");
            }
        }
    }

    #[test]
    fn the_table_fits_every_terminal() {
        for columns in [8, 20, 40, 60, 72, 80, 100, 132, 200] {
            let table = show(
                columns,
                &[("TERM", "xterm"), ("NO_COLOR", "1")],
                true,
                &["status"],
            );
            for line in table.lines() {
                let width = line.chars().count();
                assert!(
                    width <= usize::from(columns),
                    "{width} > {columns}:\n{table}"
                );
            }
        }
    }

    #[test]
    fn colours_are_for_terminals_without_no_color_alone() {
        let xterm = ("TERM", "xterm-256color");
        assert!(show(100, &[xterm], true, &["status"]).contains("\x1b[32mfresh\x1b[0m"));
        assert!(show(100, &[xterm, ("NO_COLOR", "")], true, &["status"]).contains('\x1b'));
        for plain in [
            show(100, &[xterm, ("NO_COLOR", "1")], true, &["status"]),
            show(100, &[("TERM", "dumb")], true, &["status"]),
            show(100, &[xterm], false, &["status"]),
        ] {
            assert!(!plain.contains('\x1b'), "{plain}");
        }
    }

    #[test]
    fn programs_get_json_with_the_socket() {
        let json: serde_json::Value =
            serde_json::from_str(&show(100, &[], true, &["status", "--json"])).unwrap();
        assert_eq!(json["socket"], "/run/user/1000/jeton/jeton.sock");
        assert_eq!(json["profiles"][0]["phase"], "fresh");
        assert_eq!(json["profiles"][1]["last_fault"]["kind"], "rejected");
        assert_eq!(json["profiles"][0]["last_fault"], serde_json::Value::Null);
    }

    #[test]
    fn without_profiles_it_says_how_to_make_one() {
        let status = Status::parse(&run(&["status"])).unwrap();
        let reply = status.render(&Outcome::Profiles(vec![]), around());
        let text = String::from_utf8(reply.stdout.to_vec()).unwrap();
        assert!(text.contains("jetond add"), "{text}");
    }
}
