//! docker's credential helper (docker-credential-helpers): one word names the action, standard input names the
//! registry, and errors go to standard output.
//!
//! Nothing is stored: `store` reports whether Jeton serves that address, and `erase` changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::row::{Verb, verb};
use super::super::token_request::{json_token_between, stale_note};
use super::request::{
    OF_A_COMMAND, USERNAME, address_query, no_credential, no_credential_for, profile_name, quoted,
    username,
};
use super::{ClientBehaviour, Tool};
use crate::address::Address;
use crate::config::entry_for;
use crate::problem::Problem;
use crate::profile::ProfileName;
use crate::query::{AddressAnswer, HostListing, Print, PrintContext, Question};
use crate::wire::frame::{Instruction, Reply};

/// The protocol's row.
pub(super) const TOOL: Tool = Tool {
    verb: Verb {
        program: Some("docker-credential-jeton"),
        ..verb(&GRAMMAR, parse)
    },
    client: CLIENT,
};

static GRAMMAR: Grammar = Grammar {
    verb: "docker",
    usage: "get|list|store|erase [PROFILE]",
    does: "docker's credential helper; docker-credential-jeton too",
    options: &[],
    profile: Profile::None,
};

/// docker, podman, skopeo, buildah: each keeps a token at most for one command.
const CLIENT: ClientBehaviour = ClientBehaviour {
    interval: OF_A_COMMAND,
    window: Duration::ZERO,
    timeout: None,
    source: "docker/docker-credential-helpers client/command.go: no timeout; docker/cli asks twice per command",
};

/// The protocol's words for "no credential here". The client then goes on without one.
const NONE: &str = "credentials not found in native keychain\n";

/// The protocol's words for a request without an address.
const NO_ADDRESS: &str = "no credentials server URL\n";

/// Docker Hub, under the name that docker looks up in a list.
const HUB: &str = "https://index.docker.io/v1/";

/// The action that standard input belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Get,
    List,
    Store,
    Erase,
    Version,
}

/// The input of `store`. Its secret is not read.
#[derive(Deserialize)]
struct Login {
    #[serde(rename = "ServerURL")]
    server: String,
}

struct Get {
    /// The address in docker's spelling, to be returned unchanged.
    server: String,
}

struct List {
    profile: Option<ProfileName>,
}

struct Store {
    address: Address,
    profile: Option<ProfileName>,
}

/// Parses a call.
fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let (action, profile) = read(call)?;
    match action {
        Action::List => Ok(NextStep::Ask(Question::Hosts(Box::new(List { profile })))),
        Action::Version => {
            let line = concat!("docker-credential-jeton ", env!("CARGO_PKG_VERSION"), "\n");
            Ok(done(Reply {
                stdout: line.as_bytes().to_vec().into(),
                ..Reply::default()
            }))
        }
        Action::Get | Action::Store | Action::Erase => match &call.run.stdin {
            None => Ok(NextStep::Answer(Instruction::SendInput { one_line: false })),
            Some(input) => Ok(with_input(call, action, profile, input)),
        },
    }
}

/// Parses the action and a profile, in either order: a one-line wrapper script appends docker's word to its own.
fn read(call: &Call<'_>) -> Result<(Action, Option<ProfileName>), Usage> {
    let (operands, _) = GRAMMAR.read_after(call, |_| 2)?;
    let (action, profile) = match operands.as_slice() {
        [one] => (Action::of(one), None),
        [one, other] => match (Action::of(other), Action::of(one)) {
            (Some(action), _) => (Some(action), Some(one)),
            (None, action) => (action, Some(other)),
        },
        _ => (None, None),
    };
    let action = action.ok_or(GRAMMAR.wrong("one of get, list, store and erase is missing"))?;
    let profile = profile.map(|word| profile_name(&GRAMMAR, word));
    Ok((action, profile.transpose()?))
}

fn with_input(
    call: &Call<'_>,
    action: Action,
    profile: Option<ProfileName>,
    input: &[u8],
) -> NextStep {
    let server = match action {
        Action::Store => serde_json::from_slice::<Login>(input)
            .ok()
            .map(|it| it.server),
        // Some clients end the address with a newline, others do not.
        _ => {
            let text = std::str::from_utf8(input).ok();
            text.map(|text| text.strip_suffix('\n').unwrap_or(text).to_owned())
        }
    };
    let Some(server) = server else {
        return done(no_credential("", "standard input is not what docker sends"));
    };
    if server.is_empty() {
        return done(no_credential(
            NO_ADDRESS,
            "standard input names no registry",
        ));
    }
    // `docker logout` erases a registry under every address that it may ever have had, `http` included.
    if action == Action::Erase && !server.contains(char::is_control) {
        return done(Reply::default());
    }
    let address = match Address::parse(&server) {
        Ok(address) => address,
        Err(error) => {
            let words = if action == Action::Get { NONE } else { "" };
            return done(no_credential(words, &error.to_string()));
        }
    };
    match action {
        Action::Get => {
            let query = address_query(call, Some(address), profile);
            NextStep::Ask(Question::Address(query, Box::new(Get { server })))
        }
        Action::Store => NextStep::Ask(Question::Hosts(Box::new(Store { address, profile }))),
        // These actions need no address.
        Action::List | Action::Erase | Action::Version => done(Reply::default()),
    }
}

fn done(reply: Reply) -> NextStep {
    NextStep::Answer(reply.into())
}

/// Returns the name under which docker looks up a registry.
fn server_of(address: &Address) -> String {
    let whole = address.to_string();
    match whole.strip_prefix("https://") {
        Some("index.docker.io" | "index.docker.io/v1") => HUB.to_owned(),
        Some(host) if address.path().is_empty() => host.to_owned(),
        _ => whole,
    }
}

impl Action {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "get" => Self::Get,
            "list" => Self::List,
            "store" => Self::Store,
            "erase" => Self::Erase,
            "version" => Self::Version,
            _ => return None,
        })
    }
}

impl Print<AddressAnswer> for Get {
    fn print(&self, answer: &AddressAnswer, around: PrintContext<'_>) -> Reply {
        let before = format!(
            r#"{{"ServerURL":{},"Username":{},"Secret":""#,
            quoted(&self.server),
            quoted(username(answer, None))
        );
        Reply {
            stdout: json_token_between(&before, &answer.token, "\"}\n"),
            stderr: stale_note(&answer.token, around.now.boot),
            exit: 0,
        }
    }

    fn refuse(&self, problem: &Problem, around: PrintContext<'_>) -> Option<Reply> {
        no_credential_for(NONE, problem, around)
    }
}

impl Print<[HostListing]> for List {
    fn print(&self, hosts: &[HostListing], _: PrintContext<'_>) -> Reply {
        let hosts = hosts
            .iter()
            .filter(|host| is_of(host, self.profile.as_ref()));
        let names: BTreeMap<String, &str> = hosts
            .map(|host| {
                let username = host.entry.username.as_deref();
                (server_of(&host.entry.url), username.unwrap_or(USERNAME))
            })
            .collect();
        let pairs = names
            .iter()
            .map(|(server, username)| format!("{}:{}", quoted(server), quoted(username)));
        let map = format!("{{{}}}\n", pairs.collect::<Vec<_>>().join(","));
        Reply {
            stdout: map.into_bytes().into(),
            ..Reply::default()
        }
    }
}

impl Print<[HostListing]> for Store {
    fn print(&self, hosts: &[HostListing], _: PrintContext<'_>) -> Reply {
        const NOT_OURS: &str = "Jeton keeps no passwords, and no profile is for this address: log in with another \
                                credential helper, or give a profile this address under 'hosts'";
        let hosts = hosts
            .iter()
            .filter(|host| is_of(host, self.profile.as_ref()));
        match entry_for(hosts, |host| &host.entry, &self.address) {
            Some(_) => Reply::default(),
            None => no_credential(&format!("{NOT_OURS}\n"), NOT_OURS),
        }
    }
}

fn is_of(host: &HostListing, profile: Option<&ProfileName>) -> bool {
    profile.is_none_or(|name| *name == host.profile)
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::dialect::testing::{around, hard_tokens, reply, run};
    use crate::problem::Code;
    use crate::wire::frame::Invocation;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn registry_names_of_docker_podman_and_skopeo_are_parsed() {
        for (input, address) in [
            ("reg.example", "https://reg.example"),
            ("reg.example\n", "https://reg.example"),
            ("reg.example:5000", "https://reg.example:5000"),
            ("https://reg.example/", "https://reg.example"),
            ("https://index.docker.io/v1/", "https://index.docker.io/v1"),
            ("127.0.0.1:5000", "https://127.0.0.1:5000"),
            ("[::1]:5000", "https://[::1]:5000"),
            ("REG.example", "https://reg.example"),
        ] {
            let run = run_with(&["docker", "get"], input.as_bytes());
            assert_eq!(address_of(&run), address, "{input:?}");
        }
    }

    #[test]
    fn standard_input_is_read_only_for_actions_that_use_it() {
        for (action, reads) in [
            ("get", true),
            ("store", true),
            ("erase", true),
            ("list", false),
        ] {
            let run = run(&["docker", action]);
            if reads {
                assert!(wants_input(&run), "{action}");
            } else {
                asks_hosts(&run);
            }
        }
    }

    #[test]
    fn get_returns_the_requested_address_and_the_user_name_of_the_entry() {
        let run = run_with(&["docker", "get"], b"Reg.example:5000\n");
        for (username, shown) in [
            (None, "oauth2"),
            (Some("<token>"), "<token>"),
            (Some("a\"b"), "a\\\"b"),
        ] {
            let entry = entry("https://reg.example:5000", username, None);
            let says = format!(
                "{{\"ServerURL\":\"Reg.example:5000\",\"Username\":\"{shown}\",\"Secret\":\"T0KEN\"}}\n"
            );
            assert_eq!(prints(&run, "T0KEN", Some(entry)), says);
        }
        for token in hard_tokens() {
            let read: serde_json::Value =
                serde_json::from_str(&prints(&run, &token, None)).unwrap();
            assert_eq!(read["Secret"], token.as_str());
        }
        assert!(note(&run).contains("is valid for only"));
    }

    #[test]
    fn docker_gets_a_token_valid_for_6_minutes_within_4_s() {
        let (query, _) = asks(&run_with(&["docker", "get"], b"reg.example"));
        assert_eq!(times(&query), (360 * SECOND, 4 * SECOND));
        let mut short = run_with(&["docker", "get"], b"reg.example");
        short.deadline = Some(2 * SECOND);
        assert!(asks(&short).0.max_wait < 2 * SECOND);
    }

    #[test]
    fn the_profile_may_precede_or_follow_the_action() {
        for (args, profile) in [
            (&["docker", "get"][..], None),
            (&["docker", "get", "ci"], Some("ci")),
            (&["docker", "ci", "get"], Some("ci")),
            (&["docker", "list", "get"], Some("list")),
        ] {
            let (query, _) = asks(&run_with(args, b"reg.example"));
            let named = query.profile.as_ref().map(ProfileName::as_str);
            assert_eq!(named, profile, "{args:?}");
        }
        let mut with_variable = run_with(&["docker", "get"], b"reg.example");
        with_variable
            .env
            .insert("JETON_PROFILE".into(), "ci".into());
        assert_eq!(asks(&with_variable).0.profile, None);
    }

    #[test]
    fn the_companion_runs_as_docker_credential_jeton() {
        let run = Invocation {
            args: ["docker-credential-jeton", "get"].map(str::to_owned).into(),
            stdin: Some(b"reg.example".to_vec()),
            ..Invocation::default()
        };
        assert_eq!(address_of(&run), "https://reg.example");
    }

    #[test]
    fn an_invalid_address_gets_no_token_and_is_not_echoed() {
        for text in NO_ADDRESSES {
            let got = at_once(&run_with(&["docker", "get"], text.as_bytes()));
            assert_eq!(
                (got.stdout.as_slice(), got.exit),
                (NONE.as_bytes(), 1),
                "{text:?}"
            );
            assert_eq!(got.stderr.lines().count(), 1, "{text:?}");
            assert!(!got.stderr.contains("evil"), "{}", got.stderr);
            let login = serde_json::json!({"ServerURL": text, "Username": "u", "Secret": "s"});
            let got = at_once(&run_with(
                &["docker", "store"],
                login.to_string().as_bytes(),
            ));
            assert_eq!((got.stdout.len(), got.exit), (0, 1), "{text:?}");
            let erased = at_once(&run_with(&["docker", "erase"], text.as_bytes()));
            let is_refused = text.contains(char::is_control);
            assert_eq!(erased.exit, u8::from(is_refused), "{text:?}");
        }
        for input in [&b"\xff"[..], b"{\"ServerURL\":"] {
            assert_eq!(at_once(&run_with(&["docker", "get"], input)).exit, 1);
            assert_eq!(at_once(&run_with(&["docker", "store"], input)).exit, 1);
        }
        let empty = at_once(&run_with(&["docker", "get"], b"\n"));
        assert_eq!(
            (empty.stdout.as_slice(), empty.exit),
            (NO_ADDRESS.as_bytes(), 1)
        );
    }

    #[test]
    fn an_address_without_a_profile_gets_the_not_found_message_of_docker() {
        let run = run_with(&["docker", "get"], b"other.example");
        for code in [Code::UnknownProfile, Code::Forbidden] {
            let got = refusal_of(&run, code).unwrap();
            assert_eq!((got.stdout.as_slice(), got.exit), (NONE.as_bytes(), 1));
            assert_eq!(got.stderr.lines().count(), 1);
        }
        // Otherwise docker would go on without a token, and report that access is denied.
        for code in [Code::Unavailable, Code::Deadline, Code::RejectedByProvider] {
            assert!(refusal_of(&run, code).is_none());
        }
    }

    #[test]
    fn list_returns_each_address_in_the_spelling_of_docker() {
        let list = |args: &[&str]| {
            let reply = asks_hosts(&run(args)).print(&two_profiles(), around());
            assert_eq!(reply.exit, 0);
            String::from_utf8(reply.stdout.to_vec()).unwrap()
        };
        assert_eq!(
            list(&["docker", "list"]),
            "{\"http://127.0.0.1:5001\":\"oauth2\",\"https://git.example/team\":\"oauth2\",\
             \"https://index.docker.io/v1/\":\"me\",\"reg.example:5000\":\"<token>\"}\n"
        );
        assert_eq!(
            list(&["docker", "list", "hub"]),
            "{\"https://index.docker.io/v1/\":\"me\"}\n"
        );
        assert_eq!(
            asks_hosts(&run(&["docker", "list"])).print(&[], around()),
            reply("{}\n", "", 0)
        );
    }

    #[test]
    fn store_succeeds_only_for_a_configured_address_and_erase_does_nothing() {
        let store = |server: &str| {
            let login =
                format!("{{\"ServerURL\":\"{server}\",\"Username\":\"u\",\"Secret\":\"s3cret\"}}");
            let run = run_with(&["docker", "store"], login.as_bytes());
            asks_hosts(&run).print(&two_profiles(), around())
        };
        for ours in ["reg.example:5000", "https://index.docker.io/v1/"] {
            assert_eq!(store(ours), reply("", "", 0), "{ours}");
        }
        for other in ["reg.example", "git.example", "other.example"] {
            let got = store(other);
            assert_eq!(got.exit, 1, "{other}");
            let [out, err] = [&*got.stdout, got.stderr.as_bytes()].map(String::from_utf8_lossy);
            assert_eq!(err, format!("jeton: {out}"));
            assert!(out.starts_with("Jeton keeps no passwords") && out.lines().count() == 1);
        }
        for server in [
            "reg.example:5000",
            "http://reg.example:5000",
            "other.example",
        ] {
            let erased = at_once(&run_with(&["docker", "erase"], server.as_bytes()));
            assert_eq!(erased, reply("", "", 0), "{server}");
        }
    }

    #[test]
    fn an_action_that_does_not_exist_is_refused_with_the_usage() {
        for args in [
            &["docker"][..],
            &["docker", "put"],
            &["docker", "get", "A B"],
            &["docker", "get", "a", "b"],
        ] {
            let got = at_once(&run(args));
            assert_eq!((got.exit, got.stdout.len()), (64, 0), "{args:?}");
        }
        let version = at_once(&run(&["docker", "version"]));
        assert!(version.stdout.starts_with(b"docker-credential-jeton "));
    }
}
