//! The query for the token of an address, and its refusal: shared by the protocols of other tools.

use std::time::Duration;

use super::super::args::{Grammar, Usage};
use super::super::call::Call;
use super::super::failure::failure;
use super::super::token_request::wait_limit;
use crate::address::Address;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{AddressAnswer, AddressQuery, PrintContext};
use crate::wire::frame::Reply;

/// The user name beside a token if neither the entry nor the client has one. Most servers ignore it.
pub(super) const USERNAME: &str = "oauth2";

/// How long a client holds a token without an expiry that it keeps for one command: the duration of a long command.
pub(super) const OF_A_COMMAND: Duration = Duration::from_secs(300);

/// Builds the query for the token of an address. The client's row of the table limits its times.
pub(super) fn address_query(
    call: &Call<'_>,
    address: Option<Address>,
    profile: Option<ProfileName>,
) -> AddressQuery {
    AddressQuery {
        address,
        profile,
        max_wait: wait_limit(call),
        ..AddressQuery::default()
    }
}

/// Selects the user name to send beside the token: the entry's, or else the client's own.
pub(super) fn username<'a>(answer: &'a AddressAnswer, own: Option<&'a str>) -> &'a str {
    let of_entry = answer.entry.as_ref().and_then(|it| it.username.as_deref());
    of_entry.or(own).unwrap_or(USERNAME)
}

/// Refuses an address in a protocol whose `words` for "no credential" go to standard output.
pub(super) fn no_credential(words: &str, line: &str) -> Reply {
    Reply {
        stdout: words.as_bytes().to_vec().into(),
        stderr: format!("jeton: {line}\n"),
        exit: 1,
    }
}

/// Does the same for a problem, if it means that no profile of this caller serves the address. A forbidden profile
/// looks the same.
pub(super) fn no_credential_for(
    words: &str,
    problem: &Problem,
    around: PrintContext<'_>,
) -> Option<Reply> {
    let is_none = matches!(problem.code, Code::UnknownProfile | Code::Forbidden);
    is_none.then(|| Reply {
        stdout: words.as_bytes().to_vec().into(),
        exit: 1,
        ..failure(problem, around.now)
    })
}

/// Parses a profile's name among the operands.
pub(super) fn profile_name(grammar: &Grammar, word: &str) -> Result<ProfileName, Usage> {
    const NAME: &str =
        "a profile's name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit";
    ProfileName::parse(word).map_err(|_| grammar.wrong(NAME))
}

/// Quotes a text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
