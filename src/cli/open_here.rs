//! Opens the store of encrypted files for one command, which has to read a record itself.

use super::output::{Exit, fail, tell};
use super::passphrase::PassphraseArgs;
use super::prompt;
use super::target::Target;
use super::unlock::{opened, wrapped};
use crate::config::StoreKind;
use crate::paths::Env;
use crate::store::{IdentityFile, Stores};

/// Asks for the passphrase if records of this store are encrypted. Without a terminal the store stays locked,
/// and the read of a record says so.
pub(super) fn open_here(
    target: &Target,
    stores: &Stores,
    store: &StoreKind,
    env: &Env,
) -> Result<(), Exit> {
    let keys = stores.keys();
    if *store != StoreKind::EncryptedFile || keys.is_unlocked() || !prompt::possible() {
        return Ok(());
    }
    let Some(recipient) = keys.recipient() else {
        return Ok(());
    };
    let file = IdentityFile::new(&target.state, target.owner);
    let wrapped = wrapped(&file, &recipient)?;
    tell("this command reads an encrypted credential, so it asks for the store's passphrase");
    let identity = opened(&wrapped, &file, &PassphraseArgs::default(), env)?;
    keys.unlock(identity)
        .map_err(|mismatch| fail(Exit::Config, mismatch))
}
