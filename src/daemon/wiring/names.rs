//! The names of users and groups in the configuration, whose numbers may change while it is in force.

use super::Wiring;
use crate::config::{Names, Rule};
use crate::profile::ProfileName;

impl Wiring {
    /// Looks the names in the configuration in force up by these answers, and puts the rules in force with the numbers of
    /// now. The profiles stay as they are.
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
