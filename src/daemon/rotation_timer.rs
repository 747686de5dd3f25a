//! Rotates keys by their age (`rotate-every`), and keeps track of their ages.
//!
//! The age of a key comes from the issuer, which is asked once a day. In between it is counted on the boot clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::keep::handle::Handle;
use super::keep::roster::Roster;
use super::rotating::{HowToRotate, RotationEnd, Rotations};
use crate::clock::Clock;
use crate::instant::{BootInstant, Now, UnixTime};
use crate::profile::ProfileName;
use crate::query::KeyFacts;
use crate::rotation::due::{Age, Due, Obstacle, Readiness, due, least_every, rotation_age};
use crate::wire::rotation::KeyReply;

/// Interval of the checks of the ages.
const TICK: Duration = Duration::from_secs(60);

/// The note where `rotate-every` is less than the tokens' lifetime allows.
const TOO_OFTEN: &str =
    "rotate-every is less than four token lifetimes and a day; that time counts instead";

/// How long the issuer's answer about a key is used.
const SEEN: Duration = Duration::from_secs(24 * 60 * 60);

/// Delay before the issuer is asked again after a failure.
const AGAIN: Duration = Duration::from_secs(60 * 60);

/// The ages of keys and their next rotations, for status replies.
#[derive(Debug, Default)]
pub struct KeyAges(Mutex<BTreeMap<ProfileName, KeyReply>>);

/// What is known about one profile's key.
#[derive(Default)]
struct KeyInfo {
    /// The key's client ID, the issuer's answer about it, and when the answer came.
    seen: Option<(String, KeyFacts, BootInstant)>,
    /// When the issuer may be asked again.
    ask_at: Option<BootInstant>,
    /// Number of failed rotations in a row, and the moment of the last failure.
    failed: u32,
    failed_at: Option<BootInstant>,
    /// The rotation that this timer has started. Its result is whether it succeeded.
    running: Option<JoinHandle<bool>>,
}

/// Task that rotates keys by their age.
pub struct RotationTimer {
    roster: Arc<Roster>,
    rotations: Arc<Rotations>,
    ages: Arc<KeyAges>,
    clock: Arc<dyn Clock>,
    known: BTreeMap<ProfileName, KeyInfo>,
}

// === impl KeyAges ===

impl KeyAges {
    /// Returns the state of this profile's key, or `None` for a profile without `rotate-every`.
    pub fn shown(&self, profile: &ProfileName) -> Option<KeyReply> {
        self.lock().get(profile).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ProfileName, KeyReply>> {
        // A poisoned lock is harmless: no code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl RotationTimer ===

impl RotationTimer {
    /// Creates a timer for these profiles that publishes what it knows in `ages`.
    pub fn new(
        roster: Arc<Roster>,
        rotations: Arc<Rotations>,
        ages: Arc<KeyAges>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            roster,
            rotations,
            ages,
            clock,
            known: BTreeMap::new(),
        }
    }

    /// Runs until the daemon ends.
    pub async fn run(mut self) {
        let mut reloads = self.roster.follow();
        loop {
            reloads.mark_unchanged();
            self.look().await;
            if self.known.is_empty() {
                // No profile rotates its key by age before the next reload, so do not wake an idle daemon.
                if reloads.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let next = self.clock.now().boot.after(TICK);
            tokio::select! { biased;
                // What the configuration says now counts at once.
                reloaded = reloads.changed() => if reloaded.is_err() { return },
                () = self.clock.sleep_until(next) => {}
            }
        }
    }

    async fn look(&mut self) {
        let entries = self.roster.all();
        let is_timed = |name: &ProfileName| {
            let entry = entries.get(name);
            entry.is_some_and(|entry| entry.rotation.every.is_some())
        };
        self.known.retain(|name, _| is_timed(name));
        self.ages.lock().retain(|name, _| is_timed(name));
        for (name, entry) in entries.iter() {
            let Some(every) = entry.rotation.every else {
                continue;
            };
            let mut known = self.known.remove(name).unwrap_or_default();
            known.take_end(self.clock.now().boot).await;
            if self.rotations.shown(name).is_some() || known.running.is_some() {
                // Forget the old key, which the rotation replaces.
                known.seen = None;
                known.ask_at = None;
                self.ages.lock().remove(name);
            } else {
                let shown = self.look_at(&entry.handle, every, &mut known).await;
                self.ages.lock().insert(name.clone(), shown);
            }
            self.known.insert(name.clone(), known);
        }
    }

    /// Rotates the key of one profile if it is due. Returns the state of the key.
    async fn look_at(&self, handle: &Handle, every: Duration, known: &mut KeyInfo) -> KeyReply {
        let why_unknown = known.ask(handle, self.clock.now().boot).await.err();
        let now = self.clock.now();
        let Some((_, seen, at)) = &known.seen else {
            return KeyReply {
                waits: why_unknown.map(|why| format!("its age is not known: {why}")),
                ..KeyReply::default()
            };
        };
        let since = now.boot.since(*at);
        let age = age_of(seen, handle, since);
        let (readiness, lifetime) = readiness(handle, now, known);
        let rotation_age = rotation_age(every, lifetime, &seen.id);
        let due = due(rotation_age, age, &readiness);
        let mut shown = shown(due, age, now);
        if every < least_every(lifetime) {
            shown.waits.get_or_insert_with(|| TOO_OFTEN.to_owned());
        }
        if due == Due::Now {
            shown.waits = self.start(handle.name(), known, now.boot);
        }
        shown
    }

    /// Starts a rotation. Returns the reason if it could not start.
    fn start(&self, name: &ProfileName, known: &mut KeyInfo, now: BootInstant) -> Option<String> {
        match self.rotations.start(name, HowToRotate::OVERLAP) {
            Ok(mut steps) => {
                info!(profile = %name, "the key is old enough, so it is rotated");
                known.running = Some(tokio::spawn(async move {
                    let mut is_well = true;
                    while let Some(step) = steps.next().await {
                        is_well = !matches!(
                            step.end,
                            Some(
                                RotationEnd::Failed
                                    | RotationEnd::Impossible
                                    | RotationEnd::NeedsHuman
                            )
                        );
                    }
                    is_well
                }));
                None
            }
            Err(refused) => {
                warn!(profile = %name, %refused, "the key is old enough, but is not rotated now");
                known.fails(now);
                Some(refused.to_string())
            }
        }
    }
}

// === impl Known ===

impl KeyInfo {
    fn fails(&mut self, now: BootInstant) {
        self.failed = self.failed.saturating_add(1);
        self.failed_at = Some(now);
    }

    /// Records the result of the rotation that this timer has started, once it has ended.
    async fn take_end(&mut self, now: BootInstant) {
        let Some(running) = self.running.take_if(|running| running.is_finished()) else {
            return;
        };
        if running.await.unwrap_or(false) {
            (self.failed, self.failed_at) = (0, None);
        } else {
            self.fails(now);
        }
    }

    /// Asks the issuer about the key, unless the last answer is still used. The error says why the age is not known.
    async fn ask(&mut self, handle: &Handle, now: BootInstant) -> Result<(), String> {
        let Some(enrolment) = handle.enrolment() else {
            return Err("the credential was not read yet".into());
        };
        let client_id = enrolment.client_id.as_str();
        let counts = |(id, _, at): &(String, KeyFacts, BootInstant)| {
            id == client_id && now.since(*at) < SEEN
        };
        if self.seen.as_ref().is_some_and(counts) {
            return Ok(());
        }
        // Drop an answer about a previous key, whose age differs.
        self.seen.take_if(|(id, ..)| id != client_id);
        if self.ask_at.is_some_and(|at| now < at) || !handle.is_ready() {
            return Err("the issuer will be asked later".into());
        }
        self.ask_at = Some(now.after(AGAIN));
        match handle.key_seen(client_id).await {
            Ok(Some(seen)) => {
                self.seen = Some((client_id.to_owned(), seen, now));
                Ok(())
            }
            Ok(None) => Err("it is not among the keys of the token's user".into()),
            Err(problem) => Err(problem.detail().into_owned()),
        }
    }
}

/// Returns the age of the key, `since` after the issuer's answer about it.
fn age_of(seen: &KeyFacts, handle: &Handle, since: Duration) -> Age {
    let later = |date: UnixTime| UnixTime::from_epoch(date.since_epoch().saturating_add(since));
    Age {
        created_at: seen.created_at,
        enrolled_at: handle
            .enrolment()
            .and_then(|enrolment| enrolment.server_date),
        date: seen.date.map(later),
    }
}

/// Returns the conditions of a rotation other than the age, and the lifetime of the profile's tokens.
fn readiness(handle: &Handle, now: Now, known: &KeyInfo) -> (Readiness, Duration) {
    let view = handle.follow();
    let view = view.borrow();
    let lifetime = view.held.as_ref().map(|held| held.validity.lifetime);
    let readiness = Readiness {
        is_fresh: view.valid(now.boot).is_some(),
        has_refreshed: view.failing == 0,
        is_held_back: view.rejected || view.cooling(now.boot).is_some(),
        failed: known.failed,
        since_failure: known
            .failed_at
            .map_or(Duration::MAX, |at| now.boot.since(at)),
    };
    (readiness, lifetime.unwrap_or_default())
}

/// Builds the state of a key for status replies.
fn shown(due: Due, age: Age, now: Now) -> KeyReply {
    let at = |wait: Duration| Some(now.unix_of(now.boot.after(wait)).seconds_up());
    let (rotates_at, waits) = match due {
        Due::Now => (None, None),
        Due::In(wait) => (at(wait), None),
        Due::AgeUnknown => (None, Some("its age is not known: the issuer does not tell")),
        Due::Waits(Obstacle::NotFresh) => (None, Some("the profile holds no valid token")),
        Due::Waits(Obstacle::RefreshFailed) => (None, Some("the last refresh failed")),
        Due::Waits(Obstacle::HeldBack) => (None, Some("attempts at the issuer are held back")),
        Due::Waits(Obstacle::Failed(wait)) => (at(wait), Some("the last rotation failed")),
    };
    KeyReply {
        stored_at: None,
        left_keys: vec![],
        age: age.get().map(|age| age.as_secs()),
        rotates_at,
        waits: waits.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ClockReading, ClockWait};
    use crate::policy::{AccessContext, UserNamespace};

    fn now() -> Now {
        Now {
            boot: BootInstant::from_boot(Duration::from_secs(50)),
            unix: UnixTime::from_epoch(Duration::from_secs(1_000)),
        }
    }

    #[test]
    fn key_info_shows_age_next_rotation_and_obstacle() {
        let day = |n: u64| Some(UnixTime::from_epoch(Duration::from_secs(n * 86_400)));
        let age = Age {
            created_at: day(1),
            enrolled_at: None,
            date: day(3),
        };
        let of = |due| shown(due, age, now());
        let in_a_minute = of(Due::In(Duration::from_secs(60)));
        assert_eq!(in_a_minute.age, Some(2 * 86_400));
        assert_eq!(
            (in_a_minute.rotates_at, in_a_minute.waits),
            (Some(1_060), None)
        );
        let failed = of(Due::Waits(Obstacle::Failed(Duration::from_secs(3_600))));
        assert_eq!(failed.rotates_at, Some(4_600));
        for due in [
            Due::AgeUnknown,
            Due::Waits(Obstacle::NotFresh),
            Due::Waits(Obstacle::RefreshFailed),
            Due::Waits(Obstacle::HeldBack),
        ] {
            let shown = of(due);
            assert!(
                shown.waits.is_some() && shown.rotates_at.is_none(),
                "{due:?}"
            );
        }
    }

    /// A clock that must not be waited on.
    struct Unwaited;

    impl Clock for Unwaited {
        fn now(&self) -> Now {
            now()
        }

        fn read(&self) -> ClockReading {
            panic!("nothing is timed")
        }

        fn sleep_until(&self, _: BootInstant) -> ClockWait<'_> {
            panic!("nothing is timed")
        }

        fn wait_for_change(&self) -> ClockWait<'_> {
            panic!("nothing is timed")
        }
    }

    #[tokio::test]
    async fn no_timer_runs_without_a_key_that_rotates_by_age() {
        let roster = Arc::new(Roster::new(AccessContext {
            own_uid: 0,
            namespace: UserNamespace::Identity,
        }));
        let timer = RotationTimer::new(
            Arc::clone(&roster),
            Arc::default(),
            Arc::default(),
            Arc::new(Unwaited),
        );
        let running = tokio::spawn(timer.run());
        for _ in 0..3 {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            assert!(!running.is_finished());
            roster.replace(BTreeMap::new());
        }
    }

    #[tokio::test]
    async fn failed_rotations_are_counted_until_one_succeeds() {
        let mut known = KeyInfo::default();
        for (is_well, failed) in [(false, 1), (false, 2), (true, 0)] {
            let running = tokio::spawn(async move { is_well });
            while !running.is_finished() {
                tokio::task::yield_now().await;
            }
            known.running = Some(running);
            known.take_end(now().boot).await;
            assert_eq!(known.failed, failed);
            assert_eq!(known.failed_at.is_some(), !is_well);
            assert!(known.running.is_none());
        }
    }
}
