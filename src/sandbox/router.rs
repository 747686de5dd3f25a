//! Routes a request with an accepted token to its endpoint, if the bearer's access rules allow it.

use hyper::{Method, StatusCode};

use super::answer::{self, Answer};
use super::endpoint::Endpoint;
use super::keys::Owner;
use super::moment::Moment;
use super::role::Role;
use super::setting::OwnKeys;
use super::tenant::{Request, Tenant};
use super::{clusters, manage, resources};

impl Tenant {
    /// Answers a request with an accepted token of the key `bearer`. A key has its user's permissions, so any token
    /// may do what the user may do. That a token may manage its own key is inferred, not documented.
    pub(super) fn answer(&mut self, bearer: &str, request: &Request<'_>, now: Moment) -> Answer {
        if !self.allows(bearer, request) {
            return answer::error(StatusCode::FORBIDDEN);
        }
        let key = self.keys.by_id(bearer);
        let (line, clusters) = (self.line, &self.conduct.clusters);
        match request.endpoint {
            Endpoint::Keys(family) | Endpoint::Key(family, _) | Endpoint::KeySecret(family, _) => {
                manage::answer(self, family, request, now)
            }
            Endpoint::Permissions => resources::permissions(),
            Endpoint::AccessRules => resources::access_rules(line, self.roles(key), key),
            Endpoint::AccessRulesCount => resources::access_rules_count(self.roles(key)),
            Endpoint::Clusters => clusters::list(line, clusters, request.query),
            Endpoint::ClustersMinimal => clusters::list_minimal(line, clusters),
            Endpoint::Cluster(id) => clusters::one(line, clusters, id, request.query),
            Endpoint::ClusterMinimal(id) => clusters::one_minimal(line, clusters, id),
            // token requests do not come through this router
            Endpoint::Token(_) => answer::error(StatusCode::NOT_FOUND),
        }
    }

    /// Returns whether the bearer may send the request. A subject without access rules may send none.
    fn allows(&self, bearer: &str, request: &Request<'_>) -> bool {
        let key = self.keys.by_id(bearer);
        let roles = self.roles(key);
        let is_administrator = roles.contains(&Role::Administrator);
        let is_allowed = match request.endpoint {
            Endpoint::Clusters | Endpoint::Cluster(_) => {
                is_administrator || !self.line.hides_clusters()
            }
            Endpoint::Keys(family) | Endpoint::Key(family, _) | Endpoint::KeySecret(family, _) => {
                if family.is_for_administrators() {
                    is_administrator
                } else {
                    // the organisation is not a user with keys; that it gets 403 is a guess
                    key.is_none_or(|key| key.owner != Owner::Organisation)
                        && self.allows_own_key(bearer, request)
                }
            }
            _ => true,
        };
        is_allowed && !roles.is_empty()
    }

    /// Returns whether a key's token may send this request about a key of its user.
    fn allows_own_key(&self, bearer: &str, request: &Request<'_>) -> bool {
        let reads = request.method == Method::GET;
        match self.conduct.own_keys {
            OwnKeys::Allowed => true,
            OwnKeys::Forbidden => false,
            OwnKeys::ReadOnly => reads,
            OwnKeys::NotItself => match request.endpoint {
                Endpoint::Key(_, id) | Endpoint::KeySecret(_, id) => reads || id != bearer,
                _ => true,
            },
        }
    }
}
