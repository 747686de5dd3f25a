//! The settings of the tenant that are in force.

use std::collections::BTreeMap;
use std::time::Duration;

use super::role::Role;
use super::setting::{Clusters, LastLogin, MaxItems, OwnKeys, Setting};

/// The subject name for all subjects without their own access rules.
const ANY: &str = "*";

/// The value of each setting.
#[derive(Debug, Default)]
pub(super) struct ActiveSettings {
    pub(super) own_keys: OwnKeys,
    pub(super) last_login: LastLogin,
    pub(super) deletion_seen: Duration,
    pub(super) max_items: MaxItems,
    pub(super) clusters: Clusters,
    /// By how many seconds the server's clock is off.
    pub(super) clock: i64,
    /// Whether each new token of a key revokes the key's previous one.
    pub(super) kills_old: bool,
    other_keys: u16,
    /// The roles of each subject with its own access rules.
    rules: BTreeMap<String, Vec<Role>>,
}

impl ActiveSettings {
    /// Puts a setting in force, instead of its previous value.
    pub(super) fn set(&mut self, setting: Setting) {
        match setting {
            Setting::AccessRules { subject, roles } => drop(self.rules.insert(subject, roles)),
            Setting::OwnKeys(own_keys) => self.own_keys = own_keys,
            Setting::LastLogin(last_login) => self.last_login = last_login,
            Setting::DeletionSeen(delay) => self.deletion_seen = delay,
            Setting::MaxItems(max_items) => self.max_items = max_items,
            Setting::OtherKeys(count) => self.other_keys = count,
            Setting::Clusters(clusters) => self.clusters = clusters,
            Setting::Clock(seconds) => self.clock = seconds,
            Setting::KillsOld(kills_old) => self.kills_old = kills_old,
        }
    }

    /// Returns the settings in force.
    pub(super) fn list(&self) -> Vec<Setting> {
        let rules = self
            .rules
            .iter()
            .map(|(subject, roles)| Setting::AccessRules {
                subject: subject.clone(),
                roles: roles.clone(),
            });
        rules
            .chain([
                Setting::OwnKeys(self.own_keys),
                Setting::LastLogin(self.last_login),
                Setting::DeletionSeen(self.deletion_seen),
                Setting::MaxItems(self.max_items),
                Setting::OtherKeys(self.other_keys),
                Setting::Clusters(self.clusters.clone()),
                Setting::Clock(self.clock),
                Setting::KillsOld(self.kills_old),
            ])
            .collect()
    }

    /// Returns the roles of a subject, one for each of its access rules.
    pub(super) fn roles(&self, subject: &str) -> &[Role] {
        let rules = self.rules.get(subject).or_else(|| self.rules.get(ANY));
        rules.map_or(&[], Vec::as_slice)
    }

    /// Removes the access rules of a deleted subject, so that a later subject of its name does not get them.
    pub(super) fn forget(&mut self, subject: &str) {
        self.rules.remove(subject);
    }
}
