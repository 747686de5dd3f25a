//! What the issuers saw: whether each call was allowed when it came, whether it came in time, and how many there were.

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;

use super::attempts::{self, Attempt, NOTICED, Outcome};
use super::budget;
use super::causes::{Cause, DEMAND};
use super::held::Held;
use super::moments::{self, Window};
use super::record::{CallEnd, GRAIN, Loaded, Record};
use super::reports;
use super::walk::Walk;
use super::{Finding, Rule};

pub(crate) fn check(record: &Record, findings: &mut Vec<Finding>) {
    for life in &record.lives {
        let attempts = Attempt::of(record, life);
        let causes = Walk::new(record, life).judge(&attempts, findings);
        budget::one_at_a_time(life, findings);
        budget::check(life, &attempts, &causes, findings);
    }
}

impl Walk<'_> {
    /// Judges every attempt, and says why it may have been made.
    fn judge(&mut self, attempts: &[Attempt], findings: &mut Vec<Finding>) -> Vec<Vec<Cause>> {
        let mut all = vec![];
        for attempt in attempts {
            self.blocks_before(attempt.begun.boot);
            let causes = self.causes(attempt);
            if causes.is_empty() {
                let text = format!(
                    "call {} of life {} is not allowed before {}",
                    attempt.first.number,
                    self.life.number,
                    shown(self.window.from)
                );
                findings.push(Finding::new(Rule::BackOff, attempt.first.from, text));
            }
            self.late(attempt.from.boot, findings);
            self.take(attempt, &causes);
            all.push(causes);
        }
        self.blocks_before(self.life.until.boot);
        self.late(self.life.until.boot, findings);
        all
    }

    /// An attempt that found nothing in the store is none that the issuer sees.
    fn blocks_before(&mut self, at: BootInstant) {
        let (after, rejected) = self.last.as_ref().map_or((self.life.from, false), |last| {
            (last.until, attempts::is_permanent(&last.last))
        });
        for load in self.life.loads() {
            let is_error = matches!(load.found, Some(Err(_)));
            // After a rejection the attempt itself looks for another secret.
            let is_after = load.from.run > after.run || (!rejected && load.from.run == after.run);
            if !is_error || !is_after || load.until.boot > at {
                continue;
            }
            let next = moments::after_block(load.until.boot);
            self.idle_since = self.idle_since.max(load.until.run);
            if self.is_look(load) {
                // It was no attempt, or it was one as well; and what cannot ask begins anew.
                if self.is_blocked {
                    (self.rejections[0], self.failing[0]) = (0, 0);
                }
                self.window.until = self.window.until.max(next.until);
            } else {
                self.window = next;
                self.is_blocked = true;
                self.is_broken_off = false;
            }
        }
    }

    /// Whether a look into the store may be one that a reload or a person caused.
    fn is_look(&self, load: &Loaded) -> bool {
        self.looks().any(|run| run == load.from.run)
    }

    /// What was due was not done.
    fn late(&self, at: BootInstant, findings: &mut Vec<Finding>) {
        let due = self.record.awake(self.due()).after(GRAIN);
        let is_over = self
            .last
            .as_ref()
            .is_none_or(|l| l.outcome != Outcome::Open);
        // It begins with a look into the store.
        let looks = self
            .life
            .loads()
            .any(|load| load.from.boot <= due && due <= load.until.boot);
        let is_over = is_over && !looks;
        if at > due && is_over && !self.may_rest(due) && self.life.from.boot < at {
            findings.push(Finding::new(
                Rule::Punctual,
                self.life.until,
                format!(
                    "life {} makes no attempt at {}, and none before {}",
                    self.life.number,
                    shown(due),
                    shown(at)
                ),
            ));
        }
    }

    /// When an attempt has to begin at the latest: a back-off starts over when the machine has slept.
    fn due(&self) -> BootInstant {
        self.due_by_resume().min(self.due_by_report())
    }

    /// A report of a token that is held in good times is answered at once.
    fn due_by_report(&self) -> BootInstant {
        let (Some(held), Some(last)) = (&self.held, &self.last) else {
            return self.window.until;
        };
        let is_well = self.failing[1] == 0 && self.rejections[1] == 0 && !self.is_blocked;
        if !is_well || self.reports.is_answered || self.reports.may_cool() {
            return self.window.until;
        }
        let since = last.known.run + GRAIN;
        let mut before = self.requests.iter().filter(|r| r.from.run <= since);
        if before.any(|r| reports::may_name(r, held)) {
            return self.window.until;
        }
        let reports = self.requests.iter().filter(|r| r.from.run > since);
        let named = reports.filter(|r| reports::names(r, held, self.life));
        let first = named.map(|r| r.from.boot).min();
        first.map_or(self.window.until, |at| {
            at.max(last.begun.boot.after(DEMAND)).min(self.window.until)
        })
    }

    fn due_by_resume(&self) -> BootInstant {
        if self.failing[0] == 0 || self.rejections[1] > 0 {
            return self.window.until;
        }
        let mut resumes = self.record.long_suspends();
        let resume = resumes.find(|at| at.run > self.idle_since);
        let soon = resume.map(|at| self.record.boot_after(at, NOTICED + DEMAND));
        soon.map_or(self.window.until, |soon| soon.min(self.window.until))
    }

    /// Nobody asked for two lifetimes.
    pub(super) fn may_rest(&self, at: BootInstant) -> bool {
        let Some(held) = self.held.filter(|_| !self.life.policy.keep_warm) else {
            return false;
        };
        let since = at.before(held.lifetime * 2);
        // Whose refresh is refused wakes nobody.
        let asks = self
            .requests
            .iter()
            .filter(|r| r.ask.is_asking() && !self.is_refused(r));
        let mut asked = asks.map(|r| r.from.boot).chain([self.life.from.boot]);
        !asked.any(|asked| since.after(GRAIN) < asked && asked <= at)
    }

    fn take(&mut self, attempt: &Attempt, causes: &[Cause]) {
        if causes.contains(&Cause::Secret) {
            // Perhaps it was due, or a person asked for it.
            (self.rejections[0], self.failing[0]) = (0, 0);
        }
        self.reports.is_answered |= causes == [Cause::Report];
        let (until, known) = (attempt.until.boot, attempt.known.boot);
        let next = |from: Window, until: Window| Window {
            from: from.from,
            until: until.until,
        };
        for call in attempt.calls() {
            match call.end {
                CallEnd::Granted(_) => drop(self.remembered.remove(&call.secret)),
                CallEnd::Failed(FaultKind::Rejected, _) => {
                    *self.remembered.entry(call.secret).or_default() += 1;
                }
                _ => {}
            }
        }
        let outcome = if Held::is_dead(self.held.as_ref(), &attempt.last) {
            (self.rejections, self.bad) = ([0; 2], None);
            Outcome::Failed(None)
        } else {
            attempt.outcome
        };
        match outcome {
            Outcome::Granted => {
                let before = self.held;
                self.held = Held::after(before, &attempt.last);
                if let (Some(before), Some(held)) = (before, self.held) {
                    self.reports
                        .after(&self.requests, &before, held, attempt.until, self.life);
                }
                (self.rejections, self.failing, self.is_blocked) = ([0; 2], [0; 2], false);
                self.bad = None;
                if let Some(held) = &self.held {
                    self.window = moments::after_token(until, held, self.life.policy.reissue);
                }
            }
            Outcome::Rejected | Outcome::Failed(_) => {
                self.is_blocked = false;
                let secret = attempt.last.secret;
                if self.bad.is_some_and(|bad| bad != secret) {
                    (self.rejections, self.bad) = ([0; 2], None);
                }
                if outcome == Outcome::Rejected {
                    self.bad = Some(secret);
                }
                let after = |rejections, at| match outcome {
                    Outcome::Failed(wait) if rejections == 0 => {
                        moments::after_failure(at, self.failing[1], self.held.as_ref(), wait)
                    }
                    // The quick retry of a rejected secret, in an outage.
                    Outcome::Failed(wait) if rejections == 1 => {
                        moments::after_failure(at, self.failing[1], self.held.as_ref(), wait)
                            .and_not_before(moments::after_rejection(at, rejections))
                    }
                    _ => moments::after_rejection(at, rejections),
                };
                let rejected = u32::from(outcome == Outcome::Rejected);
                self.rejections = self.rejections.map(|rejections| rejections + rejected);
                if let Some(times) = self.remembered.get(&secret) {
                    self.rejections[1] = self.rejections[1].max(*times);
                }
                let [least, most] = self.rejections;
                let earliest = (least..=most).map(|n| after(n, until).from).min();
                let latest = (least..=most).map(|n| after(n, known).until).max();
                self.window = Window {
                    from: earliest.unwrap_or(until),
                    until: latest.unwrap_or(known),
                };
                self.failing = self.failing.map(|failing| failing + 1);
            }
            Outcome::Bound => {
                self.is_blocked = true;
                self.window = next(moments::after_block(until), moments::after_block(known));
            }
            // Another one takes its place.
            Outcome::Aborted => {
                self.window.until = until;
                // Or it used up its time when somebody waited.
                self.failing[1] += 1;
            }
            Outcome::Open => {}
        }
        if attempt.outcome != Outcome::Aborted {
            self.secret = Some(attempt.last.secret);
        }
        self.is_broken_off = attempt.outcome == Outcome::Aborted;
        self.idle_since = attempt.known.run;
        self.last = Some(attempt.clone());
    }
}

fn shown(at: BootInstant) -> String {
    format!("{:.3}", at.since_boot().as_secs_f64())
}
