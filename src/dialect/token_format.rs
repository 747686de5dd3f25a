//! The formats in which `token` and `reject` print a token: for a shell or for a program.

use super::args::{Args, Opt, Takes};
use super::token_request::{stale_note, token_between};
use crate::query::{Print, Surroundings, TokenAnswer};
use crate::wire::TokenReply;
use crate::wire::frame::Reply;

/// Requests [`Format::Json`].
pub(super) static JSON: Opt = Opt {
    name: "--json",
    takes: Takes::Nothing,
    help: "print all that is known of it, as JSON",
};

/// How a token is printed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// The bare token, and a newline.
    Bare,
    /// The answer of the HTTP interface.
    Json,
}

impl Format {
    /// The format that these arguments request.
    pub(super) fn of(args: &Args<'_>) -> Self {
        if args.has(&JSON) {
            Self::Json
        } else {
            Self::Bare
        }
    }
}

impl Print<TokenAnswer> for Format {
    fn print(&self, answer: &TokenAnswer, around: Surroundings<'_>) -> Reply {
        let (stdout, stderr) = match self {
            Self::Bare => (
                token_between("", answer, "\n"),
                stale_note(answer, around.now.boot),
            ),
            // A program that reads JSON finds `stale` there.
            Self::Json => {
                let stale = answer.freshness.is_stale();
                let reply = TokenReply::new(&answer.profile, &answer.held, stale, around.now);
                (reply.to_line().into(), String::new())
            }
        };
        Reply {
            stdout,
            stderr,
            exit: 0,
        }
    }
}
