use std::path::PathBuf;

use crate::config::{Config, ConfigFault, Sink, parse};
use crate::file_format::{Format, Machine};
use crate::profile::ProfileName;
use crate::testing::FewNames;

const RUNAI: &str = "[profiles.a]\nprovider = \"runai\"\nurl = \"https://acme.run.ai/api/v1\"\n";

fn read(profile: &str, sinks: &[&str]) -> Result<Config, Vec<ConfigFault>> {
    let sinks = sinks
        .iter()
        .map(|keys| format!("[[profiles.a.sinks]]\n{keys}\n"));
    parse(
        &format!("{profile}{}", sinks.collect::<String>()),
        &FewNames,
    )
}

fn sink(profile: &str, keys: &str) -> Sink {
    let config = read(profile, &[keys]).unwrap();
    config.sinks(&ProfileName::parse("a").unwrap())[0].clone()
}

fn fault(profile: &str, sinks: &[&str]) -> String {
    let faults = read(profile, sinks).unwrap_err();
    faults[0].to_string()
}

#[test]
fn a_sink_defaults_to_mode_0600_and_removal_at_expiry() {
    let plain = sink(RUNAI, "path = \"t\"\nformat = \"raw\"");
    assert_eq!(
        (plain.mode, plain.replace, plain.keep_expired),
        (0o600, false, false)
    );
    assert_eq!((&plain.owner, &plain.group), (&None, &None));
    assert_eq!(
        plain.files("/run/jeton".as_ref()),
        [PathBuf::from("/run/jeton/t")]
    );
    let numbered = sink(
        RUNAI,
        "path = \"/a/t\"\nformat = \"jwt\"\nowner = 7\ngroup = 8\nmode = \"0440\"",
    );
    let id = |account: Option<crate::config::Account>| account.unwrap().id();
    assert_eq!(
        (id(numbered.owner.clone()), id(numbered.group.clone())),
        (Some(7), Some(8))
    );
    assert_eq!(
        numbered.files("/run/jeton".as_ref()),
        [PathBuf::from("/a/t")]
    );
}

#[test]
fn a_fault_in_a_sink_has_its_position_and_a_remedy() {
    for (keys, why) in [
        ("format = \"raw\"", "path is missing"),
        ("path = \"t\"", "format is missing"),
        (
            "path = \"t\"\nformat = \"yaml\"",
            "it takes \"raw\", \"jwt\"",
        ),
        ("path = \"\"\nformat = \"raw\"", "the path of a file"),
        ("path = \"a/\"\nformat = \"raw\"", "the path of a file"),
        ("path = \"/\"\nformat = \"raw\"", "the path of a file"),
        ("path = \"../t\"\nformat = \"raw\"", "no . and no .."),
        ("path = \"/a/./t\"\nformat = \"raw\"", "no . and no .."),
        ("path = \"/a/../t\"\nformat = \"raw\"", "no . and no .."),
        ("path = \"~/t\"\nformat = \"raw\"", "not expanded"),
        ("path = \"$HOME/t\"\nformat = \"raw\"", "not expanded"),
        (
            "path = \"a\\u0007b\"\nformat = \"raw\"",
            "control character",
        ),
        (
            "path = \"t\"\nformat = \"raw\"\nmode = \"0666\"",
            "no more rights than \"0644\"",
        ),
        (
            "path = \"t\"\nformat = \"raw\"\nmode = \"0755\"",
            "no more rights",
        ),
        (
            "path = \"t\"\nformat = \"raw\"\nmode = \"4600\"",
            "no more rights",
        ),
        (
            "path = \"t\"\nformat = \"raw\"\nmode = \"0200\"",
            "no more rights",
        ),
        ("path = \"t\"\nformat = \"raw\"\nmode = 600", "a string"),
        (
            "path = \"t\"\nformat = \"anthropic\"\nmode = \"0644\"",
            "the SDK refuses any other",
        ),
        (
            "path = \"t\"\nformat = \"raw\"\ncluster = \"0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f\"",
            "cluster is a key of format = \"runai-cli\"",
        ),
        ("path = \"t\"\nformat = \"runai-cli\"", "cluster is missing"),
        (
            "path = \"t\"\nformat = \"runai-cli\"\ncluster = \"one\"",
            "the UUID of a cluster",
        ),
        (
            "path = \"t/auth.json\"\nformat = \"runai-cli\"\ncluster = \"0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f\"",
            "the file is called authentication.json",
        ),
        ("path = \"t\"\nformat = \"template\"", "template is missing"),
        (
            "path = \"t\"\nformat = \"template\"\ntemplate = \"{{secret}}\"",
            "{{secret}} is no placeholder",
        ),
        (
            "path = \"t\"\nformat = \"raw\"\ntemplate = \"{{token}}\"",
            "template is a key of",
        ),
        (
            "path = \"t\"\nformat = \"dotenv\"\nvariable = \"1A\"",
            "the name of a variable",
        ),
        (
            "path = \"t\"\nformat = \"dotenv\"\nvariable = \"A=B\"",
            "the name of a variable",
        ),
        ("path = \"t\"\nformat = \"netrc\"", "needs a hosts entry"),
        (
            "path = \"t\"\nformat = \"raw\"\non-expiry = \"delete\"",
            "it takes \"remove\", \"keep\"",
        ),
        ("path = \"t\"\nformat = \"raw\"\nreplaces = true", "replace"),
    ] {
        let fault = fault(RUNAI, &[keys]);
        assert!(fault.contains(why), "{keys}: {fault}");
        assert!(fault.contains("profiles.a.sinks"), "{fault}");
    }
}

#[test]
fn two_sinks_with_the_same_file_are_refused() {
    let cluster = "cluster = \"0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f\"";
    let runai = format!("path = \"r\"\nformat = \"runai-cli\"\n{cluster}");
    for sinks in [
        [
            "path = \"t\"\nformat = \"raw\"",
            "path = \"t\"\nformat = \"jwt\"",
        ],
        [&runai, "path = \"r/config.json\"\nformat = \"raw\""],
    ] {
        let fault = fault(RUNAI, &sinks);
        assert!(fault.contains("two sinks write"), "{fault}");
    }
    let other = RUNAI.replace("profiles.a", "profiles.b")
        + "[[profiles.b.sinks]]\npath = \"t\"\nformat = \"raw\"\n";
    let fault = fault(&(other + RUNAI), &["path = \"t\"\nformat = \"raw\""]);
    assert!(fault.contains("two sinks write t"), "{fault}");
}

#[test]
fn a_netrc_sink_omits_entries_with_a_path_or_an_https_port() {
    let hosts = |entries: &[&str]| {
        let entry = |url: &&str| format!("[[profiles.a.hosts]]\nurl = \"{url}\"\n");
        format!("{RUNAI}{}", entries.iter().map(entry).collect::<String>())
    };
    let netrc = "path = \"t\"\nformat = \"netrc\"";
    let profile = hosts(&[
        "https://git.example",
        "https://git.example/team",
        "https://other.example:8443",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ]);
    let machine = |host: &str| Machine {
        host: host.to_owned(),
        login: "oauth2".to_owned(),
    };
    let machines = ["git.example", "127.0.0.1", "[::1]"].map(machine).to_vec();
    assert_eq!(sink(&profile, netrc).format, Format::Netrc(machines));
    for entries in [
        &["https://git.example/team"][..],
        &["https://git.example:8443"],
    ] {
        assert!(fault(&hosts(entries), &[netrc]).contains("needs a hosts entry"));
    }
    let login = format!("{}username = \"a b\"\n", hosts(&["https://git.example"]));
    assert!(fault(&login, &[netrc]).contains("a username is one word"));
}

#[test]
fn a_runai_cli_sink_writes_two_files_and_needs_a_runai_profile() {
    let keys = |path: &str| {
        format!(
            "path = \"{path}\"\nformat = \"runai-cli\"\ncluster = \"0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f\""
        )
    };
    for path in ["/d", "/d/authentication.json"] {
        let sink = sink(RUNAI, &keys(path));
        let files = ["/d/authentication.json", "/d/config.json"].map(PathBuf::from);
        assert_eq!(sink.files("/x".as_ref()), files);
    }
    let oauth2 = "[profiles.a]\nprovider = \"oauth2\"\ntoken-url = \"https://idp.example/t\"\n";
    assert!(fault(oauth2, &[&keys("d")]).contains("is for provider = \"runai\""));
}

#[test]
fn unresolved_names_of_sink_owners_and_groups_are_recorded() {
    let text = format!(
        "{RUNAI}[[profiles.a.sinks]]\npath = \"t\"\nformat = \"raw\"\nowner = \"carol\"\ngroup = \"team\"\n"
    );
    let config = parse(&text, &FewNames).unwrap();
    assert_eq!(config.names().len(), 2);
    assert_eq!(config.doubts.len(), 1);
    assert!(!config.knows_all_names());
    assert_eq!(
        config.doubts[0].consequence(),
        "the file is not written until the name has a number"
    );
}
