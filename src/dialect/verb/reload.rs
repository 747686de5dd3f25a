//! `jeton reload`: makes the daemon reload its configuration, and prints one line with the changes.

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, Parsed};
use crate::command_line;
use crate::query::{Asked, Print, Reloaded, SocketTakes, Surroundings};
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
pub(super) fn parse(call: &Call<'_>) -> Result<Parsed, Usage> {
    GRAMMAR.read(call)?;
    Ok(Parsed::Ask(Asked::Reload(Box::new(Reload))))
}

impl Print<Reloaded> for Reload {
    fn print(&self, done: &Reloaded, _: Surroundings<'_>) -> Reply {
        let line = format!(
            "reloaded: {} added, {} removed, {} changed, {} unchanged\n",
            done.added, done.removed, done.changed, done.kept
        );
        let stderr = match done.socket {
            SocketTakes::Nothing => "".into(),
            SocketTakes::Restart => "jeton: restart needed: the socket's mode has changed, and the daemon keeps the old one until then\n".into(),
            SocketTakes::UnitSetting => command_line::proposed(
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
