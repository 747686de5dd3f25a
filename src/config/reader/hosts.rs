//! Reads the addresses that a profile's tokens are for.

use super::super::fault::ConfigFault;
use super::super::hosts::{HostAuth, HostEntry};
use super::key::{Key, key};
use super::{Field, HostLocation, Reader};
use crate::address::{Address, is_invisible};

/// An entry while it is read.
#[derive(Default)]
pub(super) struct HostDraft {
    url: Option<Address>,
    username: Option<String>,
    auth: Option<HostAuth>,
}

/// The longest user name, in bytes. A longer text is a misplaced token.
const MAX_USERNAME: usize = 255;

#[rustfmt::skip]
pub(super) const HOST: &[Key<HostDraft>] = &[
    key("url", "an address", "", "the address below which the token may be sent", |r, f, d| {
        d.url = r.host_url(f);
    }),
    key("username", "a text without a colon", "the client's own, else \"oauth2\"", "the user name beside the token", |r, f, d| {
        d.username = r.checked(f, username);
    }),
    key("auth", "\"bearer\" or \"basic\"", "what the server offers", "how the server wants the token", |r, f, d| {
        d.auth = r.one_of(f, &HostAuth::ALL.map(|auth| (auth.as_str(), auth)), &[]);
    }),
];

impl Reader<'_> {
    /// Reads the entries of an array of tables, in either TOML form.
    pub(in crate::config) fn hosts(&mut self, field: &Field<'_>) -> Vec<HostEntry> {
        let mut hosts = vec![];
        for (at, table) in self.tables(field) {
            let mut draft = HostDraft::default();
            self.keys(&field.path, table, HOST, &mut draft);
            if !table.contains_key("url") {
                let message = "url is missing: the address below which the token may be sent";
                self.fault_at(at, &field.path, message, None);
            }
            if let Some(url) = draft.url {
                hosts.push(HostEntry {
                    url,
                    username: draft.username,
                    auth: draft.auth,
                });
            }
        }
        hosts
    }

    fn host_url(&mut self, field: &Field<'_>) -> Option<Address> {
        let text = self.text(field)?;
        let url = match Address::parse(text) {
            Ok(_) if text.contains('?') => {
                Err("an entry is for an address with every query: leave out the ? part")
            }
            parsed => parsed.map_err(|e| e.0),
        };
        match url {
            Ok(url) => {
                self.hosts.push(HostLocation {
                    at: field.value,
                    key: field.path.clone(),
                    url: url.clone(),
                });
                Some(url)
            }
            Err(why) => {
                self.fault(field, why, meant(text).map(|url| url.to_string()));
                None
            }
        }
    }

    /// Reports each entry whose address an earlier entry of any profile has: with equal addresses, no path would be the
    /// longest.
    pub(in crate::config) fn ties(&mut self) {
        let mut hosts = std::mem::take(&mut self.hosts);
        hosts.sort_by(|a, b| (&a.url, a.at).cmp(&(&b.url, b.at)));
        for alike in hosts.chunk_by(|a, b| a.url == b.url) {
            let [first, others @ ..] = alike else {
                continue;
            };
            let first = ConfigFault::at(self.text, first.at, &first.key, "");
            for other in others {
                let message = format!(
                    "line {} has an entry for this address already ({}): one address has one entry; upper case, the usual port and a slash at the end make no other address",
                    first.line, first.key
                );
                self.fault_at(other.at, &other.key, message, None);
            }
        }
    }
}

/// Checks that every client and every protocol can carry a user name.
fn username(text: &str) -> Result<String, &'static str> {
    let is_refused = |c: char| {
        let is_space = c.is_whitespace() && c != ' ';
        c.is_control() || is_space || is_invisible(c)
    };
    if text.is_empty() {
        Err("this must not be empty: leave it out for the client's own")
    } else if text.contains(':') {
        Err("HTTP's Basic form ends the user name at the first colon, so it must not have one")
    } else if text.chars().any(is_refused) || text.trim() != text {
        Err(
            "a user name must not have a line end, another control character or one that shows nothing, nor a space at either end",
        )
    } else if text.len() > MAX_USERNAME {
        Err("this is longer than 255 bytes; it is the user name, and the daemon adds the token")
    } else {
        Ok(text.to_owned())
    }
}

/// Guesses the address that was meant; `None` if the text may be a secret.
fn meant(text: &str) -> Option<Address> {
    let text = text.trim();
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme, rest.to_owned()),
        // The form of `git clone git@HOST:PATH`.
        None => match text.split_once(':') {
            Some((login, path)) if login.contains('@') => ("ssh", format!("{login}/{path}")),
            _ if text.contains('@') => return None,
            _ => ("https", text.to_owned()),
        },
    };
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (name, port) = match host.split_once(':') {
        Some((name, port)) if scheme != "ssh" => (name, format!(":{port}")),
        Some((name, _)) => (name, String::new()),
        None => (host, String::new()),
    };
    let name = name.trim_end_matches('.');
    let path: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
    let path = path.join("/");
    let is_local = scheme.eq_ignore_ascii_case("http") && name == "localhost";
    let (scheme, name) = if is_local {
        ("http", "127.0.0.1")
    } else {
        ("https", name)
    };
    Address::parse(&format!("{scheme}://{name}{port}/{path}")).ok()
}
