//! Printers for the paths of the local interface. The body is what a companion's verb prints to standard output.

use serde::Serialize;

use crate::query::{Print, PrintContext, RotationEvent, TokenAnswer, WatchEvent};
use crate::wire::frame::Reply;
use crate::wire::{TokenReply, events};

/// Prints the same line for every answer.
pub(super) struct Line(pub(super) &'static str);

/// Prints JSON and a newline. The function converts the answer to the value to serialise.
pub(super) struct Json<Answer: ?Sized, T>(pub(super) fn(&Answer) -> T);

/// Prints server-sent events.
pub(super) struct Events;

/// Prints each step of a rotation as a line of JSON. An empty line is a heartbeat.
pub(super) struct StepLines;

impl<Answer: ?Sized> Print<Answer> for Line {
    fn print(&self, _: &Answer, _: PrintContext<'_>) -> Reply {
        body(self.0.into())
    }
}

impl<Answer: ?Sized, T: Serialize> Print<Answer> for Json<Answer, T> {
    fn print(&self, answer: &Answer, _: PrintContext<'_>) -> Reply {
        // Structs and maps of strings and numbers always serialise.
        let mut bytes = serde_json::to_vec(&self.0(answer)).unwrap_or_default();
        bytes.push(b'\n');
        body(bytes)
    }
}

impl Print<WatchEvent> for Events {
    fn print(&self, news: &WatchEvent, around: PrintContext<'_>) -> Reply {
        body(match news {
            WatchEvent::Token(TokenAnswer {
                profile,
                held,
                freshness,
            }) => {
                let stale = freshness.is_stale();
                events::token(&TokenReply::new(profile, held, stale, around.now))
            }
            WatchEvent::State(reply) => events::state(reply),
            WatchEvent::Quiet => events::COMMENT.to_vec(),
        })
    }
}

impl Print<RotationEvent> for StepLines {
    fn print(&self, news: &RotationEvent, _: PrintContext<'_>) -> Reply {
        body(match news {
            RotationEvent::Step(step) => step.to_line(),
            RotationEvent::Quiet => b"\n".to_vec(),
        })
    }
}

fn body(bytes: Vec<u8>) -> Reply {
    Reply {
        stdout: bytes.into(),
        ..Reply::default()
    }
}
