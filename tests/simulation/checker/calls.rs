//! Checks what the issuers saw: whether each call was allowed, whether it was on time, and how many there were.

use std::time::Duration;

use jetond::fault::FaultKind;
use jetond::instant::BootInstant;

use super::absence::Absence;
use super::attempts::{self, Attempt, Cause, NOTICED, Outcome};
use super::attempts::{TURN, former_secret, states_a_wait, stored_secret, turn_at_end};
use super::budget;
use super::causes::DEMAND;
use super::held::Held;
use super::limits::Stated;
use super::moments::{self, Window};
use super::record::{CallEnd, GRAIN, Record, StoreRead};
use super::reports;
use super::row::RejectionRow;
use super::walk::LifeState;
use super::{Finding, Rule};

pub(crate) fn check(record: &Record, findings: &mut Vec<Finding>) {
    for life in &record.lives {
        let attempts = Attempt::of(record, life);
        let causes = LifeState::new(record, life).judge(&attempts, findings);
        budget::one_at_a_time(life, findings);
        budget::check(life, &attempts, &causes, findings);
    }
}

impl LifeState<'_> {
    /// Judges every attempt, and returns its possible causes.
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
            self.undercuts(attempt, findings);
            self.gives_up(attempt, findings);
            self.reports.count(
                attempt,
                &causes,
                &self.requests,
                self.held.as_ref(),
                findings,
            );
            self.take(attempt, &causes);
            all.push(causes);
        }
        self.blocks_before(self.life.until.boot);
        self.late(self.life.until.boot, findings);
        all
    }

    /// Checks that only one attempt begins during a stated wait: the last call before the expiry.
    fn undercuts(&self, attempt: &Attempt, findings: &mut Vec<Finding>) {
        let at = attempt.begun.boot;
        let Some(stated) = self.stated.filter(|stated| at < stated.until) else {
            return;
        };
        let is_last_call = self.held.is_some_and(|held| {
            let (earliest, latest) = moments::last_call(&held);
            let is_first = self.last.as_ref().is_none_or(|l| l.from.boot <= latest);
            earliest <= at.after(GRAIN) && attempt.from.boot < held.at_most && is_first
        });
        if !is_last_call {
            let text = format!(
                "call {} of life {} undercuts the wait until {}",
                attempt.first.number,
                self.life.number,
                shown(stated.until)
            );
            findings.push(Finding::new(Rule::RetryAfter, attempt.first.from, text));
        }
    }

    /// Checks that an attempt whose secret was rejected also sends the former secret before it ends.
    fn gives_up(&self, attempt: &Attempt, findings: &mut Vec<Finding>) {
        let calls: Vec<_> = self.life.calls().copied().collect();
        let before = calls
            .iter()
            .position(|call| call.number == attempt.first.number);
        let former = former_secret(&calls[..before.unwrap_or(0)]);
        let is_other = former.is_some_and(|former| former != attempt.first.secret);
        let is_rejected = matches!(attempt.outcome, Outcome::Rejected(_));
        // The life may end during the read after which the former secret is sent.
        let at = attempt.first.until.run;
        let mut looks = self.life.loads().filter(|load| load.from.run == at);
        let is_cut_off = looks.any(|load| load.found.is_none());
        let ends = attempt.is_one_call() && !states_a_wait(&attempt.first) && !is_cut_off;
        if is_other && is_rejected && ends {
            let text = format!(
                "call {} of life {} was rejected, and the former secret was not sent",
                attempt.first.number, self.life.number
            );
            findings.push(Finding::new(Rule::Former, attempt.known, text));
        }
    }

    /// Takes into account attempts that the issuer does not see, because their store read failed.
    fn blocks_before(&mut self, at: BootInstant) {
        let (after, rejected) = self.last.as_ref().map_or((self.life.from, false), |last| {
            (last.until, attempts::is_permanent(&last.last))
        });
        for load in self.life.loads() {
            let is_error = matches!(load.found, Some(Err(_)));
            // After a rejection the attempt itself reads the store for another secret.
            let is_after = load.from.run > after.run || (!rejected && load.from.run == after.run);
            if !is_error || !is_after || load.until.boot > at || self.leads_to_former(load) {
                continue;
            }
            let next = self.not_in_a_wait(moments::after_block(load.until.boot));
            self.idle_since = self.idle_since.max(load.until.run);
            if self.is_look(load) {
                // This may be only a read. If the profile had no usable secret before, its counts may start over.
                if self.is_blocked {
                    (self.rejections[0], self.failing[0]) = (RejectionRow::NONE, 0);
                }
                self.window.until = self.window.until.max(next.until);
            } else {
                self.window = next;
                self.is_blocked = true;
                self.is_broken_off = false;
            }
        }
    }

    /// Returns whether the former secret was sent after a failed read, at once or when the rate limit allowed it.
    fn leads_to_former(&self, load: &StoreRead) -> bool {
        let calls: Vec<_> = self.life.calls().copied().collect();
        let Some(next) = calls
            .iter()
            .position(|call| call.from.run >= load.until.run)
        else {
            return false;
        };
        let (before, call) = (&calls[..next], &calls[next]);
        former_secret(before) == Some(call.secret)
            && call.from.boot <= load.until.boot.after(TURN + GRAIN)
    }

    /// Returns whether a reload or a person may have caused this read of the store.
    fn is_look(&self, load: &StoreRead) -> bool {
        self.looks().any(|run| run == load.from.run)
    }

    /// Checks that no attempt is overdue at this moment.
    fn late(&self, at: BootInstant, findings: &mut Vec<Finding>) {
        let by_report = self.due_by_report();
        self.late_for(self.due_by_resume(), at, Rule::Punctual, findings);
        if by_report < self.due_by_resume() {
            self.late_for(by_report, at, Rule::Reporters, findings);
        }
    }

    fn late_for(&self, due: BootInstant, at: BootInstant, rule: Rule, findings: &mut Vec<Finding>) {
        let mut due = self.record.awake(due).after(GRAIN);
        // A due attempt waits for the end of the stated wait, or for the last call in it, which the machine may have
        // slept through. It also waits while too many attempts have failed.
        if let Some(stated) = self.stated {
            let call = self.held.and_then(|held| {
                let (_, latest) = moments::last_call(&held);
                let is_first = self.last.as_ref().is_none_or(|l| l.from.boot <= latest);
                let call = self.record.awake(latest.max(due));
                (is_first && call < held.surely).then_some(call)
            });
            let allowed = call.map_or(stated.until, |call| call.min(stated.until));
            due = self.record.awake(due.max(allowed)).after(GRAIN);
        }
        due = self
            .record
            .awake(due.max(self.failures.next()))
            .after(GRAIN);
        let is_over = self
            .last
            .as_ref()
            .is_none_or(|l| l.outcome != Outcome::Open);
        if at == self.life.until.boot
            && let Some(turn) = turn_at_end(self.record, self.life)
        {
            due = self.record.awake(due.max(turn)).after(GRAIN);
        }
        // An attempt begins with a read of the store.
        let looks = self
            .life
            .loads()
            .any(|load| load.from.boot <= due && due <= load.until.boot);
        let is_over = is_over && !looks;
        if at > due && is_over && !self.may_rest(due) && self.life.from.boot < at {
            findings.push(Finding::new(
                rule,
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

    /// Returns the later of a window and the end of the stated wait, or of the last call in it.
    fn not_in_a_wait(&self, window: Window) -> Window {
        let Some(stated) = self.stated else {
            return window;
        };
        let call = self.held.map(|held| moments::last_call(&held).0);
        window.and_not_before(Window {
            from: call.map_or(stated.until, |call| call.min(stated.until)),
            until: stated.until,
        })
    }

    /// Returns when a report makes an attempt due: at once, if the reported token is held and no attempt has failed.
    fn due_by_report(&self) -> BootInstant {
        let (Some(held), Some(last)) = (&self.held, &self.last) else {
            return self.window.until;
        };
        let is_well = self.failing[1] == 0 && self.rejections[1].is_none() && !self.is_blocked;
        if !is_well || self.reports.is_answered || self.outage.is_some() {
            return self.window.until;
        }
        let since = last.known.run + GRAIN;
        let mut before = self.requests.iter().filter(|r| r.from.run <= since);
        if before.any(|r| reports::may_name(r, held)) {
            return self.window.until;
        }
        let reports = self.requests.iter().filter(|r| r.from.run > since);
        let named =
            reports.filter(|r| reports::names(r, held, self.life) && !self.reports.may_cool(r));
        let first = named.map(|r| r.from.boot).min();
        first.map_or(self.window.until, |at| {
            at.max(last.begun.boot.after(DEMAND)).min(self.window.until)
        })
    }

    /// Returns the latest begin of the next attempt. A back-off starts over after the machine has slept.
    fn due_by_resume(&self) -> BootInstant {
        if self.failing[0] == 0 || !self.rejections[1].is_none() {
            return self.window.until;
        }
        let mut resumes = self.record.long_suspends();
        let resume = resumes.find(|at| at.run > self.idle_since);
        let soon = resume.map(|at| self.record.boot_after(at, NOTICED + DEMAND));
        soon.map_or(self.window.until, |soon| soon.min(self.window.until))
    }

    /// Returns whether the profile may rest, because no client asked for two lifetimes.
    pub(super) fn may_rest(&self, at: BootInstant) -> bool {
        let Some(held) = self.held.filter(|_| !self.life.policy.keep_warm) else {
            return false;
        };
        let lifetime = if held.of_no_time {
            Duration::from_secs(300)
        } else {
            held.lifetime
        };
        let since = at.before(lifetime * 2);
        // A refused refresh request does not end the rest.
        let asks = self
            .requests
            .iter()
            .filter(|r| r.ask.is_asking() && !self.is_refused(r));
        let mut asked = asks.map(|r| r.from.boot).chain([self.life.from.boot]);
        !asked.any(|asked| since.after(GRAIN) < asked && asked <= at)
    }

    fn take(&mut self, attempt: &Attempt, causes: &[Cause]) {
        if causes.contains(&Cause::Secret) {
            // Another secret starts the counts over. The attempt may also have another cause, so only the minimum is
            // reset.
            (self.rejections[0], self.failing[0]) = (RejectionRow::NONE, 0);
        }
        self.reports.is_answered |= causes == [Cause::Report];
        let is_for_report = causes == [Cause::Report];
        let (until, known) = (attempt.until.boot, attempt.known.boot);
        let next = |from: Window, until: Window| Window {
            from: from.from,
            until: until.until,
        };
        for call in attempt.calls() {
            match call.end {
                CallEnd::Granted(_) => drop(self.remembered.remove(&call.secret)),
                CallEnd::Failed(FaultKind::Rejected, _) => {
                    let row = self.remembered.entry(call.secret).or_default();
                    *row = row.and_one(call.is_doubtful);
                }
                _ => {}
            }
        }
        let outcome = if Held::is_dead(self.held.as_ref(), &attempt.last) {
            (self.rejections, self.bad) = ([RejectionRow::NONE; 2], None);
            Outcome::Failed(None)
        } else {
            attempt.outcome
        };
        if outcome == Outcome::Granted {
            let before = self.held;
            self.held = Held::after(before, &attempt.last);
            if let (Some(before), Some(held)) = (before, self.held) {
                self.reports.after(
                    &self.requests,
                    &before,
                    held,
                    attempt.until,
                    self.life,
                    is_for_report,
                );
            }
            (self.rejections, self.is_blocked, self.bad) = ([RejectionRow::NONE; 2], false, None);
        }
        // A token without validity is held, but counts as a failure without a held token.
        let of_no_time = |held: &Held| outcome == Outcome::Granted && held.of_no_time;
        let (outcome, beside) = match &self.held {
            Some(held) if of_no_time(held) => (Outcome::Failed(None), None),
            held => (outcome, *held),
        };
        match outcome {
            Outcome::Granted => {
                self.failing = [0; 2];
                (self.stated, self.outage, self.absence) = (None, None, None);
                if let Some(held) = &self.held {
                    self.window = moments::after_token(until, held, self.life.policy.reissue);
                }
            }
            Outcome::Rejected(_) | Outcome::Failed(_) => {
                self.is_blocked = false;
                let secret = attempt.last.secret;
                if self.bad.is_some_and(|bad| bad != secret) {
                    (self.rejections, self.bad) = ([RejectionRow::NONE; 2], None);
                }
                if matches!(outcome, Outcome::Rejected(_)) {
                    self.bad = Some(secret);
                }
                self.fails(attempt, outcome);
                let stated = self.stated.map(|stated| stated.until);
                if matches!(outcome, Outcome::Rejected(_)) {
                    let is_doubtful = attempt.last.is_doubtful;
                    self.rejections = self.rejections.map(|row| row.and_one(is_doubtful));
                }
                // If the former secret was rejected too, the stored secret decides, even if it cannot be read now.
                let stored = stored_secret(self.life, attempt.known);
                let first = attempt.first.secret;
                for secret in [secret, first].into_iter().chain(stored) {
                    if let Some(times) = self.remembered.get(&secret) {
                        self.rejections[1] = self.rejections[1].max(*times);
                    }
                }
                let held = beside.as_ref();
                let backed_off = |at| {
                    let window = moments::after_failure(at, self.failing[1], held, stated);
                    match self.absence {
                        Some(absence) => absence.delays(window, at, held),
                        None => window,
                    }
                };
                let after = |rejections: RejectionRow, at| match outcome {
                    Outcome::Failed(_) if rejections.is_none() => backed_off(at),
                    // A retry of a rejected secret during an outage.
                    Outcome::Failed(_) if !rejections.opens() => {
                        let quick = moments::after_rejection(at, rejections, held);
                        backed_off(at).and_not_before(self.not_in_a_wait(quick))
                    }
                    _ => self.not_in_a_wait(moments::after_rejection(at, rejections, held)),
                };
                let [least, most] = self.rejections;
                let earliest = least.up_to(most).map(|row| after(row, until).from).min();
                let latest = least.up_to(most).map(|row| after(row, known).until).max();
                self.window = Window {
                    from: earliest.unwrap_or(until),
                    until: latest.unwrap_or(known),
                };
                self.failing = self.failing.map(|failing| failing + 1);
            }
            Outcome::Bound => {
                self.is_blocked = true;
                let window = next(moments::after_block(until), moments::after_block(known));
                self.window = self.not_in_a_wait(window);
                self.failures.add(known);
            }
            // Another attempt replaces this one.
            Outcome::Aborted => {
                self.window.until = until;
                self.failures.add(until);
                // The call may also have reached its timeout while a request waited.
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

impl LifeState<'_> {
    /// Updates the limits on all further attempts after a failed one.
    fn fails(&mut self, attempt: &Attempt, outcome: Outcome) {
        let wait = match outcome {
            Outcome::Failed(wait) | Outcome::Rejected(wait) => wait,
            _ => None,
        };
        let (began, failed) = (attempt.begun.boot, attempt.known.boot);
        self.stated = Stated::after(self.stated, began, failed, wait);
        self.failures.add(failed);
        // The network may have changed during a suspend.
        let idle_since = self.last.as_ref().map_or(self.life.from, |last| last.known);
        let since = attempt.begun.run.saturating_sub(idle_since.run) + NOTICED;
        let has_slept = self.record.resumed(attempt.begun, since).is_some();
        if has_slept {
            self.outage = None;
        }
        self.absence = Absence::after(self.absence, attempt, has_slept);
        self.outage = self.outage.or(Some(began));
    }
}

fn shown(at: BootInstant) -> String {
    format!("{:.3}", at.since_boot().as_secs_f64())
}
