//! `jetond setup`: prints the settings that tools and the service manager need beside the configuration. It can also
//! make them by the tools' own commands, and undo them.

mod changes;
mod claude_code;
mod codex;
mod curl;
mod docker;
mod git;
mod huggingface;
mod kept;
mod kubectl;
mod mlflow;
mod openai;
mod pip;
mod program;
mod prometheus;
mod rclone;
mod recipe;
mod records;
mod socket;
mod subject;
mod uv;

pub(super) use self::git::later_helpers;

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser};

use self::recipe::{Format, Lines, Recipe, Refusal};
use self::subject::TypedArguments;
use super::output::{Exit, print, print_line, print_note};
use super::target::TargetArgs;
use crate::paths::Env;
use crate::process::logging;

/// The tools, in the order in which they are listed.
static RECIPES: [&Recipe; 13] = [
    &git::RECIPE,
    &docker::RECIPE,
    &kubectl::RECIPE,
    &pip::RECIPE,
    &uv::RECIPE,
    &claude_code::RECIPE,
    &codex::RECIPE,
    &openai::RECIPE,
    &mlflow::RECIPE,
    &huggingface::RECIPE,
    &curl::RECIPE,
    &rclone::RECIPE,
    &prometheus::RECIPE,
];

/// A name that is not a tool.
const SOCKET: &str = "socket";

/// The arguments of `jetond setup`.
#[derive(Debug, clap::Args)]
pub(super) struct SetupArgs {
    /// The tool to set up; without a name, jetond lists them all
    #[arg(value_name = "NAME", value_parser = names())]
    name: Option<String>,
    /// The address of the server that the tool sends tokens to, as https://git.example/team
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// The profile to use if no hosts entry has the address
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The companion that the tool starts, instead of the one in jetond's own folder
    #[arg(long, value_name = "PATH")]
    jeton: Option<PathBuf>,
    /// Apply the change with the tool's own commands (git, kubectl, pip)
    #[arg(long, conflicts_with = "undo")]
    apply: bool,
    /// Restore the tool's configuration from before --apply
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

fn names() -> PossibleValuesParser {
    let tools = RECIPES
        .iter()
        .map(|recipe| PossibleValue::new(recipe.name).help(recipe.wants));
    let socket =
        PossibleValue::new(SOCKET).help("have systemd make the token socket as [socket] mode says");
    PossibleValuesParser::new(tools.chain([socket]).collect::<Vec<_>>())
}

pub(super) fn setup(args: &SetupArgs, env: &Env) -> Exit {
    let Some(name) = &args.name else {
        return list(args);
    };
    let Some(recipe) = RECIPES.iter().find(|recipe| recipe.name == name) else {
        if args.names_a_tools_options() {
            return Refusal::usage("'setup socket' takes only --config, --state and --system")
                .tell();
        }
        return socket::socket(&args.target, env)
            .err()
            .unwrap_or(Exit::Done);
    };
    let done = match (&recipe.change, args.apply, args.undo) {
        (None, true, _) | (None, _, true) => Err(Refusal::usage(&format!(
            "{name} has no command for its configuration: paste the lines that 'jetond setup {name}' prints"
        ))
        .tell()),
        (Some(change), true, _) => changes::apply(recipe, change, &args.target, &args.typed(), env),
        (Some(change), _, true) => changes::undo(recipe, change, &args.target, &args.typed(), env),
        (_, false, false) => print_lines(recipe, args, env),
    };
    done.err().unwrap_or(Exit::Done)
}

/// Lists the tools by what a person wants to do.
fn list(args: &SetupArgs) -> Exit {
    if args.names_a_tools_options() {
        return Refusal::usage(
            "say what to set up: jetond setup NAME; without options it lists the names",
        )
        .tell();
    }
    print_line(
        "Which of these do you want? Each prints the lines to paste: jetond setup NAME [ADDRESS]",
    );
    print_line("");
    for recipe in RECIPES {
        let by_itself = match recipe.change {
            Some(_) => " (or --apply, --undo)",
            None => "",
        };
        print_line(format!("  {:<14}{}{by_itself}", recipe.name, recipe.wants));
    }
    print_line(format!(
        "  {SOCKET:<14}have systemd make the token socket as [socket] mode says"
    ));
    Exit::Done
}

fn print_lines(recipe: &Recipe, args: &SetupArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find(env)?;
    let config = target.read_config()?;
    let found =
        subject::find(recipe, &args.typed(), &config, &target, env).map_err(|why| why.tell())?;
    let lines = (recipe.lines)(&found.subject).map_err(|why| why.tell())?;
    let mut notes = vec![];
    if let Some(lacks) = &found.lacks {
        notes.push(subject::sentence_of_lack(&target));
        notes.extend(lacks.lines().map(str::to_owned));
    }
    notes.extend(lines.notes.iter().cloned());
    print_with(&lines, &notes);
    Ok(())
}

/// Prints the lines, with the notes above them if the format has comments.
fn print_with(lines: &Lines, notes: &[String]) {
    let mut text = String::new();
    for note in notes {
        match lines.format {
            // A line end would end the comment.
            Format::Hash => text.push_str(&format!("# {}\n", logging::printable(note))),
            Format::Json => print_note(note),
        }
    }
    text.push_str(&lines.text);
    print(&text);
}

// === impl SetupArgs ===

impl SetupArgs {
    fn typed(&self) -> TypedArguments<'_> {
        TypedArguments {
            address: self.address.as_deref(),
            profile: self.profile.as_deref(),
            jeton: self.jeton.as_deref(),
        }
    }

    const fn names_a_tools_options(&self) -> bool {
        self.address.is_some()
            || self.profile.is_some()
            || self.jeton.is_some()
            || self.apply
            || self.undo
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::SETUPS;

    #[test]
    fn the_companions_help_lists_the_same_tools() {
        let listed: Vec<_> = RECIPES
            .iter()
            .map(|recipe| (recipe.name, recipe.wants))
            .collect();
        assert_eq!(listed, SETUPS);
    }
}
