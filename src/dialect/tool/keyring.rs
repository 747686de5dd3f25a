//! The command `keyring` as pip and uv run it (jaraco/keyring, keyring/cli.py), for package indexes.
//!
//! The token is the password for an index's address. An exit code other than 0 means that there is no password.

use std::time::Duration;

use super::super::args::{Args, Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::row::{Verb, verb};
use super::super::token_request::{json_token_between, stale_note, token_between};
use super::request::{
    OF_A_COMMAND, address_query, no_credential, no_credential_for, quoted, username,
};
use super::{ClientBehaviour, Tool};
use crate::address::{Address, is_invisible};
use crate::problem::Problem;
use crate::query::{AddressAnswer, Print, PrintContext, Question};
use crate::wire::frame::{Instruction, Reply};

/// Selects what `get` prints.
static MODE: Opt = Opt {
    name: "--mode",
    takes: OptionArgument::Word {
        name: "MODE",
        what: "password or creds",
    },
    help: "print only the password, or the user name first",
};

/// Selects the form of the output.
static OUTPUT: Opt = Opt {
    name: "--output",
    takes: OptionArgument::Word {
        name: "FORM",
        what: "plain or json",
    },
    help: "print lines or a JSON object",
};

/// The protocol's row.
pub(super) const TOOL: Tool = Tool {
    verb: Verb {
        program: Some("keyring"),
        ..verb(&GRAMMAR, parse)
    },
    client: CLIENT,
};

static GRAMMAR: Grammar = Grammar {
    verb: "keyring",
    usage: "get URL [USERNAME] [--mode MODE] [--output FORM]",
    does: "keyring helper of pip and uv",
    options: &[&MODE, &OUTPUT],
    profile: Profile::None,
};

/// pip and uv keep a password for one command.
const CLIENT: ClientBehaviour = ClientBehaviour {
    interval: OF_A_COMMAND,
    window: Duration::ZERO,
    timeout: None,
    source: "pypa/pip _internal/network/auth.py, astral-sh/uv crates/uv-auth/src/keyring.rs: no timeout",
};

/// The output of `get`.
struct Get {
    /// The user name that the client passed.
    username: Option<String>,
    /// Whether the user name is printed, too.
    creds: bool,
    json: bool,
}

/// Parses a call.
fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let (operands, args) = GRAMMAR.read_after(call, |_| 3)?;
    match operands.as_slice() {
        ["get", service, rest @ ..] => get(call, &args, service, rest.first().copied()),
        ["set" | "del", ..] => Ok(keeps_none(call)),
        _ => Err(GRAMMAR.wrong("only 'get' is answered, and it needs the address of an index")),
    }
}

fn get(
    call: &Call<'_>,
    args: &Args<'_>,
    service: &str,
    username: Option<&str>,
) -> Result<NextStep, Usage> {
    let word = |no, yes| {
        move |text: &str| match text {
            _ if text == no => Some(false),
            _ if text == yes => Some(true),
            _ => None,
        }
    };
    let creds = args.parsed(&MODE, word("password", "creds"))?;
    let json = args.parsed(&OUTPUT, word("plain", "json"))?;
    let creds = creds.unwrap_or(false);
    if username.is_none() && !creds {
        return Err(GRAMMAR.wrong("a user name is missing, or '--mode creds'"));
    }
    let is_hidden = |c: char| c.is_control() || is_invisible(c);
    if username.is_some_and(|name| name.chars().any(is_hidden)) {
        return Err(GRAMMAR.wrong("the user name has a character that cannot be seen"));
    }
    // An address such as https://:@pypi.example has an empty user name.
    let username = username.filter(|name| !name.is_empty());
    let address = match Address::parse(service) {
        Ok(address) => address,
        Err(error) => {
            return Ok(NextStep::Answer(
                no_credential("", &error.to_string()).into(),
            ));
        }
    };
    let username = username.map(str::to_owned);
    let mut query = address_query(call, Some(address), None);
    query.username.clone_from(&username);
    let get = Get {
        username,
        creds,
        json: json.unwrap_or(false),
    };
    Ok(NextStep::Ask(Question::Address(query, Box::new(get))))
}

/// Refuses `set` and `del`, after the client has written the password.
fn keeps_none(call: &Call<'_>) -> NextStep {
    if call.run.stdin.is_none() && !call.run.terminal.input {
        return NextStep::Answer(Instruction::SendInput { one_line: false });
    }
    let line = "Jeton keeps no passwords: this program 'keyring' only gives out tokens; use the real one by its path";
    NextStep::Answer(no_credential("", line).into())
}

impl Print<AddressAnswer> for Get {
    fn print(&self, answer: &AddressAnswer, around: PrintContext<'_>) -> Reply {
        let token = &answer.token;
        let username = username(answer, self.username.as_deref());
        let stdout = match (self.creds, self.json) {
            (false, false) => token_between("", token, "\n"),
            (true, false) => token_between(&format!("{username}\n"), token, "\n"),
            (false, true) => json_token_between(r#"{"password": ""#, token, "\"}\n"),
            (true, true) => {
                let before = format!(r#"{{"username": {}, "password": ""#, quoted(username));
                json_token_between(&before, token, "\"}\n")
            }
        };
        Reply {
            stdout,
            stderr: stale_note(token, around.now.boot),
            exit: 0,
        }
    }

    fn refuse(&self, problem: &Problem, around: PrintContext<'_>) -> Option<Reply> {
        no_credential_for("", problem, around)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::dialect::testing::{hard_tokens, run};
    use crate::problem::Code;
    use crate::wire::frame::Invocation;

    const SECOND: Duration = Duration::from_secs(1);

    /// Creates a run of the program `keyring`.
    fn keyring(args: &[&str]) -> Invocation {
        let name = std::iter::once(&"keyring");
        Invocation {
            args: name.chain(args).map(|&arg| arg.to_owned()).collect(),
            ..Invocation::default()
        }
    }

    const URL: &str = "https://pypi.example/simple/";

    #[test]
    fn every_call_of_pip_and_uv_gets_its_own_output_format() {
        let of_entry = |name| Some(entry("https://pypi.example/simple", name, None));
        for (args, username, says) in [
            // uv, and pip before 26.2.
            (&["get", URL, "me"][..], None, "T0KEN\n"),
            (&["get", URL, "me"], Some("me"), "T0KEN\n"),
            // uv without a user name.
            (&["get", URL, "--mode", "creds"], None, "oauth2\nT0KEN\n"),
            (&["get", URL, "--mode", "creds"], Some("ci"), "ci\nT0KEN\n"),
            // pip from 26.2 on, without and with a user name.
            (
                &["--mode=creds", "--output=json", "get", URL],
                None,
                "{\"username\": \"oauth2\", \"password\": \"T0KEN\"}\n",
            ),
            (
                &["--mode=creds", "--output=json", "get", URL, "me"],
                None,
                "{\"username\": \"me\", \"password\": \"T0KEN\"}\n",
            ),
            (
                &["--output", "json", "get", URL, "me"],
                None,
                "{\"password\": \"T0KEN\"}\n",
            ),
            (&["get", URL, ""], Some("ci"), "T0KEN\n"),
            (
                &["get", URL, "", "--mode", "creds"],
                None,
                "oauth2\nT0KEN\n",
            ),
            (
                &["--mode=password", "--output=plain", "get", URL, "me"],
                None,
                "T0KEN\n",
            ),
        ] {
            assert_eq!(
                prints(&keyring(args), "T0KEN", of_entry(username)),
                says,
                "{args:?}"
            );
            let by_verb = [&["keyring"], args].concat();
            assert_eq!(prints(&run(&by_verb), "T0KEN", of_entry(username)), says);
        }
        for token in hard_tokens() {
            let json = prints(
                &keyring(&["--mode=creds", "--output=json", "get", URL]),
                &token,
                None,
            );
            let read: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(read["password"], token.as_str());
        }
    }

    #[test]
    fn get_asks_for_the_token_of_address_and_user_name() {
        for (service, address) in [
            (URL, "https://pypi.example/simple"),
            ("pypi.example", "https://pypi.example"),
            ("pypi.example:8443", "https://pypi.example:8443"),
            (
                "http://127.0.0.1:8080/simple",
                "http://127.0.0.1:8080/simple",
            ),
        ] {
            let (query, _) = asks(&keyring(&["get", service, "me"]));
            assert_eq!(query.address.as_ref().unwrap().to_string(), address);
            assert_eq!(query.username.as_deref(), Some("me"));
            assert_eq!(times(&query), (360 * SECOND, 4 * SECOND));
        }
        let (query, _) = asks(&keyring(&["get", URL, "--mode", "creds"]));
        assert_eq!(query.username, None);
        assert!(note(&keyring(&["get", URL, "me"])).contains("is valid for only"));
    }

    #[test]
    fn an_address_without_a_token_exits_with_1() {
        for service in NO_ADDRESSES {
            let got = at_once(&keyring(&["get", service, "me"]));
            assert_eq!((got.exit, got.stdout.len()), (1, 0), "{service:?}");
            assert_eq!(got.stderr.lines().count(), 1, "{service:?}");
        }
        for code in [Code::UnknownProfile, Code::Forbidden] {
            let got = refusal_of(&keyring(&["get", URL, "me"]), code).unwrap();
            assert_eq!((got.exit, got.stdout.len()), (1, 0));
            assert_eq!(got.stderr.lines().count(), 1);
        }
        assert!(refusal_of(&keyring(&["get", URL, "me"]), Code::Unavailable).is_none());
    }

    #[test]
    fn unknown_actions_and_options_are_refused_with_the_usage() {
        for args in [
            &[][..],
            &["get"],
            &["get", URL],
            &["get", URL, "me", "more"],
            &["get", URL, "me\nevil"],
            &["get", URL, "me\u{202e}evil"],
            &["diagnose"],
            &["--list-backends"],
            &["--mode", "evil", "get", URL],
            &["get", URL, "--output", "xml", "--mode=creds"],
        ] {
            let got = at_once(&keyring(args));
            assert_eq!((got.exit, got.stdout.len()), (64, 0), "{args:?}");
            assert!(!got.stderr.contains("evil"), "{}", got.stderr);
        }
    }

    #[test]
    fn set_and_del_read_the_password_and_fail_with_a_message() {
        for action in ["set", "del"] {
            let args = [action, URL, "me"];
            assert!(wants_input(&keyring(&args)));
            let mut piped = keyring(&args);
            piped.stdin = Some(b"hunter2\n".to_vec());
            let mut typed = keyring(&args);
            typed.terminal.input = true;
            for run in [piped, typed] {
                let got = at_once(&run);
                assert_eq!((got.exit, got.stdout.len()), (1, 0));
                assert!(
                    got.stderr.contains("keeps no passwords") && !got.stderr.contains("hunter2")
                );
            }
        }
    }
}
