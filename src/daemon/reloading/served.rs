//! Mode of the served socket, compared with the configuration.

use std::path::PathBuf;

use tracing::{error, info, warn};

use super::super::sockets::mode::ModeSetter;
use super::super::sockets::unit::misfit;
use crate::config::{Config, Name, SocketMode};
use crate::query::SocketModeChange;

/// Mode of the served socket.
pub struct ServedMode {
    mode: SocketMode,
    /// Whether the mode is that of the configuration. If not, it is private for now.
    is_decided: bool,
    /// The group that the mode admits, if the configuration gives it by name.
    group: Option<Name>,
    /// Sets the mode. `None` if the configuration does not decide it.
    setter: Option<ModeSetter>,
    /// Path of the socket, if a service manager has created it. In that case its unit decides the mode.
    of_unit: Option<PathBuf>,
    /// The last logged reason why the mode differs from the configuration.
    failed: String,
}

// === impl ServedMode ===

impl ServedMode {
    /// Creates the mode with which the socket was opened by this configuration, if there was a valid one.
    pub fn new(config: Option<&Config>, setter: Option<ModeSetter>) -> Self {
        let group = config.and_then(|config| config.socket_group.as_ref());
        Self {
            mode: config.map_or(SocketMode::Private, |config| config.socket),
            is_decided: config.is_some_and(|config| !config.waits_for_group()),
            group: group.map(|named| named.name().clone()),
            setter,
            of_unit: None,
            failed: String::new(),
        }
    }

    /// Marks the socket as created by a service manager, if `socket` is its path. How it differs from the configuration
    /// has been logged at the start.
    pub fn of_unit(mut self, socket: Option<PathBuf>) -> Self {
        let decided = socket.as_deref().filter(|_| self.is_decided);
        let said = decided.and_then(|socket| misfit(socket, self.mode));
        self.failed = said.unwrap_or_default();
        self.of_unit = socket;
        self
    }

    /// Whether the mode still has to be set.
    pub(super) const fn is_open(&self) -> bool {
        !self.is_decided
    }

    /// Adjusts the socket's mode to a configuration that was just applied or whose names were looked up again. This is
    /// possible if the mode was not decided yet, or if the number of its group has changed. Returns what a different
    /// mode needs.
    pub(super) async fn follow(&mut self, config: &Config) -> SocketModeChange {
        if self.of_unit.is_some() {
            return self.compare(config);
        }
        let name = config.socket_group.as_ref().map(|named| named.name());
        let is_same_group = name.is_some() && name == self.group.as_ref();
        let is_decided = !config.waits_for_group();
        if (self.mode, self.is_decided) == (config.socket, is_decided) {
            self.group = name.cloned();
            return SocketModeChange::Nothing;
        }
        if self.is_decided && !is_same_group {
            return SocketModeChange::Restart;
        }
        if let Some(setter) = &self.setter {
            if let Err(error) = setter.set(config.socket, is_decided).await {
                let error = error.to_string();
                if error != self.failed {
                    error!(%error, mode = config.socket.as_str(), "the socket cannot be given its mode; trying again");
                    self.failed = error;
                }
                self.is_decided = false;
                return SocketModeChange::Nothing;
            }
            if self.mode != config.socket {
                info!(
                    mode = config.socket.as_str(),
                    "the socket has another mode now"
                );
            }
        }
        self.failed.clear();
        (self.mode, self.is_decided) = (config.socket, is_decided);
        self.group = name.cloned();
        SocketModeChange::Nothing
    }

    /// Logs how the service manager's socket differs from the configuration, unless the same line was logged last.
    fn compare(&mut self, config: &Config) -> SocketModeChange {
        (self.mode, self.is_decided) = (config.socket, !config.waits_for_group());
        let socket = self.of_unit.as_deref().filter(|_| self.is_decided);
        let Some(misfit) = socket.and_then(|socket| misfit(socket, config.socket)) else {
            self.failed.clear();
            return SocketModeChange::Nothing;
        };
        if misfit != self.failed {
            warn!("{misfit}");
            self.failed = misfit;
        }
        SocketModeChange::UnitSetting
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sockets::listen_error::ListenError;
    use super::super::super::sockets::mode::mode_setter;
    use super::*;
    use crate::config::{LookupFailed, Names, parse};

    /// A machine that knows no name but the group `team`, with this number if there is one.
    struct Team(Option<u32>);

    impl Names for Team {
        fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
            Ok(None)
        }

        fn group(&self, name: &str) -> Result<Option<u32>, LookupFailed> {
            Ok(self.0.filter(|_| name == "team"))
        }
    }

    const GROUP: &str = "[socket]\nmode = 'group'\ngroup = 'team'\n";
    const OTHER: &str = "[socket]\nmode = 'group'\ngroup = 'other'\n";
    const PRIVATE: &str = "[socket]\nmode = 'private'\n";
    const ALL: &str = "[socket]\nmode = 'all'\n";

    fn config(text: &str, number: Option<u32>) -> Config {
        parse(text, &Team(number)).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_socket_mode_is_set_when_undecided_or_when_its_group_id_changed() {
        use SocketMode::{All, Group, Private};
        // The configuration at the start, the next one, the mode that the socket gets, and whether a restart is needed.
        for (start, next, set, restart) in [
            (None, (PRIVATE, None), Some((Private, true)), false),
            (None, (ALL, None), Some((All, true)), false),
            (None, (GROUP, Some(50)), Some((Group(50), true)), false),
            (None, (GROUP, None), None, false),
            (Some((GROUP, None)), (GROUP, None), None, false),
            (
                Some((GROUP, None)),
                (GROUP, Some(50)),
                Some((Group(50), true)),
                false,
            ),
            (Some((GROUP, None)), (ALL, None), Some((All, true)), false),
            (Some((GROUP, Some(50))), (GROUP, Some(50)), None, false),
            (
                Some((GROUP, Some(50))),
                (GROUP, Some(51)),
                Some((Group(51), true)),
                false,
            ),
            (
                Some((GROUP, Some(50))),
                (GROUP, None),
                Some((Private, false)),
                false,
            ),
            (Some((GROUP, Some(50))), (OTHER, Some(50)), None, true),
            (Some((GROUP, Some(50))), (ALL, None), None, true),
            (Some((ALL, None)), (GROUP, None), None, true),
            (Some((ALL, None)), (ALL, None), None, false),
        ] {
            let case = format!("{start:?} {next:?}");
            let start = start.map(|(text, number)| config(text, number));
            let next = config(next.0, next.1);
            let (setter, mut changes) = mode_setter();
            let mut served = ServedMode::new(start.as_ref(), Some(setter));
            let socket = tokio::spawn(async move { changes.recv().await.map(|c| c.accept()) });
            let takes = match restart {
                true => SocketModeChange::Restart,
                false => SocketModeChange::Nothing,
            };
            assert_eq!(served.follow(&next).await, takes, "{case}");
            assert_eq!(served.follow(&next).await, takes, "{case}");
            assert_eq!(
                served.is_open(),
                next.waits_for_group() && !restart,
                "{case}"
            );
            drop(served);
            assert_eq!(socket.await.unwrap(), set, "{case}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn setting_the_socket_mode_is_retried_after_a_failure() {
        let next = config(GROUP, Some(50));
        let (setter, mut changes) = mode_setter();
        let mut served = ServedMode::new(None, Some(setter));
        let socket = tokio::spawn(async move {
            let busy = ListenError::InUse("/s".into());
            changes.recv().await.unwrap().refuse(busy);
            changes.recv().await.unwrap().accept()
        });
        assert_eq!(served.follow(&next).await, SocketModeChange::Nothing);
        assert!(served.is_open());
        assert_eq!(served.follow(&next).await, SocketModeChange::Nothing);
        assert!(!served.is_open());
        assert_eq!(socket.await.unwrap(), (SocketMode::Group(50), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_unit_socket_that_differs_from_the_configuration_needs_a_unit_change() {
        use std::fs::{File, Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let path = dir.path().join("jeton/jeton.sock");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        File::create(&path).unwrap();
        // The configuration at the start, the next one, the socket's mode, what a change needs, and whether that is
        // logged.
        let (nothing, setting) = (SocketModeChange::Nothing, SocketModeChange::UnitSetting);
        for (start, next, mode, takes, is_logged) in [
            (Some(PRIVATE), PRIVATE, 0o600, nothing, false),
            (Some(PRIVATE), ALL, 0o600, setting, true),
            (None, ALL, 0o600, setting, true),
            (None, ALL, 0o666, nothing, false),
            // The difference was logged at the start.
            (Some(ALL), ALL, 0o600, setting, false),
            // The unit already has the mode of the new configuration, so no restart is needed.
            (Some(PRIVATE), ALL, 0o666, nothing, false),
            (Some(ALL), PRIVATE, 0o666, setting, true),
            // The group is unknown, which is logged elsewhere.
            (Some(ALL), GROUP, 0o660, nothing, false),
        ] {
            let case = format!("{start:?} {next:?} {mode:o}");
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let start = start.map(|text| config(text, None));
            let next = config(next, None);
            let mut served = ServedMode::new(start.as_ref(), None).of_unit(Some(path.clone()));
            let before = served.failed.clone();
            for _ in 0..2 {
                assert_eq!(served.follow(&next).await, takes, "{case}");
            }
            let is_new = !served.failed.is_empty() && served.failed != before;
            assert_eq!(is_new, is_logged, "{case}: {}", served.failed);
            assert_eq!(served.is_open(), next.waits_for_group(), "{case}");
        }
    }
}
