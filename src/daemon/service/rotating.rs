//! Rotations that a caller requests, and their progress.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Service;
use crate::clock::Clock;
use crate::daemon::keep::handle::Handle;
use crate::daemon::rotating::{
    HowToRotate, Mode, RotationEnd, RotationRefused, RotationShown, RotationStep, Rotations, Steps,
};
use crate::daemon::rotation_timer::KeyAges;
use crate::instant::{Now, UnixTime};
use crate::policy::Caller;
use crate::problem::{Code, Problem};
use crate::profile::ProfileName;
use crate::query::{ProfileState, RotateQuery, RotationEvent};
use crate::wire::rotation::{KeyReply, RotationReply, StepEnd, StepReply};

/// Longest silence on the stream. After it, a heartbeat tests whether the peer is still there.
const QUIET: Duration = Duration::from_secs(15);

/// The detail of every rotation that fails. Its reason says which key is in force.
const NOT_ROTATED: &str = "the key is not rotated";

/// The next item of a rotation's stream.
#[derive(Debug)]
pub(in crate::daemon) enum RotationFeedItem {
    /// A step or a heartbeat.
    News(RotationEvent),
    /// The stream has ended for this caller, without a problem or for this reason.
    End(Option<Problem>),
}

/// The steps of a rotation for one caller. The rotation goes on if this is dropped.
pub(in crate::daemon) struct RotationFeed {
    profile: ProfileName,
    steps: Steps,
    rotations: Arc<Rotations>,
    clock: Arc<dyn Clock>,
    closing: watch::Receiver<bool>,
    /// Whether the stream ends with the whole rotation, rather than with the switch to the new key.
    to_the_end: bool,
    /// The end of the stream that the last step has caused, if any.
    end: Option<Option<Problem>>,
}

impl Service {
    /// Starts to rotate a profile's key, or joins the open rotation.
    ///
    /// # Errors
    /// The [`Problem`] says why there is no rotation.
    pub(super) async fn rotate(
        &self,
        caller: &Caller,
        query: &RotateQuery,
    ) -> Result<RotationFeed, Problem> {
        // What can be refused is refused before it begins, with its own code.
        let (profile, how) = match query.in_place {
            true => self.check_rotation(caller, query).await?,
            false => self.wanted(caller, query)?,
        };
        let steps = self.rotations.start(&profile, how);
        let steps = steps.map_err(|refused| problem(&refused).of(&profile))?;
        Ok(RotationFeed {
            profile,
            steps,
            rotations: Arc::clone(&self.rotations),
            clock: Arc::clone(&self.clock),
            closing: self.closing.clone(),
            to_the_end: query.wait || query.finish || query.in_place,
            end: None,
        })
    }

    /// Whether a rotation in place could begin now. Changes nothing.
    ///
    /// # Errors
    /// The [`Problem`] says why it could not.
    pub(super) async fn check_rotation(
        &self,
        caller: &Caller,
        query: &RotateQuery,
    ) -> Result<(ProfileName, HowToRotate), Problem> {
        let (profile, how) = self.wanted(caller, query)?;
        let checked = self.rotations.check_in_place(&profile, &how).await;
        checked.map_err(|refused| problem(&refused).of(&profile))?;
        Ok((profile, how))
    }

    fn wanted(
        &self,
        caller: &Caller,
        query: &RotateQuery,
    ) -> Result<(ProfileName, HowToRotate), Problem> {
        let handle = self
            .roster
            .seen_by(caller)
            .pick(query.profile.as_ref())
            .cloned()?;
        let how = HowToRotate {
            mode: if query.in_place {
                Mode::InPlace
            } else {
                Mode::Overlap
            },
            finish: query.finish,
            take_over: query.take_over,
            with: query.with.clone(),
        };
        Ok((handle.name().clone(), how))
    }

    /// Returns a profile's state, with what is known about its key.
    pub(super) fn state_of(&self, handle: &Handle) -> ProfileState {
        state_of(&self.rotations, &self.ages, handle)
    }
}

/// Returns a profile's state, with what is known about its key.
pub(super) fn state_of(rotations: &Rotations, ages: &KeyAges, handle: &Handle) -> ProfileState {
    let mut state = handle.state();
    let stored_at = handle.enrolment().and_then(|it| it.enrolled_at);
    let key = KeyReply {
        stored_at: stored_at.map(UnixTime::seconds_down),
        left_keys: rotations.left(handle.name()),
        ..ages.shown(handle.name()).unwrap_or_default()
    };
    state.reply.key = Some(key).filter(|key| *key != KeyReply::default());
    state.reply.rotation = rotations.shown(handle.name()).map(reply);
    state
}

fn reply(shown: RotationShown) -> RotationReply {
    RotationReply {
        phase: shown.phase.to_owned(),
        since: shown.since.seconds_down(),
        detail: shown.sentence,
        until: shown.until.map(UnixTime::seconds_up),
        waits_since: shown.waits_since.map(UnixTime::seconds_down),
        code: shown.code.map(str::to_owned),
        old_key: shown.old_key,
        new_key: shown.new_key,
        switched: shown.is_switched,
        needs_human: shown.needs_human,
    }
}

// === impl RotationFeed ===

impl RotationFeed {
    /// Waits for the next item. Cancelling the wait loses no item.
    pub(in crate::daemon) async fn next(&mut self) -> RotationFeedItem {
        if let Some(end) = self.end.take() {
            return RotationFeedItem::End(end);
        }
        let step = tokio::select! { biased;
            _ = self.closing.wait_for(|closing| *closing) => None,
            step = self.steps.next() => step,
            () = tokio::time::sleep(QUIET) => return RotationFeedItem::News(RotationEvent::Quiet),
        };
        match step {
            Some(step) => RotationFeedItem::News(RotationEvent::Step(self.take(step))),
            None => RotationFeedItem::End(Some(self.left_open())),
        }
    }

    /// Returns the current time.
    pub(in crate::daemon) fn now(&self) -> Now {
        self.clock.now()
    }

    fn take(&mut self, step: RotationStep) -> StepReply {
        // A switch that has been undone meanwhile does not count, although the step reports it.
        let is_switched = || {
            let is_told = step.name == "switched" || self.steps.is_at_end();
            let shown = self.rotations.shown(&self.profile);
            is_told && shown.is_some_and(|shown| shown.is_switched)
        };
        let failed = |code, detail| {
            let reason = step.sentence.as_str().into();
            Problem::new(code)
                .with_detail(detail)
                .because(reason)
                .of(&self.profile)
        };
        let (end, told) = match step.end {
            Some(RotationEnd::Done) => (Some(None), Some(StepEnd::Done)),
            Some(RotationEnd::Kept) => (Some(None), Some(StepEnd::Kept)),
            Some(RotationEnd::NeedsHuman) => {
                let problem = failed(Code::NeedsHuman, "the rotation needs a manual step");
                (Some(Some(problem)), Some(StepEnd::NeedsHuman))
            }
            Some(RotationEnd::Failed) => {
                let problem = failed(Code::Unavailable, NOT_ROTATED);
                (Some(Some(problem)), Some(StepEnd::Failed))
            }
            Some(RotationEnd::Impossible) => {
                let problem = failed(Code::Misconfigured, NOT_ROTATED);
                (Some(Some(problem)), Some(StepEnd::Impossible))
            }
            None => ((!self.to_the_end && is_switched()).then_some(None), None),
        };
        self.end = end;
        StepReply {
            profile: self.profile.to_string(),
            step: step.name,
            detail: step.sentence,
            key: step.key,
            until: step.until.map(UnixTime::seconds_up),
            since: step.since.map(UnixTime::seconds_down),
            code: step.code,
            end: told,
        }
    }

    fn left_open(&self) -> Problem {
        Problem::new(Code::Unavailable)
            .with_detail("the daemon is stopping; the rotation goes on when it runs again")
            .of(&self.profile)
    }
}

/// Converts the reason why a rotation does not start to a problem for the caller.
fn problem(refused: &RotationRefused) -> Problem {
    let code = match refused {
        RotationRefused::NoProfile | RotationRefused::NoManager(_) => Code::UnknownProfile,
        RotationRefused::InPlace(why) if why.is_for_later() => Code::Unavailable,
        RotationRefused::InPlace(_) => Code::Misconfigured,
        RotationRefused::OfOneCommand => Code::NotSupported,
        RotationRefused::NotRunai | RotationRefused::ReadOnly | RotationRefused::NothingOpen => {
            Code::Misconfigured
        }
        RotationRefused::OtherHost(_) | RotationRefused::AnotherDaemon => Code::Conflict,
        RotationRefused::NeedsHuman { .. } => Code::NeedsHuman,
        RotationRefused::System(_) => Code::Unavailable,
    };
    Problem::new(code)
        .with_detail(NOT_ROTATED)
        .because(refused.to_string().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_exit_code_and_its_reason() {
        let needs_human = RotationRefused::NeedsHuman {
            why: "it was cut".into(),
            keys: vec!["jeton-a-0b".into()],
        };
        for (refused, exit, says) in [
            (RotationRefused::NoProfile, 78, "no such profile"),
            (RotationRefused::ReadOnly, 78, "only read"),
            (RotationRefused::NotRunai, 78, "Run:ai"),
            (RotationRefused::OfOneCommand, 64, "jetond run"),
            (RotationRefused::OtherHost("b".into()), 75, "--take-over"),
            (RotationRefused::AnotherDaemon, 75, "another daemon"),
            (RotationRefused::NothingOpen, 78, "nothing to take over"),
            (needs_human, 1, "jeton-a-0b"),
            (RotationRefused::System("no disk".into()), 75, "no disk"),
        ] {
            let problem = problem(&refused);
            assert_eq!(problem.code.row().exit, exit, "{refused:?}");
            let detail = problem.detail();
            assert!(detail.starts_with("the key is not rotated: "), "{detail}");
            assert!(detail.contains(says), "{detail}");
        }
    }
}
