//! Messages about what a removal will do and has done.

use super::{RemovalRun, Targets};

impl RemovalRun<'_> {
    /// Describes for a person what will be done.
    pub(super) fn sentence(&self, left: &Targets) -> String {
        let place = || {
            let places = left
                .kept()
                .map(|store| self.stores.store(store).place_of(self.name));
            places.collect::<Vec<_>>().join(" and ")
        };
        let (name, config) = (self.name, self.target.config.display());
        match (left.profile, left.has_credential()) {
            (true, true) => {
                let place = place();
                format!(
                    "this removes the profile {name} from {config} and its credential from {place}"
                )
            }
            (true, false) => format!(
                "this removes the profile {name} from {config}; {}",
                self.no_credential(left)
            ),
            (false, true) => {
                let place = place();
                format!(
                    "this removes the credential of the profile {name} from {place}, which an interrupted removal from {config} has left there"
                )
            }
            (false, false) => format!(
                "this removes the last trace of the profile {name}, which an interrupted removal from {config} has left; {}",
                self.no_credential(left)
            ),
        }
    }

    /// Describes for a person what was done.
    pub(super) fn result(&self, left: &Targets) -> String {
        const KEY: &str = "its key at the issuer is still valid until it is deleted there";
        let (name, config) = (self.name, self.target.config.display());
        if left.has_credential() {
            return format!("{name} is removed from this machine; {KEY}");
        }
        format!(
            "{name} is removed from {config}; {}, so if one is stored elsewhere, it is still there, and {KEY}",
            self.no_credential(left)
        )
    }

    fn no_credential(&self, left: &Targets) -> String {
        let about = self.stores.store(&left.store).about();
        let place = match about.in_state {
            true => self.target.state.display().to_string(),
            false => about.title(),
        };
        format!("there is no credential of it in {place}")
    }
}
