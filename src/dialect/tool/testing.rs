//! What the tests of the protocols share.

use std::time::Duration;

use crate::address::Address;
use crate::config::{HostAuth, HostEntry};
use crate::dialect::parse;
use crate::dialect::testing::{answer_with, around, run};
use crate::dialect::{Parsed, testing};
use crate::instant::UnixTime;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{AddressAnswer, AddressQuery, Asked, Freshness, HostListing, Print};
use crate::wire::frame::{Answer, Invocation, Reply};

/// A run of the verb with this standard input.
pub(super) fn run_with(args: &[&str], input: &[u8]) -> Invocation {
    Invocation {
        stdin: Some(input.to_vec()),
        ..run(args)
    }
}

/// A run of the verb with this variable.
pub(super) fn run_in(args: &[&str], name: &str, value: &str) -> Invocation {
    let mut run = run(args);
    run.env.insert(name.to_owned(), value.to_owned());
    run
}

/// The question of a run for the token of an address, and its printer.
pub(super) fn asks(run: &Invocation) -> (AddressQuery, Box<dyn Print<AddressAnswer>>) {
    match testing::asked(run) {
        Asked::Address(query, print) => (query, print),
        _ => panic!("{run:?} asks for the token of an address"),
    }
}

/// The address that a run asks for.
pub(super) fn address_of(run: &Invocation) -> String {
    let (query, _) = asks(run);
    query.address.map_or_else(String::new, |it| it.to_string())
}

/// The question of a run for the addresses of all profiles.
pub(super) fn asks_hosts(run: &Invocation) -> Box<dyn Print<[HostListing]>> {
    match testing::asked(run) {
        Asked::Hosts(print) => print,
        _ => panic!("{run:?} asks for addresses"),
    }
}

/// What a run is answered without a question.
pub(super) fn at_once(run: &Invocation) -> Reply {
    match parse(run) {
        Parsed::Answer(Answer::Done(reply)) => reply,
        Parsed::Answer(other) => panic!("{run:?}: {other:?}"),
        Parsed::Ask(_) => panic!("{run:?} asks the daemon"),
    }
}

/// Whether a run is to be sent again with its standard input.
pub(super) fn wants_input(run: &Invocation) -> bool {
    matches!(
        parse(run),
        Parsed::Answer(Answer::SendInput { one_line: false })
    )
}

/// An entry.
pub(super) fn entry(url: &str, username: Option<&str>, auth: Option<HostAuth>) -> HostEntry {
    HostEntry {
        url: Address::parse(url).unwrap(),
        username: username.map(str::to_owned),
        auth,
    }
}

/// The addresses of a profile.
pub(super) fn listed(profile: &str, entry: HostEntry) -> HostListing {
    HostListing {
        profile: ProfileName::parse(profile).unwrap(),
        entry,
    }
}

/// The expiry that clients are told: earlier than the real one.
pub(super) const TOLD: UnixTime = UnixTime::from_epoch(Duration::from_secs(1_800_002_000));

/// This token for an address with this entry.
pub(super) fn answer_for(token: &str, entry: Option<HostEntry>) -> AddressAnswer {
    AddressAnswer {
        token: answer_with(token),
        entry,
        expires_at: TOLD,
    }
}

/// What a run prints of this token.
pub(super) fn prints(run: &Invocation, token: &str, entry: Option<HostEntry>) -> String {
    let (_, print) = asks(run);
    let reply = print.print(&answer_for(token, entry), around());
    assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""), "{run:?}");
    String::from_utf8(reply.stdout.to_vec()).unwrap()
}

/// What a run prints on standard error of a token that holds shorter than was asked for.
pub(super) fn note(run: &Invocation) -> String {
    let (_, print) = asks(run);
    let mut answer = answer_for("T0KEN", None);
    answer.token.freshness = Freshness::Short;
    print.print(&answer, around()).stderr
}

/// What a run prints for a problem; `None` for the companion's own line.
pub(super) fn refusal_of(run: &Invocation, code: Code) -> Option<Reply> {
    let (_, print) = asks(run);
    print.refuse(&Problem::new(code), around())
}

/// The hosts of two profiles.
pub(super) fn two_profiles() -> Vec<HostListing> {
    vec![
        listed(
            "ci",
            entry("https://reg.example:5000", Some("<token>"), None),
        ),
        listed(
            "hub",
            entry("https://index.docker.io/v1/", Some("me"), None),
        ),
        listed("ci", entry("https://git.example/team/", None, None)),
        listed("ci", entry("http://127.0.0.1:5001", None, None)),
    ]
}

/// Texts that no parser takes as an address, of which each has a control character or is read in two ways.
pub(super) const NO_ADDRESSES: [&str; 18] = [
    "reg.example\nhost=evil.example",
    "reg.example\n\n",
    "reg.example\r",
    "reg.example\r\n",
    "\nreg.example",
    "reg.example\0",
    "reg.example\u{1b}[2J",
    "reg.example\u{7f}",
    "reg.example\u{85}evil",
    " reg.example",
    "https://",
    "https:///x",
    "//reg.example",
    ":443",
    "http://reg.example",
    "https://me@reg.example",
    "https://reg.example/a/../b",
    "https://reg.example.",
];

/// The validity that a token must have, and the wait, for this query.
pub(super) fn times(query: &AddressQuery) -> (Duration, Duration) {
    (query.min_valid, query.max_wait)
}
