//! Proves the new secret: gets a token by a call that counts neither as an attempt nor as a rejection.

use std::sync::Arc;

use tracing::debug;

use super::driver::Driver;
use super::environment::Shared;
use super::proven::ProvenToken;
use crate::credential::Credential;
use crate::fault::FaultKind;
use crate::lifecycle::credentials::CallEnd;
use crate::profile::ProfileName;
use crate::rotation::{Event, KeyRef, Rights};
use crate::store::OtherKey;
use crate::store::source::binding_of;
use crate::token::Grant;

impl Driver {
    /// Gets a token with the record's next key.
    pub(super) async fn prove(&mut self, key: &KeyRef) -> Event {
        let (shared, name, client_id) = (self.shared(), self.name.clone(), key.client_id.clone());
        let read = self.blocking(move || next_credential(&shared, &name, &client_id));
        let credential = read.await.ok().flatten();
        let (Some(credential), Some(handle)) = (credential, self.shared.handle(&self.name)) else {
            self.hindrance
                .note("the new secret, which cannot be read or used now");
            return Event::NotSent;
        };
        match handle.prove(Arc::new(credential)).await {
            CallEnd::Granted { sent, grant, date } => {
                let rights = self.rights(&grant).await;
                self.proven = Some(ProvenToken { sent, grant, date });
                Event::Proved { rights, date }
            }
            CallEnd::Failed { fault, sent } => {
                debug!(kind = ?fault.kind, detail = fault.detail, "the new secret got no token");
                self.hindrance
                    .note(format!("a token of the new key: {}", fault.detail));
                match (fault.kind, sent) {
                    (FaultKind::Rejected, Some(_)) => Event::Rejected,
                    (_, None) => Event::NotSent,
                    (_, Some(_)) => Event::Lost,
                }
            }
        }
    }

    /// Compares what the new token allows with what the profile's current token allows.
    async fn rights(&self, new: &Grant) -> Rights {
        let held = self.shared.handle(&self.name);
        let Some(held) = held.and_then(|handle| handle.held()) else {
            return Rights::Unknown;
        };
        let mut both = [None, None];
        for (roles, token) in both.iter_mut().zip([&held.token, &new.token]) {
            if let Some(keys) = self.keys_with(&self.name, token.share()) {
                *roles = keys.roles().await;
            }
        }
        match both {
            [Some(old), Some(new)] if new.include(&old) => Rights::Kept,
            [Some(_), Some(_)] => Rights::Fewer,
            _ => Rights::Unknown,
        }
    }
}

/// Returns the credential of the record's next key, if it may be sent to the configured address. Blocks.
fn next_credential(shared: &Shared, name: &ProfileName, client_id: &str) -> Option<Credential> {
    let profile = shared.profile(name)?;
    let record = shared.store(name)?.load(name).ok()??;
    let now = binding_of(&profile, &record.binding.bound, shared.outside.owner).ok()?;
    if !record.binding.differences(&now).is_empty() {
        return None;
    }
    let OtherKey::Next(key) = record.rotation?.other? else {
        return None;
    };
    if key.credential.client_id != client_id {
        return None;
    }
    let credential = key.credential.enrolled_at(key.created_at);
    let credential = credential.dated(key.server_date);
    Some(credential.trusting(now.binding.ca))
}
