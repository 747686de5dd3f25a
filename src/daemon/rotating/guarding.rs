//! Checks before the old key is deleted that the key in force still gets a token.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};

use super::driver::Driver;
use super::environment::Shared;
use crate::credential::Credential;
use crate::fault::FaultKind;
use crate::lifecycle::credentials::CallEnd;
use crate::profile::ProfileName;
use crate::rotation::KeyRef;
use crate::store::OtherKey;
use crate::store::source::binding_of;

/// How long a rejected key in force is not sent again: some issuers lock out a client that tries too often.
const REJECTED: Duration = Duration::from_secs(900);

/// The role that the record gives to a key that is about to be deleted.
enum Role {
    /// The previous key: the profile gets its tokens with it while the issuer rejects the key in force. The
    /// credential is that of the key in force, if it may be sent.
    Former(Option<Box<Credential>>),
    /// The profile gets no token with it.
    Other,
}

impl Driver {
    /// Returns whether this key may be deleted now. If a person has replaced the new key's secret at the issuer since
    /// the switch, the previous key is the only one that works.
    pub(super) async fn may_delete(&mut self, key: &KeyRef) -> bool {
        let (shared, name, client_id) = (self.shared(), self.name.clone(), key.client_id.clone());
        let role = self.blocking(move || role(&shared, &name, &client_id));
        let credential = match role.await.ok().flatten() {
            Some(Role::Other) => return true,
            Some(Role::Former(Some(credential))) => credential,
            Some(Role::Former(None)) | None => {
                self.keep_old("its credential cannot be read or used now");
                return false;
            }
        };
        let Some(handle) = self.shared.handle(&self.name) else {
            return false;
        };
        let now = self.shared.outside.clock.now().boot;
        let view = handle.follow().borrow().clone();
        let waits = self.guarded_until.is_some_and(|until| now < until);
        if waits || view.rejected || view.rejected_successor.is_some() {
            self.keep_old("the issuer rejects it");
            return false;
        }
        match handle.prove(Arc::new(*credential)).await {
            CallEnd::Granted { sent, grant, date } => {
                // Some issuers revoke the previous token when they issue a new one; there, only this token works now.
                handle.adopt(sent, grant, date).await;
                true
            }
            CallEnd::Failed { fault, .. } => {
                if fault.kind == FaultKind::Rejected {
                    self.guarded_until = Some(now.after(REJECTED));
                    warn!("the issuer rejects the key in force, so the old one is kept");
                }
                self.keep_old(&fault.detail);
                false
            }
        }
    }

    fn keep_old(&mut self, why: &str) {
        debug!(
            why,
            "the old key is kept until the one in force gives a token"
        );
        self.hindrance.note(format!(
            "a token of the key in force, before the old one is deleted: {why}"
        ));
    }
}

/// Finds the role of the key with this client ID in the record; `None` if the record cannot be read. Blocks.
fn role(shared: &Shared, name: &ProfileName, client_id: &str) -> Option<Role> {
    let profile = shared.profile(name)?;
    let Some(record) = shared.store(name)?.load(name).ok()? else {
        return Some(Role::Other);
    };
    let other = record.rotation.and_then(|rotation| rotation.other);
    let is_former =
        matches!(other, Some(OtherKey::Previous(key)) if key.credential.client_id == client_id);
    if !is_former {
        return Some(Role::Other);
    }
    let now = binding_of(&profile, &record.binding.bound, shared.outside.owner).ok()?;
    if !record.binding.differences(&now).is_empty() {
        return Some(Role::Former(None));
    }
    let credential = record.key.credential.enrolled_at(record.key.created_at);
    let credential = credential.dated(record.key.server_date);
    let credential = credential.trusting(now.binding.ca);
    Some(Role::Former(Some(Box::new(credential))))
}
