//! A record of each removal of a profile, written before the removal begins: `STATE/removals/PROFILE.json`.
//!
//! A removal takes a profile out of a configuration, and then its credential out of a store. If it is interrupted in
//! between, it leaves a credential that no configuration names. That credential must not be removed on a guess, since
//! it may belong to another configuration. So the next removal continues only if this record says so.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::PrivateFiles;
use super::{ProfileLock, StoreError, StoreErrorKind};
use crate::config::StoreKind;
use crate::profile::ProfileName;

/// The file version that this program writes and reads.
const VERSION: u64 = 1;

/// A removal that has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The store of the credential.
    pub store: StoreKind,
    /// The real path of the configuration that names, or named, the profile.
    pub config: PathBuf,
}

/// The unfinished removals in the state folder.
#[derive(Debug)]
pub struct Removals(PrivateFiles);

/// The file's JSON. A path that is not UTF-8 cannot be written; such a removal does not begin.
#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    profile: String,
    store: String,
    config: PathBuf,
}

// === impl Removals ===

impl Removals {
    /// Opens the removals below this state folder, with files that belong to `owner`; see [`super::FileStore::new`].
    pub fn new(state: &Path, owner: u32) -> Self {
        Self(PrivateFiles::new(state.join("removals"), owner).of_notes())
    }

    /// Records that the removal of the profile begins.
    ///
    /// # Errors
    /// [`StoreError`]; the removal must not begin then.
    pub fn begin(&self, lock: &ProfileLock, removal: &Removal) -> Result<(), StoreError> {
        let profile = lock.profile();
        let form = Form {
            version: VERSION,
            profile: profile.to_string(),
            store: removal.store.as_str().to_owned(),
            config: removal.config.clone(),
        };
        let json = serde_json::to_vec_pretty(&form).map_err(|_| {
            let source = std::io::ErrorKind::InvalidFilename.into();
            let action = "record the path of a configuration that is not UTF-8";
            StoreError::io(&self.0.path(profile), action, source)
        })?;
        self.0.write(lock, &json)
    }

    /// The unfinished removal of the profile, if any.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or trusted.
    pub fn begun(&self, profile: &ProfileName) -> Result<Option<Removal>, StoreError> {
        let Some(json) = self.0.read(profile)? else {
            return Ok(None);
        };
        parse(&json, profile)
            .map(Some)
            .map_err(|kind| StoreError::new(&self.0.path(profile), kind))
    }

    /// The profiles with an unfinished removal.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub fn names(&self) -> Result<Vec<ProfileName>, StoreError> {
        let files = self.0.names()?.into_iter();
        Ok(files.filter_map(|(_, name)| name).collect())
    }

    /// The file that records the removal of the profile.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.0.path(profile)
    }

    /// Records that the removal of the profile has ended, or will not continue.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be removed.
    pub fn end(&self, lock: &ProfileLock) -> Result<(), StoreError> {
        self.0.remove(lock).map(drop)
    }
}

fn parse(json: &[u8], profile: &ProfileName) -> Result<Removal, StoreErrorKind> {
    let malformed = |what| StoreErrorKind::Malformed {
        line: 0,
        column: 0,
        what,
    };
    let form: Form = serde_json::from_slice(json)
        .map_err(|_| malformed("it does not say what an interrupted removal has still to do"))?;
    if form.version != VERSION {
        return Err(StoreErrorKind::Version(form.version));
    }
    match StoreKind::parse(&form.store) {
        Some(store) if form.profile == profile.as_str() => Ok(Removal {
            store,
            config: form.config,
        }),
        _ => Err(malformed("it is of another profile, or names no store")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::lock::Locks;

    fn lock(state: &Path) -> ProfileLock {
        let locks = Locks::new(state, rustix::process::geteuid().as_raw());
        locks.take(&ProfileName::parse("a.b").unwrap()).unwrap()
    }

    #[test]
    fn a_removal_is_recorded_privately_from_begin_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let removals = Removals::new(&state, rustix::process::geteuid().as_raw());
        let name = ProfileName::parse("a.b").unwrap();
        assert_eq!(removals.begun(&name).unwrap(), None);
        assert!(!state.exists(), "looking makes nothing");
        let lock = lock(&state);
        removals.end(&lock).unwrap();
        for store in [StoreKind::Keyring, StoreKind::File] {
            let removal = Removal {
                store,
                config: "/a b/c.toml".into(),
            };
            removals.begin(&lock, &removal).unwrap();
            assert_eq!(removals.begun(&name).unwrap(), Some(removal));
        }
        let file = state.join("removals/a.b.json");
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(removals.begun(&name).is_err());
        removals.end(&lock).unwrap();
        assert_eq!(removals.begun(&name).unwrap(), None);
    }

    #[test]
    fn an_invalid_removal_file_is_a_fault() {
        let name = ProfileName::parse("a").unwrap();
        let good = r#"{"version":1,"profile":"a","store":"file","config":"/c"}"#;
        assert!(parse(good.as_bytes(), &name).is_ok());
        for (from, to) in [
            ("\"a\"", "\"b\""),
            ("file", "elsewhere"),
            (":1", ":2"),
            ("\"/c\"}", "\"/c\""),
            ("config", "conf"),
        ] {
            let bad = good.replacen(from, to, 1);
            assert!(parse(bad.as_bytes(), &name).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_removal_with_a_path_that_is_not_utf_8_does_not_begin() {
        use std::os::unix::ffi::OsStringExt as _;
        let dir = tempfile::tempdir().unwrap();
        let removals = Removals::new(dir.path(), rustix::process::geteuid().as_raw());
        let name = ProfileName::parse("a.b").unwrap();
        let lock = lock(dir.path());
        let removal = Removal {
            store: StoreKind::File,
            config: std::ffi::OsString::from_vec(b"/\xff".to_vec()).into(),
        };
        let error = removals.begin(&lock, &removal).unwrap_err().to_string();
        assert!(error.contains("not UTF-8"), "{error}");
        assert_eq!(removals.begun(&name).unwrap(), None);
    }
}
