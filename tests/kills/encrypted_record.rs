//! Opens a record of the store of encrypted files, as its owner would.

use std::fs;

use jetond::age_file::{Identity, Passphrase};

use crate::support::TestEnv;

/// The passphrase of the store.
pub(crate) const PASSPHRASE: &str = "a passphrase of the store";

/// The name of the store in the configuration.
pub(crate) const STORE: &str = "encrypted-file";

/// The maximum size of a record, in bytes.
const MAX_RECORD: usize = 64 * 1_024;

/// Decrypts the record of a profile with the wrapped identity.
pub(crate) fn record(env: &TestEnv, profile: &str) -> Option<Vec<u8>> {
    let file = env.record(profile).with_extension("age");
    let opened = identity(env)?.open(&fs::read(file).ok()?, MAX_RECORD);
    opened.ok().map(|record| record.to_vec())
}

/// Decrypts the identity of the store.
pub(crate) fn identity(env: &TestEnv) -> Option<Identity> {
    let wrapped = fs::read(env.path("state/jeton/encrypted-file/identity.age")).ok()?;
    let passphrase = Passphrase::parse(PASSPHRASE).unwrap();
    let text = passphrase.open(&wrapped, MAX_RECORD).ok()?;
    Identity::parse(std::str::from_utf8(&text).unwrap()).ok()
}
