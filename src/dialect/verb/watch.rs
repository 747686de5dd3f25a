//! `jeton watch`: prints a line of JSON for each new token and each change of state, for `while read` loops.

use super::super::args::{Grammar, Opt, OptionArgument, Profile, Usage};
use super::super::call::{Call, NextStep};
use crate::query::{Print, PrintContext, Question, TokenAnswer, WatchEvent, WatchQuery};
use crate::wire::frame::Reply;
use crate::wire::{ProfileReply, TokenReply};

static SINCE: Opt = Opt {
    name: "--since",
    takes: OptionArgument::Word {
        name: "GENERATION",
        what: "the generation of the token that is known already",
    },
    help: "leave out the current token if it has this generation",
};

pub(super) static GRAMMAR: Grammar = Grammar {
    verb: "watch",
    usage: "[PROFILE] [--since GENERATION]",
    does: "print each new token and each change of state as JSON",
    options: &[&SINCE],
    profile: Profile::ArgumentOrVariable,
};

struct Watch;

/// Parses a call.
pub(super) fn parse(call: &Call<'_>) -> Result<NextStep, Usage> {
    let args = GRAMMAR.read(call)?;
    let query = WatchQuery {
        profile: args.profile(),
        since: args.parsed(&SINCE, |text| text.parse().ok())?,
    };
    Ok(NextStep::Ask(Question::Watch(query, Box::new(Watch))))
}

impl Print<WatchEvent> for Watch {
    fn print(&self, news: &WatchEvent, around: PrintContext<'_>) -> Reply {
        let stdout = match news {
            WatchEvent::Token(TokenAnswer {
                profile,
                held,
                freshness,
            }) => {
                let line =
                    TokenReply::new(profile, held, freshness.is_stale(), around.now).to_line();
                named("token", &line)
            }
            WatchEvent::State(reply) => named("state", &json(reply)),
            WatchEvent::Quiet => vec![],
        };
        Reply {
            stdout: stdout.into(),
            ..Reply::default()
        }
    }
}

/// Formats an object on one line, with the event's name as its first member.
fn named(event: &str, object: &[u8]) -> Vec<u8> {
    let members = object.strip_prefix(b"{").unwrap_or(object);
    let head = format!("{{\"event\":\"{event}\",");
    [head.as_bytes(), members].concat()
}

fn json(reply: &ProfileReply) -> Vec<u8> {
    // A struct of strings and numbers always serialises.
    let mut line = serde_json::to_vec(reply).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::parse;
    use crate::dialect::testing::*;
    use crate::query::{Freshness, ProfileState};

    fn line(news: &WatchEvent) -> String {
        let watch = run(&["watch", "research", "--since", "6"]);
        let Question::Watch(query, print) = asked(&watch) else {
            panic!()
        };
        assert_eq!(query.since, Some(6));
        let reply = print.print(news, around());
        assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""));
        String::from_utf8(reply.stdout.to_vec()).unwrap()
    }

    #[test]
    fn each_event_is_one_json_line_with_its_type() {
        let token = WatchEvent::Token(token_answer(Freshness::Good));
        assert_eq!(
            line(&token),
            "{\"event\":\"token\",\"profile\":\"research\",\"access_token\":\"T0KEN\",\"token_type\":\"Bearer\",\
             \"expires_in\":3570,\"expires_at\":1800003570,\"generation\":7,\"stale\":false}\n"
        );
        let states = states();
        let [ProfileState { reply, .. }, ..] = states.as_slice() else {
            panic!()
        };
        let state = line(&WatchEvent::State(Box::new(reply.clone())));
        let json: serde_json::Value = serde_json::from_str(&state).unwrap();
        assert_eq!(json["event"], "state");
        assert_eq!(json["phase"], "fresh");
        assert_eq!(state.matches('\n').count(), 1);
        assert_eq!(line(&WatchEvent::Quiet), "");
    }

    #[test]
    fn since_takes_a_generation() {
        for bad in ["", "x", "-1", "1.5", "99999999999999999999"] {
            assert!(matches!(
                parse(&run(&["watch", "--since", bad])),
                NextStep::Answer(_)
            ));
        }
    }
}
