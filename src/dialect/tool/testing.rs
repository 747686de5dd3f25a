//! Test helpers shared by the protocols of other tools.

use std::time::Duration;

use crate::address::Address;
use crate::config::{HostAuth, HostEntry};
use crate::dialect::parse;
use crate::dialect::testing::{answer_with, around, run};
use crate::dialect::{NextStep, testing};
use crate::instant::UnixTime;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{AddressAnswer, AddressQuery, Freshness, HostListing, Print, Question};
use crate::wire::frame::{Instruction, Invocation, Reply};

/// Creates a run of the verb with this standard input.
pub(super) fn run_with(args: &[&str], input: &[u8]) -> Invocation {
    Invocation {
        stdin: Some(input.to_vec()),
        ..run(args)
    }
}

/// Creates a run of the verb with this variable.
pub(super) fn run_in(args: &[&str], name: &str, value: &str) -> Invocation {
    let mut run = run(args);
    run.env.insert(name.to_owned(), value.to_owned());
    run
}

/// Returns a run's query for the token of an address, and its printer.
pub(super) fn asks(run: &Invocation) -> (AddressQuery, Box<dyn Print<AddressAnswer>>) {
    match testing::asked(run) {
        Question::Address(query, print) => (query, print),
        _ => panic!("{run:?} asks for the token of an address"),
    }
}

/// Returns the address that a run asks for.
pub(super) fn address_of(run: &Invocation) -> String {
    let (query, _) = asks(run);
    query.address.map_or_else(String::new, |it| it.to_string())
}

/// Returns the printer of a run that asks for the addresses of all profiles.
pub(super) fn asks_hosts(run: &Invocation) -> Box<dyn Print<[HostListing]>> {
    match testing::asked(run) {
        Question::Hosts(print) => print,
        _ => panic!("{run:?} asks for addresses"),
    }
}

/// Returns the reply of a run that needs no query.
pub(super) fn at_once(run: &Invocation) -> Reply {
    match parse(run) {
        NextStep::Answer(Instruction::Done(reply)) => reply,
        NextStep::Answer(other) => panic!("{run:?}: {other:?}"),
        NextStep::Ask(_) | NextStep::Confirm(..) => panic!("{run:?} asks the daemon"),
    }
}

/// Reports whether the companion has to send the run again with its standard input.
pub(super) fn wants_input(run: &Invocation) -> bool {
    matches!(
        parse(run),
        NextStep::Answer(Instruction::SendInput { one_line: false })
    )
}

/// Creates an entry.
pub(super) fn entry(url: &str, username: Option<&str>, auth: Option<HostAuth>) -> HostEntry {
    HostEntry {
        url: Address::parse(url).unwrap(),
        username: username.map(str::to_owned),
        auth,
    }
}

/// Creates the listing of a profile with this entry.
pub(super) fn listed(profile: &str, entry: HostEntry) -> HostListing {
    HostListing {
        profile: ProfileName::parse(profile).unwrap(),
        entry,
    }
}

/// The expiry that is reported to clients. It is earlier than the real one.
pub(super) const TOLD: UnixTime = UnixTime::from_epoch(Duration::from_secs(1_800_002_000));

/// Creates a reply with this token, for an address with this entry.
pub(super) fn answer_for(token: &str, entry: Option<HostEntry>) -> AddressAnswer {
    AddressAnswer {
        token: answer_with(token),
        entry,
        expires_at: TOLD,
    }
}

/// Returns what a run prints for this token.
pub(super) fn prints(run: &Invocation, token: &str, entry: Option<HostEntry>) -> String {
    let (_, print) = asks(run);
    let reply = print.print(&answer_for(token, entry), around());
    assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""), "{run:?}");
    String::from_utf8(reply.stdout.to_vec()).unwrap()
}

/// Returns what a run prints on standard error for a token with less validity than requested.
pub(super) fn note(run: &Invocation) -> String {
    let (_, print) = asks(run);
    let mut answer = answer_for("T0KEN", None);
    answer.token.freshness = Freshness::Short;
    print.print(&answer, around()).stderr
}

/// Returns what a run prints for a problem; `None` if the companion's own line is printed.
pub(super) fn refusal_of(run: &Invocation, code: Code) -> Option<Reply> {
    let (_, print) = asks(run);
    print.refuse(&Problem::new(code), around())
}

/// Returns the addresses of two profiles.
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

/// Texts that are refused as addresses: each has a control character, or is read differently by different programs.
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

/// Returns the minimum validity and the longest wait of this query.
pub(super) fn times(query: &AddressQuery) -> (Duration, Duration) {
    (query.min_valid, query.max_wait)
}
