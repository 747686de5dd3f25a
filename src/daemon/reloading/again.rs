//! When the machine is asked again: for names that it did not know, and for a configuration that it kept from being read.
//!
//! A user is made, or a directory service comes up, without a word to the daemon. While everything is known there is no
//! timer.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::from_now;

/// How often the machine is asked at first: what comes up with the machine is there within minutes.
const AT_FIRST: Duration = Duration::from_secs(60);

/// How long that lasts.
const FIRST: Duration = Duration::from_secs(600);

/// How often after that, as for a user that was deleted for good.
const LATER: Duration = Duration::from_secs(900);

/// The times at which to ask again, and the asking.
pub(super) struct Again<T> {
    row: Option<Row>,
    asking: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

/// What comes next.
pub(super) enum Next<T> {
    /// It is time to ask.
    Due,
    /// The answer.
    Answer(T),
}

/// A row of times: when it began, and the next one.
#[derive(Clone, Copy)]
struct Row {
    begun: Instant,
    due: Instant,
}

/// How long after a look that ended `since` the beginning of the row the next one is due.
fn pause(since: Duration) -> Duration {
    if since < FIRST { AT_FIRST } else { LATER }
}

// === impl Again ===

impl<T> Default for Again<T> {
    fn default() -> Self {
        Self {
            row: None,
            asking: None,
        }
    }
}

impl<T> Again<T> {
    /// Begins a new row after a start or a reload, which has asked for everything itself; none if nothing is unknown.
    pub(super) fn begin(&mut self, is_anything_unknown: bool) {
        let now = from_now(Duration::ZERO);
        self.asking = None;
        self.row = is_anything_unknown.then_some(Row {
            begun: now,
            due: now + AT_FIRST,
        });
    }

    /// Goes on with the row after a look, or ends it when nothing is unknown any more.
    pub(super) fn go_on(&mut self, is_anything_unknown: bool) {
        if !is_anything_unknown {
            self.row = None;
        } else if self.row.is_none() {
            self.begin(true);
        }
    }

    /// Waits until it is time to ask, or for the answer: one is asked for at a time. If it is dropped while it waits, the
    /// next call goes on.
    pub(super) async fn next(&mut self) -> Next<T> {
        if let Some(asking) = &mut self.asking {
            let answer = asking.await;
            self.asking = None;
            return Next::Answer(answer);
        }
        let Some(row) = &mut self.row else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(row.due).await;
        let now = from_now(Duration::ZERO);
        row.due = now + pause(now.duration_since(row.begun));
        Next::Due
    }

    /// Asks by this future, whose answer the next call of [`Self::next`] waits for.
    pub(super) fn ask(&mut self, asking: Pin<Box<dyn Future<Output = T> + Send>>) {
        self.asking = Some(asking);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of the looks, in minutes since the start, until this one.
    async fn looks(again: &mut Again<()>, start: Instant, until: u64) -> Vec<u64> {
        let mut looks = vec![];
        let minutes = |at: Instant| at.duration_since(start).as_secs() / 60;
        loop {
            let end = start + Duration::from_secs(60 * until + 30);
            match tokio::time::timeout_at(end, again.next()).await {
                Err(_) => return looks,
                Ok(Next::Due) => again.ask(Box::pin(async {})),
                Ok(Next::Answer(())) => {
                    looks.push(minutes(from_now(Duration::ZERO)));
                    again.go_on(true);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_machine_is_asked_every_minute_for_ten_minutes_and_then_every_fifteen() {
        let start = from_now(Duration::ZERO);
        let mut again = Again::default();
        again.begin(true);
        let mut expected: Vec<_> = (1..=10).collect();
        expected.extend([25, 40, 55]);
        assert_eq!(looks(&mut again, start, 60).await, expected);
        // A reload begins a new row.
        again.begin(true);
        let start = from_now(Duration::ZERO);
        assert_eq!(looks(&mut again, start, 3).await, [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_no_timer_while_nothing_is_unknown() {
        let mut again = Again::default();
        let start = from_now(Duration::ZERO);
        for end in [Again::begin, Again::go_on] {
            end(&mut again, false);
            assert_eq!(looks(&mut again, start, 9_999).await, [0; 0]);
            assert!(again.row.is_none());
            again.begin(true);
        }
        // What becomes unknown by a look begins a row.
        again.go_on(false);
        let start = from_now(Duration::ZERO);
        again.go_on(true);
        assert_eq!(looks(&mut again, start, 2).await, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_look_is_made_at_a_time_however_long_it_takes() {
        let mut again = Again::default();
        again.begin(true);
        let start = from_now(Duration::ZERO);
        let mut asked = 0;
        let slow = Duration::from_secs(150);
        loop {
            // Its caller does other things in between.
            let next = tokio::time::timeout(Duration::from_secs(7), again.next());
            match next.await {
                Err(_) => {}
                Ok(Next::Due) => {
                    asked += 1;
                    again.ask(Box::pin(tokio::time::sleep(slow)));
                }
                Ok(Next::Answer(())) => break,
            }
        }
        assert_eq!(asked, 1);
        assert_eq!(start.elapsed().as_secs(), 60 + slow.as_secs());
        again.begin(true);
        assert!(
            again.asking.is_none(),
            "a reload asks for everything itself"
        );
    }
}
