//! `jetond setup pip`: an index whose password comes from the companion under the name `keyring`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::search::all_in;
use super::super::target::lines::{quoted, word};
use super::program::{self, Program};
use super::recipe::{Change, Format, FormerSettings, Lines, Needs, Recipe, Refusal, Subject};

/// pip, by its keyring provider `subprocess` (since pip 23.1; earlier versions find `keyring` without a setting).
pub(super) static RECIPE: Recipe = Recipe {
    name: "pip",
    wants: "install packages with pip from a private index",
    needs: Needs::Address,
    lines,
    change: Some(Change {
        look,
        amend: None,
        apply,
        undo,
    }),
};

/// The user name in the index's address. Without one, pip does not ask a keyring.
pub(super) const USERNAME: &str = "oauth2";

/// The folder for the link `keyring`, below the home. It holds only this link, since the link hides another `keyring`
/// on `PATH` and its passwords.
pub(super) const FOLDER: &str = ".local/lib/jeton/keyring";

/// The settings, in the order in which they are made.
const KEYS: [&str; 2] = ["global.keyring-provider", "global.index-url"];

/// The former value of each of [`KEYS`].
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Values([Option<String>; 2]);

fn lines(subject: &Subject<'_>) -> Result<Lines, Refusal> {
    let values = values(subject)?;
    let set =
        |(key, value): (&str, &String)| format!("pip config --user set {key} {}\n", word(value));
    let set: String = KEYS.into_iter().zip(&values).map(set).collect();
    Ok(Lines {
        format: Format::Hash,
        notes: vec![
            "pip starts the first keyring on PATH; the folder of the link must stand first there".to_owned(),
            "index-url takes the place of PyPI; extra-index-url adds to it, and then others can publish under your packages' names".to_owned(),
        ],
        text: format!("{}{set}", link_lines(subject)?),
    })
}

/// The lines that put the companion first on `PATH` under the name `keyring`.
pub(super) fn link_lines(subject: &Subject<'_>) -> Result<String, Refusal> {
    let folder = quoted(&subject.in_home(FOLDER)?);
    Ok(format!(
        "mkdir -p {folder}\njetond install-helpers {folder} keyring\nexport PATH={folder}:\"$PATH\"\n"
    ))
}

/// The address of the index with a user name, for the file of a tool.
pub(super) fn index(subject: &Subject<'_>) -> Result<String, Refusal> {
    let address = subject.address()?.to_string();
    let entry = subject.entry.as_ref();
    let username = entry.and_then(|entry| entry.username.as_deref());
    let username = username.unwrap_or(USERNAME);
    let mut url = url::Url::parse(&address)
        .map_err(|error| Refusal::config(&format!("{address}: {error}")))?;
    url.set_username(username)
        .map_err(|()| Refusal::config(&format!("{address}: it can have no user name")))?;
    Ok(url.to_string())
}

fn values(subject: &Subject<'_>) -> Result<[String; 2], Refusal> {
    let index = index(subject)?;
    let index = format!("{}/", index.trim_end_matches('/'));
    Ok(["subprocess".to_owned(), index])
}

fn look(subject: &Subject<'_>) -> Result<FormerSettings, Refusal> {
    let pip = find(subject)?;
    let value = |key| -> Result<Option<String>, Refusal> {
        let printed = pip.run(&["config", "--user", "get", key])?;
        let value = printed.stdout.trim_end_matches('\n').to_owned();
        Ok(Some(value).filter(|_| printed.code == 0))
    };
    let values = Values([value(KEYS[0])?, value(KEYS[1])?]);
    Ok(FormerSettings {
        files: files(&pip)?,
        more: serde_json::to_value(values).unwrap_or_default(),
    })
}

fn apply(subject: &Subject<'_>, _: &FormerSettings) -> Result<Vec<String>, Refusal> {
    let pip = find(subject)?;
    let mut done = vec![];
    for (key, value) in KEYS.into_iter().zip(values(subject)?) {
        pip.must(&["config", "--user", "set", key, &value])?;
        done.push(format!("pip has {key} = {value}"));
    }
    let first = all_in("keyring", subject.env.path.as_deref()).next();
    let is_ours = |path: &Path| fs::read_link(path).is_ok_and(|to| to == subject.jeton);
    match first {
        Some(path) if is_ours(&path) => {}
        other => {
            let folder = quoted(&subject.in_home(FOLDER)?);
            let found = other.map_or("there is no keyring on PATH".to_owned(), |path| {
                format!(
                    "the first keyring on PATH is {}, which is not the companion",
                    quoted(&path)
                )
            });
            done.push(format!(
                "{found}: run 'jetond install-helpers {folder} keyring', and put that folder first on PATH"
            ));
        }
    }
    Ok(done)
}

fn undo(subject: &Subject<'_>, before: &FormerSettings) -> Result<Vec<String>, Refusal> {
    let pip = find(subject)?;
    let values: Values = serde_json::from_value(before.more.clone())
        .map_err(|_| Refusal::config("the saved copy of pip's configuration cannot be read"))?;
    let mut done = vec![];
    for (key, value) in KEYS.into_iter().zip(values.0) {
        match value {
            Some(value) => {
                pip.must(&["config", "--user", "set", key, &value])?;
                done.push(format!("pip has its former {key} again"));
            }
            None => {
                // The setting may have been removed by hand since.
                if pip.run(&["config", "--user", "get", key])?.code == 0 {
                    pip.must(&["config", "--user", "unset", key])?;
                    done.push(format!("pip has no {key}, as before"));
                }
            }
        }
    }
    Ok(done)
}

fn find(subject: &Subject<'_>) -> Result<Program, Refusal> {
    let name = match all_in("pip", subject.env.path.as_deref()).next() {
        Some(_) => "pip",
        None => "pip3",
    };
    program::find(name, subject.env)
}

/// The user's files, in pip's own listing.
fn files(pip: &Program) -> Result<Vec<PathBuf>, Refusal> {
    let printed = pip.must(&["config", "debug"])?;
    Ok(user_files(&printed))
}

fn user_files(printed: &str) -> Vec<PathBuf> {
    let lines = printed.lines().skip_while(|line| *line != "user:").skip(1);
    let lines = lines.take_while(|line| line.starts_with(' '));
    let paths = lines.filter_map(|line| line.trim_start().rsplit_once(", exists: "));
    paths.map(|(path, _)| path.into()).collect()
}
