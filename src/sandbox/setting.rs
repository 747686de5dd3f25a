//! The settings of the control plane, and their text form: `name:value`.

use std::fmt;
use std::time::Duration;

use super::role::Role;

mod parse;
mod print;

/// A setting of the control plane's behaviour. [`Setting::HELP`] explains each.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the table HELP describes the variants, also for users"
)]
pub enum Setting {
    AccessRules { subject: String, roles: Vec<Role> },
    OwnKeys(OwnKeys),
    LastLogin(LastLogin),
    DeletionSeen(Duration),
    MaxItems(MaxItems),
    OtherKeys(u16),
    Clusters(Clusters),
    Clock(i64),
    KillsOld(bool),
}

/// What a key's token may do with its user's keys. The vendor does not document it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OwnKeys {
    /// Everything that the user may do.
    #[default]
    Allowed,
    /// Nothing: all requests get 403.
    Forbidden,
    /// Only read them: changes get 403.
    ReadOnly,
    /// Everything except changes of the token's own key, which get 403.
    NotItself,
}

/// How `lastLogin` of a key is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastLogin {
    /// Whether it is shown; otherwise it is always null.
    pub is_told: bool,
    /// Whether it is rounded down to the day (UTC).
    pub by_day: bool,
    /// How long a login takes to appear.
    pub after: Duration,
    /// By how many seconds the recording server's clock is off.
    pub skew: i64,
}

/// The limit to the items in a list of access keys (`maxItems` in the vendor's reference).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MaxItems {
    /// The limit, if there is one. Further items are omitted without notice.
    pub limit: Option<u16>,
    /// Whether `offset` and `limit` give access to further items. The vendor's reference has them only for other
    /// lists.
    pub is_paged: bool,
}

/// The answer to a request for the clusters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Clusters {
    /// One cluster of the control plane's own line.
    #[default]
    OwnLine,
    /// One cluster of each version.
    Versions(Vec<ClusterVersion>),
    /// This error status.
    Status(u16),
}

/// The version of a cluster in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClusterVersion {
    /// This version.
    Known(String),
    /// Null: the cluster has never connected.
    Null,
    /// No version member.
    Absent,
}

/// The reason why a text is not a setting. It never quotes the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidSetting {
    /// No setting has this name.
    Unknown,
    /// The value is missing or invalid for this setting.
    Value,
}

// === impl Setting ===

impl Setting {
    /// An example and an explanation of each setting.
    #[rustfmt::skip]
    pub const HELP: [(&'static str, &'static str); 19] = [
        ("access-rules:robot=practitioner", "the roles of a subject: administrator, practitioner, both with a comma, or none. A subject is `user`, the client ID of a service account or application, or `*` for those without rules of their own. Without rules everything but its own token is 403; a new service account or application has none"),
        ("own-keys:forbidden", "a key's token may not even list the keys of its user: 403"),
        ("own-keys:read-only", "a key's token may list the keys of its user, and not change them: 403"),
        ("own-keys:not-itself", "a key's token may not change its own key: 403"),
        ("own-keys:allowed", "a key's token may do with keys what its user may (the default)"),
        ("last-login:null", "lastLogin is null, whatever happened"),
        ("last-login:day,after:3600,skew:-600", "lastLogin tells the day alone, a login so many seconds later, from a server whose clock is so many seconds off; each of the three also alone"),
        ("last-login:told", "lastLogin tells the moment of each login at once (the default)"),
        ("deletion-seen:5", "a deleted key is listed and shown for so many seconds (0 is the default); it gets no tokens from the beginning"),
        ("max-items:100", "a list of access keys ends after so many without saying so (100 is the default, from 2.24 on), or `none`"),
        ("max-items:100,paged", "the same, and the parameters offset and limit lead to the others"),
        ("other-keys:300", "so many keys of other users, twenty each and of equal names, in the administration's lists (0 is the default)"),
        ("clusters:2.24.1,2.20,2.9,null,absent", "one cluster of each version; `null` has none yet, of `absent` there is no member"),
        ("clusters:403", "this status, from 400 on, instead of clusters"),
        ("clusters:none", "no clusters"),
        ("clusters:own-line", "one cluster, of the line (the default)"),
        ("reissue:kills-old", "each new token of a key ends the one before it"),
        ("reissue:normal", "a key's older tokens stay valid beside its new one (the default)"),
        ("clock:-600", "the server's clock is so many seconds off in all its answers (0 is the default)"),
    ];
}

// === impl LastLogin ===

impl Default for LastLogin {
    fn default() -> Self {
        Self {
            is_told: true,
            by_day: false,
            after: Duration::ZERO,
            skew: 0,
        }
    }
}

// === impl MaxItems ===

impl Default for MaxItems {
    fn default() -> Self {
        Self {
            limit: Some(100),
            is_paged: false,
        }
    }
}

// === impl OwnKeys ===

impl OwnKeys {
    const ALL: [Self; 4] = [
        Self::Allowed,
        Self::Forbidden,
        Self::ReadOnly,
        Self::NotItself,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Forbidden => "forbidden",
            Self::ReadOnly => "read-only",
            Self::NotItself => "not-itself",
        }
    }
}

// === impl InvalidSetting ===

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no setting has this name",
            Self::Value => "this setting needs another value",
        })
    }
}

impl std::error::Error for InvalidSetting {}
