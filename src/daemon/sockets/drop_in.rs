//! The systemd drop-in that gives the token socket the mode and group of the configuration.

use crate::config::SocketMode;
use crate::process::manager::SystemdManager;

/// A drop-in for the socket unit that applies the configuration's mode and group, with the commands that activate it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    manager: SystemdManager,
    group: Option<SocketGroup>,
    mode: &'static str,
}

/// The group of a socket, in a form that its unit accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum SocketGroup {
    /// A group in `/etc/group`, by name, or by number if the name is not valid in a unit.
    Local(String),
    /// Any other group. `SocketGroup=` would fail even with its number while no directory service answers: since
    /// version 252, systemd looks up numbers as well ("Failed to resolve group"), and the socket unit starts before any
    /// directory service.
    Elsewhere(u32),
}

// === impl DropIn ===

impl DropIn {
    /// Creates the drop-in for this mode.
    pub fn new(wanted: SocketMode, manager: SystemdManager) -> Self {
        let groups = std::fs::read("/etc/group").unwrap_or_default();
        Self::with_groups(wanted, manager, &String::from_utf8_lossy(&groups))
    }

    fn with_groups(wanted: SocketMode, manager: SystemdManager, groups: &str) -> Self {
        let (group, mode) = match wanted {
            SocketMode::Private => (None, "0600"),
            SocketMode::Group(gid) => (Some(SocketGroup::of(gid, groups)), "0660"),
            SocketMode::All => (None, "0666"),
        };
        Self {
            manager,
            group,
            mode,
        }
    }

    /// Returns the folder of the unit's drop-ins, in shell syntax.
    fn folder(&self) -> &'static str {
        match self.manager {
            SystemdManager::System => "/etc/systemd/system/jetond.socket.d",
            SystemdManager::User => "~/.config/systemd/user/jetond.socket.d",
        }
    }

    /// Returns the path of the drop-in, in shell syntax. Its name sorts after `override.conf`, which `systemctl edit`
    /// makes, because the last drop-in wins.
    fn path(&self) -> String {
        format!("{}/socket-mode.conf", self.folder())
    }

    fn settings(&self) -> Vec<String> {
        let mode = format!("SocketMode={}", self.mode);
        match &self.group {
            None => vec![mode],
            Some(SocketGroup::Local(name)) => vec![format!("SocketGroup={name}"), mode],
            Some(SocketGroup::Elsewhere(gid)) => {
                vec![
                    mode,
                    format!("ExecStartPost=chgrp {gid} %t/jeton/jeton.sock"),
                ]
            }
        }
    }

    /// Returns why the settings name no group, if they do not.
    fn reason(&self) -> Option<String> {
        match self.group {
            Some(SocketGroup::Elsewhere(gid)) => Some(format!(
                "SocketGroup={gid} fails, since systemd looks it up and /etc/group does not have it"
            )),
            _ => None,
        }
    }

    fn commands(&self) -> [String; 2] {
        let systemctl = self.manager.systemctl();
        [
            format!("{systemctl} daemon-reload"),
            format!("{systemctl} restart jetond.socket"),
        ]
    }

    /// Returns what to do, in one line.
    pub(super) fn remedy(&self) -> String {
        let (settings, commands) = (self.settings().join(" and "), self.commands().join("; "));
        let option = match self.manager {
            SystemdManager::System => " --system",
            SystemdManager::User => "",
        };
        let reason = self.reason().map(|reason| format!(" ({reason})"));
        let settings = format!("{settings}{}", reason.unwrap_or_default());
        format!(
            "set {settings} below [Socket] in {}, then: {commands} (jetond setup socket{option} prints these lines)",
            self.path()
        )
    }

    /// Returns a shell script that installs the drop-in.
    pub fn script(&self) -> String {
        let first = [
            format!("mkdir -p {}", self.folder()),
            format!("cat >{} <<'END'", self.path()),
            "[Socket]".to_owned(),
        ];
        let reason = self.reason().map(|reason| format!("# {reason}."));
        let lines = first.into_iter().chain(reason).chain(self.settings());
        let lines = lines.chain(["END".to_owned()]).chain(self.commands());
        lines.map(|line| line + "\n").collect()
    }
}

// === impl SocketGroup ===

impl SocketGroup {
    /// Finds the group in this text, which has the format of group(5).
    fn of(gid: u32, groups: &str) -> Self {
        let mut names = groups.lines().filter_map(|line| {
            let mut fields = line.split(':');
            let (name, id) = (fields.next()?, fields.nth(1)?);
            (id.parse() == Ok(gid)).then_some(name)
        });
        let is_plain = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        };
        match names.next() {
            Some(name) if is_plain(name) => Self::Local(name.to_owned()),
            Some(_) => Self::Local(gid.to_string()),
            None => Self::Elsewhere(gid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str =
        "root:x:0:\nteam:x:50:alice,bob\n+nis:::\nodd name:x:51:\n7:x:52:\nteam2:x:notanumber:\n";

    #[test]
    fn the_drop_in_sets_mode_and_group_and_names_only_local_groups() {
        for (wanted, settings) in [
            (SocketMode::Private, &["SocketMode=0600"][..]),
            (SocketMode::All, &["SocketMode=0666"]),
            (
                SocketMode::Group(50),
                &["SocketGroup=team", "SocketMode=0660"],
            ),
            (
                SocketMode::Group(0),
                &["SocketGroup=root", "SocketMode=0660"],
            ),
            // A group of a directory service.
            (
                SocketMode::Group(60_050),
                &[
                    "SocketMode=0660",
                    "ExecStartPost=chgrp 60050 %t/jeton/jeton.sock",
                ],
            ),
            // A group whose name is not valid in a unit.
            (
                SocketMode::Group(51),
                &["SocketGroup=51", "SocketMode=0660"],
            ),
            (
                SocketMode::Group(52),
                &["SocketGroup=52", "SocketMode=0660"],
            ),
        ] {
            let drop_in = DropIn::with_groups(wanted, SystemdManager::System, GROUPS);
            assert_eq!(drop_in.settings(), settings, "{wanted:?}");
        }
    }

    #[test]
    fn script_and_remedy_contain_the_same_settings_for_each_manager() {
        let team = SocketMode::Group(50);
        let system = DropIn::with_groups(team, SystemdManager::System, GROUPS);
        assert_eq!(
            system.script(),
            "mkdir -p /etc/systemd/system/jetond.socket.d
cat >/etc/systemd/system/jetond.socket.d/socket-mode.conf <<'END'
[Socket]
SocketGroup=team
SocketMode=0660
END
systemctl daemon-reload
systemctl restart jetond.socket
"
        );
        assert_eq!(
            system.remedy(),
            "set SocketGroup=team and SocketMode=0660 below [Socket] in /etc/systemd/system/jetond.socket.d/socket-mode.conf, then: systemctl daemon-reload; systemctl restart jetond.socket (jetond setup socket --system prints these lines)"
        );
        let elsewhere =
            DropIn::with_groups(SocketMode::Group(60_050), SystemdManager::System, GROUPS);
        let reason =
            "SocketGroup=60050 fails, since systemd looks it up and /etc/group does not have it";
        assert!(elsewhere.script().contains(&format!(
            "[Socket]\n# {reason}.\nSocketMode=0660\nExecStartPost=chgrp 60050 %t/jeton/jeton.sock\nEND\n"
        )));
        assert!(elsewhere.remedy().starts_with(&format!(
            "set SocketMode=0660 and ExecStartPost=chgrp 60050 %t/jeton/jeton.sock ({reason}) below"
        )));
        let user = DropIn::with_groups(SocketMode::Private, SystemdManager::User, GROUPS);
        for line in [
            "mkdir -p ~/.config/systemd/user/jetond.socket.d\n",
            "\nSocketMode=0600\n",
            "\nsystemctl --user daemon-reload\nsystemctl --user restart jetond.socket\n",
        ] {
            assert!(user.script().contains(line), "{line}");
        }
        assert!(user.remedy().contains("(jetond setup socket prints"));
    }
}
