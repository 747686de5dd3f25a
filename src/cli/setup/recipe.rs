//! The parts of a tool's recipe for `jetond setup`: the lines for a person, and, if the tool has a command for its own
//! configuration, the change itself.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::output::{Exit, fail};
use super::super::target::lines::quoted;
use crate::address::Address;
use crate::config::HostEntry;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::trust::is_full;

/// A tool that can be set up. Each has a file of its own and a row in the table of `setup.rs`.
pub(super) struct Recipe {
    /// The tool's name on the command line.
    pub(super) name: &'static str,
    /// The purpose for a person, as a phrase that begins with a verb.
    pub(super) wants: &'static str,
    /// The data that the lines need.
    pub(super) needs: Needs,
    /// The lines to paste.
    pub(super) lines: fn(&Subject<'_>) -> Result<Lines, Refusal>,
    /// The same change by the tool's own commands, and its undoing.
    pub(super) change: Option<Change>,
}

/// The data that the lines of a tool need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// An address: the tool sends it to its helper, which finds the profile by it.
    Address,
    /// A profile, which the lines name. An address makes them complete.
    Profile,
    /// Both.
    Both,
}

/// The parameters of one set-up.
pub(super) struct Subject<'a> {
    /// The address of the server; always `Some` for a tool that needs one.
    pub(super) address: Option<Address>,
    /// The configuration's entry for that address.
    pub(super) entry: Option<HostEntry>,
    /// The profile of that entry, or the named one; always `Some` for a tool that needs one.
    pub(super) profile: Option<ProfileName>,
    /// The absolute path of the companion.
    pub(super) jeton: PathBuf,
    /// A file that contains only the profile's token, if the configuration has one.
    pub(super) bare_file: Option<PathBuf>,
    /// The folder of the token socket, below which a sink with a relative path is.
    pub(super) runtime: Option<PathBuf>,
    /// Whether that is the folder of the system's daemon. It belongs to root, and the daemon can write only in one
    /// folder below it.
    pub(super) is_of_system: bool,
    /// The command line that makes the daemon reload its configuration.
    pub(super) reload: &'static str,
    /// The environment, which names the folders of the tools' files.
    pub(super) env: &'a Env,
}

/// A file into which the daemon writes the token.
pub(super) struct Sink {
    /// The file, for the tool.
    pub(super) file: PathBuf,
    /// The lines of the configuration that make it, if they are missing there.
    pub(super) notes: Vec<String>,
}

/// Lines to paste.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    /// The format of the file that they go into.
    pub(super) format: Format,
    /// The facts or steps that a person needs first, each one sentence without a line end. They are comments above the
    /// lines if the format has comments, and otherwise go to standard error.
    pub(super) notes: Vec<String>,
    /// The lines themselves, each with its line end.
    pub(super) text: String,
}

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A shell, or a file whose comments begin with `#` (TOML, YAML, INI, Python).
    Hash,
    /// JSON, which has no comments.
    Json,
}

/// A change that the tool's own commands make and undo.
pub(super) struct Change {
    /// Reads the current settings. Called once, before the first change; the result is kept until that change is
    /// undone.
    pub(super) look: fn(&Subject<'_>) -> Result<FormerSettings, Refusal>,
    /// Adds the settings that this change is about to make to those that `undo` removes: an earlier change may have set
    /// others, for example for a companion at another path. `None` if `undo` does not need them.
    pub(super) amend: Option<Amend>,
    /// Makes the change, which may have been made already. Returns what was done, a sentence each.
    pub(super) apply: fn(&Subject<'_>, &FormerSettings) -> Result<Vec<String>, Refusal>,
    /// Restores the settings in [`FormerSettings::more`], by the tool's own commands. Called only if the files have
    /// changed since `apply`: otherwise the files themselves are restored, byte by byte. Returns what was done.
    pub(super) undo: fn(&Subject<'_>, &FormerSettings) -> Result<Vec<String>, Refusal>,
}

/// Changes the recorded settings of a change.
pub(super) type Amend = fn(&Subject<'_>, &mut FormerSettings) -> Result<(), Refusal>;

/// The former settings, before a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FormerSettings {
    /// The files that the change may write to, whether they exist or not.
    pub(super) files: Vec<PathBuf>,
    /// The data that the tool's recipe keeps for `undo`, in its own form.
    pub(super) more: serde_json::Value,
}

/// The reason why a tool cannot be set up, with the remedy: one line for people.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The exit code of the command.
    pub(super) exit: Exit,
    /// The line.
    pub(super) why: String,
}

// === impl Subject ===

impl Subject<'_> {
    /// The address in its normalized form.
    ///
    /// # Errors
    /// A [`Refusal`] if there is none; a tool that needs one always has one.
    pub(super) fn address(&self) -> Result<&Address, Refusal> {
        let none = || Refusal::usage("say for which address: jetond setup NAME ADDRESS");
        self.address.as_ref().ok_or_else(none)
    }

    /// The profile.
    ///
    /// # Errors
    /// A [`Refusal`] if there is none; a tool that needs one always has one.
    pub(super) fn profile(&self) -> Result<&ProfileName, Refusal> {
        let none = || Refusal::usage("say for which profile: --profile NAME");
        self.profile.as_ref().ok_or_else(none)
    }

    /// The path of the companion as one word of a shell.
    pub(super) fn jeton_quoted(&self) -> String {
        quoted(&self.jeton)
    }

    /// The path of the companion as text, for files that can contain only text.
    ///
    /// # Errors
    /// A [`Refusal`] if the path is not UTF-8.
    pub(super) fn jeton_text(&self) -> Result<&str, Refusal> {
        text_of(&self.jeton)
    }

    /// A file with the profile's token: the configured one, else one at this path below the folder of the token socket.
    ///
    /// # Errors
    /// A [`Refusal`] if there is no profile, or no such folder.
    pub(super) fn sink(&self, path: &str) -> Result<Sink, Refusal> {
        let profile = self.profile()?;
        if let Some(file) = &self.bare_file {
            return Ok(Sink {
                file: file.clone(),
                notes: vec![],
            });
        }
        let none =
            || Refusal::config("XDG_RUNTIME_DIR is not set, so there is no place for the file");
        let folder = self.runtime.as_ref().ok_or_else(none)?;
        let path = match self.is_of_system {
            // Other users can traverse `files`, but no folder that the daemon makes in it.
            true => format!("files/{profile}-{}", path.replace('/', "-")),
            false => format!("{profile}-{path}"),
        };
        let mut notes = vec![
            "the daemon writes the token into the file with these lines of its configuration:"
                .to_owned(),
            format!("[[profiles.{}.sinks]]", key_of(profile)),
            format!("path = \"{path}\""),
            "format = \"raw\"".to_owned(),
        ];
        notes.push(match self.is_of_system {
            true => "the file is the user jeton's alone; its group reads it too with mode = \"0640\" and group = \"GROUP\" there, and SupplementaryGroups=GROUP in jetond.service".to_owned(),
            false => "only the user of the daemon gets through the folder of its socket to the file".to_owned(),
        });
        notes.push(format!("then run: {}", self.reload));
        Ok(Sink {
            file: folder.join(&path),
            notes,
        })
    }

    /// A path in the user's home.
    ///
    /// # Errors
    /// A [`Refusal`] without a home.
    pub(super) fn in_home(&self, path: &str) -> Result<PathBuf, Refusal> {
        let none = || Refusal::config("HOME is not set, so there is no place for the file");
        let home = self.env.home.as_ref().ok_or_else(none)?;
        Ok(home.join(path))
    }
}

/// The name of a profile as a key of TOML. A name with a dot needs quotes, since it would be two keys.
pub(super) fn key_of(profile: &ProfileName) -> String {
    match profile.as_str().contains('.') {
        true => format!("\"{profile}\""),
        false => profile.to_string(),
    }
}

/// A path as text.
///
/// # Errors
/// A [`Refusal`] if it is not UTF-8.
pub(super) fn text_of(path: &Path) -> Result<&str, Refusal> {
    path.to_str().ok_or_else(|| {
        let path = quoted(path);
        Refusal::config(&format!("{path} is not UTF-8, and the tool's file is text"))
    })
}

// === impl Refusal ===

impl Refusal {
    /// Refuses because the arguments are wrong.
    pub(super) fn usage(why: &str) -> Self {
        Self {
            exit: Exit::Usage,
            why: why.to_owned(),
        }
    }

    /// Refuses because the configuration or the machine has to be corrected.
    pub(super) fn config(why: &str) -> Self {
        Self {
            exit: Exit::Config,
            why: why.to_owned(),
        }
    }

    /// Refuses because the system reported an error about a file.
    pub(super) fn io(path: &Path, action: &str, error: &io::Error) -> Self {
        let why = format!("{}: cannot {action}: {error}", path.display());
        let exit = match is_full(error) {
            true => Exit::Later,
            false => Exit::Config,
        };
        Self { exit, why }
    }

    /// Prints the line, and returns the exit code.
    pub(super) fn tell(&self) -> Exit {
        fail(self.exit, &self.why)
    }
}
