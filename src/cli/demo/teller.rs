//! Tells what happens while it happens: waits for things, looks at what runs, and shows it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::clients::{Shared, Tally};
use super::line::Line;
use super::pace::Pace;
use super::screen::Screen;
use super::stage::Stage;
use super::view::{self, Board};
use crate::clock::{Clock as _, SystemClock};
use crate::instant::BootInstant;
use crate::sandbox::Fault;
use crate::token::Validity;

/// How often we look, and draw.
const TICK: Duration = Duration::from_millis(80);

/// How long anything may take to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// The teller.
pub(super) struct Teller<'a> {
    pub(super) pace: Pace,
    pub(super) stage: &'a mut Stage,
    pub(super) tally: Shared,
    screen: &'a mut Screen,
    start: BootInstant,
    ticks: Interval,
    caption: &'static str,
    outage: bool,
    /// What a command said, shown while the outage lasts.
    aside: Vec<Line>,
    /// The tokens that were told of.
    told: u64,
    /// How many requests there were when, for the last second.
    lately: VecDeque<(BootInstant, u64)>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(pace: Pace, stage: &'a mut Stage, screen: &'a mut Screen) -> Self {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            pace,
            stage,
            tally: Shared::new(served(pace)),
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

    /// Says in one sentence what is going on.
    pub(super) const fn explain(&mut self, caption: &'static str) {
        self.caption = caption;
    }

    /// Shows lines while the outage lasts; where nothing can be taken away again, for good.
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

    /// How many requests for a token a fault has met.
    pub(super) fn faulted(&self) -> Result<u64, String> {
        Ok(self.stage.sandbox()?.stats().faulted)
    }

    /// Time to read.
    pub(super) async fn read(&mut self) -> Result<(), String> {
        let end = SystemClock.now().boot.after(self.pace.reading);
        self.until("time to pass", |_, _| SystemClock.now().boot >= end)
            .await
    }

    /// Waits until something is so that is told by the tally or by the count of faulted requests, and shows what
    /// happens meanwhile.
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
                return Err(format!("this never came: {what}"));
            }
            self.ticks.tick().await;
        }
    }

    /// Waits for a moment.
    pub(super) async fn pause(&mut self) {
        self.ticks.tick().await;
    }

    /// Draws the live part; without one, tells of each new token.
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
            self.screen.draw(&view::board(&Board {
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

    /// How long it has taken so far.
    pub(super) fn elapsed(&self) -> Duration {
        SystemClock.now().boot.since(self.start)
    }

    /// Lines that stay.
    pub(super) fn lines(&mut self, lines: &[Line]) {
        for line in lines {
            self.screen.line(line);
        }
    }
}

/// How long the daemon serves a new token: its life less a reserve.
fn served(pace: Pace) -> Duration {
    let now = SystemClock.now().boot;
    Validity::new(now, Some(pace.token_life)).remaining(now)
}

/// So many a second.
fn rate(n: u64, time: Duration) -> u64 {
    let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    (n * 1_000).checked_div(ms).unwrap_or(0)
}
