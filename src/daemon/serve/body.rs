//! The body of an answer: whole, or streamed for as long as a profile is watched.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};

use super::super::keep::feed::{Feed, Told};
use super::stream::Busy;
use crate::dialect;
use crate::instant::Now;
use crate::query::{News, Print, Surroundings};
use crate::wire::frame;

/// The body of an answer; its connection counts as busy until it is written.
pub(super) struct Answering {
    bytes: Pieces,
    _busy: Busy,
}

enum Pieces {
    Whole(Full<Bytes>),
    /// Waits for the next piece. No piece is made before the connection has room for it.
    Watched(Next),
    Over,
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Watching)>> + Send>>;

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
    /// Sends all bytes at once.
    pub(super) fn whole(bytes: Bytes, busy: Busy) -> Self {
        Self {
            bytes: Pieces::Whole(Full::new(bytes)),
            _busy: busy,
        }
    }

    /// Streams the events of a watch.
    pub(super) fn watched(watching: Watching, busy: Busy) -> Self {
        Self {
            bytes: Pieces::Watched(Box::pin(watching.next())),
            _busy: busy,
        }
    }
}

impl Body for Answering {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut self.bytes {
            Pieces::Whole(bytes) => Pin::new(bytes).poll_frame(cx),
            Pieces::Over => Poll::Ready(None),
            Pieces::Watched(next) => {
                let piece = ready!(next.as_mut().poll(cx));
                let (bytes, pieces) = match piece {
                    Some((bytes, watching)) => {
                        (Some(bytes), Pieces::Watched(Box::pin(watching.next())))
                    }
                    None => (None, Pieces::Over),
                };
                self.bytes = pieces;
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.bytes {
            Pieces::Whole(bytes) => bytes.is_end_stream(),
            Pieces::Watched(_) => false,
            Pieces::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.bytes {
            Pieces::Whole(bytes) => bytes.size_hint(),
            Pieces::Watched(_) => SizeHint::new(),
            Pieces::Over => SizeHint::with_exact(0),
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

    /// Waits for the next piece, and returns it with the rest of the watch.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        if self.over {
            return None;
        }
        let told = self.feed.next().await;
        self.over = matches!(told, Told::End(_));
        let bytes = self.form.write(told, self.feed.now())?;
        Some((Bytes::from(bytes), self))
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
