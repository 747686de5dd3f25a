//! The end of an enrolment: writes the proved credential, and reloads the running daemon.

use super::super::admin;
use super::super::output::{Exit, print_note, report};
use super::super::rotating::OpenRotation;
use super::super::same_client;
use super::super::target::Target;
use super::enrolment::Enrolment;
use super::{Plan, Steps};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{StoreReading, Stores};

impl Plan {
    /// Writes the enrolment, reports it, and has the running daemon reload.
    pub(super) fn finish(
        &self,
        enrolment: &Enrolment,
        name: &ProfileName,
        seen: &StoreReading,
        target: &Target,
        stores: &Stores,
        env: &Env,
    ) -> Result<(), Exit> {
        let Enrolment {
            record,
            validity,
            proof,
        } = enrolment;
        let stored = seen.record.as_ref().ok().and_then(Option::as_ref);
        let rotation = OpenRotation::of(target, name, stored);
        let written = self.write(target, stores, name, seen, record, &Steps::NONE);
        if written.is_ok() {
            report(format!(
                "{name} is enrolled: {} gave a token that is valid for {} s; {}",
                record.binding.bound,
                validity.lifetime.as_secs(),
                self.place.sentence(stores, name)
            ));
            if let Some(open) = rotation {
                print_note(format!(
                    "a rotation of the key of {name} was under way: it ends with the credential that is stored now; {}",
                    open.left()
                ));
            }
            admin::reload(target, env);
        }
        // Comes after the reload, so that the daemon uses the new secret by then. It holds whatever was written, since
        // the issuer gave a token.
        if let (Some(proof), Ok(places)) = (proof, admin::places(target, env)) {
            proof.tell(&places.admin);
        }
        if let (Some(proof), Ok(())) = (proof, &written) {
            same_client::note(target, stores, name, proof);
        }
        written
    }
}
