//! The reasons why the secret of a key cannot be replaced in place.

use std::fmt;
use std::time::Duration;

use crate::causes::Causes;
use crate::profile::ProfileName;
use crate::store::StoreError;

/// The reason why the secret of a key cannot be replaced in place. Nothing was changed anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InPlaceRefused {
    /// No credential is stored for the profile.
    NothingStored,
    /// The stored credential cannot be read: the reason.
    NotRead(String),
    /// The record does not say where its credential may be sent.
    OldRecord,
    /// Another machine uses the same key.
    Shared,
    /// Other profiles use the same key.
    UsedBy {
        /// Those that use it.
        sharers: Vec<ProfileName>,
        /// Those that may use it, too: their credential was not read.
        unknown: Vec<ProfileName>,
    },
    /// These profiles may use the same key; their credential was not read.
    MayBeUsedBy(Vec<ProfileName>),
    /// The store could not take the new secret.
    NotWritable {
        /// The reason.
        why: String,
        /// Whether it may work later.
        is_for_later: bool,
    },
    /// The issuer's tokens live no longer than this, which is too short.
    ShortTokens(Duration),
    /// The managing profile holds no token.
    NoToken,
    /// The control plane does not list its keys: the reason.
    NoList(String),
    /// The token's user may not see the keys.
    MayNotManage,
    /// The control plane lists no key of this client ID.
    NotListed,
    /// A rotation with overlap is open.
    OverlapIsOpen,
}

// === impl InPlaceRefused ===

impl InPlaceRefused {
    /// Converts the error of a store that could not take the new secret.
    pub(in crate::daemon::rotating) fn of_store(error: &StoreError) -> Self {
        Self::NotWritable {
            why: Causes(error).to_string(),
            is_for_later: error.kind.is_for_later(),
        }
    }

    /// Returns whether the rotation may be possible later without a change of the configuration.
    pub const fn is_for_later(&self) -> bool {
        match self {
            Self::MayBeUsedBy(_) | Self::NoToken | Self::NoList(_) | Self::OverlapIsOpen => true,
            Self::NotWritable { is_for_later, .. } => *is_for_later,
            _ => false,
        }
    }
}

impl fmt::Display for InPlaceRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingStored => f.write_str("no credential is stored for the profile"),
            Self::NotRead(why) => write!(f, "the stored credential cannot be read: {why}"),
            Self::OldRecord => f.write_str(
                "the stored credential does not say where it may be sent; store it again with 'jetond add'",
            ),
            Self::Shared => f.write_str(
                "another machine uses the same key (shared), and its secret would be revoked at once; rotate with a second key, or give this profile a key of its own",
            ),
            Self::UsedBy { sharers, unknown } => {
                write!(
                    f,
                    "other profiles use the same key, and their secret would be revoked at once: {}; give each a key of its own first",
                    names(sharers)
                )?;
                match unknown.is_empty() {
                    true => Ok(()),
                    false => write!(
                        f,
                        "; these may use it too, since their credential cannot be read: {}",
                        names(unknown)
                    ),
                }
            }
            Self::MayBeUsedBy(profiles) => write!(
                f,
                "other profiles of the same control plane may use the same key, since their credential cannot be read: {}; 'jeton status' says why",
                names(profiles)
            ),
            Self::NotWritable { why, .. } => {
                write!(f, "the store could not take the new secret: {why}")
            }
            Self::ShortTokens(lifetime) => write!(
                f,
                "a lost answer can be asked for again only with a token that is valid for more than 900 s, and the tokens of this control plane are valid for {} s",
                lifetime.as_secs()
            ),
            Self::NoToken => f.write_str(
                "no valid token can manage the key; name another profile of the same user: --with PROFILE",
            ),
            Self::NoList(why) => write!(f, "the control plane does not show its keys: {why}"),
            Self::MayNotManage => f.write_str(
                "the profile's user may not see its keys; name a profile of the same user that may with --with PROFILE",
            ),
            Self::NotListed => f.write_str(
                "the control plane lists no key of the profile's client ID for this user; name a profile that may manage the key with --with PROFILE",
            ),
            Self::OverlapIsOpen => f.write_str(
                "a rotation with a second key is open; let it end, or end it with --finish",
            ),
        }
    }
}

fn names(profiles: &[ProfileName]) -> String {
    let names: Vec<_> = profiles.iter().map(ProfileName::as_str).collect();
    names.join(", ")
}
