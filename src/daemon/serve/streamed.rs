//! Answers that are written event by event: the events of a watch, and the steps of a rotation.

use std::pin::Pin;
use std::sync::Arc;

use super::super::keep::feed::{Feed, FeedItem};
use super::super::service::{RotationFeed, RotationTold};
use crate::dialect;
use crate::instant::Now;
use crate::lifecycle::HeldToken;
use crate::problem::Problem;
use crate::query::{Print, PrintContext, RotationEvent, WatchEvent};
use crate::token::{self, Pieces};
use crate::wire::frame::{self, Reply};

/// The next piece of a streamed answer together with the rest of the stream, or `None` at its end.
pub(super) type Next = Pin<Box<dyn Future<Output = Option<(Pieces, Box<dyn Streamed>)>> + Send>>;

/// An answer that is written event by event.
pub(super) trait Streamed: Send {
    /// Waits for the next event. The rest of the stream stays in its box: by value, each of thousands of waiting
    /// futures would reserve room for it twice.
    fn next(self: Box<Self>) -> Next;
}

/// Source of the events of a stream.
pub(super) trait EventSource: Send + 'static {
    /// An event.
    type News: Send;

    /// Waits for the next item.
    fn next(&mut self) -> impl Future<Output = Item<Self::News>> + Send;

    /// Returns the current time on the stream's clock.
    fn now(&self) -> Now;

    /// Returns the token in an event. All answers share its bytes.
    fn token(news: &Self::News) -> Option<Arc<HeldToken>>;
}

/// An item of a stream.
pub(super) enum Item<WatchEvent> {
    /// An event.
    News(WatchEvent),
    /// The stream has ended, without a problem or for this reason.
    End(Option<Problem>),
}

/// A stream and the form in which it is written.
pub(super) struct Stream<S: EventSource> {
    source: S,
    form: Form<S::News>,
    over: bool,
}

/// The form in which a stream is written.
pub(super) enum Form<WatchEvent> {
    /// The output of `print` for each event. The end of the stream is not written.
    Plain {
        print: Box<dyn Print<WatchEvent>>,
        socket: String,
    },
    /// Frames for the companion, with the output of `print`.
    Frames {
        print: Box<dyn Print<WatchEvent>>,
        socket: String,
        opened: bool,
    },
}

// === impl EventSource ===

impl EventSource for Feed {
    type News = WatchEvent;

    async fn next(&mut self) -> Item<WatchEvent> {
        match self.next().await {
            FeedItem::News(news) => Item::News(news),
            FeedItem::End(problem) => Item::End(Some(problem)),
        }
    }

    fn now(&self) -> Now {
        self.now()
    }

    fn token(news: &WatchEvent) -> Option<Arc<HeldToken>> {
        match news {
            WatchEvent::Token(answer) => Some(Arc::clone(&answer.held)),
            WatchEvent::State(_) | WatchEvent::Quiet => None,
        }
    }
}

impl EventSource for RotationFeed {
    type News = RotationEvent;

    async fn next(&mut self) -> Item<RotationEvent> {
        match self.next().await {
            RotationTold::News(news) => Item::News(news),
            RotationTold::End(problem) => Item::End(problem),
        }
    }

    fn now(&self) -> Now {
        self.now()
    }

    fn token(_: &RotationEvent) -> Option<Arc<HeldToken>> {
        None
    }
}

// === impl Stream ===

impl<S: EventSource> Stream<S> {
    pub(super) const fn new(source: S, form: Form<S::News>) -> Self {
        Self {
            source,
            form,
            over: false,
        }
    }
}

impl<S: EventSource> Streamed for Stream<S> {
    fn next(mut self: Box<Self>) -> Next {
        Box::pin(async move {
            if self.over {
                return None;
            }
            let item = self.source.next().await;
            self.over = matches!(item, Item::End(_));
            let held = match &item {
                Item::News(news) => S::token(news),
                Item::End(_) => None,
            };
            let bytes = self.form.write(item, self.source.now())?;
            let pieces = match held {
                Some(held) => token::share(bytes, &held.token),
                None => bytes.into(),
            };
            Some((pieces, self as Box<dyn Streamed>))
        })
    }
}

// === impl Form ===

impl<WatchEvent> Form<WatchEvent> {
    /// Creates the form for the companion, with a verb's printer.
    pub(super) const fn frames(print: Box<dyn Print<WatchEvent>>, socket: String) -> Self {
        Self::Frames {
            print,
            socket,
            opened: false,
        }
    }

    /// Returns the bytes of one item, or `None` for an end that is not written.
    fn write(&mut self, item: Item<WatchEvent>, now: Now) -> Option<Vec<u8>> {
        match (self, item) {
            (Self::Plain { .. }, Item::End(_)) => None,
            (Self::Plain { print, socket }, Item::News(news)) => {
                let mut reply = print.print(&news, PrintContext { now, socket });
                Some(std::mem::take(&mut *reply.stdout))
            }
            (
                Self::Frames {
                    print,
                    socket,
                    opened,
                },
                item,
            ) => {
                let head = if std::mem::replace(opened, true) {
                    vec![]
                } else {
                    frame::OPENING.to_vec()
                };
                let fields = match item {
                    Item::News(news) => {
                        let around = PrintContext { now, socket };
                        let reply = print.print(&news, around);
                        frame::stdout(&reply.stdout)
                    }
                    Item::End(None) => frame::end(&Reply::default()),
                    Item::End(Some(problem)) => frame::end(&dialect::failure(&problem, now)),
                };
                Some([head, fields].concat())
            }
        }
    }
}
