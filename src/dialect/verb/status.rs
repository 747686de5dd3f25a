//! `jeton status`: a table that fits the terminal, or JSON for a program.

mod sinks;
mod style;
mod table;

use self::style::Style;
use super::super::args::{Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use crate::query::{DaemonState, Print, PrintContext, Question};
use crate::wire::frame::Reply;
use crate::wire::{ProfileReply, VersionReply};

static JSON: Opt = Opt {
    name: "--json",
    takes: OptionArgument::Nothing,
    help: "print JSON",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "status",
    usage: "[PROFILE] [--json]",
    does: "show the state of the profiles",
    options: &[&JSON],
    // Without an argument it lists all profiles, whatever `JETON_PROFILE` says.
    profile: Profile::Argument,
};

/// The output form of the states.
struct Status {
    json: bool,
    style: Style,
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let status = Status {
        json: args.has(&JSON),
        style: Style::of(call.run),
    };
    Ok(NextStep::Ask(Question::Profiles(
        args.profile(),
        Box::new(status),
    )))
}

impl Print<DaemonState> for Status {
    fn print(&self, state: &DaemonState, around: PrintContext<'_>) -> Reply {
        let stdout = if self.json {
            json(state, around)
        } else {
            table::table(state, around, self.style)
        };
        Reply {
            stdout: stdout.into_bytes().into(),
            ..Reply::default()
        }
    }
}

fn json(state: &DaemonState, around: PrintContext<'_>) -> String {
    #[derive(serde::Serialize)]
    struct Body<'a> {
        socket: &'a str,
        #[serde(flatten)]
        version: &'a VersionReply,
        profiles: Vec<&'a ProfileReply>,
    }
    let body = Body {
        socket: around.socket,
        version: &state.version,
        profiles: state.profiles.iter().map(|p| &p.reply).collect(),
    };
    // A struct of strings and numbers always serialises.
    serde_json::to_string_pretty(&body).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use crate::dialect::testing::*;
    use crate::query::{DaemonState, ProfileState, Question};
    use crate::wire::VersionReply;
    use crate::wire::frame::{Invocation, Reply};

    fn show_states(run: &Invocation, states: &[ProfileState]) -> Reply {
        show_daemon(run, states, Some(false))
    }

    fn show_daemon(run: &Invocation, states: &[ProfileState], replaced: Option<bool>) -> Reply {
        let state = DaemonState {
            profiles: states.to_vec(),
            version: VersionReply {
                version: "1.2.3".to_owned(),
                binary_replaced: replaced,
            },
        };
        match asked(run) {
            Question::Profiles(_, print) => print.print(&state, around()),
            _ => panic!("asks for no state"),
        }
    }

    fn show(columns: u16, env: &[(&str, &str)], terminal: bool, args: &[&str]) -> String {
        let mut run = run(args);
        run.columns = columns;
        run.terminal.output = terminal;
        run.env = env
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let reply = show_states(&run, &states());
        assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""));
        String::from_utf8(reply.stdout.to_vec()).unwrap()
    }

    #[test]
    fn the_table_shows_state_time_left_next_refresh_and_last_fault() {
        let table = show(0, &[], false, &["status"]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 9, "{table}");
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
            (
                4,
                &["  this machine's clock is 1 min 30 s ahead of the issuer's; set it by NTP"],
            ),
            (5, &["unused ", "resting", "41 min", "when asked", "-"]),
            (
                6,
                &[
                    "  its refresh has waited for 1 min 30 s for its turn at the issuer, which other profiles use too",
                ],
            ),
            (
                7,
                &[
                    "  fresh tokens keep being reported as rejected: for 1 min a report leads to no new one",
                ],
            ),
            (8, &["socket /run/user/1000/jeton/jeton.sock"]),
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
    fn colours_are_used_only_on_terminals_without_no_color() {
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
    fn status_json_contains_the_socket_path() {
        let json: serde_json::Value =
            serde_json::from_str(&show(100, &[], true, &["status", "--json"])).unwrap();
        assert_eq!(json["socket"], "/run/user/1000/jeton/jeton.sock");
        assert_eq!(json["profiles"][0]["phase"], "fresh");
        assert_eq!(json["profiles"][1]["last_fault"]["kind"], "rejected");
        assert_eq!(json["profiles"][0]["last_fault"], serde_json::Value::Null);
    }

    #[test]
    fn status_shows_the_daemon_version_and_a_replaced_program() {
        for (replaced, member, notes) in [
            (Some(false), serde_json::json!(false), 0),
            (Some(true), serde_json::json!(true), 1),
            (None, serde_json::Value::Null, 0),
        ] {
            let shown = |args: &[&str]| {
                let stdout = show_daemon(&run(args), &states(), replaced).stdout;
                String::from_utf8(stdout.to_vec()).unwrap()
            };
            let json: serde_json::Value =
                serde_json::from_str(&shown(&["status", "--json"])).unwrap();
            assert_eq!(json["version"], "1.2.3");
            assert_eq!(json["binary_replaced"], member);
            let note =
                "the daemon still runs version 1.2.3, and its program was replaced; restart it";
            let table = shown(&["status"]);
            assert_eq!(table.matches(note).count(), notes, "{table}");
        }
    }

    #[test]
    fn a_note_is_shown_when_a_tool_got_the_tokens_real_expiry() {
        for told in [false, true] {
            let mut states = states();
            states.truncate(1);
            states[0].reply.real_expiry_told = told;
            let shown = |args: &[&str]| {
                let stdout = show_states(&run(args), &states).stdout;
                String::from_utf8(stdout.to_vec()).unwrap()
            };
            let table = shown(&["status"]);
            let notes = table.matches("got this token's real expiry").count();
            assert_eq!(notes, usize::from(told), "{table}");
            let json = shown(&["status", "--json"]);
            assert_eq!(json.contains("\"real_expiry_told\": true"), told, "{json}");
            assert_eq!(json.contains("real_expiry_told"), told, "{json}");
        }
    }

    #[test]
    fn status_without_profiles_names_the_command_to_add_one() {
        let reply = show_states(&run(&["status"]), &[]);
        let text = String::from_utf8(reply.stdout.to_vec()).unwrap();
        assert!(text.contains("jetond add"), "{text}");
    }
}
