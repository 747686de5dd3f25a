//! Where `jetond add` puts a credential, and why there. It is decided once, and written into the configuration.

use std::path::Path;

use crate::config::StoreKind;
use crate::store::{KeyringFault, KeyringStore};

/// What the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Asked {
    /// The OS keyring
    Keyring,
    /// A file of mode 0600 in the state folder
    File,
}

/// A place, and why it is this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The OS keyring.
    Keyring,
    /// The file.
    File,
    /// The file, since there is no keyring for this reason.
    NoKeyring(String),
}

impl Place {
    /// The place that is decided already.
    pub(super) const fn of(kind: StoreKind) -> Self {
        match kind {
            StoreKind::Keyring => Self::Keyring,
            StoreKind::File => Self::File,
        }
    }

    /// Decides it: what was asked for, else the keyring if it can be used. A system's daemon runs outside of every
    /// session, and before anybody has unlocked a keyring.
    pub(super) fn choose(
        asked: Option<Asked>,
        system: bool,
        probe: impl FnOnce() -> Result<(), KeyringFault>,
    ) -> Result<Self, String> {
        let outside = "a system's daemon is outside of every session";
        match asked {
            Some(Asked::File) => Ok(Self::File),
            Some(Asked::Keyring) if system => Err(format!(
                "the OS keyring cannot be used: {outside}; use --store file"
            )),
            Some(Asked::Keyring) => match probe() {
                Ok(()) => Ok(Self::Keyring),
                Err(fault) => Err(format!(
                    "the OS keyring cannot be used: {fault}; or use --store file"
                )),
            },
            None if system => Ok(Self::NoKeyring(outside.to_owned())),
            None => Ok(match probe() {
                Ok(()) => Self::Keyring,
                Err(fault) => Self::NoKeyring(fault.reason()),
            }),
        }
    }

    /// The place as the configuration has it.
    pub(super) const fn kind(&self) -> StoreKind {
        match self {
            Self::Keyring => StoreKind::Keyring,
            Self::File | Self::NoKeyring(_) => StoreKind::File,
        }
    }

    /// Says where the credential is, and why; `file` is where it is when it is in a file.
    pub(super) fn sentence(&self, file: &Path) -> String {
        let file = file.display();
        match self {
            Self::Keyring => format!(
                "the credential is in the OS keyring ({})",
                KeyringStore::NAME
            ),
            Self::File => format!("the credential is in {file}"),
            Self::NoKeyring(why) => {
                format!("no OS keyring to use here ({why}), so the credential is in {file}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Result<(), KeyringFault> {
        panic!("the keyring is not asked")
    }

    #[test]
    fn without_a_word_it_is_the_keyring_if_that_can_be_used_and_the_file_with_the_reason_if_not() {
        assert_eq!(Place::choose(None, false, || Ok(())), Ok(Place::Keyring));
        let place = Place::choose(None, false, || Err(KeyringFault::NoBus)).unwrap();
        assert_eq!(place.kind(), StoreKind::File);
        assert_eq!(
            place.sentence(Path::new("/s/a.json")),
            "no OS keyring to use here (there is no session bus), so the credential is in /s/a.json"
        );
    }

    #[test]
    fn what_was_asked_for_is_taken_or_refused_but_never_replaced() {
        assert_eq!(
            Place::choose(Some(Asked::File), false, never),
            Ok(Place::File)
        );
        let keyring = Some(Asked::Keyring);
        assert_eq!(Place::choose(keyring, false, || Ok(())), Ok(Place::Keyring));
        let why = Place::choose(keyring, false, || Err(KeyringFault::Locked)).unwrap_err();
        assert!(why.contains("locked") && why.contains("--unlock"), "{why}");
    }

    #[test]
    fn a_systems_daemon_has_no_keyring_to_be_asked() {
        let place = Place::choose(None, true, never).unwrap();
        assert_eq!(place.kind(), StoreKind::File);
        assert!(Place::choose(Some(Asked::Keyring), true, never).is_err());
    }
}
