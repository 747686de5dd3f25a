//! A record of each move of a credential, written before the move begins: `STATE/moves/PROFILE.json`.
//!
//! A move takes a credential from one place to another: from one store to another, into a file for another machine, or
//! out of such a file. If it is interrupted, a copy may be left that no configuration names. That copy must not be
//! removed on a guess, since it may be the only one. So the next command continues by this record alone. The record
//! holds no secret.

use std::path::{Path, PathBuf};

use super::files::PrivateFiles;
use super::{ProfileLock, StoreError};
use crate::profile::ProfileName;

mod form;
mod unfinished;

pub use unfinished::{Move, MoveKind, MovedCredential};

/// The unfinished moves in the state folder.
#[derive(Debug)]
pub struct Moves(PrivateFiles);

// === impl Moves ===

impl Moves {
    /// Opens the moves below this state folder, with files that belong to `owner`; see [`super::FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        Self(PrivateFiles::new(state.join("moves"), owner).of_notes())
    }

    /// Records that a move of the profile's credential begins. The record is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`]; the move must not begin then.
    pub fn begin(&self, lock: &ProfileLock, begun: &Move) -> Result<(), StoreError> {
        let json = form::to_json(lock.profile(), begun).map_err(|_| {
            let source = std::io::ErrorKind::InvalidFilename.into();
            let action = "record a path that is not UTF-8";
            StoreError::io(&self.0.path(lock.profile()), action, source)
        })?;
        self.0.write(lock, &json)
    }

    /// The unfinished move of the profile's credential, if any.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or trusted.
    pub fn begun(&self, profile: &ProfileName) -> Result<Option<Move>, StoreError> {
        let Some(json) = self.0.read(profile)? else {
            return Ok(None);
        };
        let parsed = form::parse(&json, profile).map(Some);
        parsed.map_err(|kind| StoreError::new(&self.0.path(profile), kind))
    }

    /// The profiles whose credential has an unfinished move.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub fn names(&self) -> Result<Vec<ProfileName>, StoreError> {
        let files = self.0.names()?.into_iter();
        Ok(files.filter_map(|(_, name)| name).collect())
    }

    /// The file that records the move of the profile's credential.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.0.path(profile)
    }

    /// Records that the move has ended, or will not continue.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be removed.
    pub fn end(&self, lock: &ProfileLock) -> Result<(), StoreError> {
        self.0.remove(lock).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StoreKind;
    use crate::store::lock::Locks;

    #[test]
    fn a_move_is_recorded_from_begin_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let state = dir.path().join("state");
        let moves = Moves::new(&state, uid);
        let name = ProfileName::parse("a.b").unwrap();
        assert_eq!(moves.begun(&name).unwrap(), None);
        assert!(!state.exists(), "looking makes nothing");
        let lock = Locks::new(&state, uid).take(&name).unwrap();
        moves.end(&lock).unwrap();
        let moved = MovedCredential {
            client_id: "an \"id\"".into(),
            created_at: 7,
        };
        let kinds = [
            MoveKind::Migration {
                from: StoreKind::File,
                to: StoreKind::Keyring,
                moved: moved.clone(),
            },
            MoveKind::Export {
                file: "/x y/f.age".into(),
            },
            MoveKind::Import {
                store: StoreKind::Keyring,
                ca_file: Some("/c/a.pem".into()),
                moved: moved.clone(),
            },
            MoveKind::Import {
                store: StoreKind::File,
                ca_file: None,
                moved,
            },
        ];
        for kind in kinds {
            let begun = Move {
                config: "/a b/c.toml".into(),
                kind,
            };
            moves.begin(&lock, &begun).unwrap();
            assert_eq!(moves.begun(&name).unwrap(), Some(begun));
        }
        assert_eq!(moves.names().unwrap(), std::slice::from_ref(&name));
        moves.end(&lock).unwrap();
        assert_eq!(moves.begun(&name).unwrap(), None);
    }

    #[test]
    fn a_move_with_a_path_that_is_not_utf_8_does_not_begin() {
        use std::os::unix::ffi::OsStringExt as _;
        let dir = tempfile::tempdir().unwrap();
        let uid = rustix::process::geteuid().as_raw();
        let moves = Moves::new(dir.path(), uid);
        let name = ProfileName::parse("a").unwrap();
        let lock = Locks::new(dir.path(), uid).take(&name).unwrap();
        let begun = Move {
            config: std::ffi::OsString::from_vec(b"/\xff".to_vec()).into(),
            kind: MoveKind::Export { file: "/f".into() },
        };
        let error = moves.begin(&lock, &begun).unwrap_err().to_string();
        assert!(error.contains("not UTF-8"), "{error}");
        assert_eq!(moves.begun(&name).unwrap(), None);
    }
}
