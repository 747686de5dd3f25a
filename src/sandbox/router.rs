//! Routes a request with an accepted token to its endpoint, if the bearer's role allows it.

use hyper::StatusCode;

use super::answer::{self, Answer};
use super::endpoint::Endpoint;
use super::moment::Moment;
use super::options::Role;
use super::tenant::{Request, Tenant};
use super::{manage, resources};

impl Tenant {
    /// Answers a request with an accepted token of the key `bearer`. A key has the permissions of its user, so any
    /// token may do what the user may do. That a token may manage its own key is inferred, not documented.
    pub(super) fn answer(&mut self, bearer: &str, request: &Request<'_>, now: Moment) -> Answer {
        if !self.allows(request.endpoint) {
            return answer::error(StatusCode::FORBIDDEN);
        }
        match request.endpoint {
            Endpoint::Keys(family) | Endpoint::Key(family, _) | Endpoint::KeySecret(family, _) => {
                manage::answer(self, family, request, now)
            }
            Endpoint::Permissions => resources::permissions(),
            Endpoint::AccessRules => {
                resources::access_rules(self.line, self.role, self.keys.by_id(bearer))
            }
            Endpoint::AccessRulesCount => resources::access_rules_count(),
            Endpoint::Clusters => resources::clusters(self.line, request.query),
            Endpoint::ClustersMinimal => resources::clusters_minimal(self.line),
            Endpoint::Cluster(id) => resources::cluster(self.line, id, request.query),
            Endpoint::ClusterMinimal(id) => resources::cluster_minimal(self.line, id),
            // token requests do not come through this router
            Endpoint::Token(_) => answer::error(StatusCode::NOT_FOUND),
        }
    }

    fn allows(&self, endpoint: Endpoint<'_>) -> bool {
        let for_administrators = match endpoint {
            Endpoint::Clusters | Endpoint::Cluster(_) => self.line.hides_clusters(),
            Endpoint::Keys(family) | Endpoint::Key(family, _) | Endpoint::KeySecret(family, _) => {
                family.is_for_administrators()
            }
            _ => false,
        };
        !for_administrators || self.role == Role::Administrator
    }
}
