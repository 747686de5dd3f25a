//! Sources of credentials that Jeton only reads: other programs write them, and the configuration that names a source
//! says what its credential is for.

use std::path::Path;

use zeroize::Zeroizing;

use super::access::{Look, Revision};
use super::{Bound, ChangeSource, Key, Record, Required, StoreError, StoreErrorKind, StoreReader};
use crate::config::{ClientIdSource, Profile, ReadOnlySource, SecretSource};
use crate::credential::{ClientSecret, Credential, InvalidCredential};
use crate::instant::UnixTime;
use crate::profile::ProfileName;
use crate::store::source::ca_file;

mod error;
mod file;

use error::Part;

pub use error::SourceError;

/// Reads the credential of one profile from its source.
#[derive(Debug, Clone)]
pub struct SourceReader {
    profile: Profile,
    source: ReadOnlySource,
    /// The user whose daemon this is: only this user and root may write the files.
    owner: u32,
}

// === impl SourceReader ===

impl SourceReader {
    /// The reader of the profile's source; `None` if the profile has a store. Nothing is read yet.
    pub fn of(profile: &Profile, owner: u32) -> Option<Self> {
        let source = profile.credential.source()?.clone();
        Some(Self {
            profile: profile.clone(),
            source,
            owner,
        })
    }

    fn record(&self) -> Result<Record, StoreError> {
        let credential = self.credential()?;
        let ca_file = ca_file(&self.profile, self.owner);
        let ca_file =
            ca_file.map_err(|error| failed(Part::ClientSecret, SourceError::Ca(error)))?;
        let issuer = Bound::Origin(self.profile.site());
        let Required { binding, .. } = Required::of(&self.profile, &issuer, ca_file);
        let credential = match self.profile.origin() {
            Some(_) => credential.bound_to(binding.bound.as_str()),
            None => credential,
        };
        Ok(Record {
            key: Key {
                credential: credential.trusting(binding.ca.clone()),
                key_id: None,
                key_name: None,
                created_at: UnixTime::from_epoch(std::time::Duration::ZERO),
            },
            binding,
            previous: None,
        })
    }

    /// The client ID and the client secret of now.
    fn credential(&self) -> Result<Credential, StoreError> {
        let id = self.client_id()?;
        let secret = self.client_secret()?;
        Credential::new(&id, secret).map_err(|why| invalid(Part::ClientId, why))
    }

    fn client_id(&self) -> Result<String, StoreError> {
        let part = Part::ClientId;
        match &self.source.client_id {
            ClientIdSource::Text(text) => Ok(text.clone()),
            ClientIdSource::File(path) => {
                let bytes = self.file(part, path)?;
                let text = file::text(&bytes).and_then(crate::credential::client_id);
                text.map_err(|why| invalid(part, why))
            }
        }
    }

    fn client_secret(&self) -> Result<ClientSecret, StoreError> {
        let part = Part::ClientSecret;
        let bytes = match &self.source.client_secret {
            SecretSource::File(path) => self.file(part, path)?,
            source => return Err(failed(part, SourceError::Unsupported(source.to_string()))),
        };
        let text = file::text(&bytes).and_then(ClientSecret::parse);
        text.map_err(|why| invalid(part, why))
    }

    fn file(&self, part: Part, path: &Path) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        file::read(path, self.owner).map_err(|why| failed(part, SourceError::Untrusted(why)))
    }
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

impl StoreReader for SourceReader {
    fn look(&self, _: &ProfileName) -> Look {
        Look {
            record: self.record().map(Some),
            revision: Revision::UNREADABLE,
        }
    }

    fn change_sources(&self, _: &ProfileName) -> Vec<ChangeSource> {
        let files = self.source.files().map(Path::to_owned);
        files.map(ChangeSource::File).collect()
    }

    fn is_in_two_places(&self) -> bool {
        !matches!(self.source.client_id, ClientIdSource::Text(_))
    }
}
