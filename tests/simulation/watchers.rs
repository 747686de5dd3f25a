//! The clients of a run that watch a profile and record all events.

use std::time::Duration;

use jetond::daemon::service::SocketKind;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::bug::Bug;
use crate::clients::{Client, answer, status_and_body};
use crate::history::{Ask, Event, WatchEvent};

/// Longer than the time between two keep-alive comments.
const PATIENCE: Duration = Duration::from_secs(20);

/// The end of a watch.
enum WatchEnd {
    /// The watcher disconnected.
    Itself,
    /// The daemon ended it.
    Ended,
    /// No event arrived for too long.
    Silence,
}

impl Client {
    /// Watches for this long each time, and continues where the last watch ended.
    pub(crate) async fn watch(self, times: u32, long: Duration, reads_after: Duration) {
        let mut since = None;
        for _ in 0..times {
            let request = self.begins(Ask::Watch { since, reads_after });
            let text = self.text(&Ask::Watch { since, reads_after });
            let mut stream = self.daemon.connect(SocketKind::Tokens, self.uid);
            stream.write_all(text.as_bytes()).await.unwrap();
            let mut reader = Reader {
                client: &self,
                request,
                stream,
                buffer: String::new(),
                reads_after,
                is_open: false,
                since: &mut since,
            };
            let left = tokio::time::timeout(long, reader.read())
                .await
                .unwrap_or(WatchEnd::Itself);
            let what = match left {
                WatchEnd::Itself => Event::HungUp { request },
                WatchEnd::Silence => Event::Silence { request },
                WatchEnd::Ended => {
                    let (status, body) = status_and_body(&reader.buffer);
                    let answer = answer(status, body, false);
                    Event::Answered { request, answer }
                }
            };
            self.world.record(what);
        }
    }
}

struct Reader<'a> {
    client: &'a Client,
    request: u32,
    stream: DuplexStream,
    /// The unread part of the answer's head or of the next event.
    buffer: String,
    reads_after: Duration,
    is_open: bool,
    /// The last received generation.
    since: &'a mut Option<u64>,
}

impl Reader<'_> {
    async fn read(&mut self) -> WatchEnd {
        let mut bytes = [0; 1_024];
        loop {
            let read = tokio::time::timeout(PATIENCE, self.stream.read(&mut bytes)).await;
            match read {
                Err(_) => return WatchEnd::Silence,
                // A daemon that drops a connection may break it.
                Ok(Ok(0) | Err(_)) => return WatchEnd::Ended,
                Ok(Ok(count)) => self.buffer += std::str::from_utf8(&bytes[..count]).unwrap(),
            }
            self.take();
            tokio::time::sleep(self.reads_after).await;
        }
    }

    /// Takes the complete events.
    fn take(&mut self) {
        if !self.is_open {
            let Some((head, rest)) = self.buffer.split_once("\r\n\r\n") else {
                return;
            };
            if !head.contains(" 200 ") {
                return;
            }
            (self.is_open, self.buffer) = (true, rest.to_owned());
        }
        while let Some((event, rest)) = self.buffer.split_once("\n\n") {
            let (event, rest) = (event.to_owned(), rest.to_owned());
            let told = self.told(&event);
            self.buffer = rest;
            let request = self.request;
            if self.client.world.bug == Some(Bug::StutteringDoor) {
                let told = told.clone();
                self.client.world.record(Event::Told { request, told });
            }
            self.client.world.record(Event::Told { request, told });
        }
    }

    fn told(&mut self, event: &str) -> WatchEvent {
        let field = |name: &str| {
            let mut lines = event.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let data = field("data").unwrap_or_default();
        match field("event") {
            Some("token") => {
                let told = answer(200, data, false);
                assert_eq!(
                    field("id"),
                    told.generation.map(|g| g.to_string()).as_deref()
                );
                self.client.sees(&told);
                *self.since = told.generation;
                WatchEvent::Token(told)
            }
            Some("state") => {
                let json: Value = serde_json::from_str(data).unwrap();
                WatchEvent::State {
                    phase: json["phase"].as_str().unwrap().to_owned(),
                    generation: json["generation"].as_u64().unwrap(),
                }
            }
            _ => WatchEvent::Comment,
        }
    }
}
