//! Reads where a credential comes from: a store, or a source that Jeton only reads.

use std::path::PathBuf;

use super::super::source::{ClientIdSource, CredentialLocation, ReadOnlySource, SecretSource};
use super::super::store::StoreKind;
use super::key::{Key, key};
use super::misplaced::{SECRET_IN_FILE, may_be_secret};
use super::{Field, Reader, Section};
use crate::credential::client_id;

/// The longest name of a systemd credential, in bytes: the limit of a file name.
const MAX_NAME: usize = 255;

/// The text in place of a default, for keys of which exactly one has to be set.
const ANOTHER: &str = "another key is there";

/// The values that `client-id` accepts.
pub(super) const ID_TAKES: &str = "a string, or { file = \"PATH\" }";

/// The values that `client-secret` accepts.
pub(super) const SECRET_TAKES: &str = "{ file = \"PATH\" }, { systemd-credential = \"NAME\" } or { command = [\"/PATH\", \"ARGUMENT\", …] }";

/// The place of a credential, while its keys are read.
#[derive(Default)]
pub(super) struct LocationDraft {
    pub(super) store: StoreKind,
    pub(super) client_id: Option<ClientIdSource>,
    pub(super) client_secret: Option<SecretSource>,
}

#[rustfmt::skip]
pub(super) const ID: &[Key<Option<PathBuf>>] = &[
    key("file", "an absolute path", "", "the file with the client ID", |r, f, d| {
        *d = r.absolute(f);
    }),
];

#[rustfmt::skip]
pub(super) const SECRET: &[Key<Option<SecretSource>>] = &[
    key("file", "an absolute path", ANOTHER, "the file with the client secret; links are followed", |r, f, d| {
        *d = r.absolute(f).map(SecretSource::File);
    }),
    key("systemd-credential", "a name", ANOTHER, "the credential that systemd passes to the service under this name (LoadCredential=)", |r, f, d| {
        *d = r.checked(f, credential_name).map(SecretSource::SystemdCredential);
    }),
    key("command", "an array of strings, the first an absolute path", ANOTHER, "the command that prints the client secret; runs without a shell, and only in a user's daemon", |r, f, d| {
        *d = r.command(f).map(SecretSource::Command);
    }),
];

/// Checks a name by systemd's rules for credentials: it must be valid as a file name and as a descriptor's name.
fn credential_name(name: &str) -> Result<String, &'static str> {
    let fits = !name.is_empty() && name.len() <= MAX_NAME;
    let is_of_file = !name.contains('/') && ![".", ".."].contains(&name);
    let is_of_descriptor = name
        .bytes()
        .all(|byte| (b' '..=b'~').contains(&byte) && byte != b':');
    if fits && is_of_file && is_of_descriptor {
        Ok(name.to_owned())
    } else {
        Err(
            "this is not the name of a systemd credential: it has 1 to 255 ASCII characters without / and :, and is not . or ..",
        )
    }
}

impl Reader<'_> {
    /// Reads a client ID, or the file that holds it.
    pub(super) fn client_id(&mut self, field: &Field<'_>) -> Option<ClientIdSource> {
        if field.item.is_str() {
            return self.checked(field, client_id).map(ClientIdSource::Text);
        }
        if field.item.as_table_like().is_none() {
            self.wrong_type(field, ID_TAKES);
            return None;
        }
        let mut file = None;
        self.table_of(field, ID, &mut file);
        file.map(ClientIdSource::File)
    }

    /// Reads the source of a client secret. The secret itself is never in this file.
    pub(super) fn client_secret(&mut self, field: &Field<'_>) -> Option<SecretSource> {
        if may_be_secret(field.name, field.item) {
            self.fault_at(field.key, &field.path, SECRET_IN_FILE, None);
            return None;
        }
        let Some(table) = field.item.as_table_like() else {
            self.wrong_type(field, SECRET_TAKES);
            return None;
        };
        let mut source = None;
        self.keys(&field.path, table, SECRET, &mut source);
        let known = |name: &&str| SECRET.iter().any(|key| key.doc.name == *name);
        if table.iter().map(|(name, _)| name).filter(known).count() == 1 {
            return source;
        }
        let message =
            "exactly one of file, systemd-credential, command says where the secret comes from";
        self.fault(field, message, None);
        None
    }

    /// Reads the words of a command. The first one is the path of its program, since no shell searches for it.
    fn command(&mut self, field: &Field<'_>) -> Option<Vec<String>> {
        if field.item.is_str() {
            let wanted = "an array of strings, as [\"/usr/bin/op\", \"read\", \"…\"], since no shell splits a line";
            self.wrong_type(field, wanted);
            return None;
        }
        let without_nul = |word: &str| match word.contains('\0') {
            true => Err("a word of a command cannot hold a NUL character"),
            false => Ok(word.to_owned()),
        };
        let words = self.list(field, without_nul);
        match words.first() {
            Some(program) if program.starts_with('/') => Some(words),
            // A word that was refused is missing here, and its fault has been reported already.
            _ if field
                .item
                .as_array()
                .is_none_or(|all| all.len() != words.len()) =>
            {
                None
            }
            _ => {
                let message = "the first word must be the absolute path of the program, from / on: no shell looks for it, and ~ and variables are not expanded";
                self.fault(field, message, None);
                None
            }
        }
    }

    /// Decides where the credential comes from.
    pub(super) fn finish_place(
        &mut self,
        section: &Section<'_>,
        draft: LocationDraft,
    ) -> CredentialLocation {
        let at = |name: &str| {
            let mut fields = section.fields().into_iter();
            fields.find(|field| field.name == name)
        };
        let (id, secret) = (at("client-id"), at("client-secret"));
        match (&id, &secret) {
            (Some(id), None) => {
                let message = "client-secret is missing, which says where the secret of this client ID comes from: add it, or remove the client ID and let `jetond add` ask for both and store them";
                self.fault_at(id.key, &id.path, message, None);
            }
            (None, Some(secret)) if !may_be_secret(secret.name, secret.item) => {
                let message = "client-id is missing: the client ID that the secret of client-secret belongs to";
                self.fault(section.field, message, None);
            }
            _ => {}
        }
        if let (Some(store), Some(_)) = (at("store"), &secret) {
            let message = "store and client-secret exclude each other: what comes from a source is not stored; remove one of them";
            self.fault_at(store.key, &store.path, message, None);
        }
        match (draft.client_id, draft.client_secret) {
            (Some(client_id), Some(client_secret)) => {
                CredentialLocation::Source(Box::new(ReadOnlySource {
                    client_id,
                    client_secret,
                }))
            }
            _ => CredentialLocation::Store(draft.store),
        }
    }
}
