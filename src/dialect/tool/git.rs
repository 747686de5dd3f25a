//! `jeton git`: git's credential helper (git-credential(1), gitcredentials(7)).

mod message;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::super::args::{Grammar, Profile, Usage};
use super::super::call::{Call, NextStep};
use super::super::failure::refusal;
use super::super::row::{Verb, verb};
use super::super::token_request::{stale_note, token_among, wait_limit};
use super::challenges::offers;
use super::{ClientBehaviour, Tool};
use crate::config::HostAuth;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{
    AddressAnswer, AddressQuery, AddressRejectQuery, Print, PrintContext, Question,
};
use crate::wire::Rejected;
use crate::wire::frame::{Instruction, Reply};
use message::{InvalidMessage, Message};

/// The row of the table.
pub(super) const TOOL: Tool = Tool {
    verb: Verb {
        program: Some("git-credential-jeton"),
        ..verb(&GRAMMAR, parse)
    },
    client: CLIENT,
};

/// How git treats a token.
const CLIENT: ClientBehaviour = ClientBehaviour {
    // Git reads the expiry from 2.40 on. Earlier versions ask once in each process.
    interval: Duration::ZERO,
    window: Duration::ZERO,
    timeout: Some(Duration::MAX),
    source: "git/git credential.c: it drops what has expired, and waits for its helper without a limit",
};

/// The longest time that an erase takes. It waits so that the next git process gets a newer token.
const NEWER_TOKEN: Duration = Duration::from_secs(3);

static GRAMMAR: Grammar = Grammar {
    verb: "git",
    usage: "[PROFILE] get|store|erase|capability",
    does: "git's credential helper; see 'jetond setup git'",
    options: &[],
    profile: Profile::None,
};

/// The operation for which git calls its helper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Get,
    Store,
    Erase,
    Capability,
    /// An operation of a later version. A helper ignores what it does not know (gitcredentials(7)).
    Other,
}

/// The printer of a token for git.
struct Credential {
    /// Whether git accepts the header to send, instead of a user name and a password.
    has_authtype: bool,
    /// Whether git returns a helper's state to it.
    has_state: bool,
    /// Whether the server accepts the token as Bearer, according to its challenges.
    offers_bearer: bool,
    /// The user name in the address.
    username: Option<String>,
}

/// The printer of nothing: git reads no reply to feedback.
struct NoOutput;

/// Parses a call.
fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let (words, _) = GRAMMAR.read_after(call, |_| 2)?;
    let (operation, profile) = match words.as_slice() {
        [] => return Err(GRAMMAR.wrong("there is no operation")),
        [operation] => (Operation::of(operation), None),
        [first, last] => match Operation::of(last) {
            // Git passes its operation last; a person may pass it first.
            Operation::Other => (Operation::of(first), Some(*last)),
            operation => (operation, Some(*first)),
        },
        _ => return Err(GRAMMAR.wrong("there are too many arguments")),
    };
    if operation == Operation::Other && call.run.terminal.input {
        return Err(GRAMMAR.wrong("there is no such operation"));
    }
    let profile = profile.map(ProfileName::parse).transpose();
    let profile = profile.map_err(|_| GRAMMAR.wrong("this is not a valid profile name"))?;
    let reads = matches!(
        operation,
        Operation::Get | Operation::Store | Operation::Erase
    );
    let Some(input) = call.run.stdin.as_deref().or((!reads).then_some(&[])) else {
        return Ok(NextStep::Answer(Instruction::SendInput { one_line: false }));
    };
    let parsed = match operation {
        Operation::Get => get(call, profile, input),
        Operation::Erase => erase(call, profile, input),
        Operation::Capability => Ok(done(b"version 0\ncapability authtype\ncapability state\n")),
        // Nothing is stored: the daemon provides the token whenever git asks.
        Operation::Store | Operation::Other => Ok(done(b"")),
    };
    Ok(parsed.unwrap_or_else(|InvalidMessage(why)| {
        let line = format!("git's message is refused: {why}");
        NextStep::Answer(refusal(Code::BadRequest, &line).into())
    }))
}

fn get(
    call: &Call<'_>,
    profile: Option<ProfileName>,
    input: &[u8],
) -> Result<NextStep, InvalidMessage> {
    let message = Message::parse(input)?;
    let username = message.username()?;
    let print = Credential {
        has_authtype: message.has_capability(b"authtype"),
        has_state: message.has_capability(b"state"),
        offers_bearer: message.challenges.is_empty() || offers(&message.challenges, b"Bearer"),
        username: username.clone(),
    };
    let query = AddressQuery {
        max_wait: wait_limit(call),
        ..query(&message, profile, username)?
    };
    Ok(NextStep::Ask(Question::Address(query, Box::new(print))))
}

/// Handles `erase`, with which git reports a credential that the server answered with a 401. Nothing is deleted, but
/// the credential may be a token of Jeton's that was rejected.
fn erase(
    call: &Call<'_>,
    profile: Option<ProfileName>,
    input: &[u8],
) -> Result<NextStep, InvalidMessage> {
    let message = Message::parse(input)?;
    let Some((which, only)) = feedback(&message) else {
        return Ok(done(b""));
    };
    let query = AddressRejectQuery {
        at: AddressQuery {
            max_wait: NEWER_TOKEN.min(wait_limit(call)),
            ..query(&message, profile, message.username()?)?
        },
        which,
        counts: Box::new(move |entry| {
            let auth = entry.and_then(|entry| entry.auth);
            only.is_none_or(|only| auth == Some(only))
        }),
    };
    Ok(NextStep::Ask(Question::AddressReject(
        query,
        Box::new(NoOutput),
    )))
}

/// Returns the rejected token, and the authentication kind for which the report counts; `None` if no token of Jeton's
/// was rejected.
fn feedback(message: &Message<'_>) -> Option<(Rejected, Option<HostAuth>)> {
    // Git sends one scheme. It also erases the token if the server accepts only the other one, which is not a
    // rejection.
    let scheme = message.authtype.unwrap_or(b"Basic");
    if !message.challenges.is_empty() && !offers(&message.challenges, scheme) {
        return None;
    }
    let sent = match message.authtype {
        Some(_) => message.credential,
        None => message.password,
    };
    let hash = |sent: &[u8]| Rejected::Sha256(Sha256::digest(sent).into());
    let mut ours = message.states.iter().filter_map(|state| generation(state));
    match (ours.next(), ours.next()) {
        // Git reports to each of its helpers, even to one for another profile, whose generations may have the same
        // numbers. The value that git sent identifies exactly one token.
        (Some(generation), None) => {
            let which = sent.map_or(Rejected::Generation(generation), hash);
            Some((which, None))
        }
        (Some(_), Some(_)) => None,
        // Git before 2.46 also erases a token that it could not send, because the server accepts only Bearer.
        (None, _) if message.capabilities.is_empty() => {
            Some((hash(message.password?), Some(HostAuth::Basic)))
        }
        (None, _) => None,
    }
}

/// Parses the generation in a `state[]` that Jeton wrote.
fn generation(state: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(state).ok()?.strip_prefix("jeton:")?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|_| is_number)
}

fn query(
    message: &Message<'_>,
    profile: Option<ProfileName>,
    username: Option<String>,
) -> Result<AddressQuery, InvalidMessage> {
    Ok(AddressQuery {
        address: Some(message.address()?),
        profile,
        username,
        ..AddressQuery::default()
    })
}

fn done(stdout: &[u8]) -> NextStep {
    NextStep::Answer(Instruction::Done(Reply {
        stdout: stdout.to_vec().into(),
        ..Reply::default()
    }))
}

impl Operation {
    fn of(word: &str) -> Self {
        match word {
            "get" => Self::Get,
            "store" => Self::Store,
            "erase" => Self::Erase,
            "capability" => Self::Capability,
            _ => Self::Other,
        }
    }
}

impl Print<AddressAnswer> for Credential {
    fn print(&self, answer: &AddressAnswer, around: PrintContext<'_>) -> Reply {
        let entry = answer.entry.as_ref();
        let is_bearer = match entry.and_then(|entry| entry.auth) {
            Some(auth) => auth == HostAuth::Bearer,
            None => self.offers_bearer,
        };
        let own = entry.and_then(|entry| entry.username.as_deref());
        let username = own.or(self.username.as_deref()).unwrap_or("oauth2");
        let held = &answer.token.held;
        let expiry = answer.expires_at.seconds_down();
        let mut middle = format!("ephemeral=1\npassword_expiry_utc={expiry}\n");
        let mut head = String::new();
        if self.has_state {
            head.push_str("capability[]=state\n");
            middle.push_str(&format!("state[]=jeton:{}\n", held.generation));
        }
        middle.push_str(&format!("username={username}\npassword="));
        // From 2.46 on git sends the header as given, even to a server that accepts only a user name and a password.
        let stdout = if is_bearer && self.has_authtype {
            head.push_str("capability[]=authtype\nauthtype=Bearer\ncredential=");
            token_among(&[&head, &format!("\n{middle}"), "\n\n"], &answer.token)
        } else {
            token_among(&[&(head + &middle), "\n\n"], &answer.token)
        };
        Reply {
            stdout,
            stderr: stale_note(&answer.token, around.now.boot),
            exit: 0,
        }
    }
}

impl Print<()> for NoOutput {
    fn print(&self, (): &(), _around: PrintContext<'_>) -> Reply {
        Reply::default()
    }

    fn refuse(&self, problem: &Problem, _around: PrintContext<'_>) -> Option<Reply> {
        // Git reports to each of its helpers, even a credential that none of them provided.
        (problem.code == Code::UnknownProfile).then(Reply::default)
    }
}

#[cfg(test)]
mod tests;
