//! The release lines of the control plane, and what each has.
//!
//! A new line is added here.
//!
//! Source: the vendor's OpenAPI documents, v1.218 to v1.224 (one per release line), and its documentation for 3.0.

use std::fmt;
use std::str::FromStr;

use super::endpoint::{Api, Endpoint, Family};

/// A release line of the control plane. The variants are ordered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Line {
    /// 2.18: only the grant `app_token`; applications of the organisation, but no user keys.
    V2_18,
    /// 2.20: also the grant `client_credentials`, and user applications.
    V2_20,
    /// 2.23: the last line with only `POST /api/v1/token`, whose answer has no expiry.
    V2_23,
    /// 2.24: adds `POST /api/v2/token`, and both answers have the expiry. Adds access keys and service accounts
    /// beside the families that they replace.
    V2_24,
    /// 3.0: without the replaced families of 2.24 and without the grant `app_token`; users see less of clusters.
    V3_0,
}

/// The reason why a text is not a line of the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownLine {
    /// The vendor has this line, but the sandbox does not reproduce it.
    NotReproduced,
    /// The vendor has no such line.
    Unknown,
}

// === impl Line ===

impl Line {
    /// All lines that the sandbox reproduces, the oldest first.
    pub const ALL: [Self; 5] = [
        Self::V2_18,
        Self::V2_20,
        Self::V2_23,
        Self::V2_24,
        Self::V3_0,
    ];

    /// Parses `2.24`.
    ///
    /// # Errors
    /// [`UnknownLine`] for a line that is not reproduced, and for other texts.
    pub fn parse(text: &str) -> Result<Self, UnknownLine> {
        Self::ALL
            .into_iter()
            .find(|line| line.as_str() == text)
            .ok_or(match text {
                "2.19" | "2.21" | "2.22" | "2.25" | "2.26" => UnknownLine::NotReproduced,
                _ => UnknownLine::Unknown,
            })
    }

    /// Returns the line as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2_18 => "2.18",
            Self::V2_20 => "2.20",
            Self::V2_23 => "2.23",
            Self::V2_24 => "2.24",
            Self::V3_0 => "3.0",
        }
    }

    /// Returns whether the line has this endpoint.
    pub(super) fn has(self, endpoint: Endpoint<'_>) -> bool {
        match endpoint {
            Endpoint::Token(Api::V1)
            | Endpoint::Permissions
            | Endpoint::Clusters
            | Endpoint::Cluster(_) => true,
            Endpoint::Token(Api::V2) => self >= Self::V2_24,
            // the documents have these from 2.21 on
            Endpoint::AccessRules | Endpoint::AccessRulesCount => self >= Self::V2_23,
            // the documents have these from 2.25 on
            Endpoint::ClustersMinimal | Endpoint::ClusterMinimal(_) => self >= Self::V3_0,
            Endpoint::Keys(family) | Endpoint::Key(family, _) | Endpoint::KeySecret(family, _) => {
                match family {
                    Family::Apps => self <= Self::V2_24,
                    Family::UserApplications | Family::AdminUserApplications => {
                        (Self::V2_20..=Self::V2_24).contains(&self)
                    }
                    Family::AccessKeys | Family::AdminAccessKeys | Family::ServiceAccounts => {
                        self >= Self::V2_24
                    }
                }
            }
        }
    }

    /// Returns whether the first form's answer has `expiresIn` (in `TokenResponse` from 2.24 on).
    pub(super) fn v1_tells_expiry(self) -> bool {
        self >= Self::V2_24
    }

    /// Returns whether the first form accepts `client_credentials` (in `TokenRequest` from 2.20 on).
    pub(super) fn v1_takes_client_credentials(self) -> bool {
        self >= Self::V2_20
    }

    /// Returns whether `app_token`, the grant of the official Python client, is accepted. Only 3.0 lacks it.
    pub(super) fn takes_app_token(self) -> bool {
        self <= Self::V2_24
    }

    /// Returns whether users have their own keys.
    pub(super) fn has_user_keys(self) -> bool {
        self >= Self::V2_20
    }

    /// Returns whether an application's answers have its client ID; on earlier lines its name serves as one.
    pub(super) fn apps_have_client_ids(self) -> bool {
        self >= Self::V2_20
    }

    /// Returns whether a name must match `^[a-z][-_a-z0-9]*[a-z0-9]$`.
    pub(super) fn has_name_rule(self) -> bool {
        self >= Self::V2_20
    }

    /// Returns whether the answer to a new user application has `createdAt` (in the documents from 2.21 on).
    pub(super) fn user_applications_tell_creation(self) -> bool {
        self >= Self::V2_23
    }

    /// Returns whether a user application's new secret is called `clientSecret` instead of `secret`.
    pub(super) fn user_applications_renew_client_secrets(self) -> bool {
        self >= Self::V2_24
    }

    /// Returns whether only administrators see the clusters, and others only `Clusters minimal` (roles, from 2.25
    /// on).
    pub(super) fn hides_clusters(self) -> bool {
        self >= Self::V3_0
    }
}

impl FromStr for Line {
    type Err = UnknownLine;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl UnknownLine ===

impl fmt::Display for UnknownLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReproduced => "the sandbox does not reproduce this line",
            Self::Unknown => "not a release line of the control plane",
        })?;
        let lines: Vec<_> = Line::ALL.iter().map(|line| line.as_str()).collect();
        write!(f, "; the sandbox has {}", lines.join(", "))
    }
}

impl std::error::Error for UnknownLine {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_parse_and_unsupported_ones_differ_from_invalid_ones() {
        for line in Line::ALL {
            assert_eq!(Line::parse(&line.to_string()), Ok(line));
        }
        assert!(Line::ALL.is_sorted());
        assert_eq!("2.19".parse::<Line>(), Err(UnknownLine::NotReproduced));
        assert_eq!("2.26".parse::<Line>(), Err(UnknownLine::NotReproduced));
        for bad in ["", "2.24 ", "v2.24", "2.240", "2", "3"] {
            assert_eq!(Line::parse(bad), Err(UnknownLine::Unknown), "{bad:?}");
        }
        let told = UnknownLine::Unknown.to_string();
        assert!(told.ends_with("has 2.18, 2.20, 2.23, 2.24, 3.0"), "{told}");
    }
}
