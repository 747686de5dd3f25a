//! Where a profile's credential comes from: a store that Jeton writes, or a source that Jeton only reads.

use std::fmt;
use std::path::{Path, PathBuf};

use toml_edit::{Array, InlineTable, Value};

use super::store::StoreKind;

/// The place of a profile's credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CredentialLocation {
    /// A store, which `jetond add` writes.
    Store(StoreKind),
    /// A source that other programs write.
    Source(Box<ReadOnlySource>),
}

/// A source of a client ID and of a client secret, which Jeton only reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnlySource {
    /// The place of the client ID.
    pub client_id: ClientIdSource,
    /// The place of the client secret.
    pub client_secret: SecretSource,
}

/// The place of a client ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientIdSource {
    /// In the configuration: it is not a secret.
    Text(String),
    /// In this file.
    File(PathBuf),
}

/// The place of a client secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// In this file.
    File(PathBuf),
    /// In the credential that systemd passes to the service under this name (`LoadCredential=`, systemd.exec(5)).
    SystemdCredential(String),
    /// On the standard output of this command. The first word is the absolute path of its program.
    Command(Vec<String>),
}

// === impl CredentialPlace ===

impl Default for CredentialLocation {
    fn default() -> Self {
        Self::Store(StoreKind::default())
    }
}

impl CredentialLocation {
    /// Returns the store; `None` if it is a source.
    pub const fn store(&self) -> Option<&StoreKind> {
        match self {
            Self::Store(store) => Some(store),
            Self::Source(_) => None,
        }
    }

    /// Returns the source; `None` if it is a store.
    pub fn source(&self) -> Option<&ReadOnlySource> {
        match self {
            Self::Store(_) => None,
            Self::Source(source) => Some(source),
        }
    }

    /// Its entries in the configuration; `None` for a path that TOML cannot hold, since it is not UTF-8.
    pub(super) fn entries(&self) -> Option<Vec<(&'static str, Value)>> {
        match self {
            Self::Store(store) => Some(vec![("store", store.as_str().into())]),
            Self::Source(source) => source.entries(),
        }
    }
}

// === impl ReadOnlySource ===

impl ReadOnlySource {
    /// Returns the files that the credential is read from, which may change at any time. Other sources are not watched:
    /// a systemd credential never changes while its service runs, and a command runs only when its output is needed.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let id = match &self.client_id {
            ClientIdSource::Text(_) => None,
            ClientIdSource::File(path) => Some(path.as_path()),
        };
        let secret = match &self.client_secret {
            SecretSource::File(path) => Some(path.as_path()),
            SecretSource::SystemdCredential(_) | SecretSource::Command(_) => None,
        };
        id.into_iter().chain(secret)
    }

    /// Reports whether its secret comes from a command.
    pub const fn is_command(&self) -> bool {
        matches!(self.client_secret, SecretSource::Command(_))
    }

    fn entries(&self) -> Option<Vec<(&'static str, Value)>> {
        let file = |path: &Path| Some(table("file", path.to_str()?.into()));
        let id = match &self.client_id {
            ClientIdSource::Text(text) => text.as_str().into(),
            ClientIdSource::File(path) => file(path)?,
        };
        let secret = match &self.client_secret {
            SecretSource::File(path) => file(path)?,
            SecretSource::SystemdCredential(name) => {
                table("systemd-credential", name.as_str().into())
            }
            SecretSource::Command(words) => table(
                "command",
                Array::from_iter(words.iter().map(String::as_str)).into(),
            ),
        };
        Some(vec![("client-id", id), ("client-secret", secret)])
    }
}

fn table(key: &str, value: Value) -> Value {
    InlineTable::from_iter([(key, value)]).into()
}

// === impl SecretSource ===

impl fmt::Display for SecretSource {
    /// Describes the source for people. Of a command it shows only the program: an argument may be private.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::SystemdCredential(name) => write!(f, "the systemd credential {name}"),
            Self::Command(words) => {
                let program = words.first().map_or("", String::as_str);
                write!(f, "the command {program}")
            }
        }
    }
}

#[cfg(test)]
mod tests;
