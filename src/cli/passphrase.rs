//! A passphrase, of the store of encrypted files or of an exported file. It is typed without echo, read from a file, or
//! passed by systemd.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::output::{Exit, fail, print_note};
use super::prompt;
use crate::age_file::{MAX_PASSPHRASE_LEN, Passphrase};
use crate::paths::Env;

/// The number of times that a person may type a wrong passphrase.
pub(super) const TRIES: usize = 3;

/// Where the passphrase comes from, if it is not typed.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct PassphraseArgs {
    /// Read the passphrase from a file, instead of asking for it
    #[arg(long, value_name = "PATH", conflicts_with = "passphrase_credential")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase from this systemd credential (LoadCredential=, LoadCredentialEncrypted=)
    #[arg(long, value_name = "NAME", value_parser = name)]
    passphrase_credential: Option<String>,
}

/// Parses a credential's name, which is the name of a file.
fn name(text: &str) -> Result<String, &'static str> {
    if text.is_empty() || text.contains('/') || [".", ".."].contains(&text) {
        Err("it takes the name of a credential, without a slash")
    } else {
        Ok(text.to_owned())
    }
}

// === impl PassphraseArgs ===

impl PassphraseArgs {
    /// Reads the passphrase from this file, if there is one.
    pub(super) fn of(passphrase_file: Option<&Path>) -> Self {
        Self {
            passphrase_file: passphrase_file.map(Path::to_owned),
            passphrase_credential: None,
        }
    }

    /// Whether the passphrase need not be typed.
    pub(super) const fn is_given(&self) -> bool {
        self.passphrase_file.is_some() || self.passphrase_credential.is_some()
    }

    /// The passphrase from its source; `None` if a person has to type it.
    pub(super) fn given(&self, env: &Env) -> Result<Option<Passphrase>, Exit> {
        if let Some(path) = &self.passphrase_file {
            return read(path).map(Some);
        }
        let Some(name) = &self.passphrase_credential else {
            return match prompt::possible() {
                true => Ok(None),
                false => Err(fail(
                    Exit::Usage,
                    "cannot ask for the passphrase without a terminal: give --passphrase-file PATH or --passphrase-credential NAME",
                )),
            };
        };
        let Some(folder) = &env.credentials_directory else {
            return Err(fail(
                Exit::Config,
                "systemd passes no credentials to this process ($CREDENTIALS_DIRECTORY is not set): run it from a unit with LoadCredential=",
            ));
        };
        read(&folder.join(name)).map(Some)
    }
}

/// Asks for the passphrase of an existing exported file, or reads it.
pub(super) fn of_file(from: Option<&Path>, file: &Path) -> Result<Passphrase, Exit> {
    read_or(from, || {
        ask(&format!("Passphrase for {} (not shown)", file.display()))
    })
}

/// Asks for a passphrase for a new exported file, or reads it.
pub(super) fn of_new_file(from: Option<&Path>, file: &Path) -> Result<Passphrase, Exit> {
    let question = format!("New passphrase for {} (not shown)", file.display());
    read_or(from, || ask_for_new(&question))
}

fn read_or(
    from: Option<&Path>,
    ask: impl FnOnce() -> Result<Passphrase, Exit>,
) -> Result<Passphrase, Exit> {
    match from {
        Some(path) => read(path),
        None if prompt::possible() => ask(),
        None => Err(fail(
            Exit::Usage,
            "nothing is done: there is no terminal to ask for the passphrase on; give --passphrase-file PATH",
        )),
    }
}

/// Asks for a new passphrase, twice.
pub(super) fn ask_for_new(question: &str) -> Result<Passphrase, Exit> {
    let first = ask(question)?;
    let again = ask("The same again")?;
    if first.is(&again) {
        Ok(first)
    } else {
        Err(fail(
            Exit::Usage,
            "the two passphrases differ, so nothing is done",
        ))
    }
}

/// Asks for a passphrase.
pub(super) fn ask(question: &str) -> Result<Passphrase, Exit> {
    checked(&prompt::secret(question)?, "the passphrase")
}

fn checked(text: &str, what: &str) -> Result<Passphrase, Exit> {
    Passphrase::parse(text)
        .map_err(|why| fail(Exit::Usage, format!("{what} cannot be used: {why}")))
}

/// Reads a passphrase from a file, and warns if other users can read the file too. One trailing line end is ignored.
fn read(path: &Path) -> Result<Passphrase, Exit> {
    let shown = path.display();
    let unreadable = |e: std::io::Error| {
        let what = format!("the passphrase cannot be read from {shown}: {e}");
        fail(Exit::Config, what)
    };
    let file = prompt::open_file(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    if meta.is_file() && meta.mode() & 0o077 != 0 {
        print_note(format!(
            "warning: others can read {shown}; remove it, or run: chmod 600 {shown}"
        ));
    }
    // Room for the longest passphrase, its line end, and one byte too many, so that no growth leaves a copy behind.
    let most = MAX_PASSPHRASE_LEN + 3;
    let mut bytes = Zeroizing::new(Vec::with_capacity(most));
    file.take(most as u64)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        fail(
            Exit::Usage,
            format!("the passphrase in {shown} is not text"),
        )
    })?;
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = match text.len() - line.len() {
        0 => line,
        _ => line.strip_suffix('\r').unwrap_or(line),
    };
    checked(line, &format!("the passphrase in {shown}"))
}
