//! Decides whether a command without `--system` concerns the system's daemon, and finds the user that this daemon runs
//! as.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::super::unit_files::UnitFiles;
use crate::config::Names as _;
use crate::paths::{Env, SYSTEM_CONFIG, SYSTEM_STATE};
use crate::process::user::ServiceGroups;
use crate::settings;
use crate::settings::names::System;

/// The user of the shipped unit (systemd/system/jeton.conf).
const USER: &str = "jeton";

/// The unit of the system's daemon.
const UNIT: &str = "jetond.service";

/// The use that a command makes of its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetUse {
    /// It only reads what the daemon reads.
    Look,
    /// It is the daemon itself.
    Run,
    /// It changes the configuration, and the system's only if that was named.
    Change,
}

/// The parts of the system's daemon on this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Machine {
    /// The owner of the system's state folder, if that exists.
    state_owner: Option<u32>,
    /// The user of the shipped unit, if the machine knows it.
    user: Option<u32>,
    /// Whether the caller has a state folder of its own.
    has_own_state: bool,
}

// === impl Machine ===

impl Machine {
    pub(super) fn look(own_state: Option<&Path>) -> Self {
        Self {
            state_owner: Path::new(SYSTEM_STATE).metadata().ok().map(|m| m.uid()),
            // A name service that does not answer must not keep a command from reading.
            user: System.user(USER).ok().flatten(),
            has_own_state: own_state.is_some_and(Path::exists),
        }
    }

    /// Whether root means the system's daemon, as the system's configuration alone suggests.
    ///
    /// A container has the configuration at the same path, but root's own daemon with a state of its own.
    pub(super) const fn is_meant(self, by: TargetUse) -> bool {
        match by {
            // Otherwise root's own daemon would lose the credentials that it has had until now.
            TargetUse::Run => !self.has_own_state,
            TargetUse::Look | TargetUse::Change => {
                self.state_owner.is_some() || self.user.is_some() || !self.has_own_state
            }
        }
    }

    /// The owner of the files in the system's state: the folder's owner, or the caller who makes it.
    pub(super) fn owner(self, caller: u32) -> u32 {
        self.state_owner.unwrap_or(caller)
    }

    /// The user that the system's daemon runs as. Files that root enrols before the first start belong to root until
    /// the service manager gives them to the service's user.
    pub(super) fn daemon(self, caller: u32) -> u32 {
        match (self.state_owner, self.user) {
            (None | Some(0), Some(user)) => user,
            (Some(owner), _) => owner,
            (None, None) => caller,
        }
    }
}

/// The groups that the system's service has besides those of its user, from its unit below this root folder. Skips a
/// name that the machine does not know: systemd does not start the service then.
pub(super) fn service_groups(root: &Path) -> ServiceGroups {
    let mut groups = ServiceGroups::default();
    let Some(files) = UnitFiles::read(root, UNIT) else {
        return groups;
    };
    let number = |group: &str| match group.parse() {
        Ok(gid) => Some(gid),
        Err(_) => System.group(group).ok().flatten(),
    };
    for (key, value) in files.settings() {
        match key {
            "Group" => groups.own = number(value),
            "SupplementaryGroups" if value.is_empty() => groups.more.clear(),
            "SupplementaryGroups" => {
                let named = value.split_whitespace().filter_map(number);
                groups.more.extend(named);
            }
            _ => {}
        }
    }
    groups
}

/// Whether this path leads to the system's configuration.
pub(super) fn is_config(path: &Path) -> bool {
    settings::real_path(path) == settings::real_path(Path::new(SYSTEM_CONFIG))
}

/// Whether no state other than the system's was named.
pub(super) fn is_state(named: Option<&Path>, env: &Env) -> bool {
    let named = named.or(env.state_directory.as_deref());
    named.is_none_or(|path| {
        settings::real_path(path) == settings::real_path(Path::new(SYSTEM_STATE))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_command_on_the_system_configuration_targets_the_system_daemon() {
        let machine = |state_owner, user, has_own_state| Machine {
            state_owner,
            user,
            has_own_state,
        };
        for (machine, look, run) in [
            // The service is installed; its state is made at its first start.
            (machine(None, Some(998), false), true, true),
            (machine(Some(998), Some(998), false), true, true),
            // Root also has profiles of its own.
            (machine(None, Some(998), true), true, false),
            (machine(Some(998), Some(998), true), true, false),
            (machine(Some(0), None, true), true, false),
            // In a container, root's own daemon reads the same file.
            (machine(None, None, true), false, false),
            (machine(None, None, false), true, true),
        ] {
            assert_eq!(machine.is_meant(TargetUse::Look), look, "{machine:?}");
            assert_eq!(machine.is_meant(TargetUse::Change), look, "{machine:?}");
            assert_eq!(machine.is_meant(TargetUse::Run), run, "{machine:?}");
        }
    }

    #[test]
    fn the_daemon_user_is_the_state_owner_or_the_user_of_the_unit() {
        for (state_owner, user, owner, daemon) in [
            (None, None, 0, 0),
            (None, Some(998), 0, 998),
            (Some(0), Some(998), 0, 998),
            (Some(0), None, 0, 0),
            (Some(998), Some(998), 998, 998),
            // A drop-in names another user.
            (Some(700), Some(998), 700, 700),
            (Some(700), None, 700, 700),
        ] {
            let machine = Machine {
                state_owner,
                user,
                has_own_state: false,
            };
            let found = (machine.owner(0), machine.daemon(0));
            assert_eq!(found, (owner, daemon), "{machine:?}");
        }
    }

    #[test]
    fn system_paths_are_recognized_in_every_spelling() {
        let env = |vars: &[(&str, &str)]| {
            let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
            Env::from_vars(vars, 0)
        };
        assert!(is_config(Path::new(SYSTEM_CONFIG)));
        assert!(is_config(Path::new("/etc/./jeton/config.toml")));
        assert!(!is_config(Path::new("/etc/jeton/other.toml")));
        let usual = env(&[]);
        for (named, env, expected) in [
            (None, &usual, true),
            (Some("/var/lib/jeton/"), &usual, true),
            (Some("/other"), &usual, false),
            (None, &env(&[("STATE_DIRECTORY", "/var/lib/jeton")]), true),
            (None, &env(&[("STATE_DIRECTORY", "/var/lib/other")]), false),
        ] {
            let found = is_state(named.map(Path::new), env);
            assert_eq!(found, expected, "{named:?}");
        }
    }

    #[test]
    fn the_service_groups_are_read_from_the_unit_and_its_drop_ins() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join("etc/systemd/system").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let groups = || {
            let found = service_groups(root.path());
            (found.own, found.more)
        };
        assert_eq!(groups(), (None, vec![]));
        let shipped = std::fs::read_to_string("systemd/system/jetond.service").unwrap();
        write("jetond.service", &shipped);
        assert_eq!(groups(), (None, vec![]));
        write(
            "jetond.service.d/a.conf",
            "[Service]\nSupplementaryGroups=50 root\nSupplementaryGroups=no-such-group-here 51\n",
        );
        assert_eq!(groups(), (None, vec![50, 0, 51]));
        write(
            "jetond.service.d/b.conf",
            "[Service]\nGroup=60\nSupplementaryGroups=\nSupplementaryGroups=52\n",
        );
        assert_eq!(groups(), (Some(60), vec![52]));
        write("jetond.service.d/c.conf", "[Service]\nGroup=\n");
        assert_eq!(groups(), (None, vec![52]));
    }
}
