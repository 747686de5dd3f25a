//! The paths of the control plane on all release lines.

use hyper::Method;

/// The two forms of the token endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// The first form: JSON in camel case.
    V1,
    /// The second form, OAuth 2.0: a form request and a JSON answer in snake case.
    V2,
}

/// The families of endpoints that manage keys. They share one set of keys: 2.24 has both the old and the new
/// families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// The keys of the user (2.20 to 2.24).
    UserApplications,
    /// The keys of the user (from 2.24 on).
    AccessKeys,
    /// The keys of all users (2.20 to 2.24).
    AdminUserApplications,
    /// The keys of all users (from 2.24 on).
    AdminAccessKeys,
    /// The keys of the organisation (up to 2.24).
    Apps,
    /// The keys of the organisation (from 2.24 on).
    ServiceAccounts,
}

/// The endpoint at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint<'a> {
    /// The token endpoint in one of its forms.
    Token(Api),
    /// The permissions of the bearer.
    Permissions,
    /// The access rules of the bearer.
    AccessRules,
    /// The number of the bearer's access rules.
    AccessRulesCount,
    /// The clusters.
    Clusters,
    /// One cluster.
    Cluster(&'a str),
    /// The clusters, with the fields that every user may see.
    ClustersMinimal,
    /// One cluster, with the fields that every user may see.
    ClusterMinimal(&'a str),
    /// The keys of a family.
    Keys(Family),
    /// One key.
    Key(Family, &'a str),
    /// The secret of one key.
    KeySecret(Family, &'a str),
}

impl Family {
    /// Returns whether the keys belong to the organisation; otherwise they belong to users.
    pub(super) const fn is_of_the_organisation(self) -> bool {
        matches!(self, Self::Apps | Self::ServiceAccounts)
    }

    /// Returns whether only administrators may use the family (the vendor's table of roles).
    pub(super) const fn is_for_administrators(self) -> bool {
        !matches!(self, Self::UserApplications | Self::AccessKeys)
    }

    /// Returns whether the family manages the keys of all users.
    pub(super) const fn is_administration(self) -> bool {
        matches!(self, Self::AdminUserApplications | Self::AdminAccessKeys)
    }
}

impl<'a> Endpoint<'a> {
    /// Finds the endpoint at `path` on any line: an outage in front of a server affects paths that the server lacks,
    /// too.
    pub(super) fn at(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix("/api/")?.split('/');
        let mut next = || segments.next().unwrap_or_default();
        let five = [next(), next(), next(), next(), next()];
        if segments.next().is_some() {
            return None;
        }
        if path.ends_with('/') {
            return None; // an empty segment is invalid
        }
        Some(match five {
            ["v1", "token", "", "", ""] => Self::Token(Api::V1),
            ["v2", "token", "", "", ""] => Self::Token(Api::V2),
            ["v1", "authorization", "permissions", "", ""] => Self::Permissions,
            ["v1", "authorization", "me", "access-rules", ""] => Self::AccessRules,
            ["v1", "authorization", "me", "access-rules", "count"] => Self::AccessRulesCount,
            ["v1", "clusters", "", "", ""] => Self::Clusters,
            ["v1", "clusters", "minimal", "", ""] => Self::ClustersMinimal,
            ["v1", "clusters", id, "", ""] => Self::Cluster(id),
            ["v1", "clusters", id, "minimal", ""] => Self::ClusterMinimal(id),
            ["v1", "administration", "user-applications", id, ""] => {
                Self::key(Family::AdminUserApplications, id)
            }
            ["v1", "administration", "access-keys", id, ""] => {
                Self::key(Family::AdminAccessKeys, id)
            }
            ["v1", name, id, "", ""] => Self::key(family(name)?, id),
            ["v1", name, id, "secret", ""] if !id.is_empty() => Self::KeySecret(family(name)?, id),
            _ => return None,
        })
    }

    fn key(family: Family, id: &'a str) -> Self {
        if id.is_empty() {
            Self::Keys(family)
        } else {
            Self::Key(family, id)
        }
    }

    /// Returns the methods that the endpoint has.
    pub(super) fn methods(self) -> &'static [Method] {
        match self {
            Self::Token(_) | Self::KeySecret(..) => &[Method::POST],
            Self::Keys(family) if family.is_administration() => &[Method::GET],
            Self::Keys(_) => &[Method::GET, Method::POST],
            Self::Key(family, _) if family.is_administration() => &[Method::DELETE],
            Self::Key(family, _) if family.is_of_the_organisation() => {
                &[Method::GET, Method::PATCH, Method::DELETE]
            }
            Self::Key(..) => &[Method::GET, Method::DELETE],
            _ => &[Method::GET],
        }
    }
}

fn family(name: &str) -> Option<Family> {
    Some(match name {
        "user-applications" => Family::UserApplications,
        "access-keys" => Family::AccessKeys,
        "apps" => Family::Apps,
        "service-accounts" => Family::ServiceAccounts,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_paths_of_the_vendor_documentation_are_endpoints() {
        for (path, endpoint) in [
            ("/api/v1/token", Endpoint::Token(Api::V1)),
            ("/api/v2/token", Endpoint::Token(Api::V2)),
            ("/api/v1/apps", Endpoint::Keys(Family::Apps)),
            ("/api/v1/apps/7", Endpoint::Key(Family::Apps, "7")),
            (
                "/api/v1/access-keys/7/secret",
                Endpoint::KeySecret(Family::AccessKeys, "7"),
            ),
            (
                "/api/v1/administration/access-keys/7",
                Endpoint::Key(Family::AdminAccessKeys, "7"),
            ),
            ("/api/v1/clusters/7/minimal", Endpoint::ClusterMinimal("7")),
            (
                "/api/v1/authorization/me/access-rules/count",
                Endpoint::AccessRulesCount,
            ),
        ] {
            assert_eq!(Endpoint::at(path), Some(endpoint), "{path}");
        }
        for path in [
            "/",
            "/api",
            "/api/",
            "/api/v1",
            "/api/v1/token/",
            "/api/v1//token",
            "/api/v1/apps/",
            "/api/v1/apps//secret",
            "/api/v1/apps/7/secret/",
            "/api/v1/apps/7/secret/x",
            "/api/v1/administration/apps",
            "/api/v1/administration/access-keys/7/secret",
            "/api/v1/asset/credentials/access-key",
            "/api/v2/clusters",
        ] {
            assert_eq!(Endpoint::at(path), None, "{path}");
        }
    }
}
