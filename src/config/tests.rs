use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::allow::RuleSubject;
use super::oauth2::{ClientAuth, EndpointUrl, TokenEndpointSource};
use super::runai::Api;
use super::*;
use crate::age_file::Recipient;
use crate::file_format::{Format, Template};
use crate::policy::{IdRange, RuleScope};
use crate::profile::ProfileName;
use crate::schedule::Reissue;
use crate::testing::FewNames;

fn parse(text: &str) -> Result<Config, Vec<ConfigFault>> {
    super::parse(text, &FewNames)
}

fn faults(text: &str) -> Vec<String> {
    let faults = parse(text).unwrap_err();
    faults.iter().map(ConfigFault::to_string).collect()
}

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn profile(url: &str) -> Profile {
    Profile {
        provider: Provider::Runai(Runai {
            url: BaseUrl::parse(url).unwrap(),
            api: Api::Auto,
        }),
        credential: CredentialLocation::default(),
        ca_file: None,
        proxy: Proxy::Direct,
        client_certificate: None,
        keep_warm: false,
        reissue: Reissue::Normal,
        lifetime: None,
        rotation: Rotation::default(),
    }
}

fn certificate() -> ClientCertificate {
    ClientCertificate {
        cert: "/etc/jeton/client.pem".into(),
        key: "/etc/jeton/client.key".into(),
    }
}

const RECIPIENT: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

const FULL: &str = r#"
[socket]
mode = "group"
group = "team"

[encrypted-file]
recipient = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa"

[profiles.research]
provider  = "runai"
url       = "https://acme.run.ai/api/v1/"
store     = "file"
api       = "v2"
ca-file   = "/etc/ssl/acme.pem"
proxy     = "http://proxy:3128"
client-certificate = { cert = "/etc/jeton/client.pem", key = "/etc/jeton/client.key" }
keep-warm = true
reissue   = "kills-old"
lifetime  = "1h 30m"
rotate-every = "30d"
rotate-grace = "10d"
shared    = true

[[profiles.research.allow]]
user = "alice"
[[profiles.research.allow]]
uid = "2000-2999"
[[profiles.research.allow]]
group = "team"
[[profiles.research.allow]]
gid = 60

[profiles.other]
provider = "oauth2"
issuer = "https://idp.example/realms/x/"
client-auth = "post"
scope = ["api.read", "api.write"]
audience = "https://api.example"
resource = "urn:example:api"
extra = { organization = "acme" }
token-type = "JWT"
client-id = "other"
client-secret = { file = "/etc/jeton/other.secret" }
[profiles.other.client-certificate]
cert = "/etc/jeton/client.pem"
key = "/etc/jeton/client.key"

[profiles.plain]
provider = "oauth2"
token-url = "https://idp.example/token?p=1"
client-auth = "basic-raw"
client-id-in-body = true
client-id = "ci-bot"
resource = ["https://one.example", "https://two.example"]
[profiles.plain.client-secret]
systemd-credential = "ci.secret"

[profiles."ci.prod"]
provider = "runai"
url = "http://127.0.0.1:8080"
proxy = "environment"
[profiles."ci.prod".client-id]
file = "/etc/jeton/ci.id"
[profiles."ci.prod".client-secret]
command = ["/usr/bin/op", "read", ""]
[[profiles.research.hosts]]
url = "https://git.example/team/"
username = "oauth2"
auth = "basic"
[[profiles.research.sinks]]
path = "runai-cli/authentication.json"
format = "runai-cli"
cluster = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
[[profiles.research.sinks]]
path = "/run/jeton/x.env"
format = "dotenv"
variable = "TOKEN"
mode = "0640"
owner = "alice"
group = "team"
replace = true
on-expiry = "keep"
[[profiles.research.sinks]]
path = "/run/jeton/x.conf"
format = "template"
template = "token = {{token}}"
"#;

#[test]
fn every_key_is_parsed_and_missing_keys_have_defaults() {
    let config = parse(FULL).unwrap();
    let research = Profile {
        provider: Provider::Runai(Runai {
            url: BaseUrl::parse("https://acme.run.ai").unwrap(),
            api: Api::V2,
        }),
        ca_file: Some("/etc/ssl/acme.pem".into()),
        proxy: Proxy::Http(ProxyUrl::parse("http://proxy:3128").unwrap()),
        client_certificate: Some(certificate()),
        keep_warm: true,
        reissue: Reissue::KillsOld,
        lifetime: Some(Duration::from_secs(5_400)),
        rotation: Rotation {
            every: Some(Duration::from_secs(30 * 86_400)),
            grace: Duration::from_secs(10 * 86_400),
            is_shared: true,
        },
        ..profile("https://acme.run.ai")
    };
    let source = |client_id, client_secret| {
        CredentialLocation::Source(Box::new(ReadOnlySource {
            client_id,
            client_secret,
        }))
    };
    let ci = Profile {
        credential: source(
            ClientIdSource::File("/etc/jeton/ci.id".into()),
            SecretSource::Command(["/usr/bin/op", "read", ""].map(str::to_owned).into()),
        ),
        proxy: Proxy::Environment,
        ..profile("http://127.0.0.1:8080")
    };
    assert_eq!(*research.proxy_in_use(), research.proxy);
    assert_eq!(*ci.proxy_in_use(), Proxy::Direct);
    let other = Profile {
        provider: Provider::Oauth2(Box::new(Oauth2 {
            at: TokenEndpointSource::Issuer(
                EndpointUrl::issuer("https://idp.example/realms/x/").unwrap(),
            ),
            client_auth: ClientAuth::Post,
            client_id_in_body: false,
            scope: vec!["api.read".into(), "api.write".into()],
            audience: Some("https://api.example".into()),
            resource: vec!["urn:example:api".into()],
            extra: BTreeMap::from([("organization".into(), "acme".into())]),
            token_type: Some("JWT".into()),
        })),
        credential: source(
            ClientIdSource::Text("other".into()),
            SecretSource::File("/etc/jeton/other.secret".into()),
        ),
        client_certificate: Some(certificate()),
        ..profile("https://acme.run.ai")
    };
    assert_eq!(other.issuer(), Some("https://idp.example/realms/x/"));
    assert_eq!(
        (other.origin(), other.url().as_str()),
        (None, "https://idp.example/realms/x/")
    );
    let plain = Profile {
        provider: Provider::Oauth2(Box::new(Oauth2 {
            at: TokenEndpointSource::Token(
                EndpointUrl::token("https://idp.example/token?p=1").unwrap(),
            ),
            client_auth: ClientAuth::BasicRaw,
            client_id_in_body: true,
            scope: vec![],
            audience: None,
            resource: vec!["https://one.example".into(), "https://two.example".into()],
            extra: BTreeMap::new(),
            token_type: None,
        })),
        credential: source(
            ClientIdSource::Text("ci-bot".into()),
            SecretSource::SystemdCredential("ci.secret".into()),
        ),
        ..profile("https://acme.run.ai")
    };
    assert_eq!(
        plain.origin().map(|origin| origin.to_string()).as_deref(),
        Some("https://idp.example")
    );
    assert_eq!(
        (plain.issuer(), plain.url().as_str()),
        (None, "https://idp.example/token")
    );
    let profiles = BTreeMap::from([
        (name("research"), research),
        (name("ci.prod"), ci),
        (name("other"), other),
        (name("plain"), plain),
    ]);
    let socket = SocketMode::Group(50);
    let numbered = |who, key, value: &str| Rule {
        subject: RuleSubject::Numbers(who),
        key,
        value: value.to_owned(),
    };
    let named = |name: fn(String) -> Name, key, value: &str| Rule {
        subject: RuleSubject::Name(ResolvedName::look_up(name(value.to_owned()), &FewNames)),
        key,
        value: value.to_owned(),
    };
    let ids = |text| IdRange::parse(text).unwrap();
    let rules = vec![
        named(Name::User, "user", "alice"),
        numbered(RuleScope::Users(ids("2000-2999")), "uid", "2000-2999"),
        named(Name::Group, "group", "team"),
        numbered(RuleScope::Groups(ids("60")), "gid", "60"),
    ];
    let who: Vec<_> = rules.iter().map(|rule| rule.who().unwrap()).collect();
    let expected = [
        RuleScope::Users(ids("1001")),
        RuleScope::Users(ids("2000-2999")),
        RuleScope::Groups(ids("50")),
        RuleScope::Groups(ids("60")),
    ];
    assert_eq!(who, expected);
    assert_eq!(rules[0].to_string(), "user = \"alice\"");
    let allow = BTreeMap::from([(name("research"), rules)]);
    let hosts = vec![HostEntry {
        url: crate::address::Address::parse("https://git.example/team").unwrap(),
        username: Some("oauth2".into()),
        auth: Some(HostAuth::Basic),
    }];
    let sink = |path: &str, format| Sink {
        path: path.into(),
        format,
        mode: 0o600,
        owner: None,
        group: None,
        replace: false,
        keep_expired: false,
    };
    let named = |name| Some(Account::Name(ResolvedName::look_up(name, &FewNames)));
    let sinks = vec![
        sink(
            "runai-cli/authentication.json",
            Format::RunaiCli {
                url: "https://acme.run.ai".into(),
                cluster: "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f".into(),
            },
        ),
        Sink {
            mode: 0o640,
            owner: named(Name::User("alice".into())),
            group: named(Name::Group("team".into())),
            replace: true,
            keep_expired: true,
            ..sink(
                "/run/jeton/x.env",
                Format::Dotenv {
                    variable: "TOKEN".into(),
                },
            )
        },
        sink(
            "/run/jeton/x.conf",
            Format::Template(Template::parse("token = {{token}}").unwrap()),
        ),
    ];
    let expected = Config {
        profiles,
        allow,
        sinks: BTreeMap::from([(name("research"), sinks)]),
        hosts: BTreeMap::from([(name("research"), hosts)]),
        socket,
        socket_group: Some(ResolvedName::look_up(Name::Group("team".into()), &FewNames)),
        recipient: Some(Recipient::parse(RECIPIENT).unwrap()),
        doubts: vec![],
    };
    assert_eq!(config, expected);
}

#[test]
fn the_reference_documents_every_key() {
    let reference = reference();
    for (_, keys) in &reference {
        // Another test covers `unit`, which is read only to be refused. The keys of further providers are tested in
        // their own files.
        let is_there = |provider: &str| FULL.contains(&format!("provider = \"{provider}\""));
        let is_ours = |key: &&KeyDoc| key.provider.is_empty() || is_there(key.provider);
        for key in keys.iter().filter(is_ours).filter(|key| key.name != "unit") {
            let there = ["\n", "[[profiles.research."].iter();
            let mut there = there.map(|before| format!("{before}{}", key.name));
            assert!(there.any(|text| FULL.contains(&text)), "{}", key.name);
            assert!(!key.about.is_empty() && !key.takes.is_empty());
        }
    }
    assert_eq!(reference.len(), 9);
}

#[test]
fn a_configuration_without_profiles_is_valid() {
    for text in [
        "",
        "# nothing\n",
        "[profiles]\n",
        "\u{feff}",
        "[socket]\r\n",
    ] {
        assert!(parse(text).unwrap().is_empty(), "{text:?}");
    }
}

#[test]
fn a_profile_is_parsed_in_every_toml_form() {
    let header = parse("[profiles.a]\nprovider='runai'\nurl='https://x'\n").unwrap();
    for same in [
        "profiles.a = { provider = 'runai', url = 'https://x' }",
        "profiles = { a = { provider = 'runai', url = 'https://x' } }",
        "profiles.a.provider = 'runai'\nprofiles.a.url = 'https://x'",
        "[profiles]\na.provider = 'runai'\na.url = 'https://x'",
    ] {
        assert_eq!(parse(same).as_ref(), Ok(&header), "{same}");
    }
}

#[test]
fn all_faults_are_reported_at_their_positions() {
    let text = r#"profile = 1
[sockets]
[socket]
mode = "al"
[profiles.Bad]
provider = "runai"
url = "https://x"
[profiles.a]
  provider = "oauth"
  urls = "https://x"
  store = "keychain"
  keep_warm = true
  api = "V2"
  ca-file = "~/x.pem"
  proxy = 3
  reissue = "same-until-expired"
[profiles.b]
provider = "runai"
"é" = 1
url = "http://localhost:1"
"#;
    let kinds: Vec<_> = ProviderKind::ALL
        .iter()
        .map(|kind| format!("\"{}\"", kind.name))
        .collect();
    let oauth = format!(
        "9:14: profiles.a.provider: it takes {} (did you mean \"oauth2\"?)",
        kinds.join(", ")
    );
    let expected = [
        "1:1: profile: unknown key (did you mean profiles?)",
        "2:2: sockets: unknown key (did you mean socket?)",
        "4:8: socket.mode: it takes \"private\", \"group\", \"all\" (did you mean \"all\"?)",
        "5:11: profiles.Bad: a profile's name has",
        &oauth,
        "10:3: profiles.a.urls: unknown key (did you mean url?)",
        "11:11: profiles.a.store: it takes \"file\", \"keyring\", \"encrypted-file\"",
        "12:3: profiles.a.keep_warm: unknown key (did you mean keep-warm?)",
        "13:9: profiles.a.api: it takes \"auto\", \"v2\", \"v1\" (did you mean \"v2\"?)",
        "14:13: profiles.a.ca-file: this must be an absolute path",
        "15:11: profiles.a.proxy: this must be a string, and is of type integer",
        "16:13: profiles.a.reissue: it takes \"normal\", \"same-until-expiry\", \"kills-old\" (did you mean \"same-until-expiry\"?)",
        "19:1: profiles.b.\"é\": unknown key; known here are provider, url,",
        "20:7: profiles.b.url: http is possible only",
    ];
    let found = faults(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nexpected {expected}");
    }
}

#[test]
fn a_socket_group_is_valid_only_with_mode_group() {
    for (text, mode) in [
        ("", SocketMode::Private),
        ("[socket]", SocketMode::Private),
        ("[socket]\nmode = 'all'", SocketMode::All),
        (
            "[socket]\nmode = 'group'\ngroup = 50",
            SocketMode::Group(50),
        ),
        (
            "[socket]\nmode = 'group'\ngroup = 'team'",
            SocketMode::Group(50),
        ),
    ] {
        assert_eq!(parse(text).unwrap().socket, mode, "{text}");
    }
    for (text, fault) in [
        (
            "mode = 'group'",
            "1:1: socket: group is missing: the group that can connect",
        ),
        (
            "group = 'team'",
            "1:1: socket: group is there, and mode is not \"group\"",
        ),
        (
            "mode = 'all'\ngroup = 50",
            "1:1: socket: group is there, and mode is not",
        ),
        (
            "mode = 'group'\ngroup = -1",
            "3:9: socket.group: this must be a number from 0 to",
        ),
        (
            "mode = 'group'\ngroup = true",
            "3:9: socket.group: this must be a string, and is of",
        ),
    ] {
        let found = faults(&format!("[socket]\n{text}\n"));
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(fault), "{found:#?}");
    }
}

#[test]
fn all_faults_of_rules_are_reported_at_their_positions() {
    let text = r#"[profiles.a]
provider = "runai"
url = "https://x"
[[profiles.a.allow]]
user = 1001
[[profiles.a.allow]]
group = ""
[[profiles.a.allow]]
[[profiles.a.allow]]
uid = 5
gid = 5
[[profiles.a.allow]]
uid = "1999-1000"
[[profiles.a.allow]]
gid = -1
[[profiles.a.allow]]
uid = "4294967295"
[[profiles.a.allow]]
unit = "canary.service"
[[profiles.a.allow]]
usr = "canary"
[profiles.b]
provider = "runai"
url = "https://x"
allow = [{ uid = true }, { user = "alice" }]
[profiles.c]
provider = "runai"
url = "https://x"
allow = ["canary"]
[profiles.d]
provider = "runai"
url = "https://x"
allow = { user = "alice" }
"#;
    let number = "this must be a number from 0 to 4294967294, or two in order";
    let expected = [
        "5:8: profiles.a.allow.user: this must be a string".to_owned(),
        "7:9: profiles.a.allow.group: this must not be empty".to_owned(),
        "8:1: profiles.a.allow: a rule has exactly one of user, uid, group, gid".to_owned(),
        "9:1: profiles.a.allow: a rule has exactly one of user, uid, group, gid".to_owned(),
        format!("13:7: profiles.a.allow.uid: {number}"),
        format!("15:7: profiles.a.allow.gid: {number}"),
        format!("17:7: profiles.a.allow.uid: {number}"),
        "19:8: profiles.a.allow.unit: a rule for a unit is not supported in this version"
            .to_owned(),
        "20:1: profiles.a.allow: a rule has exactly one of user, uid, group, gid".to_owned(),
        "21:1: profiles.a.allow.usr: unknown key (did you mean user?)".to_owned(),
        "25:18: profiles.b.allow.uid: this must be a number, or a string as".to_owned(),
        "29:9: profiles.c.allow: this must be tables, as [[profiles.c.allow]] begins one"
            .to_owned(),
        "33:9: profiles.d.allow: this must be tables, as".to_owned(),
    ];
    let found = faults(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!(found.starts_with(expected), "{found}\nexpected {expected}");
        assert!(!found.contains("canary"), "{found}");
    }
}

#[test]
fn a_rule_does_not_change_its_profile_and_is_removed_with_it() {
    let plain = "[profiles.a]\nprovider = 'runai'\nurl = 'https://x'\n";
    let ruled = format!(
        "{plain}\n[[profiles.a.allow]]\nuser = 'nobody-knows'\n\n[[profiles.a.allow]]\ngid = 5\n"
    );
    assert_eq!(
        remove_profile(&ruled, &name("a")).unwrap(),
        "# profiles are added here by: jetond add\n"
    );
    let known = ruled.replace("nobody-knows", "alice");
    let (plain, ruled) = (parse(plain).unwrap(), parse(&known).unwrap());
    assert_eq!(plain.profiles, ruled.profiles);
    assert_eq!(plain.rules(&name("a")), []);
    assert_eq!(ruled.rules(&name("a")).len(), 2);
    let more = add_profile(&known, &name("b"), &profile("https://x")).unwrap();
    assert_eq!(parse(&more).unwrap().allow, ruled.allow);
}

#[test]
fn removing_a_profile_removes_its_hosts_and_sinks() {
    let profile = |name: &str| {
        format!("[profiles.{name}]\nprovider = \"runai\"\nurl = \"https://{name}.example\"\n")
    };
    let more = |name: &str| {
        format!(
            "[[profiles.{name}.hosts]]\nurl = \"https://git.{name}.example\"\n\n[[profiles.{name}.sinks]]\npath = \"{name}\"\nformat = \"raw\"\n"
        )
    };
    let rest = format!("{}\n{}", profile("b"), more("b"));
    // The tables of the profile stand together, or apart.
    for text in [
        format!("{}\n{}\n{rest}", profile("a"), more("a")),
        format!("{}\n{rest}\n{}", profile("a"), more("a")),
    ] {
        let removed = remove_profile(&text, &name("a")).unwrap();
        assert_eq!(removed.trim(), rest.trim(), "{text}");
    }
}

#[test]
fn all_faults_of_an_oauth2_profile_are_reported_at_their_positions() {
    let text = r#"[profiles.a]
provider = "oauth2"
url = "https://x"
api = "v2"
[profiles.b]
provider = "oauth2"
issuer = "https://x"
token-url = "https://x/token"
[profiles.c]
provider = "oauth2"
issuer = "https://idp.example/.well-known/openid-configuration"
client-auth = "Post"
scope = "canary"
audience = ""
resource = ["https://x", "canary", 3]
client-certificate = { crt = "/x", key = "x" }
[profiles.c.extra]
scope = "canary"
client_secret = "canary"
fine = 1
[profiles.d]
provider = "oauth2"
token-url = "http://x/token"
scope = [
  "a",
  "b canary",
]
extra = [1]
client-auth = "mtls"
client-id = "canary"
client-secret = { file = "/etc/canary" }
client-certificate = "/canary.pem"
[profiles.e]
provider = "runai"
url = "https://x"
issuer = "https://x"
scope = ["a"]
"#;
    let expected = [
        "1:1: profiles.a: issuer or token-url is missing",
        "3:1: profiles.a.url: this is a key of provider = \"runai\" (did you mean issuer or token-url?)",
        "4:1: profiles.a.api: this is a key of provider = \"runai\"",
        "5:1: profiles.b: issuer and token-url exclude each other",
        "11:10: profiles.c.issuer: this is the address of a discovery document; write the issuer's alone, as the document names it: in https://idp.example/.well-known/openid-configuration, https://idp.example is taken for the server and /.well-known/openid-configuration for the path (did you mean https://idp.example?)",
        "12:15: profiles.c.client-auth: it takes \"basic\", \"basic-raw\", \"post\" (did you mean \"post\"?)",
        "13:9: profiles.c.scope: this must be an array of strings",
        "14:12: profiles.c.audience: this must not be empty",
        "15:26: profiles.c.resource: this is not a resource",
        "15:36: profiles.c.resource: this must be a string, and is of type integer",
        "16:22: profiles.c.client-certificate: cert is missing",
        "16:24: profiles.c.client-certificate.crt: unknown key (did you mean cert?)",
        "16:42: profiles.c.client-certificate.key: this must be an absolute path",
        "18:1: profiles.c.extra.scope: scope cannot be set here: write it as the key scope",
        "19:1: profiles.c.extra.client_secret: this file never holds a credential",
        "20:8: profiles.c.extra.fine: this must be a string, and is of type integer",
        "23:13: profiles.d.token-url: http would send the secret unprotected",
        "26:3: profiles.d.scope: a scope has no spaces",
        "28:9: profiles.d.extra: this must be a table",
        "29:15: profiles.d.client-auth: \"mtls\" is not supported in this version; it takes \"basic\", \"basic-raw\", \"post\"",
        "32:22: profiles.d.client-certificate: this must be a table",
        "36:1: profiles.e.issuer: this is a key of provider = \"oauth2\"",
        "37:1: profiles.e.scope: this is a key of provider = \"oauth2\"",
    ];
    let found = faults(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nexpected {expected}");
    }
    assert!(!found.join("\n").contains("canary"), "{found:#?}");
}

#[test]
fn a_toml_syntax_error_is_reported_at_its_position_without_its_text() {
    for (text, start) in [
        ("a", "1:"),
        ("\n\n[profiles.a]\nurl = \"canary", "4:"),
        ("[profiles.a]\n[profiles.a]\n", "2:"),
        (
            "[profiles.a]\nurl='1'\nurl='canary'\n",
            "3:1: this name occurs twice: join the two, or remove one",
        ),
        ("y = 1 # é\r\nx = canary\r\n", "2:"),
        ("a = 1\0", "1:"),
    ] {
        let found = faults(text);
        assert!(found.len() == 1 && found[0].starts_with(start), "{found:?}");
        assert!(!found[0].contains("canary"), "{found:?}");
    }
    let e = parse_bytes(b"# \xc3\xa9\n# \xc3\xa9 \xff\n", &FewNames).unwrap_err();
    assert_eq!(
        e[0].to_string(),
        "2:5: this is not UTF-8: save the file as UTF-8"
    );
    assert!(parse_bytes(FULL.as_bytes(), &FewNames).is_ok());
}

#[test]
fn a_value_of_the_wrong_type_is_reported_for_tables_too() {
    for (text, start) in [
        ("profiles = 1", "1:12: profiles: this must be a table"),
        ("[[profiles]]", "1:1: profiles: this must be a table"),
        (
            "[profiles]\na = 'x'",
            "2:5: profiles.a: this must be a table, as [profiles.a] begins one",
        ),
        ("socket = []", "1:10: socket: this must be a table"),
        ("[socket.mode]", "1:1: socket.mode: this must be a string"),
        (
            "[profiles.a]\nprovider = ['runai']\nurl = 'https://x'",
            "2:12: profiles.a.provider: this must be a string",
        ),
    ] {
        let found = faults(text);
        assert!(found.len() == 1 && found[0].starts_with(start), "{found:?}");
    }
}

#[test]
fn a_secret_in_the_configuration_is_reported_and_never_quoted() {
    for key in [
        "client-secret",
        "client_secret",
        "Password",
        "token",
        "secret",
    ] {
        let text =
            format!("[profiles.a]\nprovider = 'runai'\nurl = 'https://x'\n{key} = 'canary'\n");
        let found = faults(&text);
        assert!(found[0].contains("never holds a credential"), "{found:?}");
        assert!(!found[0].contains("canary"), "{found:?}");
    }
    let found = faults(
        "[profiles.a]\nprovider = 'canary'\nurl = 'https://u:canary@x'\napi = 'canary'\n'\\e[31m\u{1b}'=1",
    );
    assert!(!found.join("\n").contains("canary"), "{found:?}");
}

#[test]
fn reported_faults_are_limited_to_fifty() {
    let text: String = (0..1_000).map(|n| format!("k{n} = 1\n")).collect();
    let found = faults(&text);
    assert_eq!(found.len(), 51);
    assert_eq!(found[50], "51:1: and 950 more faults from here on");
}

// === editing ===

const NASTY: &str = "\u{feff}# top\r\n\r\n[socket] # s\r\nmode='private'\t\r\n# above a\r\n[profiles.a]   # a\r\n  url = '''\r\nhttps://x''' # u\r\n# in a\r\nprovider = \"runai\"\r\n# after a\r\n\r\n\r\n[ profiles . \"b.c\" ]\r\nprovider = 'runai'\r\nurl = 'https://[profiles.a]'";

#[test]
fn adding_appends_and_keeps_every_byte_that_was_there() {
    let crlf = NASTY.replace("https://[profiles.a]", "https://y");
    for text in [
        &crlf,
        FULL,
        "",
        "# c",
        "\n",
        "[profiles]",
        "[profiles.x]\nurl='https://x'\nprovider='runai'",
    ] {
        let new = add_profile(text, &name("new.1"), &profile("https://z")).unwrap();
        assert!(new.starts_with(text), "{new}");
        let config = parse(&new).unwrap();
        assert_eq!(config.profiles[&name("new.1")], profile("https://z"));
        assert_eq!(
            config.profiles.len(),
            parse(text).unwrap().profiles.len() + 1
        );
    }
    let new = add_profile(&crlf, &name("n"), &profile("https://z")).unwrap();
    assert!(new.ends_with("'https://y'\r\n\r\n[profiles.n]\r\nprovider = \"runai\"\r\nurl = \"https://z\"\r\nstore = \"file\"\r\n"));
    assert!(!new.replace("\r\n", "").contains('\n'));
    let empty = add_profile("", &name("n"), &profile("https://z")).unwrap();
    assert!(empty.starts_with("[profiles.n]\nprovider"), "{empty}");
}

#[test]
fn an_edit_that_would_damage_the_file_is_refused() {
    let z = profile("https://z");
    let a = name("a");
    let text = "[profiles.a]\nprovider='runai'\nurl='https://x'\n";
    assert_eq!(
        add_profile(text, &a, &z),
        Err(EditError::Conflict(a.clone()))
    );
    assert_eq!(
        remove_profile(text, &name("b")),
        Err(EditError::Unknown(name("b")))
    );
    assert!(matches!(add_profile("x", &a, &z), Err(EditError::Invalid(f)) if f.len() == 1));
    assert!(matches!(
        remove_profile("x=1", &a),
        Err(EditError::Invalid(_))
    ));
    let inline = "profiles = { b = { provider = 'runai', url = 'https://x' }, a = { provider = 'runai', url = 'https://x' } }";
    assert_eq!(
        add_profile(inline, &name("c"), &z),
        Err(EditError::Form(name("c")))
    );
    assert_eq!(remove_profile(inline, &a), Err(EditError::Form(a.clone())));
    let odd = std::os::unix::ffi::OsStringExt::from_vec(vec![b'/', 0xff]);
    let odd: std::ffi::OsString = odd;
    let ca_file = Some(odd.into());
    assert_eq!(
        add_profile("", &a, &Profile { ca_file, ..z }),
        Err(EditError::Form(a))
    );
}

#[test]
fn removing_a_profile_deletes_only_its_lines() {
    let p = "provider='runai'\nurl='https://x'\n";
    for (text, expected) in [
        (format!("[profiles.a]\n{p}"), "# profiles are added here by: jetond add\n".into()),
        (format!("\r\n[profiles.a]\r\n{p}"), "# profiles are added here by: jetond add\r\n".into()),
        (format!("# h\n[profiles.a] # c\n# in\n{p}# after\n"), "# h\n# after\n".into()),
        (format!("[socket]\n\n[profiles.a]\n{p}\n[profiles.b]\n{p}"), format!("[socket]\n\n[profiles.b]\n{p}")),
        (format!("[profiles.a]\n{p}\n[profiles.b]\n{p}"), format!("\n[profiles.b]\n{p}")),
        (format!("[profiles.b]\n{p}\n[profiles.a]\n{p}\n# end"), format!("[profiles.b]\n{p}\n# end")),
        (format!("[profiles.b]\n{p}[profiles.a]\nprovider='runai'\nurl='https://x' # end"), format!("[profiles.b]\n{p}")),
        ("[profiles]\na.provider='runai'\nb={provider='runai',url='https://x'}\na.url='https://x'\n".into(), "[profiles]\nb={provider='runai',url='https://x'}\n".into()),
        ("profiles.a = {provider='runai',\n url='https://x'} # c\n[socket]\n".into(), "[socket]\n".into()),
    ] {
        let new = remove_profile(&text, &name("a"));
        assert_eq!(new.as_deref(), Ok(expected.as_str()), "{text}");
    }
    let crlf = NASTY.replace("https://[profiles.a]", "https://y");
    let expected = "\u{feff}# top\r\n\r\n[socket] # s\r\nmode='private'\t\r\n# above a\r\n# after a\r\n\r\n\r\n[ profiles . \"b.c\" ]\r\nprovider = 'runai'\r\nurl = 'https://y'";
    assert_eq!(remove_profile(&crlf, &name("a")).as_deref(), Ok(expected));
    let bom = add_profile("\u{feff}", &name("a"), &profile("https://z")).unwrap();
    assert!(
        remove_profile(&bom, &name("a"))
            .unwrap()
            .starts_with('\u{feff}')
    );
}

fn any_oauth2() -> impl Strategy<Value = Provider> {
    let at =
        ("[a-z]{1,9}", any::<bool>(), "(/[a-z]{0,3}){0,2}").prop_map(|(host, issuer, path)| {
            let url = format!("https://{host}.example{path}");
            if issuer {
                TokenEndpointSource::Issuer(EndpointUrl::issuer(&url).unwrap())
            } else {
                TokenEndpointSource::Token(EndpointUrl::token(&format!("{url}?p=1")).unwrap())
            }
        });
    let client_auth = prop_oneof![
        Just(ClientAuth::Basic),
        Just(ClientAuth::BasicRaw),
        Just(ClientAuth::Post)
    ];
    let how = (client_auth, any::<bool>());
    let scope = proptest::collection::vec("[!#-\\[\\]-~]{1,5}", 0..3);
    let audience = proptest::option::of("[^\\p{Cc}]{1,5}");
    let resource = proptest::collection::vec("urn:[a-z]{1,5}", 0..3);
    let extra = proptest::collection::btree_map("x[a-zA-Z0-9._-]{0,5}", "[^\\p{Cc}]{1,5}", 0..3);
    let token_type = proptest::option::of("[!-~]{5,9}");
    (at, how, scope, audience, resource, extra, token_type).prop_map(
        |(at, (client_auth, client_id_in_body), scope, audience, resource, extra, token_type)| {
            Provider::Oauth2(Box::new(Oauth2 {
                at,
                client_auth,
                client_id_in_body,
                scope,
                audience,
                resource,
                extra,
                token_type,
            }))
        },
    )
}

fn any_place() -> impl Strategy<Value = CredentialLocation> {
    let id = prop_oneof![
        "[ -~]{1,9}".prop_map(ClientIdSource::Text),
        "/[^\0]{0,9}".prop_map(|path| ClientIdSource::File(path.into())),
    ];
    let secret = prop_oneof![
        "/[^\0]{0,9}".prop_map(|path| SecretSource::File(path.into())),
        "[a-z0-9][ -.;-~]{0,9}".prop_map(SecretSource::SystemdCredential),
        ("/[^\0]{0,9}", proptest::collection::vec("[^\0]{0,9}", 0..3)).prop_map(
            |(program, arguments)| { SecretSource::Command([vec![program], arguments].concat()) }
        ),
    ];
    let source = (id, secret).prop_map(|(client_id, client_secret)| {
        CredentialLocation::Source(Box::new(ReadOnlySource {
            client_id,
            client_secret,
        }))
    });
    prop_oneof![
        Just(CredentialLocation::Store(StoreKind::File)),
        Just(CredentialLocation::Store(StoreKind::Keyring)),
        source,
    ]
}

fn any_profile() -> impl Strategy<Value = Profile> {
    let api = prop_oneof![Just(Api::Auto), Just(Api::V1), Just(Api::V2)];
    let proxy = prop_oneof![
        Just(Proxy::Direct),
        Just(Proxy::Environment),
        (1u16..).prop_map(|port| Proxy::parse(&format!("http://proxy:{port}")).unwrap()),
    ];
    let ca_file = proptest::option::of("/[^\0]{0,20}");
    let runai = ("[a-z]{1,9}", api).prop_map(|(host, api)| {
        let url = BaseUrl::parse(&format!("https://{host}.example/base")).unwrap();
        Provider::Runai(Runai { url, api })
    });
    let provider = prop_oneof![runai, any_oauth2()];
    let certificate = proptest::option::of(("/[^\0]{0,9}", "/[^\0]{0,9}"));
    let reissue = prop_oneof![
        Just(Reissue::Normal),
        Just(Reissue::SameUntilExpiry),
        Just(Reissue::KillsOld),
    ];
    (
        provider,
        ca_file,
        proxy,
        certificate,
        any::<bool>(),
        reissue,
        proptest::option::of(1_u64..1_000_000),
        any_rotation(),
        any_place(),
    )
        .prop_map(
            |(
                provider,
                ca_file,
                proxy,
                certificate,
                keep_warm,
                reissue,
                lifetime,
                rotation,
                credential,
            )| {
                // Only a stored key of Run:ai can be rotated by age.
                let may_rotate = matches!(provider, Provider::Runai(_))
                    && matches!(credential, CredentialLocation::Store(_));
                Profile {
                    provider,
                    credential,
                    ca_file: ca_file.map(PathBuf::from),
                    proxy,
                    client_certificate: certificate.map(|(cert, key)| ClientCertificate {
                        cert: cert.into(),
                        key: key.into(),
                    }),
                    keep_warm,
                    reissue,
                    lifetime: lifetime.map(Duration::from_secs),
                    rotation: Rotation {
                        every: rotation.every.filter(|_| may_rotate),
                        ..rotation
                    },
                }
            },
        )
}

fn any_rotation() -> impl Strategy<Value = Rotation> {
    let every = proptest::option::of(5_000_000_u64..100_000_000);
    (every, 1_u64..1_000_000, any::<bool>()).prop_map(|(every, grace, is_shared)| Rotation {
        every: every.map(Duration::from_secs),
        grace: Duration::from_secs(grace),
        is_shared,
    })
}

#[test]
fn a_rotation_age_that_cannot_be_kept_is_refused() {
    let runai = "provider = 'runai'\nurl = 'https://x'\n";
    let source = "client-id = 'a'\nclient-secret = { file = '/x' }\n";
    let oauth2 = "provider = 'oauth2'\ntoken-url = 'https://x/t'\n";
    let faults_of = |text: String| faults(&format!("[profiles.a]\n{text}"));
    let config = |text: &str| parse(&format!("[profiles.a]\n{runai}{text}"));
    for good in [
        "rotate-every = '1d 20m'",
        "rotate-every = '1d 4h'\nlifetime = '1h'",
        "rotate-grace = '1s'\nshared = false",
    ] {
        assert!(config(good).is_ok(), "{good}");
    }
    let short =
        "4:16: profiles.a.rotate-every: this must be at least four token lifetimes and a day";
    for (text, fault) in [
        (format!("{runai}rotate-every = '1d 19m'"), short),
        (format!("{runai}rotate-every = '1d'"), short),
        (
            format!("{runai}rotate-every = '1d 3h'\nlifetime = '1h'"),
            short,
        ),
        (
            format!("{runai}{source}rotate-every = '30d'"),
            "6:16: profiles.a.rotate-every: what comes from a source is only read",
        ),
        (
            format!("{oauth2}rotate-every = '30d'"),
            "4:16: profiles.a.rotate-every: only keys of Run:ai's users can be rotated",
        ),
        (
            format!("{runai}rotate-every = 30"),
            "4:16: profiles.a.rotate-every: this must be a string",
        ),
        (
            format!("{runai}shared = 'yes'"),
            "4:10: profiles.a.shared: this must be true or false",
        ),
    ] {
        let found = faults_of(text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(fault), "{}\n{fault}", found[0]);
    }
}

proptest! {
    #[test]
    fn any_profile_that_is_added_is_read_back_and_removed_without_a_trace(
        text in "(\u{feff}?|[\u{feff}]?# c|[socket]|\n){0,3}(\n# [^\u{0}-\u{1f}\u{7f}]{0,9}|\n){0,6}\n",
        id in "[a-z0-9][a-z0-9._-]{0,9}",
        profile in any_profile(),
    ) {
        prop_assume!(parse(&text).is_ok());
        let name = name(&id);
        let added = add_profile(&text, &name, &profile).unwrap();
        prop_assert_eq!(&parse(&added).unwrap().profiles[&name], &profile);
        let removed = remove_profile(&added, &name).unwrap();
        let left = removed.strip_suffix('\n').and_then(|all| all.strip_suffix("# profiles are added here by: jetond add"));
        prop_assert_eq!(left.unwrap_or(&removed), &text);
        let is_blank = text.trim_matches('\u{feff}').trim().is_empty();
        prop_assert_eq!(left.is_some(), is_blank);
    }

    #[test]
    fn reading_any_text_never_panics_and_every_fault_has_a_position(text in "(\\PC|[\\[\\]='\"#.\n\r]|profiles|url|a){0,60}") {
        if let Err(faults) = parse(&text) {
            prop_assert!(!faults.is_empty());
            for fault in faults {
                prop_assert!(fault.line >= 1 && fault.column >= 1);
                prop_assert!(fault.line <= text.matches('\n').count() + 1);
            }
        }
    }

    #[test]
    fn parsing_an_address_never_panics_and_parses_back_unchanged(text in "https?://(\\PC|[/@:?#.\\[\\]a1]){0,20}") {
        if let Ok(url) = BaseUrl::parse(&text) {
            prop_assert_eq!(BaseUrl::parse(&url.to_string()).unwrap(), url);
        }
        let _ = ProxyUrl::parse(&text);
    }
}

#[test]
fn provider_settings_parse_back_to_the_same_provider() {
    for text in [
        "provider='runai'\nurl='https://a.b/api/v1'",
        "provider='runai'\nurl='https://a.b'\napi='v2'",
        "provider='oauth2'\nissuer='https://a.b/x/'",
        "provider='oauth2'\ntoken-url='https://a.b/t?x=1'\nclient-auth='basic-raw'\nclient-id-in-body=true\nscope=['a','b']\naudience='c'\nresource=['urn:d','urn:e']\nextra={hint='x',tenant='acme=1'}\ntoken-type='access_token'",
    ] {
        let config = parse(&format!("[profiles.a]\n{text}")).unwrap();
        let profile = config.profiles.into_values().next().unwrap();
        let provider = profile.provider;
        let kind = ProviderKind::named(provider.as_str()).unwrap();
        let owned = |(name, setting): (&str, ProviderSetting)| (name.to_owned(), setting);
        let settings: Vec<_> = provider.settings().into_iter().map(owned).collect();
        let again = kind.of_settings(&settings).unwrap().unwrap().unwrap();
        assert_eq!(again, provider, "{text}");
        assert_eq!(
            settings.len(),
            text.lines().count() - 1,
            "each is there: {text}"
        );
    }
    let runai = ProviderKind::named("runai").unwrap();
    let url = || {
        (
            "url".to_owned(),
            ProviderSetting::Text("https://a.b".into()),
        )
    };
    for more in [
        "store",
        "allow",
        "ca-file",
        "keep-warm",
        "nonsense",
        "issuer",
    ] {
        let more = (more.to_owned(), ProviderSetting::Text("x".into()));
        assert!(runai.of_settings(&[url(), more]).is_none());
    }
    assert!(runai.of_settings(&[]).unwrap().is_err());
    let wrong = ("url".to_owned(), ProviderSetting::Flag(true));
    assert!(runai.of_settings(&[wrong]).unwrap().is_err());
}

#[test]
fn an_encrypted_file_profile_needs_a_recipient() {
    let profile = "[profiles.a]\nprovider = 'runai'\nurl = 'https://x'\nstore = 'encrypted-file'\n";
    let table = format!("[encrypted-file]\nrecipient = '{RECIPIENT}'\n");
    for text in [format!("{table}{profile}"), format!("{profile}{table}")] {
        let config = parse(&text).unwrap();
        assert_eq!(config.recipient.unwrap().as_str(), RECIPIENT);
        assert_eq!(
            config.profiles[&name("a")].store(),
            Some(&StoreKind::EncryptedFile)
        );
    }
    for (text, fault) in [
        (
            profile.to_owned(),
            "4:9: profiles.a.store: [encrypted-file] has no recipient, to which the records are encrypted: run `jetond encrypt-store`",
        ),
        (
            format!("{profile}[encrypted-file]\n"),
            "4:9: profiles.a.store: [encrypted-file] has no recipient",
        ),
        (
            format!("{profile}[encrypted-file]\nrecipient = 'age1yubikey1q2w7u3vpya839jxxuq8'"),
            "6:13: encrypted-file.recipient: this is the recipient of an age plug-in",
        ),
        (
            "[encrypted-file]\nrecipient = 'AGE-SECRET-KEY-1CANARY'".to_owned(),
            "2:13: encrypted-file.recipient: this is a secret identity, which opens every record: remove it",
        ),
        (
            "[encrypted-file]\nrecipient = 1".to_owned(),
            "2:13: encrypted-file.recipient: this must be a string",
        ),
        (
            "[encrypted-file]\nrecipients = []".to_owned(),
            "2:1: encrypted-file.recipients: unknown key (did you mean recipient?)",
        ),
    ] {
        let found = faults(&text);
        assert!(found[0].starts_with(fault), "{found:?}");
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(!found[0].contains("CANARY"), "{found:?}");
    }
}
