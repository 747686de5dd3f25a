//! Sources of credentials that Jeton only reads: other programs write them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{StoreError, StoreErrorKind};
use crate::config::{ClientIdSource, Profile, ReadOnlySource, SecretSource};
use crate::credential::{ClientSecret, Credential, InvalidCredential, SurroundedText, client_id};
use crate::process::bounded::{self, Limits};
use crate::trust::judge_program;

mod error;
mod file;

use error::Part;

pub use error::{NoCommands, SourceError};

/// The limits of a command. A person may have to touch a key first, and no caller waits longer than this.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    output: 64 * 1024,
};

/// The number of times to read two files that another program is replacing.
const TRIES: u32 = 3;

/// The parts of this process's surroundings that the sources need.
#[derive(Debug, Clone, Default)]
pub struct SourceContext {
    /// The folder in which systemd passes credentials to this service (`$CREDENTIALS_DIRECTORY`).
    pub credentials: Option<PathBuf>,
    /// The whole environment of a command.
    pub variables: Vec<(OsString, OsString)>,
    /// The reason why no command may run here; `None` if one may.
    pub no_commands: Option<NoCommands>,
}

/// Reads the credential of one profile from its source.
#[derive(Debug, Clone)]
pub struct SourceReader {
    source: ReadOnlySource,
    /// The user whose daemon this is: only this user and root may have write access to the files and programs.
    owner: u32,
    surroundings: Arc<SourceContext>,
}

// === impl SourceReader ===

impl SourceReader {
    /// The reader of the profile's source; `None` if the profile has a store. Nothing is read yet.
    pub(super) fn of(
        profile: &Profile,
        owner: u32,
        surroundings: &Arc<SourceContext>,
    ) -> Option<Self> {
        Some(Self {
            source: profile.credential.source()?.clone(),
            owner,
            surroundings: Arc::clone(surroundings),
        })
    }

    /// Reads the client ID and the client secret; runs the command, if there is one. Blocks.
    ///
    /// # Errors
    /// [`StoreErrorKind::Source`] with the reason.
    pub fn credential(&self) -> Result<Credential, StoreError> {
        let mut id = self.client_id()?;
        for _ in 0..TRIES {
            let secret = self.client_secret()?;
            let after = self.client_id()?;
            if after == id {
                return Credential::new(&id, secret).map_err(|why| invalid(Part::ClientId, why));
            }
            // Both were replaced meanwhile: the secret may belong to either ID.
            id = after;
        }
        Err(failed(Part::ClientId, SourceError::Changing))
    }

    /// Reads the client ID alone. Blocks.
    ///
    /// # Errors
    /// [`StoreErrorKind::Source`] with the reason.
    pub fn client_id(&self) -> Result<String, StoreError> {
        let part = Part::ClientId;
        match &self.source.client_id {
            ClientIdSource::Text(text) => Ok(text.clone()),
            ClientIdSource::File(path) => {
                let bytes = self.file(part, path)?;
                let text = file::text(&bytes).and_then(client_id);
                let text = text.map_err(|why| invalid(part, why))?;
                demand_nothing_around(part, &text)?;
                Ok(text)
            }
        }
    }

    /// The source.
    pub const fn source(&self) -> &ReadOnlySource {
        &self.source
    }

    /// Checks the program of the command, without running it; `Ok` for any other source.
    ///
    /// # Errors
    /// [`StoreErrorKind::Source`] with the reason.
    pub fn judge_command(&self) -> Result<(), StoreError> {
        match &self.source.client_secret {
            SecretSource::Command(words) => self.judge(words),
            SecretSource::File(_) | SecretSource::SystemdCredential(_) => Ok(()),
        }
    }

    fn client_secret(&self) -> Result<ClientSecret, StoreError> {
        let part = Part::ClientSecret;
        let bytes = match &self.source.client_secret {
            SecretSource::File(path) => self.file(part, path)?,
            SecretSource::SystemdCredential(name) => match &self.surroundings.credentials {
                Some(folder) => self.file(part, &folder.join(name))?,
                None => return Err(failed(part, SourceError::NotPassed(name.clone()))),
            },
            SecretSource::Command(words) => self.printed(words)?,
        };
        let text = file::text(&bytes).map_err(|why| invalid(part, why))?;
        let secret = ClientSecret::parse(text).map_err(|why| invalid(part, why))?;
        demand_nothing_around(part, text)?;
        Ok(secret)
    }

    fn file(&self, part: Part, path: &Path) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        file::read(path, self.owner).map_err(|why| failed(part, SourceError::Untrusted(why)))
    }

    fn printed(&self, words: &[String]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        self.judge(words)?;
        let printed = bounded::run(words, &self.surroundings.variables, LIMITS);
        printed.map_err(|why| {
            let program = program(words).display().to_string();
            failed(Part::ClientSecret, SourceError::Command(program, why))
        })
    }

    fn judge(&self, words: &[String]) -> Result<(), StoreError> {
        let failed = |why| failed(Part::ClientSecret, why);
        if let Some(why) = self.surroundings.no_commands {
            return Err(failed(SourceError::NoCommands(why)));
        }
        let judged = judge_program(program(words), self.owner);
        judged.map_err(|why| failed(SourceError::Untrusted(why)))
    }
}

fn program(words: &[String]) -> &Path {
    Path::new(words.first().map_or("", String::as_str))
}

fn failed(part: Part, why: SourceError) -> StoreError {
    StoreError {
        place: part.key().to_owned(),
        kind: StoreErrorKind::Source(Box::new(why)),
        changed: false,
    }
}

fn invalid(part: Part, why: InvalidCredential) -> StoreError {
    failed(part, SourceError::Invalid(part, why))
}

/// Refuses a text with quotes, spaces or a name around it, since there is no person to ask whether they are a part of
/// it.
fn demand_nothing_around(part: Part, text: &str) -> Result<(), StoreError> {
    match SurroundedText::of_unasked(text).said() {
        None => Ok(()),
        Some(around) => Err(failed(part, SourceError::Around(part, around))),
    }
}

#[cfg(test)]
mod tests;
