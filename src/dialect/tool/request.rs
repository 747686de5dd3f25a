//! Shared by the protocols of other tools: the query for the token of an address, and how one is refused.

use std::time::Duration;

use super::super::args::{Grammar, Usage};
use super::super::call::Call;
use super::super::failure::failure;
use super::super::token_request::patience;
use crate::address::Address;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{AddressAnswer, AddressQuery, Surroundings};
use crate::wire::frame::Reply;

/// The user name beside a token where neither the entry nor the client has one: most servers ignore it.
pub(super) const USERNAME: &str = "oauth2";

/// How long a client keeps a token that it was given without an expiry and holds for one command: a long command.
pub(super) const OF_A_COMMAND: Duration = Duration::from_secs(300);

/// The query for the token of an address. The row of the client bounds its times.
pub(super) fn address_query(
    call: &Call<'_>,
    address: Option<Address>,
    profile: Option<ProfileName>,
) -> AddressQuery {
    AddressQuery {
        address,
        profile,
        max_wait: patience(call),
        ..AddressQuery::default()
    }
}

/// The user name to send beside the token: the entry's, else the client's own.
pub(super) fn username<'a>(answer: &'a AddressAnswer, own: Option<&'a str>) -> &'a str {
    let of_entry = answer.entry.as_ref().and_then(|it| it.username.as_deref());
    of_entry.or(own).unwrap_or(USERNAME)
}

/// The refusal of an address by a protocol that has `words` for "there is none", which go to standard output.
pub(super) fn none(words: &str, line: &str) -> Reply {
    Reply {
        stdout: words.as_bytes().to_vec().into(),
        stderr: format!("jeton: {line}\n"),
        exit: 1,
    }
}

/// The same for a problem, if it is that no profile of this caller is for the address. A forbidden one looks the same.
pub(super) fn none_for(words: &str, problem: &Problem, around: Surroundings<'_>) -> Option<Reply> {
    let is_none = matches!(problem.code, Code::UnknownProfile | Code::Forbidden);
    is_none.then(|| Reply {
        stdout: words.as_bytes().to_vec().into(),
        exit: 1,
        ..failure(problem, around.now)
    })
}

/// A profile's name among the operands.
pub(super) fn profile_name(grammar: &Grammar, word: &str) -> Result<ProfileName, Usage> {
    const NAME: &str =
        "a profile's name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit";
    ProfileName::parse(word).map_err(|_| grammar.wrong(NAME))
}

/// Quotes a text for JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
