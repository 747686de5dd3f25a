//! The body of an answer: whole, or streamed for as long as a profile is watched.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Buf as _, Frame, SizeHint};

use super::super::keep::feed::{Feed, Told};
use super::pace::Busy;
use crate::dialect;
use crate::instant::Now;
use crate::query::{News, Print, Surroundings};
use crate::token::{self, Pieces};
use crate::wire::frame;

/// The body of an answer; its connection counts as busy until it is written.
pub(super) struct Answering {
    sending: Sending,
    _busy: Busy,
}

enum Sending {
    /// An answer, until it is sent.
    Whole(Pieces),
    /// A wait for the next event. No event is made before the connection has room for it.
    Watched(Next),
    Over,
}

type Next = Pin<Box<dyn Future<Output = Option<(Pieces, Box<Watching>)>> + Send>>;

/// A watch, and the form in which it is written.
pub(super) struct Watching {
    feed: Feed,
    form: Form,
    over: bool,
}

/// The form in which a watch is written.
pub(super) enum Form {
    /// The output of `print` for each event; the end of the watch is not written.
    Plain {
        print: Box<dyn Print<News>>,
        socket: String,
    },
    /// Frames for the companion, with the output of `print`.
    Frames {
        print: Box<dyn Print<News>>,
        socket: String,
        opened: bool,
    },
}

// === impl Answering ===

impl Answering {
    /// Sends an answer.
    pub(super) fn whole(answer: impl Into<Pieces>, busy: Busy) -> Self {
        Self {
            sending: Sending::Whole(answer.into()),
            _busy: busy,
        }
    }

    /// Streams the events of a watch.
    pub(super) fn watched(watching: Box<Watching>, busy: Busy) -> Self {
        busy.watches();
        let next = Box::pin(watching.next());
        Self {
            sending: Sending::Watched(next),
            _busy: busy,
        }
    }
}

impl Body for Answering {
    type Data = Pieces;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let (pieces, then) = match &mut self.sending {
            Sending::Whole(pieces) => (std::mem::take(pieces), Sending::Over),
            Sending::Over => return Poll::Ready(None),
            Sending::Watched(next) => match ready!(next.as_mut().poll(cx)) {
                Some((pieces, watching)) => (pieces, Sending::Watched(Box::pin(watching.next()))),
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
            Sending::Watched(..) => false,
            Sending::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.sending {
            Sending::Whole(pieces) => SizeHint::with_exact(pieces.remaining() as u64),
            Sending::Watched(..) => SizeHint::new(),
            Sending::Over => SizeHint::with_exact(0),
        }
    }
}

// === impl Watching ===

impl Watching {
    pub(super) const fn new(feed: Feed, form: Form) -> Self {
        Self {
            feed,
            form,
            over: false,
        }
    }

    /// Waits for the next event, and returns it with the rest of the watch. That stays in its box: by value, each of
    /// thousands of waits would have room for two of it.
    async fn next(mut self: Box<Self>) -> Option<(Pieces, Box<Self>)> {
        if self.over {
            return None;
        }
        let told = self.feed.next().await;
        self.over = matches!(told, Told::End(_));
        let held = match &told {
            Told::News(News::Token(answer)) => Some(Arc::clone(&answer.held)),
            _ => None,
        };
        let bytes = self.form.write(told, self.feed.now())?;
        let pieces = match held {
            Some(held) => token::share(bytes, &held.token),
            None => bytes.into(),
        };
        Some((pieces, self))
    }
}

// === impl Form ===

impl Form {
    /// Frames for the companion, with the output of a verb's printer.
    pub(super) const fn frames(print: Box<dyn Print<News>>, socket: String) -> Self {
        Self::Frames {
            print,
            socket,
            opened: false,
        }
    }

    /// Returns the bytes of one item; `None` for an end that is not written.
    fn write(&mut self, told: Told, now: Now) -> Option<Vec<u8>> {
        match (self, told) {
            (Self::Plain { .. }, Told::End(_)) => None,
            (Self::Plain { print, socket }, Told::News(news)) => {
                let mut reply = print.print(&news, Surroundings { now, socket });
                Some(std::mem::take(&mut *reply.stdout))
            }
            (
                Self::Frames {
                    print,
                    socket,
                    opened,
                },
                told,
            ) => {
                let head = if std::mem::replace(opened, true) {
                    vec![]
                } else {
                    frame::OPENING.to_vec()
                };
                let fields = match told {
                    Told::News(news) => {
                        let around = Surroundings { now, socket };
                        let reply = print.print(&news, around);
                        frame::stdout(&reply.stdout)
                    }
                    Told::End(problem) => frame::end(&dialect::failure(&problem, now)),
                };
                Some([head, fields].concat())
            }
        }
    }
}
