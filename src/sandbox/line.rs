//! The release lines of the control plane, and which endpoints each has: the table to extend for another line.

use std::fmt;
use std::str::FromStr;

/// A release line of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Line {
    /// 2.23: `POST /api/v1/token` alone, whose answer does not tell when the token expires.
    V2_23,
    /// 2.24: `POST /api/v2/token` beside it, and both tell.
    V2_24,
}

/// Why a text is not a line that the sandbox can reproduce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownLine {
    /// A line that exists, and that the sandbox does not reproduce yet.
    NotYet,
    /// Not a line.
    Unknown,
}

/// The two forms of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// JSON in camel case.
    V1,
    /// A form in, snake case out: OAuth 2.0.
    V2,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `POST`: a token for a credential.
    Token(Api),
    /// `GET`: the permissions of the bearer.
    Permissions,
    /// `GET`: the clusters.
    Clusters,
}

// === impl Line ===

impl Line {
    /// Every line that the sandbox reproduces, oldest first.
    pub const ALL: [Self; 2] = [Self::V2_23, Self::V2_24];

    /// Parses `2.24`.
    ///
    /// # Errors
    /// [`UnknownLine`] tells a line that is not there yet from a text that is none.
    pub fn parse(text: &str) -> Result<Self, UnknownLine> {
        Self::ALL
            .into_iter()
            .find(|line| line.as_str() == text)
            .ok_or(match text {
                "2.18" | "2.19" | "2.20" | "2.21" | "2.22" | "2.25" | "2.26" | "3.0" => {
                    UnknownLine::NotYet
                }
                _ => UnknownLine::Unknown,
            })
    }

    /// The line as people write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2_23 => "2.23",
            Self::V2_24 => "2.24",
        }
    }

    /// Whether the line has this form of the token endpoint (the vendor's OpenAPI documents, paths).
    pub(super) const fn has(self, api: Api) -> bool {
        match api {
            Api::V1 => true,
            Api::V2 => matches!(self, Self::V2_24),
        }
    }

    /// Whether the first form's answer has `expiresIn` (`TokenResponse` has it from 2.24 on).
    pub(super) const fn v1_tells_expiry(self) -> bool {
        matches!(self, Self::V2_24)
    }

    /// Whether `app_token`, the grant of the official Python client, is still taken: gone in 3.0 only.
    pub(super) const fn takes_app_token(self) -> bool {
        matches!(self, Self::V2_23 | Self::V2_24)
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
            Self::NotYet => "the sandbox does not reproduce this line yet; it has 2.23 and 2.24",
            Self::Unknown => {
                "not a release line of the control plane; the sandbox has 2.23 and 2.24"
            }
        })
    }
}

impl std::error::Error for UnknownLine {}

// === impl Endpoint ===

impl Endpoint {
    /// The endpoint at `path`, whether or not the line has it: an outage in front of a server does not know either.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/api/v1/token" => Some(Self::Token(Api::V1)),
            "/api/v2/token" => Some(Self::Token(Api::V2)),
            "/api/v1/authorization/permissions" => Some(Self::Permissions),
            "/api/v1/clusters" => Some(Self::Clusters),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_parsed_and_later_ones_are_told_from_nonsense() {
        for line in Line::ALL {
            assert_eq!(Line::parse(&line.to_string()), Ok(line));
        }
        assert_eq!("2.18".parse::<Line>(), Err(UnknownLine::NotYet));
        assert_eq!("3.0".parse::<Line>(), Err(UnknownLine::NotYet));
        for bad in ["", "2.24 ", "v2.24", "2.240", "2"] {
            assert_eq!(Line::parse(bad), Err(UnknownLine::Unknown), "{bad:?}");
        }
    }
}
