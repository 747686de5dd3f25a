use super::*;
use crate::config::ConfigFault;
use crate::profile::ProfileName;
use crate::testing::FewNames;

fn parse(text: &str) -> Result<crate::config::Config, Vec<ConfigFault>> {
    crate::config::parse(text, &FewNames)
}

fn faults(text: &str) -> Vec<String> {
    let faults = parse(text).unwrap_err();
    faults.iter().map(ConfigFault::to_string).collect()
}

#[test]
fn the_longest_entry_that_covers_an_address_decides() {
    let entries = [
        "https://git.example",
        "https://git.example/team",
        "https://git.example/team/deep",
        "https://git.example:8443",
        "https://only.example/team",
        "http://127.0.0.1:5000",
    ];
    let entry = |text: &str| HostEntry {
        url: Address::parse(text).unwrap(),
        username: None,
        auth: None,
    };
    let entries = entries.map(entry);
    for (asked, found) in [
        ("git.example", Some("https://git.example")),
        ("https://git.example/other", Some("https://git.example")),
        ("https://git.example/teams/x", Some("https://git.example")),
        (
            "https://git.example/team/",
            Some("https://git.example/team"),
        ),
        (
            "https://git.example/team/deeper",
            Some("https://git.example/team"),
        ),
        (
            "https://git.example/team/deep/x",
            Some("https://git.example/team/deep"),
        ),
        ("git.example:8443", Some("https://git.example:8443")),
        (
            "https://git.example:8443/team",
            Some("https://git.example:8443"),
        ),
        (
            "https://only.example/team/x",
            Some("https://only.example/team"),
        ),
        // An entry with a path does not match a client that names no path.
        ("only.example", None),
        ("https://only.example/", None),
        ("https://only.example/teams", None),
        ("git.example:9000", None),
        ("https://sub.git.example", None),
        ("http://127.0.0.1:5000/v2/", Some("http://127.0.0.1:5000")),
        ("https://127.0.0.1:5000", None),
    ] {
        let address = Address::parse(asked).unwrap();
        for reversed in [false, true] {
            let mut entries: Vec<_> = entries.iter().collect();
            if reversed {
                entries.reverse();
            }
            let entry = entry_for(entries.into_iter(), |entry| entry, &address);
            let entry = entry.map(|entry| entry.url.to_string());
            assert_eq!(entry.as_deref(), found, "{asked}");
        }
    }
}

/// Writes a configuration of two profiles, one with the entries `a` and one with `b`.
fn with_hosts(a: &str, b: &str) -> String {
    let profile = |name: &str, hosts: &str| {
        format!("[profiles.{name}]\nprovider='runai'\nurl='https://x'\n{hosts}\n")
    };
    format!("{}{}", profile("a", a), profile("b", b))
}

#[test]
fn two_entries_with_the_same_address_are_refused() {
    let entry = |profile: &str, url: &str| format!("[[profiles.{profile}.hosts]]\nurl = '{url}'\n");
    for (first, second) in [
        ("https://git.example", "https://git.example"),
        ("https://git.example", "HTTPS://Git.Example:443/"),
        ("https://git.example/team", "git.example/team/"),
        (
            "https://b\u{fc}cher.example",
            "https://xn--bcher-kva.example",
        ),
        ("http://[::1]:5000", "http://[0:0:0:0:0:0:0:1]:5000"),
    ] {
        let one = [entry("a", first), entry("a", second)].concat();
        let text = with_hosts(&one, "");
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{first} {second}: {found:#?}");
        assert!(
            found[0].starts_with("7:7: profiles.a.hosts.url: line 5 has an entry for this address already (profiles.a.hosts.url)"),
            "{found:?}"
        );
        let found = faults(&with_hosts(&entry("a", first), &entry("b", second)));
        assert_eq!(found.len(), 1, "{first} {second}: {found:#?}");
        assert!(
            found[0].starts_with("11:7: profiles.b.hosts.url: line 5 has an entry for this address already (profiles.a.hosts.url)"),
            "{found:?}"
        );
    }
    // The later entry in the text is at fault, whichever profile begins first.
    let late = [
        with_hosts("", &entry("b", "https://git.example")),
        entry("a", "https://git.example"),
    ]
    .concat();
    let found = faults(&late);
    assert!(
        found[0].starts_with("12:7: profiles.a.hosts.url: line 9 has"),
        "{found:?}"
    );
    // Three equal entries are two faults, and an inline table counts.
    let inline = "hosts = [{ url = 'https://g' }, { url = 'https://G/' }, { url = 'g:443' }]";
    assert_eq!(faults(&with_hosts(inline, "")).len(), 2);
    for (first, second) in [
        ("https://git.example", "https://git.example:8443"),
        ("https://git.example", "https://git.example/team"),
        ("https://git.example/team", "https://git.example/Team"),
        ("https://git.example", "https://git.example.org"),
        ("http://127.0.0.1", "https://127.0.0.1"),
    ] {
        let text = with_hosts(&entry("a", first), &entry("b", second));
        let config = parse(&text).unwrap();
        assert_eq!(config.hosts.len(), 2, "{first} {second}");
    }
}

#[test]
fn a_fault_in_a_host_entry_has_its_position_and_a_suggestion() {
    for (line, says) in [
        (
            "url = 'http://git.example'",
            "5:7: profiles.a.hosts.url: only https is possible, or http to a loopback literal such as 127.0.0.1 (did you mean https://git.example?)",
        ),
        (
            "url = 'http://localhost:5000/x'",
            "(did you mean http://127.0.0.1:5000/x?)",
        ),
        (
            "url = 'https://git.example./team'",
            "(did you mean https://git.example/team?)",
        ),
        (
            "url = 'https://me:hunter2@git.example/'",
            "the address names a user (did you mean https://git.example?)",
        ),
        (
            "url = 'git@git.example:team/app.git'",
            "(did you mean https://git.example/team/app.git?)",
        ),
        (
            "url = 'ssh://git@git.example:22/team'",
            "(did you mean https://git.example/team?)",
        ),
        (
            "url = 'https://git.example//team'",
            "(did you mean https://git.example/team?)",
        ),
        (
            "url = ' https://git.example '",
            "(did you mean https://git.example?)",
        ),
        (
            "url = 'https://git.example/?token=hunter2'",
            "leave out the ? part (did you mean https://git.example?)",
        ),
        (
            "url = 'https://git.example#hunter2'",
            "(did you mean https://git.example?)",
        ),
        ("url = 'https://*.example'", "the host is neither a name"),
        ("url = 'https://git.example/../x'", "programs read the path"),
        ("url = 'hunter2@hunter2'", "the address names a user"),
        ("url = ''", "the address has no host"),
        ("url = 1", "this must be a string, and is of type integer"),
        (
            "uri = 'https://git.example'",
            "5:1: profiles.a.hosts.uri: unknown key (did you mean url?)",
        ),
        ("username = 'me'", "4:1: profiles.a.hosts: url is missing"),
        (
            "url = 'https://g'\nauth = 'Bearer'",
            "6:8: profiles.a.hosts.auth: it takes \"bearer\", \"basic\" (did you mean \"bearer\"?)",
        ),
        (
            "url = 'https://g'\nauth = 'digest'",
            "it takes \"bearer\", \"basic\"",
        ),
        (
            "url = 'https://g'\nusername = ''",
            "6:12: profiles.a.hosts.username: this must not be empty",
        ),
        ("url = 'https://g'\nusername = 'a:b'", "must not have one"),
        (
            "url = 'https://g'\nusername = \"a\\nhost=evil\"",
            "a user name must not have a line end",
        ),
        (
            "url = 'https://g'\nusername = \"a\\r\"",
            "a user name must not have a line end",
        ),
        (
            "url = 'https://g'\nusername = \"a\\u0000\"",
            "a user name must not have a line end",
        ),
        (
            "url = 'https://g'\nusername = \"\\u001b[2J\"",
            "a user name must not have a line end",
        ),
        (
            "url = 'https://g'\nusername = \"a\\u0085\"",
            "a user name must not have a line end",
        ),
        (
            "url = 'https://g'\nusername = \"a\\u2028b\"",
            "a user name must not have a line end",
        ),
        (
            "url = 'https://g'\nusername = \"a\\u202eb\"",
            "a user name must not have a line end",
        ),
        (
            "url = 'https://g'\nusername = ' a'",
            "a space at either end",
        ),
        (
            "url = 'https://g'\ntoken = 'hunter2'",
            "this file never holds a credential",
        ),
    ] {
        let found = faults(&with_hosts(&format!("[[profiles.a.hosts]]\n{line}"), ""));
        assert!(
            found.iter().any(|fault| fault.contains(says)),
            "{line}: {found:#?}"
        );
        assert!(!found.concat().contains("hunter2"), "{found:#?}");
    }
    let long = format!("username = '{}'", "a".repeat(256));
    let found = faults(&with_hosts(
        &format!("[[profiles.a.hosts]]\nurl = 'https://g'\n{long}"),
        "",
    ));
    assert!(found[0].contains("longer than 255 bytes"), "{found:?}");
    for hosts in [
        "hosts = 'https://g'",
        "hosts = ['https://g']",
        "[profiles.a.hosts]\nurl = 'https://g'",
    ] {
        let found = faults(&with_hosts(hosts, ""));
        assert!(
            found[0].contains("this must be tables, as [[profiles.a.hosts]] begins one"),
            "{found:?}"
        );
    }
}

#[test]
fn an_entry_accepts_the_user_names_that_clients_send() {
    let profile = ProfileName::parse("a").unwrap();
    for name in [
        "oauth2",
        "<token>",
        "me@git.example",
        "B\u{fc}cher & S\u{f6}hne",
        "x-token-auth",
    ] {
        let hosts = format!("[[profiles.a.hosts]]\nurl = 'https://g'\nusername = '{name}'");
        let config = parse(&with_hosts(&hosts, "")).unwrap();
        let entry = &config.hosts(&profile)[0];
        assert_eq!(entry.username.as_deref(), Some(name));
    }
}
