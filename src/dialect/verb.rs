//! The table of the companion's verbs and of other tools' protocols, one per file.

mod app;
mod exec;
mod explain;
mod header;
mod ready;
mod refresh;
mod reject;
mod reload;
mod rotate;
mod status;
mod token;
mod watch;
mod whoami;

use super::args::{self, Grammar};
use super::call::{Call, NextStep};
use super::failure::refusal;
use super::help;
use super::row::{Verb, verb};
use super::tool;
use crate::problem::Code;
use crate::wire::frame::{Instruction, Invocation, Reply};

/// The table, in the order of the help.
pub(super) static TABLE: &[Verb] = &[
    verb(&token::GRAMMAR, token::parse),
    verb(&header::GRAMMAR, header::parse),
    verb(&status::GRAMMAR, status::parse),
    verb(&ready::GRAMMAR, ready::parse),
    verb(&refresh::GRAMMAR, refresh::parse),
    verb(&reject::GRAMMAR, reject::parse),
    verb(&watch::GRAMMAR, watch::parse),
    verb(&app::GRAMMAR, app::parse),
    verb(&whoami::GRAMMAR, whoami::parse),
    verb(&explain::GRAMMAR, explain::parse),
    Verb {
        is_admin: true,
        ..verb(&rotate::GRAMMAR, rotate::parse)
    },
    Verb {
        is_admin: true,
        ..verb(&reload::GRAMMAR, reload::parse)
    },
    verb(&exec::GRAMMAR, exec::parse),
];

/// The row that a run belongs to.
enum MatchedRow<'a> {
    /// Found by the program's name.
    Program(&'a Verb, &'a [String]),
    /// Found by the verb.
    Verb(&'a Verb, &'a [String]),
    /// A request for help about these words.
    Help(&'a [String]),
    /// No row fits this word, or there is no word.
    None(Option<&'a str>),
}

/// Reports whether a run requests a change, which only the admin socket accepts.
pub fn is_admin(run: &Invocation) -> bool {
    match find(run) {
        MatchedRow::Verb(_, words) if asks_for_help(words) => false,
        MatchedRow::Program(verb, _) | MatchedRow::Verb(verb, _) => verb.is_admin,
        MatchedRow::Help(_) | MatchedRow::None(_) => false,
    }
}

/// Parses a run of the companion.
pub fn parse(run: &Invocation) -> NextStep {
    let parsed = match find(run) {
        MatchedRow::Verb(verb, words) if asks_for_help(words) => return usage(verb.grammar),
        MatchedRow::Verb(verb, words) | MatchedRow::Program(verb, words) => {
            (verb.parse)(&Call { run, words }).map(|parsed| tool::bound(verb, parsed))
        }
        MatchedRow::Help(words) => return help(words),
        MatchedRow::None(word) => return unknown(word),
    };
    parsed.unwrap_or_else(|usage| refuse(Code::BadRequest, &usage.to_string()))
}

/// Returns the names under which other programs start the companion, each with the verb that it stands for.
pub fn programs() -> impl Iterator<Item = (&'static str, &'static str)> {
    rows().filter_map(|row| Some((row.program?, row.grammar.verb)))
}

/// Returns every row: the companion's verbs, and the protocols of other tools.
fn rows() -> impl Iterator<Item = &'static Verb> {
    TABLE
        .iter()
        .chain(tool::TABLE.iter().map(|tool| &tool.verb))
}

fn find(run: &Invocation) -> MatchedRow<'_> {
    find_among(&rows().collect::<Vec<_>>(), run)
}

fn find_among<'a>(table: &[&'a Verb], run: &'a Invocation) -> MatchedRow<'a> {
    let Some((program, rest)) = run.args.split_first() else {
        return MatchedRow::None(None);
    };
    let mut rows = table.iter().copied();
    if let Some(verb) = rows.find(|verb| verb.program == Some(program)) {
        return MatchedRow::Program(verb, rest);
    }
    match rest.split_first() {
        None => MatchedRow::None(None),
        Some((word, words)) if word == help::HELP.verb || is_help(word) => MatchedRow::Help(words),
        Some((word, words)) => match table.iter().copied().find(|verb| verb.grammar.verb == word) {
            Some(verb) => MatchedRow::Verb(verb, words),
            None => MatchedRow::None(Some(word)),
        },
    }
}

fn is_help(word: &str) -> bool {
    matches!(word, "--help" | "-h")
}

/// Reports whether the words request help, in any position: `--help` is more likely a request for help than the value
/// of an option.
fn asks_for_help(words: &[String]) -> bool {
    let mut options = words.iter().take_while(|word| *word != "--");
    options.any(|word| is_help(word))
}

/// Returns Jeton's own verbs: the daemon's and the companion's.
pub(super) fn own() -> impl Iterator<Item = &'static Grammar> {
    let rows = TABLE.iter().map(|verb| verb.grammar);
    rows.chain(help::OF_THE_COMPANION)
}

/// Returns the verbs of other tools' protocols.
fn of_tools() -> impl Iterator<Item = &'static Grammar> {
    tool::TABLE.iter().map(|tool| tool.verb.grammar)
}

/// Returns every verb.
pub(super) fn all() -> impl Iterator<Item = &'static Grammar> {
    own().chain(of_tools())
}

fn help(words: &[String]) -> NextStep {
    match words {
        [] => print(help::whole(own(), of_tools())),
        [word] if is_help(word) => usage(&help::HELP),
        [word] => match all().find(|grammar| grammar.verb == word) {
            Some(grammar) => usage(grammar),
            None => unknown(Some(word)),
        },
        _ => refuse(
            Code::BadRequest,
            "there are too many arguments; usage: jeton help [VERB]",
        ),
    }
}

fn usage(grammar: &Grammar) -> NextStep {
    print(help::usage(grammar))
}

/// Suggests the most similar verb. It never quotes the word itself, which may be a misplaced secret.
fn unknown(word: Option<&str>) -> NextStep {
    let names = all().map(|grammar| grammar.verb);
    let line = match word.and_then(|word| args::nearest(word, names)) {
        Some(nearest) => format!(
            "this daemon does not know that verb; the nearest is '{nearest}', and 'jeton help' lists them all"
        ),
        None => "this daemon does not know that verb; 'jeton help' lists them".to_owned(),
    };
    refuse(Code::NotSupported, &line)
}

fn print(text: String) -> NextStep {
    NextStep::Answer(Instruction::Done(Reply {
        stdout: text.into_bytes().into(),
        ..Reply::default()
    }))
}

fn refuse(code: Code, line: &str) -> NextStep {
    NextStep::Answer(refusal(code, line).into())
}

#[cfg(test)]
mod tests;
