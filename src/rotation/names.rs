//! The name of the key that a rotation creates.

use super::record::RotationId;
use crate::key_name::KeyName;
use crate::profile::ProfileName;

/// The prefix of these names: a name must begin with a letter, and people see where the key comes from.
const PREFIX: &str = "jeton-";

/// Returns the name of this rotation's new key. It is unique among all rotations of all profiles. It depends only on
/// the arguments, so that it survives the loss of the journal.
///
/// Characters of the profile's name that the rule for keys does not allow become `-`.
pub fn key_name(profile: &ProfileName, rotation: &RotationId) -> String {
    let profile = profile.as_str().replace('.', "-");
    format!("{PREFIX}{profile}-{}", rotation.short())
}

/// Returns the same name, parsed. `None` does not occur for a profile's name and a rotation's ID, as the tests show.
pub fn parsed_key_name(profile: &ProfileName, rotation: &RotationId) -> Option<KeyName> {
    KeyName::parse(&key_name(profile, rotation)).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_profile_and_rotation_gives_a_valid_key_name() {
        let id = RotationId::of_bits(0xabc);
        let longest = "9".repeat(ProfileName::MAX_LEN);
        for profile in ["a", "0", "9.lives", "a.b_c-d", "x-", "x_", "x.", &longest] {
            let name = ProfileName::parse(profile).unwrap();
            assert!(parsed_key_name(&name, &id).is_some(), "{profile}");
        }
        let profile = ProfileName::parse("ci.prod").unwrap();
        assert_eq!(key_name(&profile, &id), "jeton-ci-prod-000000000abc");
    }

    #[test]
    fn two_rotations_never_share_a_name() {
        let profiles = ["a", "a.b", "a-b"].map(|name| ProfileName::parse(name).unwrap());
        let mut names = BTreeSet::new();
        for (bits, profile) in profiles.iter().enumerate() {
            names.insert(key_name(profile, &RotationId::of_bits(bits as u128)));
        }
        assert_eq!(names.len(), 3);
    }
}
