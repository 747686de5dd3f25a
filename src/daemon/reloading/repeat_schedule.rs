//! Repeats questions to the machine: the numbers of unknown user and group names, and a configuration that the machine
//! kept from being read.
//!
//! Nothing notifies the daemon when a user is created or a directory service comes up. While everything is known there
//! is no timer.

use std::pin::Pin;
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::from_now;

/// First interval. Services that start with the machine are up within minutes.
const AT_FIRST: Duration = Duration::from_secs(60);

/// How long the first interval applies.
const FIRST: Duration = Duration::from_secs(600);

/// Later interval, for example for a user that was deleted for good.
const LATER: Duration = Duration::from_secs(900);

/// The schedule of the repeated questions, and the question in progress.
pub(super) struct RepeatSchedule<T> {
    row: Option<QuestionSchedule>,
    asking: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
}

/// The next event.
pub(super) enum NextEvent<T> {
    /// The question is due.
    Due,
    /// The answer.
    Answer(T),
}

/// A schedule: its beginning, and the next time.
#[derive(Clone, Copy)]
struct QuestionSchedule {
    begun: Instant,
    due: Instant,
}

/// Returns the pause after a question, `since` the beginning of the schedule.
fn pause(since: Duration) -> Duration {
    if since < FIRST { AT_FIRST } else { LATER }
}

// === impl Again ===

impl<T> Default for RepeatSchedule<T> {
    fn default() -> Self {
        Self {
            row: None,
            asking: None,
        }
    }
}

impl<T> RepeatSchedule<T> {
    /// Starts a new schedule after a start or a reload, which has just asked all questions. If everything is known,
    /// there is no schedule.
    pub(super) fn begin(&mut self, is_anything_unknown: bool) {
        let now = from_now(Duration::ZERO);
        self.asking = None;
        self.row = is_anything_unknown.then_some(QuestionSchedule {
            begun: now,
            due: now + AT_FIRST,
        });
    }

    /// Continues the schedule after an answer. Ends it once everything is known.
    pub(super) fn continue_schedule(&mut self, is_anything_unknown: bool) {
        if !is_anything_unknown {
            self.row = None;
        } else if self.row.is_none() {
            self.begin(true);
        }
    }

    /// Waits until a question is due, or for the answer to the question in progress. If the wait is cancelled, the next
    /// call continues it.
    pub(super) async fn next(&mut self) -> NextEvent<T> {
        if let Some(asking) = &mut self.asking {
            let answer = asking.await;
            self.asking = None;
            return NextEvent::Answer(answer);
        }
        let Some(row) = &mut self.row else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(row.due).await;
        let now = from_now(Duration::ZERO);
        row.due = now + pause(now.duration_since(row.begun));
        NextEvent::Due
    }

    /// Sets the question in progress. The next call of [`Self::next`] waits for its answer.
    pub(super) fn ask(&mut self, asking: Pin<Box<dyn Future<Output = T> + Send>>) {
        self.asking = Some(asking);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the times of the questions until `until`, in minutes since `start`.
    async fn looks(again: &mut RepeatSchedule<()>, start: Instant, until: u64) -> Vec<u64> {
        let mut looks = vec![];
        let minutes = |at: Instant| at.duration_since(start).as_secs() / 60;
        loop {
            let end = start + Duration::from_secs(60 * until + 30);
            match tokio::time::timeout_at(end, again.next()).await {
                Err(_) => return looks,
                Ok(NextEvent::Due) => again.ask(Box::pin(async {})),
                Ok(NextEvent::Answer(())) => {
                    looks.push(minutes(from_now(Duration::ZERO)));
                    again.continue_schedule(true);
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn lookups_repeat_every_minute_for_ten_minutes_then_every_fifteen() {
        let start = from_now(Duration::ZERO);
        let mut again = RepeatSchedule::default();
        again.begin(true);
        let mut expected: Vec<_> = (1..=10).collect();
        expected.extend([25, 40, 55]);
        assert_eq!(looks(&mut again, start, 60).await, expected);
        // A reload starts a new schedule.
        again.begin(true);
        let start = from_now(Duration::ZERO);
        assert_eq!(looks(&mut again, start, 3).await, [1, 2, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_timer_runs_while_every_name_is_resolved() {
        let mut again = RepeatSchedule::default();
        let start = from_now(Duration::ZERO);
        for end in [RepeatSchedule::begin, RepeatSchedule::continue_schedule] {
            end(&mut again, false);
            assert_eq!(looks(&mut again, start, 9_999).await, [0; 0]);
            assert!(again.row.is_none());
            again.begin(true);
        }
        // An answer that makes something unknown starts a schedule.
        again.continue_schedule(false);
        let start = from_now(Duration::ZERO);
        again.continue_schedule(true);
        assert_eq!(looks(&mut again, start, 2).await, [1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_one_lookup_runs_at_a_time_however_slow_it_is() {
        let mut again = RepeatSchedule::default();
        again.begin(true);
        let start = from_now(Duration::ZERO);
        let mut asked = 0;
        let slow = Duration::from_secs(150);
        loop {
            // The caller does other work in between.
            let next = tokio::time::timeout(Duration::from_secs(7), again.next());
            match next.await {
                Err(_) => {}
                Ok(NextEvent::Due) => {
                    asked += 1;
                    again.ask(Box::pin(tokio::time::sleep(slow)));
                }
                Ok(NextEvent::Answer(())) => break,
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
