//! Finishes a creation that was interrupted between its store and its configuration, when the same command is given
//! again.

use super::super::add::{Plan, Steps};
use super::super::admin;
use super::super::output::{Exit, report};
use super::journal::Journal;
use super::keep::rejected;
use super::session::Session;
use crate::applications::{KeyName, Listed};
use crate::config::StoreKind;
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{KeyCall, KeyIntent, Record, SecretDestination, StoreReading};

/// A creation whose secret is stored for a profile that the configuration does not have.
pub(super) struct Unfinished<'a> {
    session: &'a Session,
    journal: &'a Journal,
    intent: KeyIntent,
    name: &'a ProfileName,
    store: StoreKind,
    seen: StoreReading,
    record: Record,
}

// === impl Unfinished ===

impl<'a> Unfinished<'a> {
    /// Finds the unfinished creation of this key for this profile, if there is one.
    pub(super) fn find(
        session: &'a Session,
        journal: &'a Journal,
        listed: &Listed,
        key: &KeyName,
        name: &'a ProfileName,
    ) -> Option<Self> {
        let is_it = |intent: &KeyIntent| {
            let KeyCall::Creation {
                name, doomed: None, ..
            } = &intent.call
            else {
                return false;
            };
            name == key.as_str() && intent.path == listed.family.path()
        };
        let intent = journal.begun().ok()?.into_iter().find(is_it)?;
        let (KeyCall::Creation { known, .. }, SecretDestination::Profile(keeper, store)) =
            (&intent.call, &intent.keeper)
        else {
            return None;
        };
        let made = listed
            .keys
            .iter()
            .find(|listed| listed.name == key.as_str() && !known.contains(&listed.id))?;
        if keeper != name || session.config.profiles.contains_key(name) {
            return None;
        }
        let store = store.clone();
        let kept = session.stores.store(&store);
        let seen = kept.look(name);
        let record = kept.load(name).ok().flatten()?;
        let is_same =
            record.key.credential.client_id == made.client_id && record.binding == session.binding;
        is_same.then_some(Self {
            session,
            journal,
            intent,
            name,
            store,
            seen,
            record,
        })
    }

    /// Gets a token with the stored credential, and writes the profile.
    pub(super) fn finish(&self, env: &Env) -> Result<(), Exit> {
        let (session, target, name) = (self.session, &self.session.target, self.name);
        let (profile, store) = (session.profile.clone(), Some(self.store.clone()));
        let plan = Plan::of_new(profile, store, env, target, &session.stores, name)?;
        let credential = &self.record.key.credential;
        let prove = || {
            let proof = session.prove(&plan.profile, &session.files, credential);
            proof.map_err(|fault| rejected(&fault))
        };
        let steps = Steps {
            proof: &prove,
            ..Steps::NONE
        };
        let (seen, record) = (&self.seen, &self.record);
        plan.write(target, &session.stores, name, seen, record, &steps)?;
        self.journal.end(&self.intent);
        report(format!(
            "the interrupted creation is finished, and {name} uses its key; {}",
            plan.place.sentence(&session.stores, name)
        ));
        admin::reload(target, env);
        Ok(())
    }
}
