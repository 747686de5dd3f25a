//! The body of an answer, whole or streamed.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Buf as _, Frame, SizeHint};

use super::connection_progress::BusyGuard;
use super::streamed::{Next, Streamed};
use crate::token::Pieces;

/// The body of an answer. Its connection counts as busy until the body is written.
pub(super) struct AnswerBody {
    sending: Sending,
    _busy: BusyGuard,
}

enum Sending {
    /// An answer that has not been sent yet.
    Whole(Pieces),
    /// The wait for the next event. Events are made only when the connection has room for them.
    Streamed(Next),
    Over,
}

// === impl Answering ===

impl AnswerBody {
    /// Creates a body from a whole answer.
    pub(super) fn whole(answer: impl Into<Pieces>, busy: BusyGuard) -> Self {
        Self {
            sending: Sending::Whole(answer.into()),
            _busy: busy,
        }
    }

    /// Creates a body that streams events.
    pub(super) fn streamed(stream: Box<dyn Streamed>, busy: BusyGuard) -> Self {
        busy.watches();
        Self {
            sending: Sending::Streamed(stream.next()),
            _busy: busy,
        }
    }
}

impl Body for AnswerBody {
    type Data = Pieces;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let (pieces, then) = match &mut self.sending {
            Sending::Whole(pieces) => (std::mem::take(pieces), Sending::Over),
            Sending::Over => return Poll::Ready(None),
            Sending::Streamed(next) => match ready!(next.as_mut().poll(cx)) {
                Some((pieces, stream)) => (pieces, Sending::Streamed(stream.next())),
                None => (Pieces::default(), Sending::Over),
            },
        };
        self.sending = then;
        let is_left = pieces.has_remaining();
        Poll::Ready(is_left.then(|| Ok(Frame::data(pieces))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.sending {
            Sending::Whole(pieces) => !pieces.has_remaining(),
            Sending::Streamed(..) => false,
            Sending::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.sending {
            Sending::Whole(pieces) => SizeHint::with_exact(pieces.remaining() as u64),
            Sending::Streamed(..) => SizeHint::new(),
            Sending::Over => SizeHint::with_exact(0),
        }
    }
}
