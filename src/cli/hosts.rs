//! The report of `jetond check` and `jetond doctor` about the hosts of the profiles' tokens.

use crate::config::{Config, HostAuth, HostEntry};
use crate::profile::ProfileName;

/// The largest number of addresses in a line.
const MOST: usize = 5;

/// The user name with which docker's clients send an identity token in place of a user and a password.
const IDENTITY: &str = "<token>";

/// The report about one profile's addresses.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AddressReport {
    /// The profile.
    pub(super) profile: ProfileName,
    /// Its addresses, in a line.
    pub(super) addresses: String,
    /// The clients that get nothing for these addresses, which may be intended.
    pub(super) notes: Vec<String>,
    /// The inconsistencies, each with its remedy. They are not faults of the configuration.
    pub(super) doubts: Vec<(String, &'static str)>,
}

/// Reports on each profile that has addresses.
pub(super) fn address_reports(config: &Config) -> Vec<AddressReport> {
    let told = config.hosts.iter().map(|(profile, entries)| AddressReport {
        profile: profile.clone(),
        addresses: listed(entries),
        notes: notes(config, entries),
        doubts: entries.iter().filter_map(doubt).collect(),
    });
    told.collect()
}

fn listed(entries: &[HostEntry]) -> String {
    let shown = entries.iter().take(MOST).map(|entry| entry.url.to_string());
    let mut line = format!(
        "its tokens are for {}",
        shown.collect::<Vec<_>>().join(", ")
    );
    if entries.len() > MOST {
        line.push_str(&format!(" and {} more", entries.len() - MOST));
    }
    line
}

/// Lists the hosts for which every entry has a path.
fn notes(config: &Config, entries: &[HostEntry]) -> Vec<String> {
    let mut origins: Vec<_> = entries.iter().map(|entry| entry.url.origin()).collect();
    origins.sort_unstable();
    origins.dedup();
    let is_whole = |entry: &HostEntry, origin: &str| {
        entry.url.path().is_empty() && entry.url.origin() == origin
    };
    origins.retain(|origin| {
        let mut all = config.hosts.values().flatten();
        !all.any(|entry| is_whole(entry, origin))
    });
    let note = |origin: &str| {
        format!(
            "no entry is for {origin} without a path, so a client that names no path gets nothing there: docker, or git \
             without credential.useHttpPath"
        )
    };
    origins.into_iter().map(note).collect()
}

fn doubt(entry: &HostEntry) -> Option<(String, &'static str)> {
    let is_identity = entry.username.as_deref() == Some(IDENTITY);
    let found = format!(
        "the entry for {} has username \"{IDENTITY}\", by which docker sends the token as an identity token, and auth \"basic\", \
         which wants a user and a password",
        entry.url
    );
    let is_doubtful = is_identity && entry.auth == Some(HostAuth::Basic);
    is_doubtful.then_some((found, "name another user, or leave out auth"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;
    use crate::testing::FewNames;

    /// The report about two profiles with these entries.
    fn told(a: &str, b: &str) -> Vec<AddressReport> {
        let profile = |name: &str, hosts: &str| {
            format!("[profiles.{name}]\nprovider='runai'\nurl='https://x'\nhosts = [{hosts}]\n")
        };
        address_reports(
            &parse(
                &format!("{}{}", profile("a", a), profile("b", b)),
                &FewNames,
            )
            .unwrap(),
        )
    }

    #[test]
    fn profiles_are_listed_with_addresses_and_omitted_without_any() {
        let all = told(
            "{ url = 'https://Git.Example/' }, { url = 'reg.example:5000' }",
            "",
        );
        let [one] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!(one.profile.as_str(), "a");
        assert_eq!(
            one.addresses,
            "its tokens are for https://git.example, https://reg.example:5000"
        );
        assert!(one.notes.is_empty() && one.doubts.is_empty(), "{one:?}");
        let many = (0..7).map(|n| format!("{{ url = 'h{n}.example' }}"));
        let all = told(&many.collect::<Vec<_>>().join(", "), "");
        assert!(
            all[0].addresses.ends_with("https://h4.example and 2 more"),
            "{all:?}"
        );
    }

    #[test]
    fn an_address_that_some_clients_cannot_send_is_noted_once() {
        let paths = "{ url = 'https://git.example/a' }, { url = 'https://git.example/b' }";
        let all = told(paths, "");
        assert_eq!(all[0].notes.len(), 1, "{all:?}");
        assert!(all[0].notes[0].starts_with("no entry is for https://git.example without a path"));
        // An entry of another profile serves those clients.
        let all = told(paths, "{ url = 'https://git.example' }");
        assert!(all.iter().all(|told| told.notes.is_empty()), "{all:?}");
        let all = told(paths, "{ url = 'https://git.example:8443' }");
        assert_eq!(all[0].notes.len(), 1, "{all:?}");
    }

    #[test]
    fn an_identity_token_for_a_basic_auth_server_is_noted() {
        let entry = |auth: &str| format!("{{ url = 'reg.example', username = '<token>'{auth} }}");
        for (auth, count) in [("", 0), (", auth = 'bearer'", 0), (", auth = 'basic'", 1)] {
            assert_eq!(told(&entry(auth), "")[0].doubts.len(), count, "{auth}");
        }
    }
}
