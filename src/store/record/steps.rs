//! The steps of a record through the rotation of its key.

use super::{BegunRotation, Key, OtherKey, Record, RotationId};
use crate::credential::{ClientSecret, Credential};
use crate::instant::UnixTime;
use crate::store::BoundTarget;

/// The time at which a secret arrived.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedAt {
    /// By our own clock.
    pub at: UnixTime,
    /// By the issuer's clock, if an answer had it.
    pub server_date: Option<UnixTime>,
}

impl Record {
    /// The ID of the rotation that has begun.
    pub fn rotation_id(&self) -> Option<&RotationId> {
        self.rotation.as_ref().map(|rotation| &rotation.id)
    }

    /// The key beside the one in use. It may work when the other one does not.
    pub fn other_key(&self) -> Option<&Key> {
        let other = self.rotation.as_ref()?.other.as_ref();
        other.map(OtherKey::key)
    }

    /// Whether the record has the key of this client ID.
    pub fn needs(&self, client_id: &str) -> bool {
        let mut keys = std::iter::once(&self.key).chain(self.other_key());
        keys.any(|key| key.credential.client_id == client_id)
    }

    /// The same record with a rotation of this ID, whose next key is `next`. `None` for a record of the former version:
    /// it has no full address, and is not used for requests either.
    #[must_use]
    pub fn rotating(self, id: RotationId, next: Option<Key>) -> Option<Self> {
        if matches!(self.binding.bound, BoundTarget::Origin(_)) {
            return None;
        }
        let bound = |mut key: Key| {
            key.credential = key
                .credential
                .bound_to(self.binding.bound.as_str())
                .trusting(self.binding.ca.clone());
            OtherKey::Next(key)
        };
        let other = next.map(bound);
        let rotation = Some(BegunRotation { id, other });
        Some(Self { rotation, ..self })
    }

    /// The same record with a new secret for the key in use. The former secret becomes that of the previous key:
    /// replicas of the issuer may still accept it. `None` for a record of the former version, or for an invalid client
    /// ID.
    #[must_use]
    pub fn renewed(self, id: RotationId, secret: ClientSecret, seen: ReceivedAt) -> Option<Self> {
        if matches!(self.binding.bound, BoundTarget::Origin(_)) {
            return None;
        }
        let former = self.key;
        let credential = Credential::new(&former.credential.client_id, secret).ok()?;
        let credential = credential
            .bound_to(self.binding.bound.as_str())
            .trusting(self.binding.ca.clone())
            .shared(former.credential.is_shared());
        let key = Key {
            credential,
            key_id: former.key_id.clone(),
            key_name: former.key_name.clone(),
            created_at: seen.at,
            server_date: seen.server_date.or(former.server_date),
        };
        let other = Some(OtherKey::Previous(former));
        Some(Self {
            key,
            rotation: Some(BegunRotation { id, other }),
            ..self
        })
    }

    /// The same record after the switch: the next key becomes the key in use, and the former key the previous one.
    /// `None` if there is no next key.
    #[must_use]
    pub fn switched(self) -> Option<Self> {
        match self.rotation {
            Some(BegunRotation {
                id,
                other: Some(OtherKey::Next(next)),
            }) => Some(Self {
                key: next,
                binding: self.binding,
                rotation: Some(BegunRotation {
                    id,
                    other: Some(OtherKey::Previous(self.key)),
                }),
            }),
            _ => None,
        }
    }

    /// The same record with only the key of this client ID, whether in use or other, and without a rotation. `None` if
    /// it has no such key.
    #[must_use]
    pub fn restored(self, client_id: &str) -> Option<Self> {
        let other = self.rotation.and_then(|rotation| rotation.other);
        let mut keys = std::iter::once(self.key).chain(other.map(OtherKey::into_key));
        let key = keys.find(|key| key.credential.client_id == client_id)?;
        Some(Self {
            key,
            binding: self.binding,
            rotation: None,
        })
    }

    /// The same record without its rotation and its other key.
    #[must_use]
    pub fn settled(self) -> Self {
        Self {
            rotation: None,
            ..self
        }
    }
}
