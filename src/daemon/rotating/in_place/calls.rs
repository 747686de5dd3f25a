//! The calls of a rotation in place to the issuer.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::super::driver::Driver;
use super::super::environment::Shared;
use super::check::KeyLookup;
use super::check::LASTING;
use crate::applications::{ApiError, ApiErrorKind, Reply};
use crate::credential::Credential;
use crate::fault::FaultKind;
use crate::lifecycle::credentials::CallEnd;
use crate::profile::ProfileName;
use crate::rotation::{CallRefusal, InPlaceEvent, InPlaceNotes, KeyRef};
use crate::store::source::binding_of;
use crate::token::AccessToken;

/// How long to wait for a token.
const FOR_TOKEN: Duration = Duration::from_secs(10);

impl Driver {
    /// Gets a token that lasts long enough to repeat a call whose answer was lost, and keeps it in the second slot.
    pub(super) async fn keep_token(&mut self, notes: &InPlaceNotes) -> InPlaceEvent {
        let token = match self.lasting_token().await {
            Ok(token) => token,
            Err(event) => return event,
        };
        self.exchange.token = Some(token);
        self.exchange.answer = None;
        self.keep_in_slot(notes).await
    }

    async fn lasting_token(&mut self) -> Result<AccessToken, InPlaceEvent> {
        let mut otherwise = InPlaceEvent::NotKept;
        if self.with.is_none()
            && let Err(event) = self.fresh_token().await
        {
            // The token that the profile holds may still be accepted where the secret is not.
            otherwise = event;
        }
        let manager = self.with.as_ref().unwrap_or(&self.name);
        let handle = self.shared.handle(manager);
        let handle = handle.ok_or(InPlaceEvent::NotKept)?;
        let held = match self.with.is_some() {
            true => {
                let served = handle.token(LASTING, FOR_TOKEN).await;
                served.ok().map(|served| served.held)
            }
            false => handle.held(),
        };
        let now = self.shared.outside.clock.now().boot;
        match held {
            Some(held) if held.validity.remaining(now) >= LASTING => {
                self.exchange.trouble = None;
                Ok(held.token.share())
            }
            held => {
                if held.is_some() && self.exchange.trouble.is_none() {
                    let why = "the token is valid for less than 15 minutes";
                    self.exchange.trouble = Some(why.to_owned());
                }
                Err(otherwise)
            }
        }
    }

    /// Gets a token with the secret in force, and makes the profile hold it.
    async fn fresh_token(&mut self) -> Result<(), InPlaceEvent> {
        match self.prove_in_force().await {
            InPlaceEvent::Proved => Ok(()),
            InPlaceEvent::Rejected => Err(InPlaceEvent::Rejected),
            _ => Err(InPlaceEvent::NotKept),
        }
    }

    /// Asks the issuer to replace the secret.
    pub(super) async fn regenerate(&mut self, notes: &InPlaceNotes, key: &KeyRef) -> InPlaceEvent {
        let manager = self.with.clone().unwrap_or_else(|| self.name.clone());
        let Some(token) = self.managing_token(&manager).await else {
            debug!("there is no token to manage the key with");
            return match self.with {
                Some(_) => InPlaceEvent::NotSent,
                // Only the secret in force could get another token.
                None => InPlaceEvent::Refused(CallRefusal::Unauthorized),
            };
        };
        let Some(keys) = self.keys_with(&manager, token) else {
            return InPlaceEvent::NotSent;
        };
        let (family, id) = match (self.family, &key.id) {
            (Some(family), Some(id)) => (family, id.clone()),
            _ => match self.find_key(&*keys, &key.client_id).await {
                KeyLookup::Key(family, found) => (family, found.id),
                KeyLookup::Nothing { .. } => return InPlaceEvent::Refused(CallRefusal::Other),
                KeyLookup::Unknown(trouble) => return self.not_done(&trouble),
            },
        };
        self.family = Some(family);
        match keys.regenerate(family, &id).await {
            Reply::Done(renewed) => {
                self.exchange.answer = Some(renewed.raw);
                self.exchange.trouble = None;
                match self.exchange.secret() {
                    Some(secret) => InPlaceEvent::Regenerated(secret.sha256()),
                    None => {
                        warn!("the control plane's answer is without the new secret");
                        // Kept so that a person can find the secret in the answer.
                        self.keep_answer(notes).await;
                        self.exchange.trouble =
                            Some("an answer came without the new secret".to_owned());
                        InPlaceEvent::Lost
                    }
                }
            }
            Reply::Refused(trouble) => self.not_done(&trouble),
            Reply::Lost(trouble) => {
                debug!(%trouble, "the answer to the regeneration is lost");
                self.exchange.trouble = Some(trouble.to_string());
                InPlaceEvent::Lost
            }
        }
    }

    /// Returns the token for the calls. The kept token comes first, unless another profile manages the keys. Next is
    /// the managing profile's token, and last again the kept one.
    async fn managing_token(&self, manager: &ProfileName) -> Option<AccessToken> {
        let kept = self.exchange.token.as_ref().map(AccessToken::share);
        if kept.is_some() && self.with.is_none() {
            return kept;
        }
        let handle = self.shared.handle(manager)?;
        match handle.token(Duration::ZERO, FOR_TOKEN).await {
            Ok(served) => Some(served.held.token.share()),
            Err(_) => kept,
        }
    }

    fn not_done(&mut self, trouble: &ApiError) -> InPlaceEvent {
        debug!(%trouble, "a call of the rotation failed");
        self.exchange.trouble = Some(trouble.to_string());
        self.exchange.is_forbidden = trouble.kind == ApiErrorKind::Forbidden;
        if trouble.may_be_done {
            return InPlaceEvent::Lost;
        }
        match trouble.kind {
            ApiErrorKind::Unauthorized => InPlaceEvent::Refused(CallRefusal::Unauthorized),
            ApiErrorKind::Forbidden => InPlaceEvent::Refused(CallRefusal::Forbidden),
            ApiErrorKind::Busy | ApiErrorKind::Unreachable(_) => InPlaceEvent::NotSent,
            _ => InPlaceEvent::Refused(CallRefusal::Other),
        }
    }

    /// Gets a token with the secret in force. The call counts neither as an attempt nor as a rejection.
    pub(super) async fn prove_in_force(&mut self) -> InPlaceEvent {
        let (shared, name) = (self.shared(), self.name.clone());
        let read = self.blocking(move || in_force(&shared, &name));
        let credential = read.await.ok().flatten();
        let (Some(credential), Some(handle)) = (credential, self.shared.handle(&self.name)) else {
            debug!("the secret in force cannot be used now");
            return InPlaceEvent::NotSent;
        };
        match handle.prove(Arc::new(credential)).await {
            CallEnd::Granted { sent, grant, date } => {
                self.exchange.date = date.or(self.exchange.date);
                handle.adopt(sent, grant, date).await;
                InPlaceEvent::Proved
            }
            CallEnd::Failed { fault, sent } => {
                debug!(kind = ?fault.kind, detail = fault.detail, "the secret in force got no token");
                self.exchange.trouble = Some(fault.detail.to_string());
                match (fault.kind, sent) {
                    (FaultKind::Rejected, Some(_)) => InPlaceEvent::Rejected,
                    (_, None) => InPlaceEvent::NotSent,
                    (_, Some(_)) => InPlaceEvent::Lost,
                }
            }
        }
    }
}

/// Returns the credential in force, if it may be sent to the configured address. Blocks.
fn in_force(shared: &Shared, name: &ProfileName) -> Option<Credential> {
    let profile = shared.profile(name)?;
    let record = shared.store(name)?.load(name).ok()??;
    let now = binding_of(&profile, &record.binding.bound, shared.outside.owner).ok()?;
    if !record.binding.differences(&now).is_empty() {
        return None;
    }
    let credential = record.key.credential.enrolled_at(record.key.created_at);
    let credential = credential.dated(record.key.server_date);
    Some(credential.trusting(now.binding.ca))
}
