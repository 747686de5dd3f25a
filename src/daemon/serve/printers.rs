//! Prints answers for the paths of the local interface: what a verb prints to standard output is the body there.

use serde::Serialize;

use crate::query::{News, Print, ProfileState, Surroundings, TokenAnswer};
use crate::wire::frame::Reply;
use crate::wire::{ProfilesReply, TokenReply, events};

/// The same line for every answer.
pub(super) struct Line(pub(super) &'static str);

/// An answer as JSON, and a newline.
pub(super) struct Json;

/// Server-sent events.
pub(super) struct Events;

impl<Answer: ?Sized> Print<Answer> for Line {
    fn print(&self, _: &Answer, _: Surroundings<'_>) -> Reply {
        body(self.0.into())
    }
}

impl Print<ProfileState> for Json {
    fn print(&self, state: &ProfileState, _: Surroundings<'_>) -> Reply {
        json(&state.reply)
    }
}

impl Print<[ProfileState]> for Json {
    fn print(&self, states: &[ProfileState], _: Surroundings<'_>) -> Reply {
        let profiles = states.iter().map(|state| state.reply.clone()).collect();
        json(&ProfilesReply { profiles })
    }
}

impl Print<News> for Events {
    fn print(&self, news: &News, around: Surroundings<'_>) -> Reply {
        body(match news {
            News::Token(TokenAnswer {
                profile,
                held,
                freshness,
            }) => {
                let stale = freshness.is_stale();
                events::token(&TokenReply::new(profile, held, stale, around.now))
            }
            News::State(reply) => events::state(reply),
            News::Quiet => events::COMMENT.to_vec(),
        })
    }
}

fn json<T: Serialize>(value: &T) -> Reply {
    // Structs and maps of strings and numbers always serialise.
    let mut bytes = serde_json::to_vec(value).unwrap_or_default();
    bytes.push(b'\n');
    body(bytes)
}

fn body(bytes: Vec<u8>) -> Reply {
    Reply {
        stdout: bytes.into(),
        ..Reply::default()
    }
}
