//! Reads the addresses that a profile's tokens are for.

use super::super::hosts::{HostAuth, HostEntry};
use super::super::url::invalid;
use super::key::{Key, key};
use super::{Field, Reader};
use crate::address::Address;

/// An entry while it is read.
#[derive(Default)]
pub(super) struct Draft {
    url: Option<Address>,
    username: Option<String>,
    auth: Option<HostAuth>,
}

#[rustfmt::skip]
pub(super) const HOST: &[Key<Draft>] = &[
    key("url", "an address", "", "the address below which the token may be sent", |r, f, d| {
        d.url = r.parsed(f, |text| Address::parse(text).map_err(|e| invalid(e.0)));
    }),
    key("username", "a text", "the client's own, else \"oauth2\"", "the user name beside the token", |r, f, d| {
        d.username = r.text(f).map(str::to_owned);
    }),
    key("auth", "\"bearer\" or \"basic\"", "what the server offers", "how the server wants the token", |r, f, d| {
        d.auth = r.one_of(f, &HostAuth::ALL.map(|auth| (auth.as_str(), auth)), &[]);
    }),
];

impl Reader<'_> {
    /// The entries of an array of tables, in either TOML form.
    pub(in crate::config) fn hosts(&mut self, field: &Field<'_>) -> Vec<HostEntry> {
        let mut hosts = vec![];
        for (at, table) in self.tables(field) {
            let mut draft = Draft::default();
            let before = self.faults.len();
            self.keys(&field.path, table, HOST, &mut draft);
            match draft.url {
                Some(url) => hosts.push(HostEntry {
                    url,
                    username: draft.username,
                    auth: draft.auth,
                }),
                None if self.faults.len() == before => {
                    let message = "url is missing: the address below which the token may be sent";
                    self.fault_at(at, &field.path, message, None);
                }
                None => {}
            }
        }
        hosts
    }
}
