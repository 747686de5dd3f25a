//! `jeton help`, and the usage of one verb.
//!
//! The companion contains a short text for when no daemon runs, without the verbs that tools start and without their
//! set-up. A test below writes that text and checks that it is up to date.

use super::args::{Grammar, OptionArgument, Profile};
use super::human;
use super::setups::SETUPS;

/// The verbs that the companion runs without a daemon.
pub(super) static OF_THE_COMPANION: [&Grammar; 2] = [&VERSION, &HELP];

static VERSION: Grammar = Grammar {
    verb: "version",
    usage: "",
    does: "print the version of this program",
    options: &[],
    profile: Profile::None,
};

pub(super) static HELP: Grammar = Grammar {
    verb: "help",
    usage: "[VERB]",
    does: "print this text, or how VERB is used",
    options: &[],
    profile: Profile::None,
};

const HEAD: &str = "\
jeton - asks jetond for a token

usage: jeton VERB [PROFILE] [OPTION]...

";

/// Replaces, in the short text, everything that only the daemon prints.
#[cfg(test)]
const OF_THE_DAEMON: &str = "
While jetond runs, this text also lists the verbs that git, docker and other
tools start. To set up a tool: jetond setup
";

/// The heading of the verbs that tools start.
const OF_TOOLS: &str = "
verbs that git, docker and other tools start once they are set up:
";

/// The heading of the names that `jetond setup` takes.
const SETUP: &str = "
'jetond setup NAME ADDRESS' prints the lines that let a tool get its tokens
from Jeton. NAME depends on what you want to do:
";

const TAIL: &str = "
'jeton VERB --help' explains one verb.

options, before or after the verb:
  --socket PATH         the daemon's socket, instead of the usual places
  --admin-socket PATH   the admin socket, for verbs such as reload
  --timeout S           seconds to wait (30; no limit for watch and rotate)

environment:
  JETON_SOCKET         as --socket
  JETON_ADMIN_SOCKET   the admin socket's path, for the verbs that need it
  JETON_PROFILE        the profile if no argument names one

the usual places of the socket, in this order:
  $XDG_RUNTIME_DIR/jeton/jeton.sock
  /run/user/UID/jeton/jeton.sock
  /run/jeton/jeton.sock
  on macOS only ~/Library/Application Support/jeton/jeton.sock

exit codes:
   0  done
   1  no token, or the provider rejected the credential
  64  wrong usage
  69  the daemon cannot be reached
  75  not now, try again later
  77  refused: you may not do this
  78  the configuration does not allow it
exec ends as COMMAND does, or with 126 (cannot be run) or 127 (not found).
";

/// Formats the complete help text, with the verbs that the tools start.
pub(super) fn whole<'a>(
    verbs: impl Iterator<Item = &'a Grammar>,
    tools: impl Iterator<Item = &'a Grammar>,
) -> String {
    let mut text = HEAD.to_owned();
    push_verbs(&mut text, verbs);
    text.push_str(OF_TOOLS);
    push_verbs(&mut text, tools);
    text.push_str(SETUP);
    for (name, wants) in SETUPS {
        push_entry(&mut text, name, wants, 20);
    }
    text + TAIL
}

/// Formats the help text for when no daemon runs. It is part of the companion, which has to stay small.
#[cfg(test)]
fn short<'a>(verbs: impl Iterator<Item = &'a Grammar>) -> String {
    let mut text = HEAD.to_owned();
    push_verbs(&mut text, verbs);
    text + OF_THE_DAEMON + TAIL
}

fn push_verbs<'a>(text: &mut String, verbs: impl Iterator<Item = &'a Grammar>) {
    for verb in verbs {
        let head = format!("{} {}", verb.verb, operands(verb.usage));
        push_entry(text, head.trim_end(), verb.does, 20);
    }
}

/// Formats the usage of one verb.
pub(super) fn usage(verb: &Grammar) -> String {
    const WIDTH: usize = 20;
    let usage = format!("usage: jeton {} {}", verb.verb, verb.usage);
    let usage = human::wrap(usage.trim_end(), 72).join("\n       ");
    let mut text = format!("{usage}\n\n{}\n", verb.does);
    if !verb.options.is_empty() {
        text.push('\n');
    }
    for option in verb.options {
        let head = format!("{} {}", option.name, option.takes.placeholder());
        let help = match option.takes {
            OptionArgument::Nothing => option.help.to_owned(),
            _ => format!("{}:\n{}", option.help, option.takes),
        };
        push_entry(&mut text, head.trim_end(), &help, WIDTH);
    }
    text + "\n'jeton help' lists all verbs and the options common to them\n"
}

/// Returns the part of a usage before the options.
fn operands(usage: &str) -> &str {
    usage.split(" [--").next().unwrap_or_default()
}

/// Appends a word and its meaning in columns; the meaning may have several lines.
fn push_entry(text: &mut String, head: &str, meaning: &str, width: usize) {
    let mut head = format!("  {head:<width$}");
    if head.len() > width + 2 {
        text.push_str(&head);
        text.push('\n');
        head.clear();
    }
    let width = width + 2;
    for line in meaning.lines() {
        text.push_str(&format!("{head:<width$}{line}\n"));
        head.clear();
    }
}

#[cfg(test)]
mod tests;
