//! The formats in which `token` and `reject` print a token: for a shell or for a program.

use super::args::{Args, Opt, Takes};
use super::token_request::{stale_note, token_between};
use crate::query::{AddressAnswer, Print, Surroundings, TokenAnswer};
use crate::wire::TokenReply;
use crate::wire::frame::Reply;

/// Requests [`Format::Json`].
pub(super) static JSON: Opt = Opt {
    name: "--json",
    takes: Takes::Nothing,
    help: "print all that is known of it, as JSON",
};

/// Requests [`Format::Bearer`].
pub(super) static BEARER: Opt = Opt {
    name: "--bearer",
    takes: Takes::Nothing,
    help: "print it after the word Bearer, as a header has it",
};

/// How a token is printed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// The bare token, and a newline.
    Bare,
    /// The whole value of the header `Authorization`, and a newline.
    Bearer,
    /// The answer of the HTTP interface.
    Json,
}

impl Format {
    /// The format that these arguments request.
    pub(super) fn of(args: &Args<'_>) -> Self {
        if args.has(&JSON) {
            Self::Json
        } else if args.has(&BEARER) {
            Self::Bearer
        } else {
            Self::Bare
        }
    }
}

impl Print<TokenAnswer> for Format {
    fn print(&self, answer: &TokenAnswer, around: Surroundings<'_>) -> Reply {
        let note = || stale_note(answer, around.now.boot);
        let (stdout, stderr) = match self {
            Self::Bare => (token_between("", answer, "\n"), note()),
            Self::Bearer => (token_between("Bearer ", answer, "\n"), note()),
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

impl Print<AddressAnswer> for Format {
    fn print(&self, answer: &AddressAnswer, around: Surroundings<'_>) -> Reply {
        self.print(&answer.token, around)
    }
}
