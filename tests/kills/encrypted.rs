//! The store of encrypted files in a place: making it, moving profiles into it, unlocking and locking it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::encrypted_record::{PASSPHRASE, STORE};
use crate::place::{KillEnv, PROFILE};
use crate::words::{borrowed, owned, tail};

/// Writes the passphrase to its file.
pub(crate) fn write_passphrase(place: &KillEnv) {
    let path = place.env.path("passphrase");
    fs::write(&path, PASSPHRASE).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
}

/// Returns a command that reads the passphrase from the file.
pub(crate) fn with_passphrase(place: &KillEnv, command: &[&str]) -> Vec<String> {
    let file = place.env.path("passphrase");
    owned(&[command, &["--passphrase-file", file.to_str().unwrap()]].concat())
}

/// Returns the command `jetond encrypt-store`.
pub(crate) fn encrypt(place: &KillEnv) -> Vec<String> {
    with_passphrase(place, &["encrypt-store", "--work-factor", "12"])
}

/// Returns the command `jetond unlock`.
pub(crate) fn unlock(place: &KillEnv) -> Vec<String> {
    with_passphrase(place, &["unlock"])
}

/// Makes the store without moving a profile.
pub(crate) fn make(place: &KillEnv) {
    write_passphrase(place);
    run(place, &borrowed(&encrypt(place)));
}

/// Makes the store, moves the profile into it, and unlocks it in the daemon.
pub(crate) fn make_and_unlock(place: &KillEnv) {
    make(place);
    run(place, &["migrate", PROFILE, "--to", STORE]);
    run(place, &borrowed(&unlock(place)));
}

/// Makes the store with the profile, and locks it in the daemon.
pub(crate) fn make_and_lock(place: &KillEnv) {
    make_and_unlock(place);
    run(place, &["lock"]);
}

fn run(place: &KillEnv, command: &[&str]) {
    let run = place.env.jetond(command);
    assert_eq!(run.code, 0, "{run:?}");
}

/// Returns whether the profile's credential is in this store and in no other.
pub(crate) fn has_profile(place: &KillEnv) -> bool {
    is_used(place) && !place.env.record(PROFILE).exists() && place.works(PROFILE)
}

/// Returns whether the configuration names this store for the profile.
pub(crate) fn is_used(place: &KillEnv) -> bool {
    place.store_of(PROFILE).as_deref() == Some(STORE)
}

/// Returns whether the daemon serves the profile's token.
pub(crate) fn is_served(place: &KillEnv) -> bool {
    place.answer(PROFILE) == (200, String::new())
}

/// Returns whether the daemon answers that the store is locked.
pub(crate) fn is_locked(place: &KillEnv) -> bool {
    place.answer(PROFILE) == (503, "locked".to_owned())
}

/// Unlocks the store in the daemon if the profile's record is encrypted, as a person does after a start. Returns what
/// is wrong.
pub(crate) fn unlock_if_needed(place: &KillEnv) -> Option<String> {
    if !is_used(place) {
        return None;
    }
    let unlocked = place.env.jetond(&borrowed(&unlock(place)));
    let is_open = unlocked.code == 0 && is_served(place);
    (!is_open).then(|| format!("it cannot be unlocked: {}", tail(&unlocked.stderr)))
}

/// Locks and unlocks again, after either was interrupted. Returns what is wrong.
pub(crate) fn end_lock(place: &KillEnv) -> Option<String> {
    let locked = place.env.jetond(&["lock"]);
    if locked.code != 0 || !is_locked(place) {
        return Some(format!("it cannot be locked: {}", tail(&locked.stderr)));
    }
    unlock_if_needed(place)
}
