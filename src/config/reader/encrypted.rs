//! Reads the recipient to whom the store of encrypted files encrypts its records.

use super::key::{Key, key};
use super::{Field, Reader};
use crate::age_file::Recipient;

/// The name of the table.
pub(in crate::config) const TABLE: &str = "encrypted-file";

/// Its keys.
#[rustfmt::skip]
pub(super) const ENCRYPTED_FILE: &[Key<Option<Recipient>>] = &[
    key("recipient", "an age recipient, as \"age1…\"", "no profile has that store", "the recipient to which the records of store = \"encrypted-file\" are encrypted: `jetond encrypt-store` makes it", |r, f, d| {
        *d = r.recipient(f);
    }),
];

/// The fault of a profile with encrypted records while no recipient is set.
const NO_RECIPIENT: &str = "[encrypted-file] has no recipient, to which the records are encrypted: run `jetond encrypt-store`, which makes and writes it";

impl Reader<'_> {
    /// Reads the recipient of the store of encrypted files.
    pub(in crate::config) fn encrypted_file(&mut self, field: &Field<'_>) -> Option<Recipient> {
        let table = self.table(field)?;
        let mut recipient = None;
        self.keys(&field.path, table, ENCRYPTED_FILE, &mut recipient);
        // An invalid recipient has been reported already, so it does not count as missing.
        self.has_recipient |= table.contains_key("recipient");
        recipient
    }

    fn recipient(&mut self, field: &Field<'_>) -> Option<Recipient> {
        let text = self.text(field)?;
        Recipient::parse(text)
            .map_err(|why| self.fault(field, why.to_string(), None))
            .ok()
    }

    /// Notes a profile whose records are encrypted, to check later: the recipient's table may follow in the text.
    pub(super) fn needs_recipient(&mut self, field: &Field<'_>) {
        self.encrypted.push((field.value, field.path.clone()));
    }

    /// Reports the noted profiles if there is no recipient.
    pub(in crate::config) fn without_recipient(&mut self) {
        for (at, key) in std::mem::take(&mut self.encrypted) {
            if !self.has_recipient {
                self.fault_at(at, &key, NO_RECIPIENT, None);
            }
        }
    }
}
