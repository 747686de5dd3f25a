//! The steps of a rotation that a caller gets, and the status of an open one.

use std::sync::Arc;

use tokio::sync::watch;

use crate::instant::UnixTime;

/// The maximum number of steps that are kept for later callers. A long grace period has few steps.
const KEPT: usize = 100;

/// One step of a rotation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RotationStep {
    /// The step's name, for programs: `checking`, `creating`, `regenerating`, `storing`, `proving`, `switching`,
    /// `switched`, `waiting`, `deleting`, `undoing`, `closing` or `ended`.
    pub name: &'static str,
    /// The step in one sentence, for people.
    pub sentence: String,
    /// The name of the key that it concerns, if one is known.
    pub key: Option<String>,
    /// Until when the rotation waits, by this machine's clock at that moment.
    pub until: Option<UnixTime>,
    /// When the first of the failed tries was, if the step is being retried.
    pub since: Option<UnixTime>,
    /// A code for programs if a person has to know something: `old_key_in_use` or `old_key_left`.
    pub code: Option<&'static str>,
    /// How the rotation ended; the step with it is the last one.
    pub end: Option<RotationEnd>,
}

/// How a rotation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationEnd {
    /// The new key is in force, and the old one is deleted.
    Done,
    /// The new key is in force. The old key or another key stays at the issuer.
    Kept,
    /// The rotation has stopped: a person has to check the keys.
    NeedsHuman,
    /// The old key stays in force; a later rotation may succeed.
    Failed,
    /// The old key stays in force, and a later rotation fails too unless something is changed.
    Impossible,
}

/// The status of an open rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationShown {
    /// The name of its current step.
    pub phase: &'static str,
    /// When this process began to drive it.
    pub since: UnixTime,
    /// What it does or waits for, in one sentence.
    pub sentence: String,
    /// Until when it waits.
    pub until: Option<UnixTime>,
    /// When the first of the failed tries was, if the step is being retried.
    pub waits_since: Option<UnixTime>,
    /// A code for programs if a person has to know something.
    pub code: Option<&'static str>,
    /// The name of the key that is replaced, if it is known.
    pub old_key: Option<String>,
    /// The name of the key that replaces it.
    pub new_key: Option<String>,
    /// Whether the new key is in force.
    pub is_switched: bool,
    /// Whether it waits for a person.
    pub needs_human: bool,
}

/// The steps of one rotation for one caller: all steps from the beginning, in order.
#[derive(Debug)]
pub struct Steps {
    written: watch::Receiver<Arc<StepLog>>,
    /// How many steps the caller has received or missed.
    given: usize,
}

/// The steps of a rotation so far.
#[derive(Debug, Default)]
pub(super) struct StepLog {
    /// How many earlier steps were dropped.
    dropped: usize,
    steps: Vec<RotationStep>,
}

// === impl Steps ===

impl Steps {
    pub(super) const fn new(written: watch::Receiver<Arc<StepLog>>) -> Self {
        Self { written, given: 0 }
    }

    /// Waits for the next step and returns it. Returns `None` after the last step, and when the daemon leaves the
    /// rotation for its next process to resume. Cancel safe.
    pub async fn next(&mut self) -> Option<RotationStep> {
        loop {
            if let Some(step) = self.take() {
                return Some(step);
            }
            self.written.changed().await.ok()?;
        }
    }

    /// Returns whether the caller has received the latest step.
    pub(in crate::daemon) fn is_at_end(&self) -> bool {
        let written = self.written.borrow();
        self.given >= written.dropped + written.steps.len()
    }

    fn take(&mut self) -> Option<RotationStep> {
        let written = self.written.borrow_and_update();
        let at = self.given.max(written.dropped);
        let step = written.steps.get(at - written.dropped)?.clone();
        self.given = at + 1;
        Some(step)
    }
}

// === impl RotationStep ===

impl RotationStep {
    /// Returns whether both steps say the same, apart from their times.
    fn is_like(&self, other: &Self) -> bool {
        let timeless = |step: &Self| Self {
            until: None,
            since: None,
            ..step.clone()
        };
        timeless(self) == timeless(other)
    }
}

// === impl Written ===

impl StepLog {
    /// Returns the steps with one more. A step that is like the last one replaces it, so that callers do not receive
    /// it twice; `None` for a retry after a wait, which callers do not receive.
    pub(super) fn with(&self, step: RotationStep) -> Option<Self> {
        let mut before = self.steps.iter().rev();
        let (last, last_but_one) = (before.next(), before.next());
        if last.is_some_and(|last| last.is_like(&step)) {
            let mut steps = self.steps.clone();
            steps.pop();
            steps.push(step);
            let dropped = self.dropped;
            return Some(Self { dropped, steps });
        }
        let waits = last.is_some_and(|last| last.name == "waiting");
        if waits && last_but_one.is_some_and(|tried| tried.is_like(&step)) {
            return None;
        }
        let excess = (self.steps.len() + 1).saturating_sub(KEPT);
        let kept = self.steps.iter().skip(excess).cloned();
        Some(Self {
            dropped: self.dropped + excess,
            steps: kept.chain([step]).collect(),
        })
    }

    /// Returns the latest step.
    pub(super) fn last(&self) -> Option<&RotationStep> {
        self.steps.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(n: usize) -> RotationStep {
        RotationStep {
            name: "waiting",
            sentence: n.to_string(),
            ..RotationStep::default()
        }
    }

    #[tokio::test]
    async fn a_caller_gets_each_step_once_and_a_late_caller_the_last_hundred() {
        let (sender, receiver) = watch::channel(Arc::<StepLog>::default());
        let (mut early, mut late) = (Steps::new(receiver.clone()), Steps::new(receiver));
        for n in 0..KEPT + 5 {
            let more = sender.borrow().with(step(n)).unwrap();
            sender.send_replace(Arc::new(more));
            assert_eq!(early.next().await, Some(step(n)));
        }
        drop(sender);
        assert_eq!(early.next().await, None);
        for n in 5..KEPT + 5 {
            assert_eq!(late.next().await, Some(step(n)));
        }
        assert_eq!(late.next().await, None);
    }

    #[test]
    fn a_prolonged_wait_or_a_retried_step_is_not_logged_again() {
        let named = |name, until: Option<u64>| RotationStep {
            name,
            until: until.map(|s| UnixTime::from_epoch(std::time::Duration::from_secs(s))),
            ..RotationStep::default()
        };
        let mut written = StepLog::default();
        for (step, count) in [
            (named("deleting", None), 1),
            (named("waiting", Some(1)), 2),
            (named("deleting", None), 2),
            (named("waiting", Some(2)), 2),
            (named("waiting", Some(3)), 2),
            (named("closing", None), 3),
            (named("deleting", None), 4),
        ] {
            if let Some(more) = written.with(step.clone()) {
                written = more;
                assert_eq!(written.last(), Some(&step));
            }
            assert_eq!(written.steps.len(), count, "{step:?}");
        }
        assert_eq!(written.steps[1], named("waiting", Some(3)));
    }
}
