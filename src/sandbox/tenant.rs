//! The tenant: decides who gets a token, which tokens are valid and what they allow.
//!
//! Its decisions depend only on its arguments, and it does not know about faults.

use std::time::Duration;

use hyper::body::Bytes;

use super::conduct::ActiveSettings;
use super::endpoint::Endpoint;
use super::grant::Refusal;
use super::jwt::{self, Bearer};
use super::keys::{Key, Keys, Owner};
use super::ledger::Ledger;
use super::line::Line;
use super::moment::Moment;
use super::options::{OldTokens, Options};
use super::role::Role;
use super::setting::Setting;
use crate::credential::Credential;

/// The user's name in a setting of access rules.
const USER_WORD: &str = "user";

/// A tenant of the control plane.
#[derive(Debug)]
pub(super) struct Tenant {
    pub(super) line: Line,
    pub(super) keys: Keys,
    pub(super) ledger: Ledger,
    pub(super) conduct: ActiveSettings,
    old_tokens: OldTokens,
    /// The address in the `iss` of tokens.
    url: String,
}

/// A parsed request, other than a token request.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: hyper::Method,
    pub(super) path: &'a str,
    pub(super) endpoint: Endpoint<'a>,
    pub(super) query: &'a str,
    pub(super) is_json: bool,
    pub(super) body: Bytes,
}

impl Tenant {
    pub(super) fn new(options: Options, url: String, now: Moment) -> Self {
        let first = if options.line.has_user_keys() {
            USER_WORD
        } else {
            &options.client_id
        };
        let mut conduct = ActiveSettings::default();
        conduct.set(Setting::AccessRules {
            subject: first.to_owned(),
            roles: vec![options.role],
        });
        let mut tenant = Self {
            line: options.line,
            keys: Keys::new(
                options.line,
                options.client_id,
                options.client_secret,
                now.unix,
            ),
            ledger: Ledger::new(options.token_life),
            conduct,
            old_tokens: options.old_tokens,
            url,
        };
        for setting in options.settings {
            tenant.set(setting, now);
        }
        tenant
    }

    /// Puts a setting in force.
    pub(super) fn set(&mut self, setting: Setting, now: Moment) {
        if let Setting::OtherKeys(count) = setting {
            let created_at = now.skewed(self.conduct.clock).unix;
            self.keys.set_others(count, created_at);
        }
        self.conduct.set(setting);
    }

    /// Returns the roles of a token's bearer, one for each access rule.
    pub(super) fn roles(&self, bearer: Option<&Key>) -> &[Role] {
        self.conduct.roles(match bearer {
            Some(key) if key.owner == Owner::Organisation => &key.client_id,
            _ => USER_WORD,
        })
    }

    /// Grants a token for a credential; the inner error says why not.
    pub(super) fn grant(
        &mut self,
        credential: &Credential,
        bearer: Bearer,
        now: Moment,
    ) -> Result<Result<String, Refusal>, getrandom::Error> {
        let Some(key) = self.keys.log_in(credential, now) else {
            return Ok(Err(Refusal::Client));
        };
        let (client_id, id) = (key.client_id.clone(), key.id.clone());
        if self.conduct.kills_old {
            self.ledger.revoke_of(&id);
        }
        self.issue(&client_id, &id, bearer, now).map(Ok)
    }

    /// Returns the newest valid token for a credential and its remaining validity; `None` if a new one must be
    /// granted.
    pub(super) fn newest(
        &mut self,
        credential: &Credential,
        now: Moment,
    ) -> Option<(String, Duration)> {
        let id = self.keys.log_in(credential, now)?.id.clone();
        let (token, left) = self.ledger.newest_of(&id, now)?;
        Some((token.to_owned(), left))
    }

    /// Issues a token for a client, even if there is no such key.
    pub(super) fn issue(
        &mut self,
        client_id: &str,
        key_id: &str,
        bearer: Bearer,
        now: Moment,
    ) -> Result<String, getrandom::Error> {
        let token = jwt::mint(&self.url, client_id, bearer, now, self.ledger.life())?;
        self.ledger.enter(&token, key_id, now);
        Ok(token)
    }

    /// Returns the ID of the key whose valid token is in the `Authorization` header (RFC 6750 section 2.1).
    pub(super) fn admits(&self, authorization: Option<&str>, now: Moment) -> Option<String> {
        let (scheme, token) = authorization?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        self.ledger.holder(token, now).map(str::to_owned)
    }

    /// Revokes a key's tokens, or not, as the option says, when its secret is replaced or the key is deleted or
    /// disabled.
    pub(super) fn secret_lost(&mut self, key_id: &str) {
        if self.old_tokens == OldTokens::Die {
            self.ledger.revoke_of(key_id);
        }
    }

    pub(super) fn set_old_tokens(&mut self, old_tokens: OldTokens) {
        self.old_tokens = old_tokens;
    }
}
