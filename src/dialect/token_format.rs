//! The output formats of `token` and `reject`, for a shell or for a program.

use super::args::{Args, Opt, OptionArgument};
use super::token_request::{stale_note, token_between};
use crate::query::{AddressAnswer, Print, PrintContext, TokenAnswer};
use crate::wire::TokenReply;
use crate::wire::frame::Reply;

/// Requests [`Format::Json`].
pub(super) static JSON: Opt = Opt {
    name: "--json",
    takes: OptionArgument::Nothing,
    help: "print the token and all that is known about it, as JSON",
};

/// Requests [`Format::Bearer`].
pub(super) static BEARER: Opt = Opt {
    name: "--bearer",
    takes: OptionArgument::Nothing,
    help: "print 'Bearer TOKEN', the value of the header",
};

/// The output format of a token.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    /// The token alone, and a newline.
    Bare,
    /// The complete value of the header `Authorization`, and a newline.
    Bearer,
    /// The JSON of the HTTP interface.
    Json,
}

impl Format {
    /// Returns the format that these arguments request.
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
    fn print(&self, answer: &TokenAnswer, around: PrintContext<'_>) -> Reply {
        let note = || stale_note(answer, around.now.boot);
        let (stdout, stderr) = match self {
            Self::Bare => (token_between("", answer, "\n"), note()),
            Self::Bearer => (token_between("Bearer ", answer, "\n"), note()),
            // A program that reads JSON finds `stale` in it, so no note is printed.
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
    fn print(&self, answer: &AddressAnswer, around: PrintContext<'_>) -> Reply {
        self.print(&answer.token, around)
    }
}
