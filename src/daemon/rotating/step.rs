//! What a caller is told of a rotation.

use std::sync::Arc;

use tokio::sync::watch;

use crate::instant::UnixTime;

/// The most steps that are kept for callers that come later. A long grace period has few.
const KEPT: usize = 100;

/// One step of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationStep {
    /// The step's name, for programs: `checking`, `creating`, `regenerating`, `storing`, `proving`, `switching`,
    /// `switched`, `waiting`, `deleting`, `undoing`, `closing` or `ended`.
    pub name: &'static str,
    /// The step in one sentence, for people.
    pub sentence: String,
    /// The name of the key that it concerns, if one is known.
    pub key: Option<String>,
    /// Until when it waits, by this machine's clock at that moment.
    pub until: Option<UnixTime>,
    /// How the rotation ended; the step with it is the last one.
    pub end: Option<RotationEnd>,
}

/// How a rotation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationEnd {
    /// The new key is in force, and the old one is deleted.
    Done,
    /// The new key is in force. The old one stays at the issuer, or another key does.
    Kept,
    /// Nothing more is done: a person has to look.
    NeedsHuman,
    /// The old key stays in force.
    Failed,
}

/// A rotation that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationShown {
    /// The name of its step.
    pub phase: &'static str,
    /// Since when this process drives it.
    pub since: UnixTime,
    /// What it does or waits for, in one sentence.
    pub sentence: String,
    /// Until when it waits.
    pub until: Option<UnixTime>,
    /// The name of the key that is replaced, if it is known.
    pub old_key: Option<String>,
    /// The name of the key that replaces it.
    pub new_key: Option<String>,
    /// Whether the new key is in force.
    pub is_switched: bool,
    /// Whether it waits for a person.
    pub needs_human: bool,
}

/// The steps of one rotation, for one caller: every step since its beginning, in order.
#[derive(Debug)]
pub struct Steps {
    written: watch::Receiver<Arc<Written>>,
    /// How many steps the caller was given, or has missed.
    given: usize,
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// How many were dropped before the first one.
    dropped: usize,
    steps: Vec<RotationStep>,
}

// === impl Steps ===

impl Steps {
    pub(super) const fn new(written: watch::Receiver<Arc<Written>>) -> Self {
        Self { written, given: 0 }
    }

    /// The next step; waits for it. `None` after the last one, and where the daemon gives the rotation up to be resumed
    /// by the next one. Can be cancelled without loss.
    pub async fn next(&mut self) -> Option<RotationStep> {
        loop {
            if let Some(step) = self.take() {
                return Some(step);
            }
            self.written.changed().await.ok()?;
        }
    }

    /// Whether the last step so far was given.
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

// === impl Written ===

impl Written {
    /// The same steps and one more, unless it is the last one again.
    pub(super) fn with(&self, step: RotationStep) -> Option<Self> {
        if self.steps.last() == Some(&step) {
            return None;
        }
        let excess = (self.steps.len() + 1).saturating_sub(KEPT);
        let kept = self.steps.iter().skip(excess).cloned();
        Some(Self {
            dropped: self.dropped + excess,
            steps: kept.chain([step]).collect(),
        })
    }

    /// The last step.
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
            key: None,
            until: None,
            end: None,
        }
    }

    #[tokio::test]
    async fn a_caller_gets_each_step_once_and_a_late_one_the_last_hundred() {
        let (sender, receiver) = watch::channel(Arc::<Written>::default());
        let (mut early, mut late) = (Steps::new(receiver.clone()), Steps::new(receiver));
        for n in 0..KEPT + 5 {
            let more = sender.borrow().with(step(n)).unwrap();
            sender.send_replace(Arc::new(more));
            assert_eq!(early.next().await, Some(step(n)));
        }
        assert!(sender.borrow().with(step(KEPT + 4)).is_none());
        drop(sender);
        assert_eq!(early.next().await, None);
        for n in 5..KEPT + 5 {
            assert_eq!(late.next().await, Some(step(n)));
        }
        assert_eq!(late.next().await, None);
    }
}
