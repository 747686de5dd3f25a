//! `jeton reload`: makes the daemon reload its configuration, and prints one line with the changes.

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, NextStep};
use crate::command_line;
use crate::query::{Print, PrintContext, Question, Reloaded, SocketModeChange};
use crate::wire::frame::Reply;

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "reload",
    usage: "",
    does: "let the daemon read its configuration again",
    options: &[],
    profile: Profile::None,
};

struct Reload;

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    GRAMMAR.read(call)?;
    Ok(NextStep::Ask(Question::Reload(Box::new(Reload))))
}

impl Print<Reloaded> for Reload {
    fn print(&self, done: &Reloaded, _: PrintContext<'_>) -> Reply {
        let line = format!(
            "reloaded: {} added, {} removed, {} changed, {} unchanged\n",
            done.added, done.removed, done.changed, done.kept
        );
        let stderr = match done.socket {
            SocketModeChange::Nothing => "".into(),
            SocketModeChange::Restart => "jeton: restart needed: the socket's mode has changed, and the daemon keeps the old one until then\n".into(),
            SocketModeChange::UnitSetting => command_line::proposed(
                "jeton: the socket unit lets in other users than [socket] mode says; to see which drop-in it needs, run: jetond setup socket\n",
                None,
            ),
        };
        Reply {
            stdout: line.into_bytes().into(),
            stderr: stderr.into_owned(),
            ..Reply::default()
        }
    }
}
