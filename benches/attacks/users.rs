//! The users that take part, by numbers: the system need not know them.

use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// A user, with the group of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct User(pub(crate) u32);

/// The user of the daemon.
pub(crate) const OWNER: User = User(60_100);
/// Users whom a rule allows to use every profile.
pub(crate) const ALICE: User = User(60_101);
pub(crate) const BOB: User = User(60_102);
/// The honest user among them.
pub(crate) const CAROL: User = User(60_103);
/// Users whom no rule names.
pub(crate) const DAVE: User = User(60_104);
pub(crate) const ERIN: User = User(60_105);

/// The users whom a rule names.
pub(crate) const ALLOWED: [User; 3] = [ALICE, BOB, CAROL];

impl User {
    /// Makes this thread, and no other one, run as this user.
    pub(crate) fn become_it(self) {
        let (uid, gid) = (Uid::from_raw(self.0), Gid::from_raw(self.0));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
    }

    /// Returns the arguments with which `setpriv` runs a program as this user.
    pub(crate) fn setpriv(self) -> [String; 3] {
        [
            format!("--reuid={}", self.0),
            format!("--regid={}", self.0),
            "--clear-groups".to_owned(),
        ]
    }
}
