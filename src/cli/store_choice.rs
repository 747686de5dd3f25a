//! The store that `jetond add` puts a credential into, and the reason. It is chosen once, and written into the
//! configuration.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::config::StoreKind;
use crate::profile::ProfileName;
use crate::store::{StoreError, StoreErrorKind, Stores};

/// A system's daemon runs outside of every session, and before a person has unlocked a keyring.
const OUTSIDE: &str = "a system's daemon is outside of every session";

/// The store of encrypted files was not made yet.
const NO_RECIPIENT: &str = "the configuration names no recipient for its records";

/// Parses a store on the command line.
pub(super) fn asked() -> impl TypedValueParser<Value = StoreKind> {
    let word = |kind: &StoreKind| PossibleValue::new(kind.as_str()).help(kind.about());
    let words: Vec<_> = StoreKind::WORDS.iter().rev().map(word).collect();
    PossibleValuesParser::new(words)
        .try_map(|word| StoreKind::parse(&word).ok_or("there is no such store"))
}

/// A store, and the reason for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoreChoice {
    kind: StoreKind,
    /// The preferred store, and the reason why it cannot be used here.
    instead_of: Option<(&'static str, String)>,
}

/// The reason why a store cannot be used.
#[derive(Debug)]
struct UnusableStore {
    /// The store, without an article.
    noun: &'static str,
    /// The reason, in a few words.
    reason: String,
    /// The reason with its remedy.
    advised: String,
}

/// The reason why a requested store cannot be used, up to the option that names another one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RefusedStore(String);

impl RefusedStore {
    /// The whole sentence, for a command that names the store by this option.
    pub(super) fn named(&self, option: &str) -> String {
        format!("{} {option} {}", self.0, StoreKind::default().as_str())
    }
}

impl StoreChoice {
    /// Takes a store that is chosen already.
    pub(super) const fn of(kind: StoreKind) -> Self {
        Self {
            kind,
            instead_of: None,
        }
    }

    /// Chooses the store: the requested one, else the preferred one if it can be used.
    pub(super) fn choose(
        asked: Option<StoreKind>,
        system: bool,
        stores: &Stores,
        profile: &ProfileName,
    ) -> Result<Self, RefusedStore> {
        decide(asked, |kind| usable(kind, stores, system, profile))
    }

    /// The store as the configuration names it.
    pub(super) const fn kind(&self) -> &StoreKind {
        &self.kind
    }

    /// Describes the place of the profile's credential, and the reason for it.
    pub(super) fn sentence(&self, stores: &Stores, profile: &ProfileName) -> String {
        self.said(&stores.store(&self.kind).place_of(profile))
    }

    fn said(&self, place: &str) -> String {
        match &self.instead_of {
            Some((noun, why)) => {
                format!("no {noun} to use here ({why}), so the credential is in {place}")
            }
            None => format!("the credential is in {place}"),
        }
    }
}

fn decide(
    asked: Option<StoreKind>,
    usable: impl Fn(&StoreKind) -> Result<(), UnusableStore>,
) -> Result<StoreChoice, RefusedStore> {
    if let Some(kind) = asked {
        return match usable(&kind) {
            Ok(()) => Ok(StoreChoice::of(kind)),
            Err(UnusableStore { noun, advised, .. }) => Err(RefusedStore(format!(
                "the {noun} cannot be used: {advised} use"
            ))),
        };
    }
    let mut instead_of = None;
    for kind in StoreKind::WORDS.into_iter().rev() {
        match usable(&kind) {
            Ok(()) => return Ok(StoreChoice { kind, instead_of }),
            // A person makes this store first. A person who has not made it need not read about it each time.
            Err(_) if kind == StoreKind::EncryptedFile => {}
            Err(UnusableStore { noun, reason, .. }) => {
                instead_of.get_or_insert((noun, reason));
            }
        }
    }
    Ok(StoreChoice {
        kind: StoreKind::default(),
        instead_of,
    })
}

/// Checks whether the store can be used here. A store in the state folder can be, if it is unencrypted or has a
/// recipient; a later step shows whether the folder can be written.
fn usable(
    kind: &StoreKind,
    stores: &Stores,
    system: bool,
    profile: &ProfileName,
) -> Result<(), UnusableStore> {
    let store = stores.store(kind);
    let about = store.about();
    let unusable = |reason: String, advised| UnusableStore {
        noun: about.noun,
        reason,
        advised,
    };
    if *kind == StoreKind::EncryptedFile && stores.keys().recipient().is_none() {
        let advised = format!("{NO_RECIPIENT} (run 'jetond encrypt-store', which makes it); or");
        return Err(unusable(NO_RECIPIENT.to_owned(), advised));
    }
    if about.in_state {
        return Ok(());
    }
    if system {
        return Err(unusable(OUTSIDE.to_owned(), format!("{OUTSIDE};")));
    }
    store.probe(profile).map_err(|error| {
        let reason = reason(&error);
        let advised = match &error.kind {
            StoreErrorKind::Unavailable(why) => format!("{reason} ({}); or", why.advice()),
            _ => format!("{reason}; or"),
        };
        unusable(reason, advised)
    })
}

fn reason(error: &StoreError) -> String {
    match &error.kind {
        StoreErrorKind::Unavailable(why) => why.reason(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(
        asked: Option<StoreKind>,
        keyring: Result<(), &str>,
    ) -> Result<StoreChoice, RefusedStore> {
        decide(asked, |kind| match (kind, keyring) {
            (StoreKind::Keyring, Err(why)) => Err(UnusableStore {
                noun: "OS keyring",
                reason: why.to_owned(),
                advised: format!("{why} (unlock it); or"),
            }),
            (StoreKind::EncryptedFile, _) => Err(UnusableStore {
                noun: "store of encrypted files",
                reason: "there is none".to_owned(),
                advised: "there is none (make it); or".to_owned(),
            }),
            _ => Ok(()),
        })
    }

    #[test]
    fn the_default_store_is_the_keyring_or_a_file_with_the_reason() {
        let place = choose(None, Ok(())).unwrap();
        assert_eq!(place, StoreChoice::of(StoreKind::Keyring));
        assert_eq!(place.said("x"), "the credential is in x");
        let place = choose(None, Err("there is no session bus")).unwrap();
        assert_eq!(place.kind(), &StoreKind::File);
        assert_eq!(
            place.said("/s/a.json"),
            "no OS keyring to use here (there is no session bus), so the credential is in /s/a.json"
        );
    }

    #[test]
    fn a_requested_store_is_used_or_refused_but_never_replaced() {
        let locked = Err("it is locked");
        let file = choose(Some(StoreKind::File), locked);
        assert_eq!(file, Ok(StoreChoice::of(StoreKind::File)));
        let keyring = Some(StoreKind::Keyring);
        let place = choose(keyring.clone(), Ok(()));
        assert_eq!(place, Ok(StoreChoice::of(StoreKind::Keyring)));
        assert_eq!(
            choose(keyring, locked).unwrap_err().named("--store"),
            "the OS keyring cannot be used: it is locked (unlock it); or use --store file"
        );
        assert_eq!(
            choose(Some(StoreKind::EncryptedFile), Ok(()))
                .unwrap_err()
                .named("--to"),
            "the store of encrypted files cannot be used: there is none (make it); or use --to file"
        );
    }

    #[test]
    fn the_encrypted_file_store_is_chosen_once_it_exists() {
        let state = tempfile::tempdir().unwrap();
        let stores = Stores::new(state.path(), rustix::process::geteuid().as_raw());
        let name = ProfileName::parse("a").unwrap();
        let asked = || Some(StoreKind::EncryptedFile);
        let refused = StoreChoice::choose(asked(), true, &stores, &name).unwrap_err();
        let refused = refused.named("--store");
        assert!(refused.contains("jetond encrypt-store"), "{refused}");
        let recipient = crate::age_file::Identity::generate().recipient();
        stores.keys().encrypt_to(Some(recipient));
        for asked in [None, asked()] {
            let place = StoreChoice::choose(asked, true, &stores, &name).unwrap();
            assert_eq!(place, StoreChoice::of(StoreKind::EncryptedFile));
        }
    }

    #[test]
    fn a_system_daemon_never_chooses_the_keyring() {
        // The state folder is empty. A call to a keyring would be named as the reason against it.
        let state = tempfile::tempdir().unwrap();
        let stores = Stores::new(state.path(), 0);
        let name = ProfileName::parse("a").unwrap();
        let place = StoreChoice::choose(None, true, &stores, &name).unwrap();
        assert_eq!(place.kind(), &StoreKind::File);
        assert!(place.said("x").contains(OUTSIDE));
        assert_eq!(
            StoreChoice::choose(Some(StoreKind::Keyring), true, &stores, &name)
                .unwrap_err()
                .named("--store"),
            format!("the OS keyring cannot be used: {OUTSIDE}; use --store file")
        );
    }
}
