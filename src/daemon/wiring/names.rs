//! Names of users and groups in the configuration, whose numbers may change while it is in use.

use super::Wiring;
use crate::config::{Names, Rule};
use crate::profile::ProfileName;

impl Wiring {
    /// Looks up the names in the current configuration with these answers, and applies the rules with the current
    /// numbers. The profiles stay as they are.
    pub fn look_up(&mut self, answers: &dyn Names) {
        let before = self.config.clone();
        self.config.look_up(answers);
        let is_changed =
            |name: &&ProfileName| !Rule::allow_alike(before.rules(name), self.config.rules(name));
        let any_rules = self.config.profiles.keys().any(|name| is_changed(&name));
        if !any_rules && before.sinks == self.config.sinks {
            return;
        }
        let entries = self.roster.all();
        let entries = entries.iter().map(|(name, entry)| {
            let mut entry = entry.clone();
            entry.rules = self.config.rules(name).into();
            entry.sinks = self.config.sinks(name).into();
            (name.clone(), entry)
        });
        self.roster.replace(entries.collect());
    }
}
