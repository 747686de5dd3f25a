//! The exported data of a profile.

use std::collections::BTreeSet;

use super::super::bound::bound_as;
use super::super::moves::refused;
use super::super::open_here::{Opening, open_here};
use super::super::output::{Exit, fail, print_note};
use super::super::passphrase::PassphraseArgs;
use super::super::rotating;
use super::super::target::Target;
use crate::config::{Config, Profile, StoreKind};
use crate::paths::Env;
use crate::profile::ProfileName;
use crate::store::{BoundTarget, Record, Revision, Stores};
use crate::transfer::ExportedProfile;

/// A profile with its currently stored data.
pub(super) struct ExportContent {
    pub(super) name: ProfileName,
    pub(super) profile: Profile,
    pub(super) store: StoreKind,
    pub(super) record: Record,
    pub(super) revision: Revision,
    /// The only certificates to trust, in PEM form.
    ca: Option<String>,
}

/// The consequence of a refused export.
pub(super) const NOTHING: &str = "nothing is exported";

/// Reads profiles and their stored data.
pub(super) struct ExportReader<'a> {
    pub(super) target: &'a Target,
    pub(super) stores: &'a Stores,
    /// In sorted order, in which they are locked.
    pub(super) names: &'a BTreeSet<&'a ProfileName>,
    pub(super) env: &'a Env,
    /// The source of the passphrase for the store of encrypted files.
    pub(super) passphrase: &'a PassphraseArgs,
}

impl ExportReader<'_> {
    /// Reads the profiles to export. Refuses those that cannot be exported.
    pub(super) fn gather(&self) -> Result<Vec<ExportContent>, Exit> {
        let found = self.target.read_to_change()?;
        self.stores
            .keys()
            .encrypt_to(found.config.recipient.clone());
        let names = self.names.iter();
        let named = names.map(|name| self.exportable(&found.config, name));
        let named = named.collect::<Result<Vec<_>, _>>()?;
        // The person must not type a passphrase for an export that is refused anyway.
        for (.., store) in &named {
            let opening = Opening {
                passphrase: Some(self.passphrase),
                instead: "give --store-passphrase-file PATH",
            };
            open_here(self.target, self.stores, store, self.env, &opening)?;
        }
        let named = named.into_iter();
        named
            .map(|(name, profile, store)| self.gather_one(name, profile, store))
            .collect()
    }

    /// The profile and its store. Refuses what the configuration alone shows to be not exportable.
    fn exportable<'c>(
        &self,
        config: &'c Config,
        name: &'c ProfileName,
    ) -> Result<(&'c ProfileName, &'c Profile, &'c StoreKind), Exit> {
        let refuse = |why: String| fail(Exit::Config, format!("{NOTHING}: {why}"));
        let profile = config.profiles.get(name).ok_or_else(|| {
            let shown = self.target.config.display();
            refuse(format!("there is no profile {name} in {shown}"))
        })?;
        if profile.client_certificate.is_some() {
            return Err(refuse(format!(
                "{name} shows a client certificate, whose key is not exported; enrol it there with jetond add"
            )));
        }
        let store = profile.store().ok_or_else(|| {
            let whereabouts = self.stores.whereabouts(profile);
            refuse(format!(
                "{name} has its credential {whereabouts}, which Jeton only reads"
            ))
        })?;
        Ok((name, profile, store))
    }

    fn gather_one(
        &self,
        name: &ProfileName,
        profile: &Profile,
        store: &StoreKind,
    ) -> Result<ExportContent, Exit> {
        let refuse = |why: String| fail(Exit::Config, format!("{NOTHING}: {name} {why}"));
        let look = self.stores.reader(store).look(name);
        let record = look.record.map_err(|error| refused(&error, NOTHING))?;
        let record = record.ok_or_else(|| {
            let rebind = self.target.line(&format!("add {name} --rebind"));
            refuse(format!("has no credential that is stored; run: {rebind}"))
        })?;
        rotating::refuse(self.target, name, Some(&record), NOTHING)?;
        let (files, _) = bound_as(self.target, name, profile, &record.binding)?;
        Ok(ExportContent {
            name: name.clone(),
            profile: profile.clone(),
            store: store.clone(),
            record,
            revision: look.revision,
            ca: files.ca_file.map(|file| file.to_pem()),
        })
    }
}

impl ExportContent {
    /// The data that goes into the file. `stays` says whether this machine keeps the credential as well.
    pub(super) fn exported(self, stays: bool) -> (ProfileName, ExportedProfile) {
        if stays && self.profile.kills_old() {
            print_note(format!(
                "warning: {}: with reissue = \"kills-old\", two machines with this client end each other's tokens",
                self.name
            ));
        }
        let Record {
            mut key, binding, ..
        } = self.record;
        let is_shared = key.credential.is_shared();
        key.credential = key.credential.shared(stays || is_shared);
        let endpoint = match binding.bound {
            BoundTarget::Endpoint { endpoint, .. } => endpoint,
            // A record of that version is refused, since only its origin is known.
            BoundTarget::Origin(_) => self.profile.provider.reached_at(),
        };
        let exported = ExportedProfile {
            provider: self.profile.provider,
            endpoint,
            ca: self.ca,
            proxy: self.profile.proxy,
            key,
        };
        (self.name, exported)
    }
}
