//! `jeton watch`: a line of JSON for each new token and each change of state, for `while read`.

use super::super::args::{Grammar, Usage};
use super::super::{Dialect, News, Outcome, Query, Surroundings, unexpected};
use crate::profile::ProfileName;
use crate::wire::frame::{Invocation, Reply};
use crate::wire::{ProfileReply, TokenReply};

/// The verb.
pub(in crate::dialect) struct Watch {
    profile: Option<ProfileName>,
    since: Option<u64>,
}

const GRAMMAR: Grammar = Grammar {
    usage: "jeton watch [PROFILE] [--since GENERATION]",
    values: &["--since"],
    flags: &[],
    profile: true,
};

impl Watch {
    pub(in crate::dialect) fn parse(run: &Invocation) -> Result<Self, Usage> {
        let args = GRAMMAR.read(run)?;
        let since = args.value("--since").map(str::parse).transpose();
        Ok(Self {
            profile: args.profile(),
            since: since.map_err(|_| {
                GRAMMAR.wrong("--since takes the generation of the token that is known already")
            })?,
        })
    }
}

impl Dialect for Watch {
    fn query(&self) -> Query {
        Query::Watch {
            profile: self.profile.clone(),
            since: self.since,
        }
    }

    fn render(&self, outcome: &Outcome, around: Surroundings<'_>) -> Reply {
        let stdout = match outcome {
            Outcome::News(News::Token {
                profile,
                held,
                freshness,
            }) => {
                let line =
                    TokenReply::new(profile, held, freshness.is_stale(), around.now).to_line();
                named("token", &line)
            }
            Outcome::News(News::State(reply)) => named("state", &json(reply)),
            Outcome::News(News::Quiet) => vec![],
            _ => return unexpected(),
        };
        Reply {
            stdout: stdout.into(),
            ..Reply::default()
        }
    }
}

/// An object in a line, with the name of the event as its first member.
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
    use crate::dialect::testing::*;
    use crate::dialect::{Freshness, ProfileState};

    fn line(news: News) -> String {
        let watch = Watch::parse(&run(&["watch", "research", "--since", "6"])).unwrap();
        let reply = watch.render(&Outcome::News(news), around());
        assert_eq!((reply.exit, reply.stderr.as_str()), (0, ""));
        String::from_utf8(reply.stdout.to_vec()).unwrap()
    }

    #[test]
    fn each_event_is_a_line_of_json_that_says_which_it_is() {
        let Outcome::Token {
            profile,
            held,
            freshness,
        } = token_outcome(Freshness::Good)
        else {
            panic!()
        };
        let token = News::Token {
            profile,
            held,
            freshness,
        };
        assert_eq!(
            line(token),
            "{\"event\":\"token\",\"profile\":\"research\",\"access_token\":\"T0KEN\",\"token_type\":\"Bearer\",\
             \"expires_in\":3570,\"expires_at\":1800003570,\"generation\":7,\"stale\":false}\n"
        );
        let Outcome::Profiles(states) = states() else {
            panic!()
        };
        let [ProfileState { reply, .. }, ..] = states.as_slice() else {
            panic!()
        };
        let state = line(News::State(reply.clone()));
        let json: serde_json::Value = serde_json::from_str(&state).unwrap();
        assert_eq!(json["event"], "state");
        assert_eq!(json["phase"], "fresh");
        assert_eq!(state.matches('\n').count(), 1);
        assert_eq!(line(News::Quiet), "");
    }

    #[test]
    fn since_takes_a_generation() {
        for bad in ["", "x", "-1", "1.5", "99999999999999999999"] {
            assert!(Watch::parse(&run(&["watch", "--since", bad])).is_err());
        }
    }
}
