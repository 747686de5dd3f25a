//! Opens the store of encrypted files for a command that has to read a record without the daemon.

use super::output::{Exit, fail, print_note};
use super::passphrase::PassphraseArgs;
use super::prompt;
use super::target::Target;
use super::unlock::{opened, wrapped};
use crate::config::StoreKind;
use crate::paths::Env;
use crate::store::{IdentityFile, Stores};

/// The ways in which a command can open the store.
pub(super) struct Opening<'a> {
    /// The source of the passphrase besides a terminal.
    pub(super) passphrase: Option<&'a PassphraseArgs>,
    /// The advice if there is no terminal to type it on.
    pub(super) instead: &'static str,
}

impl Opening<'_> {
    /// Opens the store with a typed passphrase.
    pub(super) const fn typed(instead: &'static str) -> Self {
        Self {
            passphrase: None,
            instead,
        }
    }
}

/// Asks for the passphrase if records of this store are encrypted.
pub(super) fn open_here(
    target: &Target,
    stores: &Stores,
    store: &StoreKind,
    env: &Env,
    opening: &Opening<'_>,
) -> Result<(), Exit> {
    let keys = stores.keys();
    if *store != StoreKind::EncryptedFile || keys.is_unlocked() {
        return Ok(());
    }
    let Some(recipient) = keys.recipient() else {
        return Ok(());
    };
    let typed = PassphraseArgs::default();
    let passphrase = opening.passphrase.unwrap_or(&typed);
    let is_given = passphrase.is_given();
    if !is_given && !prompt::possible() {
        let what = format!(
            "nothing is done: the credential is encrypted, so its store is locked for this command, and there is no terminal to ask for the passphrase on; {}",
            opening.instead
        );
        return Err(fail(Exit::Usage, what));
    }
    let file = IdentityFile::new(&target.state, target.owner);
    let wrapped = wrapped(&file, &recipient)?;
    if !is_given {
        print_note(
            "this command reads an encrypted credential, so it asks for the store's passphrase",
        );
    }
    let identity = opened(&wrapped, &file, passphrase, env)?;
    keys.unlock(identity)
        .map_err(|mismatch| fail(Exit::Config, mismatch))
}
