//! The installed service: if no daemon answers, its sockets have to be started.

use std::path::PathBuf;

use super::finding::Finding;
use super::judge::RESTART;
use crate::paths::Env;

/// The folders of the system's units (systemd.unit(5)).
const SYSTEM: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// The folders of units for all users, beside the one in a user's own configuration.
const USERS: [&str; 4] = [
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/lib/systemd/user",
];

/// A service of ours that systemd knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Service {
    system: bool,
}

// === impl Service ===

impl Service {
    /// Finds the system's service or the user's, if the unit of its socket is installed.
    pub(super) fn find(system: bool, env: &Env) -> Option<Self> {
        let own = env.xdg_config_home.clone();
        let own = own.or_else(|| env.home.as_ref().map(|home| home.join(".config")));
        let own = own.map(|config| config.join("systemd/user"));
        let folders: Vec<PathBuf> = if system {
            SYSTEM.map(PathBuf::from).into()
        } else {
            own.into_iter().chain(USERS.map(PathBuf::from)).collect()
        };
        let has_unit = |folder: &PathBuf| folder.join("jetond.socket").exists();
        folders.iter().any(has_unit).then_some(Self { system })
    }

    /// Replaces the remedy of starting or restarting a daemon by what systemd has to do. If the service fails to start
    /// while clients wait, systemd closes the sockets and does not reopen them, or still holds them and no daemon
    /// answers.
    pub(super) fn start(self, finding: Finding) -> Finding {
        let is_silent = finding.remedy.as_deref() == Some(RESTART);
        if !is_silent && !finding.is_remedied_by("run") {
            return finding;
        }
        let user = if self.system { "" } else { " --user" };
        let before = match is_silent {
            true => format!("systemctl{user} restart jetond; if systemd could not execute it: "),
            false => "start its service: ".to_owned(),
        };
        finding.remedy(format!(
            "{before}systemctl{user} reset-failed jetond.service jetond.socket jetond-admin.socket; systemctl{user} start jetond.socket jetond-admin.socket; why it ended: journalctl{user} -u jetond"
        ))
    }
}
