//! The calls to the API.
//!
//! Each is one request over the route of the profile's token requests, without retries.

use url::Url;

use super::clusters::{self, Clusters};
use super::error::{ApiError, ApiErrorKind};
use super::kind::Family;
use super::list::{self, Application, KeyMatch, find};
use super::listed::{Listed, Page};
use super::made::{self, CreatedKey, RegeneratedKey};
use crate::config::{BaseUrl, Profile, Provider};
use crate::credential::{Ca, RawAnswer};
use crate::key_name::KeyName;
use crate::provider::answer::IssuerResponse;
use crate::provider::configured::{self, Call, Http, Method, ProviderFiles};
use crate::provider::quote_of_api;
use crate::query::KeyKind as Kind;
use crate::token::AccessToken;

/// The maximum size of an answer, in bytes. A list of 10,000 keys takes 3 MiB.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// The maximum number of keys in a list (`maxItems`, in the documents from 2.24 on).
const MAX_ITEMS: usize = 100;

/// The API that manages keys, authorized by one token.
pub struct Applications {
    http: Http,
    url: BaseUrl,
    ca: Option<Ca>,
    token: AccessToken,
}

// === impl Applications ===

impl Applications {
    /// Returns the API of this profile's control plane; `None` if the profile is not of Run:ai. If `ca` is given,
    /// which the profile's credential is bound to, the token goes only to a server that these certificates vouch for.
    /// Makes no connection yet.
    pub fn new(
        profile: &Profile,
        files: &ProviderFiles,
        ca: Option<Ca>,
        token: AccessToken,
    ) -> Option<Self> {
        let Provider::Runai(runai) = &profile.provider else {
            return None;
        };
        Some(Self {
            http: configured::api(profile, files),
            url: runai.url.clone(),
            ca,
            token,
        })
    }

    /// Lists the keys of this kind; `all` includes those of every user. Tries the families in order until the server
    /// has one.
    ///
    /// # Errors
    /// [`ApiError`]; [`ApiErrorKind::NoSuchEndpoint`] if the server has no such family.
    pub async fn list(&self, kind: Kind, all: bool) -> Result<Listed, ApiError> {
        for family in kind.families(all) {
            if let Some(Page { keys, server_date }) = self.list_of(*family, None).await? {
                let may_have_more = family.is_administration() && keys.len() >= MAX_ITEMS;
                return Ok(Listed {
                    family: *family,
                    keys,
                    may_have_more,
                    server_date,
                });
            }
        }
        let what = format!("{} {}", self.http.origin(), kind.lacking(all));
        Err(ApiError::new(ApiErrorKind::NoSuchEndpoint, what))
    }

    /// Lists keys as [`Self::list`] does. If the list may be incomplete and lacks `text`, adds the keys of this
    /// client ID.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn list_with(&self, kind: Kind, all: bool, text: &str) -> Result<Listed, ApiError> {
        let mut listed = self.list(kind, all).await?;
        if listed.may_have_more && find(&listed.keys, text) == KeyMatch::Nothing {
            let more = self.list_of(listed.family, Some(text)).await?;
            listed
                .keys
                .extend(more.into_iter().flat_map(|page| page.keys));
        }
        Ok(listed)
    }

    /// Lists the keys of one family; `None` if the server does not have the family.
    pub(super) async fn list_of(
        &self,
        family: Family,
        client_id: Option<&str>,
    ) -> Result<Option<Page>, ApiError> {
        let mut url = self.url.endpoint(family.path());
        if let Some(id) = client_id {
            url.query_pairs_mut().append_pair("clientId", id);
        }
        let answer = self.send(Method::Get, url, None).await?;
        match answer.status {
            // A server with a single-page application answers every unknown path with its start page.
            _ if answer.is_absent() => Ok(None),
            200 => match list::parse(family, &answer.body) {
                Some(keys) => Ok(Some(Page {
                    keys,
                    server_date: answer.server_date(),
                })),
                None => Err(self.malformed(&format!(
                    "something other than a list of {}s",
                    family.noun()
                ))),
            },
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Reads one key by its ID.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn show(&self, family: Family, id: &str) -> Result<Application, ApiError> {
        let answer = self
            .send(Method::Get, self.url_of(family, id), None)
            .await?;
        match answer.status {
            200 if answer.is_json() => list::parse_one(&answer.body)
                .ok_or_else(|| self.malformed("something other than a key")),
            200 => Err(self.malformed("something other than JSON")),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Creates a key.
    ///
    /// # Errors
    /// [`ApiError`]; if [`ApiError::may_be_done`] is set, there may be a key whose secret is lost.
    pub async fn create(&self, family: Family, name: &KeyName) -> Result<CreatedKey, ApiError> {
        // Key names have no character that JSON would escape.
        let body = format!("{{\"name\":\"{name}\"}}");
        let url = self.url.endpoint(family.path());
        let answer = self.send(Method::Post, url, Some(body)).await?;
        if !matches!(answer.status, 200 | 201) {
            return Err(self.refusal(&answer));
        }
        let body = if answer.is_json() {
            &**answer.body
        } else {
            &[]
        };
        let id = made::id(body);
        match (id.clone(), made::client_id(body), made::secret(body)) {
            (Some(id), Some(client_id), Some(secret)) => Ok(CreatedKey {
                id,
                client_id,
                secret,
                server_date: answer.server_date(),
            }),
            _ => {
                let trouble =
                    self.malformed("a new key without its ID, its client ID or its secret");
                Err(trouble.after_all(true).with_id(id))
            }
        }
    }

    /// Replaces the secret of a key; the server revokes the former one at once. The result also has the raw answer,
    /// which the caller can keep if the secret in it cannot be used.
    ///
    /// # Errors
    /// [`ApiError`]; if [`ApiError::may_be_done`] is set, the former secret may be revoked and the new one lost.
    pub async fn regenerate(&self, family: Family, id: &str) -> Result<RegeneratedKey, ApiError> {
        let mut url = self.url_of(family, id);
        url.set_path(&format!("{}/secret", url.path()));
        let answer = self.send(Method::Post, url, None).await?;
        if !matches!(answer.status, 200 | 201) {
            return Err(self.refusal(&answer));
        }
        let body = if answer.is_json() {
            &**answer.body
        } else {
            &[]
        };
        let secret = made::secret(body).ok_or_else(|| {
            let trouble = self.malformed("without the new secret");
            trouble.after_all(true)
        });
        let raw = RawAnswer::of(&answer.body);
        Ok(RegeneratedKey { secret, raw })
    }

    /// Deletes a key.
    ///
    /// # Errors
    /// [`ApiError`]; [`ApiErrorKind::NotFound`] if there is no such key.
    pub async fn delete(&self, family: Family, id: &str) -> Result<(), ApiError> {
        let url = self.url_of(family, id);
        let answer = self.send(Method::Delete, url, None).await?;
        match answer.status {
            202 | 204 => Ok(()),
            200 if answer.is_json() => Ok(()),
            200 => Err(self.malformed("something other than JSON").after_all(true)),
            _ => Err(self.refusal(&answer)),
        }
    }

    /// Lists the clusters that the token's user may see.
    ///
    /// # Errors
    /// [`ApiError`], if the server neither answers nor says that the user may not see them.
    pub async fn clusters(&self) -> Result<Clusters, ApiError> {
        for path in ["/api/v1/clusters", "/api/v1/clusters/minimal"] {
            let answer = self.get(path).await?;
            match answer.status {
                403 => {}
                _ if answer.is_absent() => {}
                200 => match clusters::parse(&answer.body) {
                    Some(clusters) => return Ok(Clusters::Known(clusters)),
                    None => return Err(self.malformed("something other than a list of clusters")),
                },
                _ => return Err(self.refusal(&answer)),
            }
        }
        Ok(Clusters::CannotTell)
    }

    /// Returns the control plane's origin: `scheme://host:port`.
    pub(super) fn origin(&self) -> String {
        self.http.origin().to_string()
    }

    /// Reads this path, below the control plane's address.
    pub(super) async fn get(&self, path: &str) -> Result<IssuerResponse, ApiError> {
        self.send(Method::Get, self.url.endpoint(path), None).await
    }

    /// Returns the address of one key. The ID was validated when it was parsed.
    fn url_of(&self, family: Family, id: &str) -> Url {
        self.url.endpoint(&format!("{}/{id}", family.path()))
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        json: Option<String>,
    ) -> Result<IssuerResponse, ApiError> {
        let mut call = Call::new(method, url, &self.token, MAX_ANSWER);
        if let Some(json) = json {
            call = call.with_json(json);
        }
        let sent = self.http.call(call, self.ca.as_ref()).await;
        sent.map_err(|fault| ApiError::of_fault(&fault))
    }

    pub(super) fn malformed(&self, what: &str) -> ApiError {
        let what = format!(
            "{} answers with {what}; check the profile's address",
            self.http.origin()
        );
        ApiError::new(ApiErrorKind::Malformed, what)
    }

    /// Converts a status other than success, and quotes the server's message. After a server failure (5xx), the
    /// answer may contain a new secret, so only a refusal (4xx) is quoted.
    pub(super) fn refusal(&self, answer: &IssuerResponse) -> ApiError {
        let said = if (400..500).contains(&answer.status) && answer.is_json() {
            self.said(&answer.body)
        } else {
            String::new()
        };
        let wait = answer
            .wait()
            .filter(|_| matches!(answer.status, 408 | 425 | 429 | 500..));
        ApiError::of_status(answer.status, &self.http.origin().to_string(), &said)
            .with_retry_after(wait)
    }

    fn said(&self, body: &[u8]) -> String {
        let secrets: Vec<_> = made::SECRET_MEMBERS
            .iter()
            .filter_map(|name| made::text(body, name))
            .collect();
        let mut parts = ["message", "details", "error", "error_description"]
            .into_iter()
            .filter_map(|name| made::text(body, name));
        let Some(text) = parts.next() else {
            return String::new();
        };
        format!(": {}", quote_of_api(&text, &self.token, &secrets))
    }
}

#[cfg(test)]
mod against_sandbox;
