use super::super::{Config, ConfigFault, parse};
use super::*;
use crate::profile::ProfileName;
use crate::testing::FewNames;

const HEAD: &str = "[profiles.ci]\nprovider = \"oauth2\"\nissuer = \"https://a.b\"\n";

fn read(text: &str) -> Result<Config, Vec<ConfigFault>> {
    parse(&format!("{HEAD}{text}"), &FewNames)
}

fn place(text: &str) -> CredentialLocation {
    let config = read(text).unwrap();
    let name = ProfileName::parse("ci").unwrap();
    config.profiles.get(&name).unwrap().credential.clone()
}

#[test]
fn a_source_is_parsed_in_every_toml_form() {
    let source = CredentialLocation::Source(Box::new(ReadOnlySource {
        client_id: ClientIdSource::File("/i".into()),
        client_secret: SecretSource::File("/s".into()),
    }));
    for text in [
        "client-id = { file = '/i' }\nclient-secret = { file = '/s' }",
        "client-id.file = '/i'\nclient-secret.file = '/s'",
        "[profiles.ci.client-id]\nfile = '/i'\n[profiles.ci.client-secret]\nfile = '/s'",
    ] {
        assert_eq!(place(text), source, "{text}");
    }
    let source = source.source().unwrap();
    assert!(source.files().eq([Path::new("/i"), Path::new("/s")]));
    assert_eq!(place(""), CredentialLocation::Store(StoreKind::File));
}

#[test]
fn an_incomplete_source_is_reported_at_its_position_without_values() {
    let id = "client-id = 'canary'\n";
    for (text, expected) in [
        (
            "client-secret = 'canary'",
            &["4:1: profiles.ci.client-secret: this file never holds a credential"][..],
        ),
        (
            "client_secret = 'canary'",
            &["4:1: profiles.ci.client_secret: this file never holds a credential"],
        ),
        (
            "client_secret = { file = '/canary' }",
            &["4:1: profiles.ci.client_secret: unknown key (did you mean client-secret?)"],
        ),
        (
            id,
            &["4:1: profiles.ci.client-id: client-secret is missing, which says where"],
        ),
        (
            "client-secret = { file = '/canary' }",
            &["1:1: profiles.ci: client-id is missing"],
        ),
        (
            "client-id = 'canary'\nclient-secret = { file = '/canary' }\nstore = 'file'",
            &["6:1: profiles.ci.store: store and client-secret exclude each other"],
        ),
        (
            "client-id = 3\nclient-secret = ['canary']",
            &[
                "4:13: profiles.ci.client-id: this must be a string, or { file = \"PATH\" }, and is of type integer",
                "5:17: profiles.ci.client-secret: this must be { file = \"PATH\" }, { systemd-credential",
            ],
        ),
        (
            "client-id = ''\nclient-secret = { file = 'canary' }",
            &[
                "4:13: profiles.ci.client-id: it is empty",
                "5:26: profiles.ci.client-secret.file: this must be an absolute path",
            ],
        ),
        (
            "client-id = \"can\\u00e1ry\"\nclient-secret = {}",
            &[
                "4:13: profiles.ci.client-id: it has characters that",
                "5:17: profiles.ci.client-secret: exactly one of file, systemd-credential, command",
            ],
        ),
        (
            "client-id = { file = '/canary', value = 'canary' }\nclient-secret = { file = '/canary', command = ['/canary'] }",
            &[
                "4:33: profiles.ci.client-id.value: unknown key",
                "5:17: profiles.ci.client-secret: exactly one of file",
            ],
        ),
        (
            "client-id = 'canary'\nclient-secret = { env = 'CANARY' }",
            &[
                "5:17: profiles.ci.client-secret: exactly one of file",
                "5:19: profiles.ci.client-secret.env: unknown key; known here are file, systemd-credential, command",
            ],
        ),
        (
            "systemd-credential = 'canary'",
            &[
                "4:1: profiles.ci.systemd-credential: unknown key; a credential that systemd passes is named like this: client-secret = { systemd-credential = \"NAME\" }",
            ],
        ),
        (
            "client_secret_file = '/canary'",
            &[
                "4:1: profiles.ci.client_secret_file: unknown key; a file with the secret is named like this: client-secret = { file",
            ],
        ),
    ] {
        let faults = read(text).unwrap_err();
        let faults: Vec<_> = faults.iter().map(ConfigFault::to_string).collect();
        assert_eq!(faults.len(), expected.len(), "{text}: {faults:#?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.starts_with(expected), "{fault}\nexpected {expected}");
        }
        let all = faults.join("\n");
        assert!(!all.contains("canary"), "{all}");
    }
}

#[test]
fn a_systemd_credential_has_a_name_that_systemd_takes() {
    let named = |name: &str| {
        read(&format!(
            "client-id = 'a'\nclient-secret = {{ systemd-credential = \"{name}\" }}"
        ))
    };
    for good in ["a", "ci.secret", "a b", "..a", &"n".repeat(255)] {
        assert!(named(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        ".",
        "..",
        "a/b",
        "../a",
        "a:b",
        "\u{e9}",
        "a\\n",
        &"n".repeat(256),
    ] {
        let faults = named(bad).unwrap_err();
        let what = "this is not the name of a systemd credential";
        assert!(
            faults.len() == 1 && faults[0].message.starts_with(what),
            "{bad}: {faults:?}"
        );
    }
}

#[test]
fn a_command_is_an_array_that_begins_with_an_absolute_path() {
    let of = |command: &str| {
        read(&format!(
            "client-id = 'a'\nclient-secret.command = {command}"
        ))
    };
    assert!(of("['/usr/bin/op', '', 'a b']").is_ok());
    for (bad, says) in [
        ("'/usr/bin/op read'", "since no shell splits a line"),
        ("[]", "the first word must be the absolute path"),
        ("['op']", "the first word must be the absolute path"),
        (
            "['~/op', 'canary']",
            "the first word must be the absolute path",
        ),
        (
            "['/op', 3]",
            "this must be a string, and is of type integer",
        ),
        (
            "[3, '/op']",
            "this must be a string, and is of type integer",
        ),
        ("['/op', \"\\u0000canary\"]", "cannot hold a NUL character"),
    ] {
        let faults = of(bad).unwrap_err();
        let told = faults
            .iter()
            .map(ConfigFault::to_string)
            .collect::<Vec<_>>();
        assert!(told.len() == 1 && told[0].contains(says), "{bad}: {told:?}");
        assert!(!told[0].contains("canary"), "{told:?}");
    }
}

#[test]
fn a_command_source_is_displayed_without_its_arguments() {
    let command = ["/usr/bin/op", "read", "op://canary"].map(str::to_owned);
    let source = SecretSource::Command(command.into());
    assert_eq!(source.to_string(), "the command /usr/bin/op");
}
