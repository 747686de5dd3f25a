//! `POST /v1/profiles/{profile}/rotate` on the admin socket, and the progress of a rotation.

use serde::{Deserialize, Serialize};

/// Options of a rotation. An empty body sets none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RotateBody {
    /// Whether the issuer replaces the secret of the key, instead of creating a second key.
    pub in_place: bool,
    /// Whether the old key is deleted without waiting for proof that it is no longer used.
    pub finish: bool,
    /// Whether to take over a rotation that another host started.
    pub take_over: bool,
    /// The profile whose token manages the keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub with: Option<String>,
    /// Whether the answer ends with the whole rotation, rather than with the switch to the new key.
    pub wait: bool,
}

/// A step of a rotation, as a line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepReply {
    /// The profile.
    pub profile: String,
    /// The step's name.
    pub step: &'static str,
    /// The step in one sentence.
    pub detail: String,
    /// The name of the key that the step is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Until when the rotation waits, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Since when it is tried again and again, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// What a person has to know: `old_key_in_use` or `old_key_left`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// How the rotation ended, in its last step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<StepEnd>,
}

/// Result of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEnd {
    /// The new key is in use, and the old one has been deleted.
    Done,
    /// The new key is in use, and the old one remains at the issuer.
    Kept,
    /// The rotation does nothing more until a user acts.
    NeedsHuman,
    /// The old key remains in use. A later rotation may succeed.
    Failed,
    /// The old key remains in use, and no wait changes that: a permission is missing, for example.
    Impossible,
}

/// An open rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationReply {
    /// The name of its current step.
    pub phase: String,
    /// Since when this daemon has been running it, in Unix seconds.
    pub since: u64,
    /// Its current action or wait, in one sentence.
    pub detail: String,
    /// The end of its wait, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Since when it is tried again and again, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_since: Option<u64>,
    /// What a person has to know: `old_key_in_use`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The name of the key that is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_key: Option<String>,
    /// The name of the new key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_key: Option<String>,
    /// Whether the new key is in use.
    pub switched: bool,
    /// Whether it waits for a user to act.
    pub needs_human: bool,
}

/// The age of a profile's key, and its next rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyReply {
    /// When the secret was stored on this machine, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_at: Option<u64>,
    /// Age of the key by the issuer's clock, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u64>,
    /// When the key will be rotated because of its age, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotates_at: Option<u64>,
    /// Why the key is not rotated although it is due, or why its age is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
    /// The names of former keys that the issuer did not let rotations delete (`old_key_left`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_keys: Vec<String>,
}

// === impl RotateBody ===

impl RotateBody {
    /// Parses a body.
    ///
    /// # Errors
    /// A description of the problem.
    pub fn from_json(body: &[u8]) -> Result<Self, &'static str> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(body).map_err(|_| {
            "the body is neither empty nor an object of in_place, finish, take_over, wait (true or false) and with (a profile)"
        })
    }
}

// === impl StepReply ===

impl StepReply {
    /// Returns the step as a line of JSON.
    pub fn to_line(&self) -> Vec<u8> {
        // A struct of strings and numbers always serialises.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotate_request_accepts_only_its_known_members() {
        let read = |body: &str| RotateBody::from_json(body.as_bytes());
        assert_eq!(read(""), Ok(RotateBody::default()));
        assert_eq!(read("{}"), Ok(RotateBody::default()));
        let all = RotateBody {
            in_place: true,
            finish: true,
            take_over: true,
            with: Some("admin".into()),
            wait: true,
        };
        let json = serde_json::to_vec(&all).unwrap();
        assert_eq!(RotateBody::from_json(&json), Ok(all));
        for bad in [
            "{",
            "[]x",
            "{\"inplace\":true}",
            "{\"wait\":1}",
            "{\"with\":1}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
