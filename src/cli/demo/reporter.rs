//! Reports events while they happen: waits for them, observes the processes, and draws the live part.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::clients::{SharedTally, Tally};
use super::line::Line;
use super::pace::Pace;
use super::screen::Screen;
use super::stage::DemoProcesses;
use super::view::{self, LivePart};
use crate::clock::{Clock as _, SystemClock};
use crate::instant::BootInstant;
use crate::sandbox::Fault;
use crate::token::Validity;

/// The period between two observations, each followed by a drawing.
const TICK: Duration = Duration::from_millis(80);

/// Time limit for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// The state of the report.
pub(super) struct DemoReporter<'a> {
    pub(super) pace: Pace,
    pub(super) stage: &'a mut DemoProcesses,
    pub(super) tally: SharedTally,
    screen: &'a mut Screen,
    start: BootInstant,
    ticks: Interval,
    caption: &'static str,
    outage: bool,
    /// The output of a command, shown during the outage.
    aside: Vec<Line>,
    /// The number of tokens that were reported.
    told: u64,
    /// The number of requests at past times, for the rate of the last second.
    lately: VecDeque<(BootInstant, u64)>,
}

impl<'a> DemoReporter<'a> {
    pub(super) fn new(pace: Pace, stage: &'a mut DemoProcesses, screen: &'a mut Screen) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            pace,
            stage,
            tally: SharedTally::new(served(pace)),
            screen,
            start: SystemClock.now().boot,
            ticks,
            caption: "",
            outage: false,
            aside: vec![],
            told: 0,
            lately: VecDeque::new(),
        }
    }

    /// Sets the caption that explains the current step.
    pub(super) const fn explain(&mut self, caption: &'static str) {
        self.caption = caption;
    }

    /// Shows lines during the outage; without a live part they are permanent.
    pub(super) fn aside(&mut self, lines: Vec<Line>) {
        if self.screen.is_live() {
            self.aside = lines;
        } else {
            self.lines(&lines);
        }
    }

    /// Starts an outage, or ends it.
    pub(super) async fn set_fault(&mut self, fault: Option<Fault>) -> Result<(), String> {
        self.outage = fault.is_some();
        self.aside.clear();
        let set = self.stage.sandbox()?.set_fault(fault).await;
        set.map_err(|e| format!("the sandbox could not be switched: {e}"))
    }

    /// The number of requests for a token that a fault has met.
    pub(super) fn faulted(&self) -> Result<u64, String> {
        Ok(self.stage.sandbox()?.stats().faulted)
    }

    /// Waits for the time that a person needs to read.
    pub(super) async fn read(&mut self) -> Result<(), String> {
        let end = SystemClock.now().boot.after(self.pace.reading);
        self.until("time to pass", |_, _| SystemClock.now().boot >= end)
            .await
    }

    /// Waits until `so` holds for the tally and the count of faulted requests, and draws the live part meanwhile.
    pub(super) async fn until(
        &mut self,
        what: &str,
        mut so: impl FnMut(&Tally, u64) -> bool,
    ) -> Result<(), String> {
        let end = SystemClock.now().boot.after(PATIENCE);
        loop {
            self.stage.check()?;
            self.show();
            if self.screen.is_gone() {
                return Err("the demo cannot be shown any more".to_owned());
            }
            let faulted = self.faulted().unwrap_or_default();
            if so(&self.tally.lock(), faulted) {
                return Ok(());
            }
            if SystemClock.now().boot >= end {
                return Err(format!("timed out waiting for {what}"));
            }
            self.ticks.tick().await;
        }
    }

    /// Waits for one tick.
    pub(super) async fn pause(&mut self) {
        self.ticks.tick().await;
    }

    /// Draws the live part; without one, prints each new token.
    fn show(&mut self) {
        let now = SystemClock.now().boot;
        let tally = self.tally.lock().clone();
        if tally.requests == 0 {
            return;
        }
        let second_ago = now.before(Duration::from_secs(1));
        self.lately.push_back((now, tally.requests));
        while self.lately.len() > 2 && self.lately.get(1).is_some_and(|(at, _)| *at < second_ago) {
            self.lately.pop_front();
        }
        let (then, had) = self.lately.front().copied().unwrap_or((now, 0));
        if self.screen.is_live() {
            self.screen.draw(&view::board(&LivePart {
                caption: self.caption,
                outage: self.outage,
                token: tally.tokens,
                left: tally.left(now),
                served: served(self.pace),
                requests: tally.requests,
                per_second: rate(tally.requests - had, now.since(then)),
                slowest: tally.slowest,
                failed: tally.failed,
                aside: &self.aside,
            }));
        } else if tally.tokens > self.told {
            self.told = tally.tokens;
            let at = self.elapsed();
            let line = view::renewed(at, tally.tokens, tally.requests, tally.failed);
            self.screen.line(&line);
        }
    }

    /// The time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        SystemClock.now().boot.since(self.start)
    }

    /// Prints permanent lines.
    pub(super) fn lines(&mut self, lines: &[Line]) {
        for line in lines {
            self.screen.line(line);
        }
    }
}

/// The time for which the daemon serves a new token: its lifetime less a reserve.
fn served(pace: Pace) -> Duration {
    let now = SystemClock.now().boot;
    Validity::new(now, Some(pace.token_life)).remaining(now)
}

/// The rate per second.
fn rate(n: u64, time: Duration) -> u64 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (n * 1_000).checked_div(ms).unwrap_or(0)
}
