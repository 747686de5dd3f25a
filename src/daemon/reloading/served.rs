//! The mode of the socket that is served, compared with that of the configuration.

use std::path::PathBuf;

use tracing::{error, info, warn};

use super::super::sockets::mode::ModeSetter;
use super::super::sockets::unit::misfit;
use crate::config::{Config, Name, SocketMode};
use crate::query::SocketTakes;

/// The mode of the served socket.
pub struct ServedMode {
    mode: SocketMode,
    /// Whether that is what the configuration says; else it is private for the time being.
    is_decided: bool,
    /// The group that it is for, if the configuration gives it by name.
    group: Option<Name>,
    /// How to change it; `None` if it is not for the configuration to say.
    setter: Option<ModeSetter>,
    /// Where the socket is, if a service manager has made it: then its unit decides the mode.
    of_unit: Option<PathBuf>,
    /// Why the mode is not the one of the configuration, as logged last.
    failed: String,
}

// === impl ServedMode ===

impl ServedMode {
    /// The mode that the socket was opened with by this configuration, if there was a valid one.
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

    /// The same for a socket at this path that a service manager has made, if it has a path. The start has said how it
    /// differs from the configuration.
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

    /// Sets the mode of the configuration that has been put in force, or whose names were looked up again, if the mode was
    /// not decided yet, or if it is for a group of the same name whose number has changed. Returns what another mode
    /// takes.
    pub(super) async fn follow(&mut self, config: &Config) -> SocketTakes {
        if self.of_unit.is_some() {
            return self.compare(config);
        }
        let name = config.socket_group.as_ref().map(|named| named.name());
        let is_same_group = name.is_some() && name == self.group.as_ref();
        let is_decided = !config.waits_for_group();
        if (self.mode, self.is_decided) == (config.socket, is_decided) {
            self.group = name.cloned();
            return SocketTakes::Nothing;
        }
        if self.is_decided && !is_same_group {
            return SocketTakes::Restart;
        }
        if let Some(setter) = &self.setter {
            if let Err(error) = setter.set(config.socket, is_decided).await {
                let error = error.to_string();
                if error != self.failed {
                    error!(%error, mode = config.socket.as_str(), "the socket cannot be given its mode; trying again");
                    self.failed = error;
                }
                self.is_decided = false;
                return SocketTakes::Nothing;
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
        SocketTakes::Nothing
    }

    /// Logs how the socket that a service manager has made differs from what the configuration says, unless the log says
    /// so already.
    fn compare(&mut self, config: &Config) -> SocketTakes {
        (self.mode, self.is_decided) = (config.socket, !config.waits_for_group());
        let socket = self.of_unit.as_deref().filter(|_| self.is_decided);
        let Some(misfit) = socket.and_then(|socket| misfit(socket, config.socket)) else {
            self.failed.clear();
            return SocketTakes::Nothing;
        };
        if misfit != self.failed {
            warn!("{misfit}");
            self.failed = misfit;
        }
        SocketTakes::UnitSetting
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::sockets::listen_error::ListenError;
    use super::super::super::sockets::mode::mode_setter;
    use super::*;
    use crate::config::{LookupFailed, Names, parse};

    /// A machine where the group `team` has this number, if any, and no other name is known.
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
    async fn a_mode_is_set_when_it_was_not_decided_or_its_groups_number_changed() {
        use SocketMode::{All, Group, Private};
        // The configuration of the start, the one after it, what the socket is asked to be, and whether that takes a
        // restart.
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
                true => SocketTakes::Restart,
                false => SocketTakes::Nothing,
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
    async fn a_mode_that_cannot_be_set_is_tried_again() {
        let next = config(GROUP, Some(50));
        let (setter, mut changes) = mode_setter();
        let mut served = ServedMode::new(None, Some(setter));
        let socket = tokio::spawn(async move {
            let busy = ListenError::InUse("/s".into());
            changes.recv().await.unwrap().refuse(busy);
            changes.recv().await.unwrap().accept()
        });
        assert_eq!(served.follow(&next).await, SocketTakes::Nothing);
        assert!(served.is_open());
        assert_eq!(served.follow(&next).await, SocketTakes::Nothing);
        assert!(!served.is_open());
        assert_eq!(socket.await.unwrap(), (SocketMode::Group(50), true));
    }

    #[tokio::test(start_paused = true)]
    async fn the_socket_of_a_unit_takes_another_setting_while_it_differs_from_the_configuration() {
        use std::fs::{File, Permissions, set_permissions};
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let path = dir.path().join("jeton/jeton.sock");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        File::create(&path).unwrap();
        // The configuration of the start, the one after it, the socket's mode, what that takes, and whether the log says
        // it then.
        let (nothing, setting) = (SocketTakes::Nothing, SocketTakes::UnitSetting);
        for (start, next, mode, takes, is_logged) in [
            (Some(PRIVATE), PRIVATE, 0o600, nothing, false),
            (Some(PRIVATE), ALL, 0o600, setting, true),
            (None, ALL, 0o600, setting, true),
            (None, ALL, 0o666, nothing, false),
            // The start has said so.
            (Some(ALL), ALL, 0o600, setting, false),
            // The configuration follows the unit, which takes no restart.
            (Some(PRIVATE), ALL, 0o666, nothing, false),
            (Some(ALL), PRIVATE, 0o666, setting, true),
            // Its group is unknown, which is logged elsewhere.
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
