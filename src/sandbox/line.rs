//! The release lines of the control plane, and what each has: the table to extend for another line.
//!
//! Source: the vendor's OpenAPI documents, v1.218 to v1.224 (one for each release line), and for 3.0 its documentation.

use std::fmt;
use std::str::FromStr;

use super::endpoint::{Api, Endpoint, Family};

/// A release line of the control plane. They are ordered by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Line {
    /// 2.18: tokens by the grant `app_token` alone; applications of the organisation, and none of users.
    V2_18,
    /// 2.20: the grant `client_credentials`, and user applications.
    V2_20,
    /// 2.23: the last with `POST /api/v1/token` alone, whose answer does not tell when the token expires.
    V2_23,
    /// 2.24: `POST /api/v2/token` beside it, and both tell; access keys and service accounts beside what they replace.
    V2_24,
    /// 3.0: what 2.24 replaced is gone, the grant `app_token` too, and users see less of clusters.
    V3_0,
}

/// Why a text is not a line that the sandbox can reproduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownLine {
    /// A line that exists, and that the sandbox does not reproduce.
    NotReproduced,
    /// Not a line.
    Unknown,
}

// === impl Line ===

impl Line {
    /// Every line that the sandbox reproduces, oldest first.
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
    /// [`UnknownLine`] tells a line that is not reproduced from a text that is none.
    pub fn parse(text: &str) -> Result<Self, UnknownLine> {
        Self::ALL
            .into_iter()
            .find(|line| line.as_str() == text)
            .ok_or(match text {
                "2.19" | "2.21" | "2.22" | "2.25" | "2.26" => UnknownLine::NotReproduced,
                _ => UnknownLine::Unknown,
            })
    }

    /// The line as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2_18 => "2.18",
            Self::V2_20 => "2.20",
            Self::V2_23 => "2.23",
            Self::V2_24 => "2.24",
            Self::V3_0 => "3.0",
        }
    }

    /// Whether the line has this endpoint.
    pub(super) fn has(self, endpoint: Endpoint<'_>) -> bool {
        match endpoint {
            Endpoint::Token(Api::V1)
            | Endpoint::Permissions
            | Endpoint::Clusters
            | Endpoint::Cluster(_) => true,
            Endpoint::Token(Api::V2) => self >= Self::V2_24,
            // the documents have it from 2.21 on
            Endpoint::AccessRules | Endpoint::AccessRulesCount => self >= Self::V2_23,
            // the documents have it from 2.25 on
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

    /// Whether the first form's answer has `expiresIn` (`TokenResponse` has it from 2.24 on).
    pub(super) fn v1_tells_expiry(self) -> bool {
        self >= Self::V2_24
    }

    /// Whether the first form takes `client_credentials`: in `TokenRequest` from 2.20 on.
    pub(super) fn v1_takes_client_credentials(self) -> bool {
        self >= Self::V2_20
    }

    /// Whether `app_token`, the grant of the official Python client, is still taken: gone in 3.0 only.
    pub(super) fn takes_app_token(self) -> bool {
        self <= Self::V2_24
    }

    /// Whether users have keys of their own.
    pub(super) fn has_user_keys(self) -> bool {
        self >= Self::V2_20
    }

    /// Whether an application's answers tell its client ID; before, it is its name.
    pub(super) fn apps_have_client_ids(self) -> bool {
        self >= Self::V2_20
    }

    /// Whether a name must match `^[a-z][-_a-z0-9]*[a-z0-9]$`.
    pub(super) fn has_name_rule(self) -> bool {
        self >= Self::V2_20
    }

    /// Whether the answer to the creation of a user application has `createdAt`: in the documents from 2.21 on.
    pub(super) fn user_applications_tell_creation(self) -> bool {
        self >= Self::V2_23
    }

    /// Whether a user application's new secret is called `clientSecret` instead of `secret`.
    pub(super) fn user_applications_renew_client_secrets(self) -> bool {
        self >= Self::V2_24
    }

    /// Whether only administrators see the clusters, and others no more than `Clusters minimal` (roles, from 2.25 on).
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
    fn lines_are_parsed_and_other_releases_are_told_from_nonsense() {
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
