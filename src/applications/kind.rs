//! The endpoints that manage each kind of keys, by release line of the server.

use crate::query::KeyKind as Kind;

/// A family of endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The user's keys.
    AccessKeys,
    /// The user's keys under their former name.
    UserApplications,
    /// Every user's keys.
    AllAccessKeys,
    /// Every user's keys under their former name.
    AllUserApplications,
    /// The organisation's keys.
    ServiceAccounts,
    /// The organisation's keys under their former name.
    Applications,
}

// === impl Kind ===

impl Kind {
    /// Returns the families that may have keys of this kind, in the order in which to try them. The next one is tried
    /// only if the server lacks the one before it. `all` includes the keys of every user.
    pub const fn families(self, all: bool) -> &'static [Family] {
        match (self, all) {
            (Self::Auto, false) => &[Family::AccessKeys, Family::UserApplications],
            (Self::Auto, true) => &[Family::AllAccessKeys, Family::AllUserApplications],
            (Self::AccessKey, false) => &[Family::AccessKeys],
            (Self::AccessKey, true) => &[Family::AllAccessKeys],
            (Self::UserApplication, false) => &[Family::UserApplications],
            (Self::UserApplication, true) => &[Family::AllUserApplications],
            (Self::ServiceAccount, _) => &[Family::ServiceAccounts],
            (Self::Application, _) => &[Family::Applications],
        }
    }

    /// Describes for people what a server without these families lacks, and what to do.
    pub(super) const fn lacking(self, all: bool) -> &'static str {
        match (self, all) {
            (Self::Auto, false) => {
                "has no keys of users, neither access keys nor user applications; for the organisation's, add --kind application or --kind service-account"
            }
            (Self::Auto, true) => {
                "has no list of every user's keys; for the organisation's, add --kind application or --kind service-account"
            }
            (Self::AccessKey, _) => {
                "has no access keys (they came with 2.24); for what it has instead, leave --kind out or use --kind user-application"
            }
            (Self::UserApplication, _) => {
                "has no user applications (2.20 to 2.24 have them); for what it has instead, leave --kind out or use --kind access-key"
            }
            (Self::ServiceAccount, _) => {
                "has no service accounts (they came with 2.24); for what it has instead, use --kind application"
            }
            (Self::Application, _) => {
                "has no applications of the organisation (2.18 to 2.24 have them); for what it has instead, use --kind service-account"
            }
        }
    }
}

// === impl Family ===

impl Family {
    /// Returns the path of the family's list, below the control plane's address.
    pub const fn path(self) -> &'static str {
        match self {
            Self::AccessKeys => "/api/v1/access-keys",
            Self::UserApplications => "/api/v1/user-applications",
            Self::AllAccessKeys => "/api/v1/administration/access-keys",
            Self::AllUserApplications => "/api/v1/administration/user-applications",
            Self::ServiceAccounts => "/api/v1/service-accounts",
            Self::Applications => "/api/v1/apps",
        }
    }

    /// Returns the noun for one of its keys, for people.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::AccessKeys | Self::AllAccessKeys => "access key",
            Self::UserApplications | Self::AllUserApplications => "user application",
            Self::ServiceAccounts => "service account",
            Self::Applications => "application",
        }
    }

    /// Returns the kind of its keys.
    pub const fn kind(self) -> Kind {
        match self {
            Self::AccessKeys | Self::AllAccessKeys => Kind::AccessKey,
            Self::UserApplications | Self::AllUserApplications => Kind::UserApplication,
            Self::ServiceAccounts => Kind::ServiceAccount,
            Self::Applications => Kind::Application,
        }
    }

    /// Returns the family with this path.
    pub fn of_path(path: &str) -> Option<Self> {
        let all = [
            Self::AccessKeys,
            Self::UserApplications,
            Self::AllAccessKeys,
            Self::AllUserApplications,
            Self::ServiceAccounts,
            Self::Applications,
        ];
        all.into_iter().find(|family| family.path() == path)
    }

    /// Returns whether its keys are the user's own; a user has at most 20 of them.
    pub const fn is_own(self) -> bool {
        matches!(self, Self::AccessKeys | Self::UserApplications)
    }

    /// Returns whether the family covers every user's keys. It can list and delete keys, but neither create nor
    /// change them.
    pub const fn is_administration(self) -> bool {
        matches!(self, Self::AllAccessKeys | Self::AllUserApplications)
    }

    /// Returns the member of the answer that has the list; `None` if the whole answer is the list.
    pub(super) const fn wrapper(self) -> Option<&'static str> {
        match self {
            Self::AccessKeys | Self::AllAccessKeys => Some("accessKeys"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auto_kind_never_selects_organisation_keys() {
        for all in [false, true] {
            for family in Kind::Auto.families(all) {
                assert_ne!(family.kind(), Kind::ServiceAccount);
                assert_ne!(family.kind(), Kind::Application);
            }
        }
    }

    #[test]
    fn key_kinds_and_families_parse_from_their_written_form() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
            for all in [false, true] {
                for family in kind.families(all) {
                    assert_eq!(Family::of_path(family.path()), Some(*family));
                    assert!(kind == Kind::Auto || family.kind() == kind);
                }
            }
        }
        assert_eq!(Kind::parse("access-keys"), None);
        assert_eq!(
            Family::of_path("/api/v1/asset/credentials/access-key"),
            None
        );
    }
}
