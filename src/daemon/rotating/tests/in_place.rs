//! Tests of rotations in place.

use super::*;
use crate::clock::{Clock, ClockReading, ClockWait};
use crate::instant::{BootInstant, Now};
use crate::rotation::{InPlaceCommand, InPlaceEnd, WaitReason};
use crate::store::RotationData;

/// A clock whose waits return at once: it advances by the waited time.
struct Hurry {
    clock: Arc<TestClock>,
    ahead: Mutex<Duration>,
}

impl Clock for Hurry {
    fn now(&self) -> Now {
        let (now, ahead) = (self.clock.now(), *self.ahead.lock().unwrap());
        let boot = now.boot.after(ahead);
        Now {
            boot,
            unix: now.unix_of(boot),
        }
    }

    fn read(&self) -> ClockReading {
        self.clock.read()
    }

    fn sleep_until(&self, at: BootInstant) -> ClockWait<'_> {
        let wait = at.since(self.now().boot);
        *self.ahead.lock().unwrap() += wait;
        // The other tasks run meanwhile.
        Box::pin(tokio::task::yield_now())
    }

    fn wait_for_change(&self) -> ClockWait<'_> {
        self.clock.wait_for_change()
    }
}

/// Makes a world in which the waits of rotations return at once, while tokens keep their age.
async fn hurried() -> World {
    let mut world = World::new().await;
    world.hurry = Some(Arc::new(Hurry {
        clock: Arc::clone(&world.clock),
        ahead: Mutex::default(),
    }));
    world
}

fn in_place() -> HowToRotate {
    HowToRotate {
        mode: Mode::InPlace,
        ..overlap()
    }
}

fn is_wait_for_late_calls(command: &InPlaceCommand) -> bool {
    matches!(command, InPlaceCommand::Pause(pause) if pause.why == WaitReason::LateCalls)
}

impl World {
    fn kept(&self) -> Option<RotationData> {
        let store = self.stores().store(&StoreKind::File);
        store.kept(&name()).unwrap()
    }

    /// Replaces the stored record as another program would.
    fn replace(&self, change: impl FnOnce(Record) -> Record) {
        let stores = self.stores();
        let store = stores.store(&StoreKind::File);
        let lock = stores.lock(&name()).unwrap();
        let look = store.look(&name());
        let record = change(look.record.unwrap().unwrap());
        store.replace(&lock, &look.revision, &record).unwrap();
    }

    /// Asserts that no rotation is left, and that only the key with the stored secret works.
    async fn assert_ended(&self, what: &str) {
        self.assert_settled(what).await;
        assert!(self.kept().is_none(), "{what}");
        assert!(
            self.is_current(),
            "{what}: the secret in force does not work"
        );
    }

    /// Returns whether the secret in force works.
    fn is_current(&self) -> bool {
        let credential = self.record().key.credential;
        self.plane
            .log_in(&credential.client_id, &credential.client_secret)
    }

    fn secret(&self) -> String {
        self.record().key.credential.client_secret.sha256()
    }
}

impl Process {
    /// Reloads the configuration, and returns the last step of the rotation that is resumed thereby.
    async fn judged_again(&self, world: &World) -> RotationStep {
        let inner = self.rotations.0.as_ref().unwrap();
        let open = || inner.open().get(&name()).map(Arc::clone);
        let before = open();
        self.rotations.configure(&world.config);
        for _ in 0..1_000_000 {
            tokio::task::yield_now().await;
            let now = open();
            let is_new = |now: &Arc<Open>| !before.as_ref().is_some_and(|it| Arc::ptr_eq(it, now));
            if let Some(now) = now.filter(is_new) {
                return last(&mut now.steps()).await;
            }
        }
        panic!("it is not resumed");
    }

    /// Drives a rotation as `drive` does, with a check before each command.
    async fn exchange(
        &self,
        how: Option<&HowToRotate>,
        commands: usize,
        mut before: impl FnMut(&InPlaceCommand),
    ) -> Option<InPlaceEnd> {
        let open = Arc::new(Open::new(self.shared.outside.clock.now().unix));
        let mut driver = Driver::new(Arc::clone(&self.shared), name(), open);
        let PreparedRotation::InPlace(mut machine) = driver.machine(how).await else {
            return None;
        };
        let notes = machine.notes().clone();
        for _ in 0..commands {
            let command = machine.command();
            if let InPlaceCommand::End(end) = command {
                return Some(end);
            }
            before(&command);
            let event = driver.perform_in_place(&notes, command).await?;
            machine.step(self.shared.outside.clock.now().boot, event);
        }
        None
    }
}

#[tokio::test]
async fn an_in_place_rotation_replaces_the_secret_and_reports_every_step() {
    let world = hurried().await;
    let before = world.secret();
    let process = world.start().await;
    let checked = process.rotations.check_in_place(&name(), &in_place()).await;
    assert_eq!(checked, Ok(()));
    let began = process.shared.outside.clock.now().boot;
    let mut steps = process.rotations.start(&name(), in_place()).unwrap();
    let (mut names, mut last) = (vec![], None);
    while let Some(step) = steps.next().await {
        // The first steps do not know which key it is.
        assert!(step.key.is_none() || step.key.as_deref() == Some("first"));
        if names.last() != Some(&step.name) {
            names.push(step.name);
        }
        last = Some(step);
    }
    let all = [
        "checking",
        "regenerating",
        "storing",
        "proving",
        "closing",
        "ended",
    ];
    assert_eq!(names, all);
    assert_eq!(last.unwrap().end, Some(RotationEnd::Done));
    assert!(process.rotations.shown(&name()).is_none());
    assert!(world.secret() != before);
    world.assert_ended("the end").await;
    // No call was lost, so the rotation does not wait.
    let took = process.shared.outside.clock.now().boot.since(began);
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[tokio::test]
async fn an_in_place_rotation_killed_at_any_step_loses_no_key() {
    use FakeBehaviour::{Answer, Delay, Lose, LoseAnswer, Refuse};
    let outcomes: &[(&str, &[FakeBehaviour])] = &[
        ("answered", &[Answer]),
        ("busy", &[Refuse(ApiErrorKind::Busy)]),
        ("refused", &[Refuse(ApiErrorKind::Forbidden)]),
        ("lost", &[Lose]),
        ("answer lost", &[LoseAnswer]),
        ("answer lost twice", &[LoseAnswer, LoseAnswer]),
        ("late", &[Delay]),
        (
            "lost and refused",
            &[Lose, Refuse(ApiErrorKind::Unauthorized)],
        ),
    ];
    for (outcome, conduct) in outcomes {
        for commands in 0.. {
            let what = format!("{outcome}, killed after {commands} commands");
            let world = hurried().await;
            world.plane.expect(conduct.iter().copied());
            let process = world.start().await;
            let mut is_too_late = false;
            let how = in_place();
            let ended = process.exchange(Some(&how), commands, |command| {
                is_too_late |= is_wait_for_late_calls(command);
            });
            let ended = ended.await;
            // The control plane executes a call without an answer within a minute.
            if !is_too_late {
                world.plane.execute_late();
            }
            drop(process);
            // The stored secret may have been revoked.
            for commands in [2, MANY] {
                let process = world.start_without_token().await;
                process.exchange(None, commands, |_| ()).await;
            }
            world.assert_ended(&what).await;
            if ended.is_some() {
                break;
            }
            assert!(commands < 60, "{what}");
        }
    }
}

#[tokio::test]
async fn a_late_executed_call_is_corrected_before_the_rotation_succeeds() {
    for late_before in 0.. {
        let what = format!("executed before command {late_before}");
        let world = hurried().await;
        world.plane.expect([FakeBehaviour::Delay]);
        let (mut at, mut is_late, mut is_too_late) = (0, false, false);
        let process = world.start().await;
        let how = in_place();
        let end = process.exchange(Some(&how), MANY, |command| {
            if at == late_before && !is_too_late {
                world.plane.execute_late();
                is_late = true;
            }
            is_too_late |= is_wait_for_late_calls(command);
            at += 1;
        });
        assert_eq!(end.await, Some(InPlaceEnd::Rotated), "{what}");
        world.assert_ended(&what).await;
        if !is_late {
            assert!(late_before > 8, "{what}");
            break;
        }
    }
}

#[tokio::test]
async fn a_rotation_with_a_revoked_token_needs_a_person_and_writes_nothing_more() {
    let world = hurried().await;
    let refuse = FakeBehaviour::Refuse(ApiErrorKind::Unauthorized);
    world
        .plane
        .expect([FakeBehaviour::LoseAnswer, refuse, refuse, refuse]);
    let process = world.start().await;
    let before = world.secret();
    let mut steps = process.rotations.start(&name(), in_place()).unwrap();
    let mut last = None;
    while let Some(step) = steps.next().await {
        let is_end = step.end.is_some();
        last = Some(step);
        if is_end {
            break;
        }
    }
    let last = last.unwrap();
    assert_eq!(last.end, Some(RotationEnd::NeedsHuman), "{last:?}");
    assert!(last.sentence.contains("is locked out"), "{last:?}");
    let shown = process.rotations.shown(&name()).unwrap();
    assert!(shown.needs_human && !shown.is_switched, "{shown:?}");
    assert_eq!(world.secret(), before);
    assert!(matches!(world.journal(), RotationRead::Begun(_)));
    // A reload does not send the rejected secret again. It tries another one.
    let asked = || world.issuer.asked.load(Ordering::SeqCst);
    let so_far = asked();
    let again = process.judged_again(&world).await;
    assert_eq!(again.end, Some(RotationEnd::NeedsHuman), "{again:?}");
    assert!(process.rotations.shown(&name()).unwrap().needs_human);
    assert_eq!(asked(), so_far);
    let with_secret = |secret: &str| {
        let secret = ClientSecret::parse(secret).unwrap();
        world.replace(|record| Record {
            key: Key {
                credential: Credential::new(&record.key.credential.client_id, secret)
                    .unwrap()
                    .bound_to(record.binding.bound.as_str()),
                ..record.key
            },
            ..record
        });
    };
    let old = world.record();
    with_secret("another-secret");
    world.plane.expect([refuse, refuse, refuse, refuse, refuse]);
    let again = process.judged_again(&world).await;
    assert_eq!(again.end, Some(RotationEnd::NeedsHuman), "{again:?}");
    assert!(asked() > so_far, "another secret is tried");
    world.replace(|_| old);
    drop(process);
    // The next process finds the same state. No rejection was counted.
    let process = world.start_without_token().await;
    let end = process.exchange(None, MANY, |_| ()).await;
    assert_eq!(end, Some(InPlaceEnd::NeedsHuman));
    assert_eq!(world.secret(), before);
}

#[tokio::test]
async fn a_held_token_lets_the_rotation_replace_a_secret_that_no_longer_works() {
    let world = hurried().await;
    let process = world.start().await;
    // A person replaces the secret at the issuer.
    world.plane.regenerate(Family::AccessKeys, "id-1").await;
    assert!(!world.is_current());
    let end = process.exchange(Some(&in_place()), MANY, |_| ()).await;
    assert_eq!(end, Some(InPlaceEnd::Rotated));
    world.assert_ended("made good").await;
}

#[tokio::test]
async fn rotation_data_without_a_journal_is_used_if_it_has_an_answer_else_emptied() {
    let is_kept = |world: &World| world.kept().is_some();
    for has_answer in [false, true] {
        let world = hurried().await;
        let before = world.secret();
        let process = world.start().await;
        // The commands store the token, the journal, make the call and keep its answer; or keep the token only.
        let commands = match has_answer {
            true => 4,
            false => 1,
        };
        process.exchange(Some(&in_place()), commands, |_| ()).await;
        drop(process);
        assert!(is_kept(&world));
        let journal = world.dir.path().join("rotations/a.json");
        assert_eq!(journal.exists(), has_answer);
        let _ = std::fs::remove_file(journal);
        let process = world.start_without_token().await;
        // A daemon searches for it when it starts.
        assert_eq!(process.shared.left_open().await, [name()]);
        let end = process.exchange(None, MANY, |_| ()).await;
        assert_eq!(end, has_answer.then_some(InPlaceEnd::Rotated));
        assert_eq!(world.secret() != before, has_answer);
        world.assert_ended("emptied").await;
    }
}

#[tokio::test]
async fn a_credential_stored_by_another_program_ends_the_rotation() {
    let world = hurried().await;
    world
        .start()
        .await
        .exchange(Some(&in_place()), 4, |_| ())
        .await;
    assert!(world.kept().is_some());
    let second = KeyName::parse("second").unwrap();
    let Reply::Done(made) = world.plane.create(Family::AccessKeys, &second).await else {
        panic!("the second key is made");
    };
    world.replace(|record| Record {
        key: Key {
            credential: Credential::new(&made.client_id, made.secret)
                .unwrap()
                .bound_to(record.binding.bound.as_str()),
            ..record.key
        },
        rotation: None,
        binding: record.binding,
    });
    let process = world.start().await;
    let how = in_place();
    let mut steps = process.rotations.start(&name(), how).unwrap();
    let mut last = None;
    while let Some(step) = steps.next().await {
        last = Some(step);
    }
    let last = last.unwrap();
    assert_eq!(last.end, Some(RotationEnd::Failed), "{last:?}");
    assert!(last.sentence.contains("another program"), "{last:?}");
    assert!(world.kept().is_none() && world.is_current());
    assert!(matches!(world.journal(), RotationRead::Absent));
}

#[tokio::test]
async fn an_impossible_in_place_rotation_is_refused_before_any_change() {
    let mut world = hurried().await;
    let check = async |world: &World| {
        let process = world.start().await;
        let checked = process.rotations.check_in_place(&name(), &in_place()).await;
        // The task finds the same as the check before it.
        let mut steps = process.rotations.start(&name(), in_place()).unwrap();
        let last = last(&mut steps).await;
        let refused = checked.unwrap_err();
        assert_eq!(last.sentence, refused.to_string());
        assert!(world.kept().is_none());
        assert!(matches!(world.journal(), RotationRead::Absent));
        refused
    };
    let text = CONFIG.replacen("\n\n", "\n", 1).replacen(
        "url='https://plane.example'\n",
        "url='https://plane.example'\nshared=true\n",
        1,
    );
    let plain = std::mem::replace(
        &mut world.config,
        crate::config::parse(&text, &FewNames).unwrap(),
    );
    let shared = RotationRefused::from(InPlaceRefused::Shared);
    assert_eq!(check(&world).await, shared);
    world.config = plain;
    world.replace(|mut record| {
        record.key.credential = record.key.credential.shared(true);
        record
    });
    assert_eq!(check(&world).await, shared);
    world.replace(|mut record| {
        record.key.credential = record.key.credential.shared(false);
        record
    });
    let folder = world.dir.path().join("credentials");
    let set_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&folder, mode).unwrap();
    };
    let process = world.start().await;
    set_mode(0o755);
    let unread = process.rotations.check_in_place(&name(), &in_place()).await;
    set_mode(0o700);
    let unread = unread.unwrap_err();
    assert!(
        matches!(
            &unread,
            RotationRefused::InPlace(InPlaceRefused::NotRead(_))
        ),
        "{unread:?}"
    );
    // The key belongs to another user.
    world.plane.delete(Family::AccessKeys, "id-1").await;
    let refused = process.rotations.check_in_place(&name(), &in_place()).await;
    assert_eq!(refused, Err(InPlaceRefused::NotListed.into()));
}

#[tokio::test]
async fn an_open_overlap_rotation_refuses_an_in_place_rotation() {
    let world = hurried().await;
    let process = world.start().await;
    let mut steps = process.rotations.start(&name(), overlap()).unwrap();
    while steps
        .next()
        .await
        .is_some_and(|step| step.name != "creating")
    {}
    let refused = process.rotations.check_in_place(&name(), &in_place()).await;
    assert_eq!(refused, Err(InPlaceRefused::OverlapIsOpen.into()));
    last(&mut steps).await;
    process.drive(Some(&overlap()), 8).await;
    drop(process);
    let process = world.start().await;
    let refused = process.rotations.check_in_place(&name(), &in_place()).await;
    assert_eq!(refused, Err(InPlaceRefused::OverlapIsOpen.into()));
}
