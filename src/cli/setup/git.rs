//! `jetond setup git`: a credential helper for one address, the last one in the user's file.
//!
//! git asks its helpers in the order of its files, and an empty one removes all before it. So no helper before ours
//! gets the token. A helper after ours gets it from git, so `jetond` names each of those.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::git_config::{self, Helper, Listing, REMEDY};
use super::super::target::lines::word;
use super::program::{self, Program};
use super::recipe::{Change, Format, FormerSettings, Lines, Needs, Recipe, Refusal, Subject};
use crate::address::Address;
use crate::config::HostAuth;
use crate::paths::Env;

/// git, by a credential helper for one address.
pub(super) static RECIPE: Recipe = Recipe {
    name: "git",
    wants: "clone, fetch and push with git",
    needs: Needs::Address,
    lines,
    change: Some(Change {
        look,
        amend: Some(amend),
        apply,
        undo,
    }),
};

/// The first minor version of git 2 that can send a Bearer token.
const BEARER_SINCE: u32 = 46;

/// A key of git's configuration and its value.
type Setting = (String, String);

/// The former settings of the address.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Section {
    /// The settings of the address's own section in the user's file.
    before: Vec<Setting>,
    /// The settings that each change has added.
    added: Vec<Setting>,
}

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let add = |(key, value): &Setting| {
        format!("git config --global --add {} {}\n", word(key), word(value))
    };
    let ours = ours(subject)?;
    let mut notes: Vec<_> = bearer_note(subject, None).into_iter().collect();
    if let Ok(git) = program::find("git", subject.env) {
        if !section(&git, subject)?.is_empty() {
            notes.push(format!(
                "your file has a section for this address already, and git adds to that one wherever it stands: 'jetond setup git {} --apply' moves it to the end",
                subject.address()?
            ));
        }
        if let Ok(listing) = listing(&git) {
            let later = listing.behind_the_users_file(subject.address()?);
            notes.extend(later.iter().map(describe_helper));
        }
    }
    Ok(Lines {
        format: Format::Hash,
        notes,
        text: ours.iter().map(add).collect(),
    })
}

fn look(subject: &Subject<'_>) -> Result<FormerSettings, Refusal> {
    let git = program::find("git", subject.env)?;
    let section = Section {
        before: section(&git, subject)?,
        added: ours(subject)?,
    };
    Ok(FormerSettings {
        files: files(&git, subject)?,
        more: serde_json::to_value(section).unwrap_or_default(),
    })
}

fn amend(subject: &Subject<'_>, before: &mut FormerSettings) -> Result<(), Refusal> {
    let mut kept = kept(before)?;
    let new = ours(subject)?.into_iter();
    let new: Vec<_> = new.filter(|ours| !kept.added.contains(ours)).collect();
    kept.added.extend(new);
    before.more = serde_json::to_value(kept).unwrap_or_default();
    Ok(())
}

/// Parses the recorded settings.
fn kept(before: &FormerSettings) -> Result<Section, Refusal> {
    serde_json::from_value(before.more.clone())
        .map_err(|_| Refusal::config("the saved copy of git's configuration cannot be read"))
}

fn apply(subject: &Subject<'_>, before: &FormerSettings) -> Result<Vec<String>, Refusal> {
    let git = program::find("git", subject.env)?;
    let ours = ours(subject)?;
    let now = section(&git, subject)?;
    // This also removes the setting for a companion that was at another path.
    let mut wanted = without(&now, &kept(before)?.added);
    wanted.extend(ours);
    // A section keeps its first position, and other helpers may come after it there.
    replace(&git, subject, &now, &wanted)?;
    let address = subject.address()?;
    let mut done = vec![format!(
        "git asks {} for {address}, and no helper before it",
        subject.jeton_quoted()
    )];
    done.extend(bearer_note(subject, version(&git)));
    // Our helper is in the file by now, so an error from here on fails nothing.
    let listing = match listing(&git) {
        Ok(listing) => listing,
        Err(why) => {
            done.push(format!(
                "it is not known whether other helpers come after it: {}",
                why.why
            ));
            return Ok(done);
        }
    };
    match listing.behind_ours(subject.address()?) {
        Some(later) => done.extend(later.iter().map(describe_helper)),
        None => done.push(
            "git does not list the companion: it reads another file than 'git config --global' writes".to_owned(),
        ),
    }
    Ok(done)
}

fn undo(subject: &Subject<'_>, before: &FormerSettings) -> Result<Vec<String>, Refusal> {
    let git = program::find("git", subject.env)?;
    let kept = kept(before)?;
    let now = section(&git, subject)?;
    let mut wanted = kept.before.clone();
    // Settings that were added since then are not ours.
    let others = without(&now, &kept.added).into_iter();
    wanted.extend(others.filter(|setting| !kept.before.contains(setting)));
    if now == wanted {
        return Ok(vec![]);
    }
    replace(&git, subject, &now, &wanted)?;
    Ok(vec![format!(
        "for {}, git uses the helpers from before --apply again",
        subject.address()?
    )])
}

/// The settings for our helper. The first is an empty helper, which removes all before it.
fn ours(subject: &Subject<'_>) -> Result<Vec<Setting>, Refusal> {
    let key = |name: &str| Ok(format!("{}.{name}", section_name(subject)?));
    // git starts a command unchanged only if it begins with a slash or with `!`.
    let jeton = subject.jeton_text()?;
    let command = match subject.jeton_quoted() {
        plain if plain == jeton => format!("{plain} git"),
        quoted => format!("!{quoted} git"),
    };
    let mut ours = vec![(key("helper")?, String::new()), (key("helper")?, command)];
    let entry = subject.entry.as_ref();
    if entry.is_some_and(|entry| !entry.url.path().is_empty()) {
        ours.push((key("useHttpPath")?, "true".to_owned()));
    }
    Ok(ours)
}

/// Removes our settings, and earlier values of the same keys.
fn without(settings: &[Setting], ours: &[Setting]) -> Vec<Setting> {
    let is_path = |(key, _): &Setting| key.to_ascii_lowercase().ends_with(".usehttppath");
    let sets_path = ours.iter().any(is_path);
    let mut rest: Vec<Setting> = vec![];
    for setting in settings {
        if sets_path && is_path(setting) {
            continue;
        }
        if setting.1.is_empty() || !ours.contains(setting) {
            rest.push(setting.clone());
        } else if rest.last().is_some_and(|(_, value)| value.is_empty()) {
            // The empty helper before our command belongs to our settings, too.
            rest.pop();
        }
    }
    rest
}

fn replace(
    git: &Program,
    subject: &Subject<'_>,
    now: &[Setting],
    wanted: &[Setting],
) -> Result<(), Refusal> {
    let name = section_name(subject)?;
    let removed = git.run(&["config", "--global", "--remove-section", &name])?;
    // The command fails for a section that does not exist, which is no error without settings.
    if removed.code != 0 && !now.is_empty() {
        return Err(Refusal::config(&format!(
            "git does not remove the section of this address: {}",
            removed.first_error
        )));
    }
    for (key, value) in wanted {
        git.must(&["config", "--global", "--add", "--", key, value])?;
    }
    Ok(())
}

fn section_name(subject: &Subject<'_>) -> Result<String, Refusal> {
    Ok(format!("credential.{}", subject.address()?))
}

/// The settings of the address's own section in the user's file.
fn section(git: &Program, subject: &Subject<'_>) -> Result<Vec<Setting>, Refusal> {
    let begin = format!("{}.", section_name(subject)?);
    let listed = git.run(&["config", "--global", "--list", "-z"])?;
    // Without a file there are no settings.
    let settings = listed.stdout.split('\0').filter_map(|entry| {
        // A key without a value is true.
        let (key, value) = entry.split_once('\n').unwrap_or((entry, "true"));
        let name = key.strip_prefix(&begin)?;
        // Another dot belongs to a longer address.
        (!name.contains('.')).then(|| (key.to_owned(), value.to_owned()))
    });
    Ok(settings.collect())
}

fn listing(git: &Program) -> Result<Listing, Refusal> {
    let top = git.run(&git_config::TOP)?.stdout;
    Ok(Listing {
        text: git.must(&git_config::LISTING)?,
        top: top.trim_end_matches('\n').into(),
    })
}

/// Describes a helper after ours for people.
fn describe_helper(helper: &Helper) -> String {
    format!("{}: {REMEDY}", helper.found())
}

/// The helpers after the companion for each of these addresses, if git asks the companion in this folder. Empty if git
/// cannot be started.
pub(in crate::cli) fn later_helpers<'a>(
    addresses: impl Iterator<Item = &'a Address>,
    env: &Env,
) -> Vec<(&'a Address, Helper)> {
    let listing = program::find("git", env).and_then(|git| listing(&git));
    let Ok(listing) = listing else {
        return vec![];
    };
    let later = addresses.flat_map(|address| {
        let later = listing.behind_ours(address).unwrap_or_default();
        later.into_iter().map(move |helper| (address, helper))
    });
    later.collect()
}

/// The files to which `git config --global` may write.
fn files(git: &Program, subject: &Subject<'_>) -> Result<Vec<PathBuf>, Refusal> {
    if let Some(file) = &subject.env.git_config_global {
        return Ok(vec![file.clone()]);
    }
    let listed = git.run(&["config", "--global", "--list", "--show-origin", "-z"])?;
    let origin = listed.stdout.split('\0').next();
    let origin = origin.and_then(|origin| origin.strip_prefix("file:"));
    if let Some(file) = origin {
        return Ok(vec![file.into()]);
    }
    let other = match &subject.env.xdg_config_home {
        Some(config) => config.join("git/config"),
        None => subject.in_home(".config/git/config")?,
    };
    Ok(vec![subject.in_home(".gitconfig")?, other])
}

/// A note on how this git version treats a server that accepts only Bearer tokens.
fn bearer_note(subject: &Subject<'_>, minor: Option<u32>) -> Option<String> {
    let entry = subject.entry.as_ref();
    if entry.is_some_and(|entry| entry.auth == Some(HostAuth::Basic)) {
        return None;
    }
    match minor {
        Some(minor) if minor >= BEARER_SINCE => None,
        Some(minor) => Some(format!(
            "this is git 2.{minor}: git below 2.{BEARER_SINCE} sends nothing to a server that takes Bearer alone"
        )),
        None => Some(format!(
            "git below 2.{BEARER_SINCE} sends nothing to a server that takes Bearer alone"
        )),
    }
}

/// The minor number of a git 2.
fn version(git: &Program) -> Option<u32> {
    let printed = git.must(&["version"]).ok()?;
    let version = printed.strip_prefix("git version 2.")?;
    version.split('.').next()?.trim().parse().ok()
}
