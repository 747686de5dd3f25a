//! `jetond install-helpers` and `jetond uninstall-helpers`: links to the companion under the names by which other programs
//! start their helpers.

mod links;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, PossibleValuesParser};

use self::links::{LinkState, Links};
use super::companion::{self, NoCompanion};
use super::output::{Exit, fail, print_note, report};
use super::search::all_in;
use super::target::lines::quoted;
use crate::causes::Causes;
use crate::dialect;
use crate::paths::Env;
use crate::trust::{self, UntrustedPath};

/// The name that pip and uv look for. Another program may have it, so it is made only on request.
const KEYRING: &str = "keyring";

/// The arguments of both commands.
#[derive(Debug, clap::Args)]
pub(super) struct HelpersArgs {
    /// The folder for the links; it should be on PATH
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The helpers, by program name or companion verb; default: all except keyring, which needs a folder of its own
    #[arg(value_name = "NAME", value_parser = names())]
    names: Vec<String>,
    /// The companion to link to, instead of the one in jetond's own folder
    #[arg(long, value_name = "PATH")]
    jeton: Option<PathBuf>,
}

fn names() -> PossibleValuesParser {
    let value = |(program, verb)| PossibleValue::new(program).alias(verb);
    PossibleValuesParser::new(dialect::programs().map(value).collect::<Vec<_>>())
}

pub(super) fn install(args: &HelpersArgs, env: &Env) -> Exit {
    let make = || {
        let jeton = companion::find(args.jeton.as_deref()).map_err(refuse_companion)?;
        let links = open(args, jeton, env, "nothing is made")?;
        let names = args.programs(|name| name != KEYRING);
        demand_own_folder(&links, &names)?;
        let mut is_free = true;
        for name in &names {
            is_free &= look(&links, name, "nothing is made")?;
        }
        if !is_free {
            return Err(Exit::Config);
        }
        for name in &names {
            let there = links.make(name);
            match there.map_err(|error| refuse_io(&links.path_of(name), "make the link", &error))? {
                LinkState::Nothing | LinkState::Ours => report(format!(
                    "{} leads to {}",
                    quoted(&links.path_of(name)),
                    quoted(links.jeton())
                )),
                // Another program made a file of this name a moment ago.
                other => {
                    tell_other(&links, name, &other, "it stays as it is");
                    return Err(Exit::Config);
                }
            }
        }
        for name in &names {
            tell_of_path(&links, name, env);
        }
        Ok(())
    };
    make().err().unwrap_or(Exit::Done)
}

pub(super) fn uninstall(args: &HelpersArgs, env: &Env) -> Exit {
    let remove = || {
        // The companion may be gone already: only the links' targets are compared.
        let jeton = companion::path(args.jeton.as_deref()).map_err(refuse_companion)?;
        let links = open(args, jeton, env, "nothing is removed")?;
        links.sweep();
        let is_named = !args.names.is_empty();
        let mut done = Ok(());
        for name in args.programs(|_| true) {
            let path = links.path_of(name);
            let there = links.remove(name);
            match there.map_err(|error| refuse_io(&path, "remove the link", &error))? {
                LinkState::Ours => report(format!("{} is removed", quoted(&path))),
                LinkState::Nothing if is_named => report(format!("{} is not there", quoted(&path))),
                LinkState::Nothing => {}
                // Without names only our own links are meant.
                LinkState::Link(_) | LinkState::Other if !is_named => {}
                other => {
                    tell_other(&links, name, &other, "it stays as it is");
                    done = Err(Exit::Config);
                }
            }
        }
        done
    };
    remove().err().unwrap_or(Exit::Done)
}

fn open(args: &HelpersArgs, jeton: PathBuf, env: &Env, so: &str) -> Result<Links, Exit> {
    Links::open(&args.dir, env.uid, jeton).map_err(|untrusted: UntrustedPath| {
        let exit = if untrusted.is_passing() {
            Exit::Later
        } else {
            Exit::Config
        };
        if is_missing(&args.dir) {
            let dir = quoted(&args.dir);
            return fail(
                exit,
                format!("{so}: there is no folder {dir}; make it with: mkdir -p {dir}"),
            );
        }
        fail(exit, format!("{so}: {}", Causes(&untrusted)))
    })
}

fn is_missing(dir: &Path) -> bool {
    let found = dir.symlink_metadata();
    found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Whether the link can be made or exists already; otherwise reports the file in its place.
fn look(links: &Links, name: &str, so: &str) -> Result<bool, Exit> {
    let there = links.at(name);
    match there.map_err(|error| refuse_io(&links.path_of(name), "look at it", &error))? {
        LinkState::Nothing | LinkState::Ours => Ok(true),
        other => {
            tell_other(links, name, &other, so);
            Ok(false)
        }
    }
}

fn tell_other(links: &Links, name: &str, there: &LinkState, so: &str) {
    let (path, jeton) = (quoted(&links.path_of(name)), quoted(links.jeton()));
    let line = match there {
        LinkState::Link(to) => {
            let to = quoted(to);
            format!(
                "{so}: {path} is a link to {to}, not to {jeton}; if nothing needs it: rm {path}"
            )
        }
        _ => format!("{so}: {path} is not a link to {jeton}; if nothing needs it, move it away"),
    };
    fail(Exit::Config, line);
}

/// Refuses a shared folder for `keyring`. The link hides another program of that name while its folder is first on
/// `PATH`, so a user must be able to add and remove this folder for this link alone.
fn demand_own_folder(links: &Links, names: &BTreeSet<&str>) -> Result<(), Exit> {
    let folder = quoted(links.path());
    let there = links.names();
    let there = there.map_err(|error| refuse_io(links.path(), "list it", &error))?;
    let refuse = |why: String| {
        Err(fail(
            Exit::Config,
            format!(
                "nothing is made: keyring needs a folder of its own, since it hides every other keyring on PATH, and {why}"
            ),
        ))
    };
    if names.contains(KEYRING) {
        if names.len() > 1 {
            return refuse("other links would be made beside it".to_owned());
        }
        return match there.iter().find(|name| *name != KEYRING) {
            Some(other) => {
                let other = quoted(Path::new(other));
                let own = quoted(&links.path_of("keyring-only"));
                refuse(format!(
                    "{folder} has {other} already; make one: mkdir {own}"
                ))
            }
            None => Ok(()),
        };
    }
    let has_ours = there.iter().any(|name| name == KEYRING)
        && links
            .at(KEYRING)
            .is_ok_and(|there| there == LinkState::Ours);
    match has_ours {
        true => refuse(format!(
            "{folder} is that of a keyring; name another folder"
        )),
        false => Ok(()),
    }
}

/// Warns if the tool would start another program than this link.
fn tell_of_path(links: &Links, name: &str, env: &Env) {
    let ours = links.path_of(name);
    let is_ours = |path: &Path| {
        let leads = std::fs::read_link(path);
        leads.is_ok_and(|to| to.as_os_str() == links.jeton().as_os_str())
    };
    let mut found = all_in(name, env.path.as_deref());
    let first = found.next();
    let other = first
        .iter()
        .cloned()
        .chain(found)
        .find(|path| !is_ours(path));
    let folder = quoted(links.path());
    match (first, other) {
        (_, Some(other)) if name == KEYRING => print_note(format!(
            "warning: PATH has another keyring, {}: while {folder} comes first there, pip, uv and your shell start this one, which knows only the passwords of your profiles' addresses",
            quoted(&other)
        )),
        (None, _) => print_note(format!(
            "warning: {folder} is not on PATH, where the tools look for {name}; add it: export PATH={folder}:\"$PATH\""
        )),
        (Some(first), _) if !is_ours(&first) => print_note(format!(
            "warning: {} stands before {} on PATH, so the tools start that one",
            quoted(&first),
            quoted(&ours)
        )),
        _ => {}
    }
}

fn refuse_companion(error: NoCompanion) -> Exit {
    match error {
        NoCompanion::Usage(why) => fail(Exit::Usage, why),
        NoCompanion::Missing(why) => fail(Exit::Config, why),
    }
}

fn refuse_io(path: &Path, action: &str, error: &io::Error) -> Exit {
    let exit = if trust::is_full(error) {
        Exit::Later
    } else {
        Exit::Config
    };
    fail(exit, format!("{}: cannot {action}: {error}", quoted(path)))
}

// === impl HelpersArgs ===

impl HelpersArgs {
    /// The named programs, by their own names; without names all that `usual` picks.
    fn programs(&self, usual: impl Fn(&str) -> bool) -> BTreeSet<&'static str> {
        let is_named = |(program, verb): &(&str, &str)| {
            self.names
                .iter()
                .any(|name| name == program || name == verb)
        };
        let programs = dialect::programs().filter(|row| match self.names.is_empty() {
            true => usual(row.0),
            false => is_named(row),
        });
        programs.map(|(program, _)| program).collect()
    }
}
