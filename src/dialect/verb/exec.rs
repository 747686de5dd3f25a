//! `jeton exec`: the output that the companion asks for before it starts the command. With `--env NAME` it is the token
//! for the variable, and one line with its expiry. With `--file NAME` it is the path of a file with the token, below
//! the folder of the socket.
//!
//! The companion does not print this output. It sends one request for each of the two options, and none without them.

use super::super::args::{Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::human;
use super::super::token_request::{token_between, token_query};
use crate::query::{FileAnswer, Print, PrintContext, Question, TokenAnswer};
use crate::wire::frame::Reply;

const NAME: OptionArgument = OptionArgument::Word {
    name: "NAME",
    what: "letters, digits and _, not starting with a digit",
};

static ENV: Opt = Opt {
    name: "--env",
    takes: NAME,
    help: "put the token into this variable",
};

static FILE: Opt = Opt {
    name: "--file",
    takes: NAME,
    help: "put the path of a token file, kept fresh, into this\nvariable",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "exec",
    usage: "[--env NAME] [--file NAME] [PROFILE] -- COMMAND...",
    does: "run COMMAND with JETON_SOCKET and JETON_PROFILE set;
--env puts the token into NAME, --file a token file's path",
    options: &[&ENV, &FILE],
    profile: Profile::ArgumentOrVariable,
};

/// The printer of the token for an environment variable with this name.
struct Exec {
    name: String,
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let name_of = |option| args.parsed(option, |name| is_name(name).then(|| name.to_owned()));
    let query = token_query(&args, call)?;
    match (name_of(&ENV)?, name_of(&FILE)?) {
        (Some(name), None) => Ok(NextStep::Ask(Question::Token(
            query,
            Box::new(Exec { name }),
        ))),
        (None, Some(_)) => Ok(NextStep::Ask(Question::File(query, Box::new(FilePath)))),
        (None, None) => Err(GRAMMAR.wrong("the name of the variable is missing")),
        (Some(_), Some(_)) => Err(GRAMMAR.wrong("one of --env and --file is asked for at a time")),
    }
}

fn is_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|b| letter(b) || b.is_ascii_digit())
}

impl Print<TokenAnswer> for Exec {
    fn print(&self, answer: &TokenAnswer, around: PrintContext<'_>) -> Reply {
        let left = answer.held.validity.remaining(around.now.boot);
        Reply {
            stdout: token_between("", answer, ""),
            stderr: format!(
                "jeton: {} holds a token of {} that expires in {}; a longer job asks again with 'jeton token'\n",
                self.name,
                answer.profile,
                human::duration(left)
            ),
            exit: 0,
        }
    }
}

/// The printer of the file's path.
struct FilePath;

impl Print<FileAnswer> for FilePath {
    fn print(&self, answer: &FileAnswer, _: PrintContext<'_>) -> Reply {
        Reply {
            stdout: format!("{}\n", answer.path).into_bytes().into(),
            ..Reply::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::*;
    use crate::query::Freshness;

    #[test]
    fn exec_with_file_prints_only_the_path_of_the_token_file() {
        let exec = run(&["exec", "--file", "TOKEN_FILE", "research"]);
        let NextStep::Ask(Question::File(query, print)) = crate::dialect::parse(&exec) else {
            panic!("no file is asked for");
        };
        assert_eq!(query.profile.unwrap().as_str(), "research");
        let path = "jeton.sock.exec-abc/token".to_owned();
        let printed = print.print(&FileAnswer { path }, around());
        assert_eq!(printed, reply("jeton.sock.exec-abc/token\n", "", 0));
        for args in [
            &["exec", "research"][..],
            &["exec", "--file", "2", "research"],
            &["exec", "--file", "A", "--env", "B", "research"],
        ] {
            assert!(matches!(
                crate::dialect::parse(&run(args)),
                NextStep::Answer(_)
            ));
        }
    }

    #[test]
    fn exec_with_env_passes_the_bare_token_and_warns_the_user() {
        let exec = run(&["exec", "--env", "TOKEN", "research"]);
        assert_eq!(
            printed(&exec, &token_answer(Freshness::Good)),
            reply(
                "T0KEN",
                "jeton: TOKEN holds a token of research that expires in 59 min; a longer job asks again with 'jeton token'\n",
                0
            )
        );
    }
}
