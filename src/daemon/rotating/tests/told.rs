//! Tests of the steps that callers see of a rotation that waits, is refused or leaves a key behind.

use super::*;

/// Returns all steps of a rotation, to its end.
async fn steps(process: &Process, how: HowToRotate) -> Vec<RotationStep> {
    let mut feed = process.rotations.start(&name(), how).unwrap();
    let mut steps = vec![];
    while let Some(step) = feed.next().await {
        let is_last = step.end.is_some();
        steps.push(step);
        if is_last {
            break;
        }
    }
    steps
}

/// Lets time pass until this condition holds.
pub(super) async fn until(what: &str, so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    panic!("never: {what}");
}

fn change_journal(world: &World, from: &str, to: &str) {
    let path = world.dir.path().join("rotations/a.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_wait_shows_its_reason_start_and_end() {
    let world = World::new().await;
    world
        .plane
        .expect([FakeBehaviour::Refuse(ApiErrorKind::Busy)]);
    let process = world.start().await;
    let steps = steps(&process, overlap()).await;
    assert_eq!(steps[0].key, None, "no name is known yet: {:?}", steps[0]);
    let wait = steps.iter().find(|step| step.name == "waiting").unwrap();
    assert_eq!(wait.sentence, "waiting for the control plane: refused");
    assert_eq!(wait.key.as_deref(), Some("first"));
    assert!(wait.since.is_some() && wait.since < wait.until, "{wait:?}");
    let creating = steps.iter().filter(|step| step.name == "creating");
    assert_eq!(creating.count(), 1, "a try is told once: {steps:#?}");
    assert_eq!(steps.last().unwrap().end, Some(RotationEnd::Done));
    world.assert_settled("a busy issuer").await;
}

#[tokio::test(start_paused = true)]
async fn a_user_that_may_not_create_keys_gets_a_remedy() {
    let world = World::new().await;
    world
        .plane
        .expect([FakeBehaviour::Refuse(ApiErrorKind::Forbidden)]);
    let process = world.start().await;
    let last = steps(&process, overlap()).await.pop().unwrap();
    assert_eq!(last.end, Some(RotationEnd::Impossible));
    assert!(last.sentence.contains("may not create keys"), "{last:?}");
    assert!(last.sentence.contains("--with PROFILE"), "{last:?}");
    world.assert_settled("no role").await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_manager_profile_is_named_and_can_be_replaced() {
    let world = World::new().await;
    world.start().await.drive(Some(&overlap()), 3).await;
    change_journal(&world, "\"with\": null", "\"with\": \"mgr\"");
    let process = world.start().await;
    let mut feed = process.rotations.start(&name(), overlap()).unwrap();
    let wait = loop {
        let step = feed.next().await.unwrap();
        if step.name == "waiting" {
            break step;
        }
    };
    assert!(
        wait.sentence
            .contains("the profile mgr, which is not in the configuration")
    );
    assert!(
        wait.sentence.contains("jeton rotate a --with PROFILE"),
        "{wait:?}"
    );
    let how = HowToRotate {
        with: Some(name()),
        ..overlap()
    };
    let last = steps(&process, how).await.pop().unwrap();
    assert!(last.end.is_some(), "{last:?}");
    world.assert_settled("another manager").await;
}

#[tokio::test(start_paused = true)]
async fn a_manager_profile_that_cannot_list_the_keys_is_refused() {
    let mut world = World::new().await;
    world.switch().await;
    let process = world.start().await;
    process.add_other_user();
    let clients = world.clients().await;
    let how = HowToRotate {
        with: Some(ProfileName::parse("file").unwrap()),
        finish: true,
        ..overlap()
    };
    let mut feed = process.rotations.start(&name(), how).unwrap();
    let refused = loop {
        let step = feed.next().await.unwrap();
        if step.sentence.contains("does not manage the keys") {
            break step;
        }
        assert_eq!(step.end, None, "{step:?}");
    };
    assert!(refused.sentence.contains("none of the keys"), "{refused:?}");
    assert_eq!(clients.len(), 2);
    while feed.next().await.is_some() {}
    world.assert_settled("the own token goes on").await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_marked_as_shared_during_the_grace_period_stays() {
    let mut world = World::new().await;
    world.switch().await;
    let process = world.start().await;
    let mut feed = process.rotations.start(&name(), overlap()).unwrap();
    while feed.next().await.unwrap().name != "waiting" {}
    let text = CONFIG.replace("[profiles.file]", "shared=true\n[profiles.file]");
    world.config = crate::config::parse(&text, &FewNames).unwrap();
    process.rotations.configure(&world.config);
    let mut last = None;
    while let Some(step) = feed.next().await {
        last = Some(step);
    }
    assert_eq!(last.unwrap().end, Some(RotationEnd::Kept));
    assert_eq!(world.clients().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_waits_for_a_missing_record_and_deletes_no_key() {
    let mut world = World::new().await;
    world.switch().await;
    let record = world.dir.path().join("credentials/a.json");
    let aside = world.dir.path().join("aside");
    let clients = world.clients().await;
    let process = world.start().await;
    std::fs::rename(&record, &aside).unwrap();
    let (mut driver, mut machine) = {
        let open = Arc::new(Open::new(world.clock.now().unix));
        let mut driver = Driver::new(Arc::clone(&process.shared), name(), open);
        let PreparedRotation::Machine(machine) = driver.machine(None).await else {
            panic!("it goes on");
        };
        (driver, *machine)
    };
    assert_eq!(walk(&mut driver, &mut machine, 10).await, None);
    assert_eq!(world.clients().await, clients);
    let waits_for = driver.hindrance.what().unwrap_or_default();
    assert!(
        waits_for.contains("no credential of the profile"),
        "{waits_for}"
    );
    std::fs::rename(&aside, &record).unwrap();
    let end = walk(&mut driver, &mut machine, MANY).await;
    assert!(matches!(end, Some(End::Rotated { .. })), "{end:?}");
    world.assert_settled("the record is back").await;
}

#[tokio::test(start_paused = true)]
async fn a_take_over_without_an_open_rotation_is_refused() {
    let world = World::new().await;
    let process = world.start().await;
    let how = HowToRotate {
        take_over: true,
        ..overlap()
    };
    let last = steps(&process, how).await.pop().unwrap();
    assert_eq!(last.end, Some(RotationEnd::Impossible));
    assert!(last.sentence.contains("nothing to take over"), "{last:?}");
    assert_eq!(world.clients().await.len(), 1);
    world.assert_settled("nothing to take over").await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_without_key_names_is_reported_with_those_of_the_record() {
    let world = World::new().await;
    world.start().await.drive(Some(&overlap()), 6).await;
    assert!(world.record().rotation.is_some());
    std::fs::write(world.dir.path().join("rotations/a.json"), "{").unwrap();
    let process = world.start().await;
    let last = steps(&process, overlap()).await.pop().unwrap();
    assert_eq!(last.end, Some(RotationEnd::NeedsHuman));
    let names: Vec<_> = last.sentence.matches("jeton-a-").collect();
    assert_eq!(names.len(), 1, "{last:?}");
    assert!(last.sentence.contains("first"), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leftover_key_is_shown_until_it_is_deleted_at_the_issuer() {
    let world = World::new().await;
    let forbidden = FakeBehaviour::Refuse(ApiErrorKind::Forbidden);
    world.plane.expect([FakeBehaviour::Answer, forbidden]);
    let process = world.start().await;
    let last = steps(&process, overlap()).await.pop().unwrap();
    assert_eq!(
        (last.end, last.code),
        (Some(RotationEnd::Kept), Some("old_key_left"))
    );
    assert_eq!(process.rotations.left(&name()), ["first"]);
    drop(process);
    let process = world.start().await;
    assert_eq!(process.rotations.left(&name()), [""; 0]);
    process.rotations.configure(&world.config);
    until("it is read", || {
        process.rotations.left(&name()) == ["first"]
    })
    .await;
    // The key is at the issuer, so its name stays written down.
    let mut driver = Driver::new(
        Arc::clone(&process.shared),
        name(),
        Arc::new(Open::new(world.clock.now().unix)),
    );
    let listed = driver.perform(Command::List).await;
    assert_eq!(listed.kind().0, "listed");
    assert_eq!(process.rotations.left(&name()), ["first"]);
    world.plane.delete(Family::AccessKeys, "id-1").await;
    process.rotations.configure(&world.config);
    until("it is forgotten", || {
        process.rotations.left(&name()).is_empty()
    })
    .await;
    let journals = store::Rotations::new(world.dir.path(), world.owner());
    until("so is the file", || {
        journals.with_left().unwrap().is_empty()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_next_rotation_deletes_a_leftover_key() {
    let world = World::new().await;
    let forbidden = FakeBehaviour::Refuse(ApiErrorKind::Forbidden);
    world.plane.expect([FakeBehaviour::Answer, forbidden]);
    let process = world.start().await;
    let last = steps(&process, overlap()).await.pop().unwrap();
    assert_eq!(last.end, Some(RotationEnd::Kept));
    // A key of the same name as a left one is another key if its client ID differs or is not known.
    let other = KeyName::parse("other").unwrap();
    world.plane.create(Family::AccessKeys, &other).await;
    let path = world.dir.path().join("rotations/a.left");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("client-1"), "{text}");
    let both = text.replace("\"first\"\n", "\"first\", \"other\"\n");
    std::fs::write(&path, both).unwrap();
    process.rotations.configure(&world.config);
    until("both are read", || {
        process.rotations.left(&name()) == ["first", "other"]
    })
    .await;
    let last = steps(&process, overlap()).await.pop().unwrap();
    assert_eq!(last.end, Some(RotationEnd::Done), "{last:?}");
    assert_eq!(process.rotations.left(&name()), ["other"]);
    let listed = world.plane.list(crate::applications::Kind::Auto).await;
    let names: Vec<_> = listed
        .unwrap()
        .keys
        .into_iter()
        .map(|key| key.name)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"other".to_owned()), "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rotation_without_a_journal_resumes_from_its_record() {
    let world = World::new().await;
    world.start().await.drive(Some(&overlap()), 6).await;
    assert!(world.record().rotation.is_some());
    std::fs::remove_file(world.dir.path().join("rotations/a.json")).unwrap();
    let process = world.start().await;
    process.rotations.configure(&world.config);
    until("it ends", || world.record().rotation.is_none()).await;
    until("it is over", || process.rotations.shown(&name()).is_none()).await;
    world.assert_settled("without a journal").await;
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_without_a_token_the_lifetime_at_the_switch_applies() {
    let mut world = World::new().await;
    world.switch().await;
    let process = world.start().await;
    // A profile without a token, for example because its store is locked.
    process.shared.outside.roster.replace(Profiles::new());
    let open = Arc::new(Open::new(world.clock.now().unix));
    let mut driver = Driver::new(Arc::clone(&process.shared), name(), open);
    let PreparedRotation::Machine(machine) = driver.machine(None).await else {
        panic!("it goes on");
    };
    assert!(!machine.knows_lifetime());
    let grace = machine.notes().grace.clone().unwrap();
    let hour = Duration::from_secs(3_600);
    assert!(grace.lifetime.is_some_and(|it| it <= hour), "{grace:?}");
}
