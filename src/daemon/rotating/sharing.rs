//! Finds the other profiles with the same key, which a rotation would leave with a dead secret.

use super::driver::Driver;
use crate::fault::Block;
use crate::profile::ProfileName;

impl Driver {
    /// Returns the other profiles with the key of this client ID.
    pub(super) fn sharers(&self, origin: &str, client_id: &str) -> Vec<ProfileName> {
        let all = self.shared.outside.roster.all();
        let others = all.iter().filter(|(name, _)| **name != self.name);
        let sharers = others.filter(|(_, entry)| entry.handle.is_of_client(origin, client_id));
        sharers.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the other profiles of the same control plane that may have the key: their credential was not read yet,
    /// or cannot be read.
    pub(super) fn possible_sharers(&self) -> Vec<ProfileName> {
        let site_of = |name: &ProfileName| self.shared.profile(name).map(|it| it.site());
        let site = site_of(&self.name);
        let all = self.shared.outside.roster.all();
        let others = all.iter().filter(|(name, entry)| {
            let is_other = **name != self.name && site_of(name) == site;
            let block = entry.handle.follow().borrow().block.clone();
            let is_empty = matches!(block.as_deref(), Some(Block::NotEnrolled(_)));
            is_other && !is_empty && entry.handle.enrolment().is_none()
        });
        others.map(|(name, _)| name.clone()).collect()
    }
}
