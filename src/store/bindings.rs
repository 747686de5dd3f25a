//! The recorded bindings of credentials from read-only sources, written at first use: `STATE/bindings/PROFILE.json`.
//!
//! The configuration names such a source and the address that its secret goes to. A user who can write only the
//! configuration must not be able to redirect a secret that is in use. So the binding is written to a folder where
//! only the daemon's user can write. The file holds no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD};
use serde::{Deserialize, Serialize};
use url::Url;

use super::files::PrivateFiles;
use super::{Binding, BoundTarget, ProfileLock, StoreError, StoreErrorKind};
use crate::credential::Ca;
use crate::instant::UnixTime;
use crate::profile::ProfileName;

/// The file version that this program writes and reads.
const VERSION: u64 = 1;

/// The binding of a source's credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedBinding {
    /// The binding.
    pub binding: Binding,
    /// The time of the recording.
    pub at: UnixTime,
}

/// The recorded bindings of a state folder.
#[derive(Debug)]
pub struct Bindings(PrivateFiles);

#[derive(Serialize, Deserialize)]
struct Form {
    version: u64,
    profile: String,
    provider: String,
    endpoint: String,
    issuer: Option<String>,
    /// The SHA-256 of each certificate of the CA file, if there is one.
    ca: Option<Vec<String>>,
    proxy: Option<String>,
    recorded_at: u64,
}

// === impl Recorded ===

impl RecordedBinding {
    /// Builds the recorded binding, with the time in whole seconds: the file stores seconds, and the first use must
    /// equal the next read.
    pub fn new(binding: Binding, now: UnixTime) -> Self {
        Self {
            binding,
            at: UnixTime::from_epoch(Duration::from_secs(now.seconds_down())),
        }
    }
}

// === impl Bindings ===

impl Bindings {
    /// Opens the bindings below this state folder, with files that belong to `owner`; see [`super::FileStore::new`].
    pub(super) fn new(state: &Path, owner: u32) -> Self {
        Self(PrivateFiles::new(state.join("bindings"), owner).of_notes())
    }

    /// The recorded binding of the profile; `None` before its first use.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read or trusted.
    pub fn recorded(&self, profile: &ProfileName) -> Result<Option<RecordedBinding>, StoreError> {
        let Some(json) = self.0.read(profile)? else {
            return Ok(None);
        };
        let read = parse(&json, profile).map(Some);
        read.map_err(|kind| StoreError::new(&self.0.path(profile), kind))
    }

    /// Records a binding, synced, in place of any other.
    ///
    /// # Errors
    /// [`StoreError`] if the state folder cannot be written.
    pub fn record(&self, lock: &ProfileLock, recorded: &RecordedBinding) -> Result<(), StoreError> {
        let profile = lock.profile();
        let impossible = || {
            let source = std::io::ErrorKind::InvalidData.into();
            StoreError::io(
                &self.0.path(profile),
                "record a binding of this form",
                source,
            )
        };
        let binding = &recorded.binding;
        let (BoundTarget::Endpoint { provider, endpoint }, Some(ca)) = (
            &binding.bound,
            match &binding.ca {
                Ca::System => Some(None),
                Ca::Set(set) => Some(Some(set.clone())),
                Ca::Bytes(_) => None,
            },
        ) else {
            return Err(impossible());
        };
        let form = Form {
            version: VERSION,
            profile: profile.to_string(),
            provider: provider.clone(),
            endpoint: endpoint.to_string(),
            issuer: binding.issuer.clone(),
            ca,
            proxy: binding.proxy.clone(),
            recorded_at: recorded.at.seconds_down(),
        };
        let json = serde_json::to_vec_pretty(&form).map_err(|_| impossible())?;
        self.0.write(lock, &json)
    }

    /// Forgets the binding of the profile; returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be removed.
    pub fn forget(&self, lock: &ProfileLock) -> Result<bool, StoreError> {
        self.0.remove(lock)
    }

    /// The reason why nothing can be recorded, as far as this user can tell without trying; `None` if recording may
    /// work.
    pub fn obstacle(&self) -> Option<(PathBuf, std::io::Error)> {
        let folder = self.0.folder();
        let is_there = |path: &&Path| path.symlink_metadata().is_ok();
        let nearest = folder.ancestors().find(is_there)?;
        let right = Access::WRITE_OK | Access::EXEC_OK;
        let tried = rustix::fs::accessat(CWD, nearest, right, AtFlags::EACCESS);
        tried.err().map(|errno| (nearest.to_owned(), errno.into()))
    }

    /// The files that are there, each with its profile.
    ///
    /// # Errors
    /// [`StoreError`] if the folder cannot be trusted or read.
    pub fn files(&self) -> Result<Vec<(PathBuf, Option<ProfileName>)>, StoreError> {
        self.0.names()
    }

    /// The file that has the binding of the profile.
    pub fn path(&self, profile: &ProfileName) -> PathBuf {
        self.0.path(profile)
    }
}

fn parse(json: &[u8], profile: &ProfileName) -> Result<RecordedBinding, StoreErrorKind> {
    let malformed = |what| StoreErrorKind::Malformed {
        line: 0,
        column: 0,
        what,
    };
    let form: Form = serde_json::from_slice(json)
        .map_err(|_| malformed("it does not say where the credential of a source may be sent"))?;
    if form.version != VERSION {
        return Err(StoreErrorKind::Version(form.version));
    }
    if form.profile != profile.as_str() {
        return Err(malformed("it is of another profile"));
    }
    let endpoint = Url::parse(&form.endpoint);
    let endpoint = endpoint.map_err(|_| malformed("its endpoint is not an address"))?;
    Ok(RecordedBinding {
        binding: Binding {
            bound: BoundTarget::Endpoint {
                provider: form.provider,
                endpoint,
            },
            issuer: form.issuer,
            ca: form.ca.map_or(Ca::System, Ca::Set),
            proxy: form.proxy,
        },
        at: UnixTime::from_epoch(Duration::from_secs(form.recorded_at)),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::lock::Locks;

    fn recorded(ca: Ca) -> RecordedBinding {
        RecordedBinding {
            binding: Binding {
                bound: BoundTarget::Endpoint {
                    provider: "oauth2".into(),
                    endpoint: Url::parse("https://a.b/t?x=1").unwrap(),
                },
                issuer: Some("https://a.b".into()),
                ca,
                proxy: Some("environment".into()),
            },
            at: UnixTime::from_epoch(Duration::from_secs(7)),
        }
    }

    #[test]
    fn a_recorded_binding_equals_the_one_read_back() {
        let binding = recorded(Ca::System).binding;
        let now = UnixTime::from_epoch(Duration::from_millis(7_900));
        assert_eq!(RecordedBinding::new(binding, now), recorded(Ca::System));
    }

    #[test]
    fn a_recorded_binding_reads_back_unchanged_until_it_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let owner = rustix::process::geteuid().as_raw();
        let (bindings, name) = (
            Bindings::new(&state, owner),
            ProfileName::parse("a.b").unwrap(),
        );
        assert_eq!(bindings.recorded(&name).unwrap(), None);
        assert!(!state.exists(), "looking makes nothing");
        let lock = Locks::new(&state, owner).take(&name).unwrap();
        for ca in [Ca::System, Ca::Set(vec!["1".into(), "2".into()])] {
            let recorded = recorded(ca);
            bindings.record(&lock, &recorded).unwrap();
            assert_eq!(bindings.recorded(&name).unwrap(), Some(recorded));
        }
        let mode = bindings
            .path(&name)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(bindings.forget(&lock).unwrap() && !bindings.forget(&lock).unwrap());
        assert_eq!(bindings.recorded(&name).unwrap(), None);
    }

    #[test]
    fn an_invalid_binding_file_is_a_fault() {
        let name = ProfileName::parse("a").unwrap();
        let good = r#"{"version":1,"profile":"a","provider":"runai","endpoint":"https://x/","recorded_at":1}"#;
        assert!(parse(good.as_bytes(), &name).is_ok());
        for (from, to) in [
            ("\"a\"", "\"b\""),
            (":1,\"profile", ":2,\"profile"),
            ("https://x/", "x"),
            ("provider", "providers"),
            ("}", ""),
        ] {
            let bad = good.replacen(from, to, 1);
            assert!(parse(bad.as_bytes(), &name).is_err(), "{bad}");
        }
    }
}
