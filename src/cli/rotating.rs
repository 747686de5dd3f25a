//! An unfinished rotation of a profile's key, for the commands that move or remove its credential.

use super::output::{Exit, fail};
use super::target::Target;
use crate::causes::Causes;
use crate::profile::ProfileName;
use crate::store::{Record, RotationRead, Rotations};

/// An unfinished rotation.
pub(super) struct OpenRotation {
    /// The names of the keys that may be at the server, as far as they are known.
    names: Vec<String>,
    /// The reason why no more is known about it.
    unclear: Option<String>,
}

// === impl OpenRotation ===

impl OpenRotation {
    /// Finds the rotation of this profile's key. `record` is the stored record of the profile, if it can be read.
    pub(super) fn of(target: &Target, name: &ProfileName, record: Option<&Record>) -> Option<Self> {
        let rotations = Rotations::new(&target.state, target.owner);
        let begun = record.filter(|record| record.rotation.is_some());
        let mut names: Vec<String> = begun
            .and_then(Record::other_key)
            .and_then(|key| key.key_name.clone())
            .into_iter()
            .collect();
        let unclear = match rotations.read(name) {
            Ok(RotationRead::Absent) if begun.is_none() => return None,
            Ok(RotationRead::Absent) => None,
            Ok(RotationRead::Begun(journal)) => {
                names.extend(journal.former.name.clone());
                names.extend(journal.names().into_iter().map(str::to_owned));
                None
            }
            Ok(RotationRead::Unclear { error, names: told }) => {
                names.extend(told);
                Some(Causes(&error).to_string())
            }
            Err(error) => Some(Causes(&error).to_string()),
        };
        names.sort_unstable();
        names.dedup();
        Some(Self { names, unclear })
    }

    /// Refuses because of the rotation. `nothing` is the beginning of the message, and `instead` names an alternative.
    pub(super) fn refuse(&self, name: &ProfileName, nothing: &str, instead: &str) -> Exit {
        let why = match &self.unclear {
            Some(why) => format!(", and its record cannot be understood: {why}"),
            None => "; try again when that has ended".to_owned(),
        };
        fail(
            Exit::Later,
            format!("{nothing}: the key of {name} is being rotated{why}{instead}"),
        )
    }

    /// Describes for a person the keys that stay at the server if the rotation is abandoned.
    pub(super) fn left(&self) -> String {
        match self.names.as_slice() {
            [] => {
                "a key that was made for it may stay at the server, under a name that is not known"
                    .to_owned()
            }
            names => format!("these keys may stay at the server: {}", names.join(", ")),
        }
    }
}

/// Refuses while the token of this profile manages the keys of other profiles' rotations. `nothing` is the beginning of
/// the message.
pub(super) fn refuse_manager(
    target: &Target,
    name: &ProfileName,
    nothing: &str,
) -> Result<(), Exit> {
    let managed = managed_by(target, name);
    let Some(first) = managed.first() else {
        return Ok(());
    };
    let names: Vec<_> = managed.iter().map(ProfileName::as_str).collect();
    Err(fail(
        Exit::Later,
        format!(
            "{nothing}: the rotation of the key of {} manages the keys with the token of {name}; try again when it has ended, or name another profile for that first: jeton rotate {first} --with PROFILE; to remove the profile anyway, add --force",
            names.join(" and ")
        ),
    ))
}

/// The profiles whose rotation manages the keys with the token of this one.
fn managed_by(target: &Target, name: &ProfileName) -> Vec<ProfileName> {
    let rotations = Rotations::new(&target.state, target.owner);
    let mut open = rotations.profiles().unwrap_or_default();
    open.retain(|other| {
        let read = rotations.read(other);
        matches!(read, Ok(RotationRead::Begun(journal)) if journal.with.as_ref() == Some(name))
    });
    open
}

/// Refuses while the profile's key is being rotated. `nothing` is the beginning of the message.
pub(super) fn refuse(
    target: &Target,
    name: &ProfileName,
    record: Option<&Record>,
    nothing: &str,
) -> Result<(), Exit> {
    match OpenRotation::of(target, name, record) {
        Some(open) => Err(open.refuse(name, nothing, "")),
        None => Ok(()),
    }
}
