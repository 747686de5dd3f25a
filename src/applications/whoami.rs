//! Finds out who a token's bearer is by several calls.
//!
//! A server may lack some of them and forbid others.

use super::api::Applications;
use super::clusters::Clusters;
use super::error::{ApiError, ApiErrorKind};
use super::identity::{BearerFacts, ControlPlaneIdentity, Identity, Information, Line};
use super::kind::Family;
use super::list::Application;
use super::rules::{self, Rules};

/// The families in which the bearer's own key may be: those of users, then the organisation's.
const FAMILIES: [Family; 4] = [
    Family::AccessKeys,
    Family::UserApplications,
    Family::ServiceAccounts,
    Family::Applications,
];

/// The key with this client ID, if it is listed, and the families that the server is known to have.
struct OwnKey {
    key: Information<Option<(Family, Application)>>,
    families: Vec<Family>,
}

impl Applications {
    /// Asks the control plane about the token's bearer. A part that the bearer may not see is replaced by the reason.
    ///
    /// # Errors
    /// [`ApiError`] if the server refuses the token, does not answer, or asks for a pause.
    pub async fn identity(&self, bearer: BearerFacts) -> Result<Identity, ApiError> {
        let rules = self.rules().await?;
        let OwnKey { key, families } = self.own_key(&bearer.client_id).await?;
        let clusters = match part(self.clusters().await)? {
            Information::Known(Clusters::CannotTell) => {
                Information::Unknown("the token's user may not see clusters".to_owned())
            }
            clusters => clusters,
        };
        let is_api =
            !families.is_empty() || rules.is_some() || matches!(clusters, Information::Known(_));
        let plane = ControlPlaneIdentity {
            at: self.origin(),
            line: is_api.then(|| Line::of(&families, rules.is_some())),
            key,
            rules,
            clusters,
        };
        Ok(Identity::new(bearer, Some(plane)))
    }

    /// Reads the access rules; `None` if the server has no such endpoint.
    pub(super) async fn rules(&self) -> Result<Option<Information<Rules>>, ApiError> {
        let answer = self.get(rules::PATH).await?;
        let found = match answer.status {
            _ if answer.is_absent() => return Ok(None),
            200 => rules::parse(&answer.body)
                .ok_or_else(|| self.malformed("something other than access rules")),
            _ => Err(self.refusal(&answer)),
        };
        part(found).map(Some)
    }

    async fn own_key(&self, client_id: &str) -> Result<OwnKey, ApiError> {
        let (mut families, mut unknown) = (vec![], None);
        for family in FAMILIES {
            let keys = match part(self.list_of(family, None).await)? {
                Information::Known(None) => continue,
                Information::Known(Some(page)) => page.keys,
                Information::Unknown(why) => {
                    unknown = unknown.or(Some(why));
                    vec![]
                }
            };
            families.push(family);
            let own = keys.into_iter().find(|key| key.client_id == client_id);
            if let Some(key) = own {
                let key = Information::Known(Some((family, key)));
                return Ok(OwnKey { key, families });
            }
        }
        let key = unknown.map_or(Information::Known(None), Information::Unknown);
        Ok(OwnKey { key, families })
    }
}

/// Converts the result of a part. An error that concerns all calls ends them.
fn part<T>(found: Result<T, ApiError>) -> Result<Information<T>, ApiError> {
    match found {
        Ok(found) => Ok(Information::Known(found)),
        Err(trouble) => match trouble.kind {
            ApiErrorKind::Forbidden | ApiErrorKind::NotFound => Ok(Information::Unknown(
                "the token's user may not see it (403)".to_owned(),
            )),
            ApiErrorKind::Malformed | ApiErrorKind::BadRequest | ApiErrorKind::Conflict => {
                Ok(Information::Unknown(trouble.to_string()))
            }
            _ => Err(trouble),
        },
    }
}
