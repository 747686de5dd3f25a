//! `jeton rotate`: replaces the profile's key, and prints a line for each step.
//!
//! The daemon runs the rotation: a caller that leaves does not stop it.

use super::super::args::{Args, Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::human;
use crate::profile::ProfileName;
use crate::query::{Print, PrintContext, Question, RotateQuery, RotationEvent};
use crate::wire::frame::{Invocation, Reply};
use crate::wire::rotation::{StepEnd, StepReply};

static WAIT: Opt = flag(
    "--wait",
    "return when the rotation has ended, not at the switch",
);
static IN_PLACE: Opt = flag(
    "--in-place",
    "let the issuer replace the key's secret; this revokes\nthe old secret at once",
);
static YES: Opt = flag("--yes", "do not ask before a rotation in place");
static FINISH: Opt = flag(
    "--finish",
    "delete the old key without waiting for proof or for\nrotate-grace: at once if the issuer reports no last login,\notherwise when its tokens have expired",
);
static TAKE_OVER: Opt = flag(
    "--take-over",
    "continue a rotation that another host has started",
);
static WITH: Opt = Opt {
    name: "--with",
    takes: OptionArgument::Word {
        name: "PROFILE",
        what: "the name of a profile of the same user",
    },
    help: "use this profile's token to manage the keys",
};
static JSON: Opt = flag("--json", "print each step as a line of JSON");

const fn flag(name: &'static str, help: &'static str) -> Opt {
    Opt {
        name,
        takes: OptionArgument::Nothing,
        help,
    }
}

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "rotate",
    usage: "[PROFILE] [--wait] [--finish] [--in-place [--yes]] [--take-over] [--with PROFILE] [--json]",
    does: "replace the key with a new one, then delete the old one",
    options: &[&WAIT, &IN_PLACE, &YES, &FINISH, &TAKE_OVER, &WITH, &JSON],
    profile: Profile::ArgumentOrVariable,
};

/// The steps in their order, for the progress bar. `undoing` is not part of it.
const STEPS: [&str; 10] = [
    "checking",
    "creating",
    "storing",
    "proving",
    "switching",
    "switched",
    "waiting",
    "deleting",
    "closing",
    "ended",
];

/// The form in which steps are printed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    /// Lines for people.
    Lines,
    /// Lines for people, each with a progress bar of block characters or of ASCII.
    Bar {
        is_unicode: bool,
    },
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    if args.has(&YES) && !args.has(&IN_PLACE) {
        return Err(GRAMMAR.wrong("--yes goes with --in-place"));
    }
    if args.has(&FINISH) && args.has(&IN_PLACE) {
        return Err(GRAMMAR.wrong("--finish is about an old key, which --in-place does not leave"));
    }
    let question = match args.has(&IN_PLACE) && !args.has(&YES) {
        true => confirmation(&args, call.run)?,
        false => None,
    };
    let query = RotateQuery {
        profile: args.profile(),
        in_place: args.has(&IN_PLACE),
        finish: args.has(&FINISH),
        take_over: args.has(&TAKE_OVER),
        with: args.parsed(&WITH, |text| ProfileName::parse(text).ok())?,
        wait: args.has(&WAIT),
    };
    if let Some(question) = question {
        return Ok(NextStep::Confirm(query, question));
    }
    let form = Form::of(&args, call.run);
    Ok(NextStep::Ask(Question::Rotate(query, Box::new(form))))
}

/// Asks for confirmation before a rotation in place. Returns `None` once the person has typed the profile's name.
fn confirmation(args: &Args<'_>, run: &Invocation) -> Result<Option<String>, Usage> {
    let Some(profile) = args.profile() else {
        return Err(GRAMMAR.wrong("--in-place takes the profile's name"));
    };
    match &run.stdin {
        Some(typed) if typed.trim_ascii() == profile.as_str().as_bytes() => Ok(None),
        Some(_) => Err(GRAMMAR.wrong("that is not the profile's name; nothing was done")),
        None if run.terminal.input && run.terminal.error => {
            let prompt = format!(
                "The issuer revokes the old secret of {profile} at once, also where other machines use it.\n\
                 To go on, type the profile's name:\n"
            );
            Ok(Some(prompt))
        }
        None => Err(GRAMMAR.wrong(
            "--in-place revokes the old secret at once and needs a confirmation: without a terminal, add --yes",
        )),
    }
}

// === impl Form ===

impl Form {
    fn of(args: &Args<'_>, run: &Invocation) -> Self {
        let term = run.env.get("TERM").map_or("", String::as_str);
        if args.has(&JSON) {
            Self::Json
        } else if run.terminal.output {
            Self::Bar {
                is_unicode: !matches!(term, "" | "dumb"),
            }
        } else {
            Self::Lines
        }
    }
}

impl Print<RotationEvent> for Form {
    fn print(&self, news: &RotationEvent, around: PrintContext<'_>) -> Reply {
        let stdout = match (news, self) {
            (RotationEvent::Quiet, _) => vec![],
            (RotationEvent::Step(step), Self::Json) => step.to_line(),
            (RotationEvent::Step(step), Self::Lines) => line(step, around).into_bytes(),
            (RotationEvent::Step(step), Self::Bar { is_unicode }) => {
                (bar(step, *is_unicode) + " " + &line(step, around)).into_bytes()
            }
        };
        Reply {
            stdout: stdout.into(),
            ..Reply::default()
        }
    }
}

/// Formats a step for people. The issuer's text may be in it; its control characters, which could move the cursor,
/// become `?`.
fn line(step: &StepReply, around: PrintContext<'_>) -> String {
    let now = around.now.unix.seconds_down();
    let text = match human::wait(step.since, step.until, now) {
        Some(times) => format!("{} ({times})", step.detail),
        None => step.detail.clone(),
    };
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    format!("{}: {clean}\n", step.step)
}

/// Draws the progress of the rotation, in cells.
fn bar(step: &StepReply, is_unicode: bool) -> String {
    let is_over = matches!(step.end, Some(StepEnd::Done | StepEnd::Kept));
    // In the place of a second key, the issuer replaces the secret of the one.
    let name = match step.step {
        "regenerating" => "creating",
        name => name,
    };
    let at = STEPS.iter().position(|step| *step == name);
    let full = match at {
        Some(at) if is_over || step.end.is_none() => at + 1,
        _ => 0,
    };
    let (on, off) = if is_unicode {
        ("█", "░")
    } else {
        ("#", ".")
    };
    on.repeat(full) + &off.repeat(STEPS.len() - full)
}

#[cfg(test)]
mod tests;
