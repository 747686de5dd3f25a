//! The second slot of every store, which keeps the data of a rotation in place.

use super::access::Slots;
use super::kept::{self, RotationData, RotationDataStore};
use super::{ProfileLock, StoreError, StoreErrorKind};
use crate::profile::ProfileName;

impl<S: Slots> RotationDataStore for S {
    fn kept(&self, profile: &ProfileName) -> Result<Option<RotationData>, StoreError> {
        let slot = self.slot();
        let Some(bytes) = slot.read(profile)? else {
            return Ok(None);
        };
        slot.open(profile, bytes)
            .and_then(|json| kept::parse(&json))
            .map(Some)
            .map_err(|kind| slot.error(profile, kind))
    }

    fn keep(&self, lock: &ProfileLock, kept: &RotationData) -> Result<(), StoreError> {
        let (slot, profile) = (self.slot(), lock.profile());
        let json = kept::to_json(kept).ok_or_else(|| StoreErrorKind::Io {
            action: "keep a token and an answer of this size",
            source: std::io::ErrorKind::FileTooLarge.into(),
        });
        let sealed = json.and_then(|json| slot.seal(profile, json));
        let sealed = sealed.map_err(|kind| slot.error(profile, kind))?;
        slot.write(lock, &sealed)
    }

    fn forget(&self, lock: &ProfileLock) -> Result<bool, StoreError> {
        self.slot().delete(lock)
    }
}
