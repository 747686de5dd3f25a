//! `jeton app list` and `jeton app show`: the access keys of Run:ai's users, which the vendor has also called
//! applications and user applications. The daemon asks the control plane with the profile's token.

use std::time::Duration;

use super::super::args::{Args, Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::failure::refusal;
use super::super::token_request::wait_limit;
use crate::problem::Code;
use crate::query::{
    FormattedKey, KeyForm, KeyKind, KeysAnswer, KeysQuery, Print, PrintContext, Question,
};
use crate::wire::MAX_FRAME;
use crate::wire::frame::Reply;

static KIND: Opt = Opt {
    name: "--kind",
    takes: OptionArgument::Word {
        name: "KIND",
        what: "access-key, user-application, service-account, application",
    },
    help: "only keys of this kind (default: auto, the user's own)",
};

static ALL: Opt = Opt {
    name: "--all",
    takes: OptionArgument::Nothing,
    help: "include every user's keys; requires an administrator",
};

static JSON: Opt = Opt {
    name: "--json",
    takes: OptionArgument::Nothing,
    help: "print JSON",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "app",
    usage: "list|show KEY [PROFILE] [--kind KIND] [--all] [--json]",
    does: "list or show the user's Run:ai access keys (formerly user
applications); KEY is a name or an ID",
    options: &[&KIND, &ALL, &JSON],
    profile: Profile::ArgumentOrVariable,
};

/// The longest wait of a caller: for a token, for a look-up in progress, and for its own look-up.
const LONGEST: Duration = Duration::from_secs(28);

/// The longest name, ID or client ID to search for, in bytes.
const MAX_KEY: usize = 1_024;

/// The room in a reply for everything besides standard output, in bytes.
const BESIDE: usize = 4_096;

const WHAT: &str = "'list' or 'show KEY' is missing (to create or delete keys: 'jetond app')";
const NO_KEY: &str = "KEY is the name, the ID or the client ID of a key";

/// The output of `jeton app`.
struct App {
    key: Option<String>,
    json: bool,
    /// The arguments that every suggested command repeats: the profile, the kind, and so on.
    arguments: String,
}

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let operands = |first: &str| if first == "show" { 2 } else { 1 };
    let (operands, args) = GRAMMAR.read_after(call, operands)?;
    let kind = args.parsed(&KIND, KeyKind::parse)?.unwrap_or_default();
    let key = match operands.as_slice() {
        ["list"] => None,
        ["show"] => return Err(GRAMMAR.wrong(NO_KEY)),
        ["show", key] if (1..=MAX_KEY).contains(&key.len()) => Some((*key).to_owned()),
        ["show", _] => return Err(GRAMMAR.wrong(NO_KEY)),
        _ => return Err(GRAMMAR.wrong(WHAT)),
    };
    let query = KeysQuery {
        profile: args.profile(),
        kind,
        all: args.has(&ALL),
        key: key.clone(),
        max_wait: LONGEST.min(wait_limit(call)),
    };
    let app = App {
        key,
        json: args.has(&JSON),
        arguments: arguments(&args, kind),
    };
    Ok(NextStep::Ask(Question::Keys(query, Box::new(app))))
}

/// Returns the arguments with which another command refers to the same keys.
fn arguments(args: &Args<'_>, kind: KeyKind) -> String {
    let mut text = String::new();
    if let Some(profile) = args.profile() {
        text.push_str(&format!(" {profile}"));
    }
    if kind != KeyKind::Auto {
        text.push_str(&format!(" --kind {}", kind.as_str()));
    }
    if args.has(&ALL) {
        text.push_str(" --all");
    }
    text
}

impl Print<KeysAnswer> for App {
    fn print(&self, answer: &KeysAnswer, around: PrintContext<'_>) -> Reply {
        let form = KeyForm {
            json: self.json,
            now: around.now.unix.seconds_down(),
            users: &answer.users,
        };
        match &self.key {
            None => self.list(answer, &form),
            Some(key) => self.show(answer, key, &form),
        }
    }
}

impl App {
    fn list(&self, answer: &KeysAnswer, form: &KeyForm<'_>) -> Reply {
        let listing = answer.keys.list(form, MAX_FRAME - BESIDE);
        let (mut text, mut note) = (listing.text, String::new());
        if listing.shown < listing.total {
            let cut = format!(
                "first {} of {}; all: jetond app list{}",
                listing.shown, listing.total, self.arguments
            );
            if self.json {
                note = format!("jeton: {cut} --json\n");
            } else {
                text.push_str(&cut);
                text.push('\n');
            }
        }
        Reply {
            stdout: text.into_bytes().into(),
            stderr: note,
            exit: 0,
        }
    }

    fn show(&self, answer: &KeysAnswer, key: &str, form: &KeyForm<'_>) -> Reply {
        let arguments = &self.arguments;
        match answer.keys.show(key, form) {
            FormattedKey::One(text) if text.len() <= MAX_FRAME - BESIDE => Reply {
                stdout: text.into_bytes().into(),
                ..Reply::default()
            },
            FormattedKey::One(_) => refusal(
                Code::NeedsHuman,
                "nothing to show: what the server says of this key does not fit into an answer; use 'jetond app show'",
            ),
            FormattedKey::Nothing(noun) => refusal(
                Code::NeedsHuman,
                &format!(
                    "nothing to show: there is no {noun} of this name, ID or client ID; to see those there are, run: jeton app list{arguments}"
                ),
            ),
            FormattedKey::Several(noun, ids) => {
                const SHOWN: usize = 20;
                let shown: Vec<_> = ids.iter().take(SHOWN).map(String::as_str).collect();
                let more = if ids.len() > SHOWN { ", ..." } else { "" };
                refusal(
                    Code::BadRequest,
                    &format!(
                        "nothing to show: {} {noun}s have this name; give one of their IDs: {}{more}",
                        ids.len(),
                        shown.join(", ")
                    ),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dialect::testing::*;
    use crate::profile::ProfileName;
    use crate::query::{KeyList, KeyListing, KeyUser};

    /// A list of keys that prints as many as there is room for, assuming 100 bytes each.
    struct Keys(usize);

    impl KeyList for Keys {
        fn seen(&self, _: &str) -> Option<crate::query::KeyFacts> {
            None
        }

        fn list(&self, form: &KeyForm<'_>, room: usize) -> KeyListing {
            KeyListing {
                text: if form.json { "{}\n" } else { "a table\n" }.to_owned(),
                shown: self.0.min(room / 100),
                total: self.0,
            }
        }

        fn show(&self, key: &str, form: &KeyForm<'_>) -> FormattedKey {
            match key {
                "none" => FormattedKey::Nothing("access key"),
                "two" => FormattedKey::Several("access key", vec!["1".into(), "2".into()]),
                "long" => FormattedKey::One("x".repeat(MAX_FRAME)),
                key => FormattedKey::One(format!("{key} {}\n", form.users.len())),
            }
        }

        fn may_lack(&self, _: &str) -> bool {
            false
        }
    }

    fn print(args: &[&str], count: usize) -> Reply {
        let Question::Keys(_, print) = asked(&run(args)) else {
            panic!("asks for no keys")
        };
        let answer = KeysAnswer {
            keys: Arc::new(Keys(count)),
            users: vec![KeyUser {
                client_id: "c-1".into(),
                profile: ProfileName::parse("research").unwrap(),
            }],
        };
        print.print(&answer, around())
    }

    #[test]
    fn app_arguments_select_profile_kind_and_key() {
        for (args, profile, kind, all, key) in [
            (&["app", "list"][..], None, KeyKind::Auto, false, None),
            (
                &["app", "list", "research", "--all"],
                Some("research"),
                KeyKind::Auto,
                true,
                None,
            ),
            (
                &["app", "--kind=application", "show", "My App."],
                None,
                KeyKind::Application,
                false,
                Some("My App."),
            ),
            (
                &["app", "show", "k", "research", "--kind", "access-key"],
                Some("research"),
                KeyKind::AccessKey,
                false,
                Some("k"),
            ),
            (
                &["app", "show", "--", "-k"],
                None,
                KeyKind::Auto,
                false,
                Some("-k"),
            ),
            (
                &["app", "show", "list"],
                None,
                KeyKind::Auto,
                false,
                Some("list"),
            ),
        ] {
            let Question::Keys(query, _) = asked(&run(args)) else {
                panic!("{args:?}")
            };
            assert_eq!(query.profile.as_ref().map(ProfileName::as_str), profile);
            assert_eq!((query.kind, query.all), (kind, all), "{args:?}");
            assert_eq!(query.key.as_deref(), key, "{args:?}");
        }
    }

    #[test]
    fn missing_and_surplus_arguments_are_reported() {
        let long = "x".repeat(MAX_KEY + 1);
        for (args, says) in [
            (&["app"][..], WHAT),
            (&["app", "research"], WHAT),
            (&["app", "create", "x"], WHAT),
            (&["app", "show"], NO_KEY),
            (&["app", "show", ""], NO_KEY),
            (&["app", "show", &long], NO_KEY),
            (&["app", "list", "a", "b"], "too many arguments"),
            (&["app", "show", "k", "a", "b"], "too many arguments"),
            (
                &["app", "list", "--kind", "key"],
                "--kind takes access-key, ",
            ),
        ] {
            let crate::dialect::NextStep::Answer(crate::wire::frame::Instruction::Done(reply)) =
                crate::dialect::parse(&run(args))
            else {
                panic!("{args:?}")
            };
            assert_eq!(reply.exit, 64, "{args:?}");
            assert!(reply.stderr.contains(says), "{args:?}: {}", reply.stderr);
        }
    }

    #[test]
    fn a_shortened_list_names_the_command_for_the_whole_list() {
        assert_eq!(print(&["app", "list"], 3), reply("a table\n", "", 0));
        assert_eq!(print(&["app", "list", "--json"], 3), reply("{}\n", "", 0));
        let fit = (MAX_FRAME - BESIDE) / 100;
        let of = format!("first {fit} of 10000; all: jetond app list");
        assert_eq!(
            print(&["app", "list"], 10_000),
            reply(&format!("a table\n{of}\n"), "", 0)
        );
        assert_eq!(
            print(&["app", "list", "ci", "--all", "--json"], 10_000),
            reply("{}\n", &format!("jeton: {of} ci --all --json\n"), 0)
        );
    }

    #[test]
    fn app_show_prints_a_key_or_the_reason() {
        assert_eq!(print(&["app", "show", "k"], 1), reply("k 1\n", "", 0));
        for (key, exit, says) in [
            ("none", 1, "run: jeton app list --all"),
            ("two", 64, "give one of their IDs: 1, 2"),
            ("long", 1, "jetond app show"),
        ] {
            let reply = print(&["app", "show", key, "--all"], 1);
            assert_eq!((reply.exit, reply.stdout.len()), (exit, 0), "{key}");
            assert!(reply.stderr.contains(says), "{}", reply.stderr);
        }
    }
}
