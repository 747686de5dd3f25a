//! Tests rotations against a control plane in memory, with the real file store, on a paused clock.
//!
//! Dropping the driver between two commands stands for a killed process: no other part of it could continue.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::prepared::PreparedRotation;
use super::*;
use crate::applications::fake::{FakeBehaviour, FakeIssuer};
use crate::applications::{ApiErrorKind, Family, KeyIssuer, KeyName, Reply};
use crate::clock::Clock as _;
use crate::clock::testing::TestClock;
use crate::config::{StoreKind, TokenPurpose};
use crate::credential::{Ca, ClientSecret, Credential};
use crate::daemon::keep::bulkhead::Bulkhead;
use crate::daemon::keep::handle::Handle;
use crate::daemon::keep::keeper::KeeperParts;
use crate::daemon::keep::roster::{Entry, Profiles, Roster};
use crate::fault::{Fault, FaultKind};
use crate::lifecycle::credentials::NotLoaded;
use crate::lifecycle::{AttemptLimits, Policy};
use crate::offload;
use crate::policy::{AccessContext, UserNamespace};
use crate::provider::{Fetching, Granted, Provider};
use crate::rotation::{Command, End, Event, Overlap, Phase, Reason, StartRefusal};
use crate::schedule::Jitter;
use crate::store::source::{CredentialSource, LoadedCredential, Loading};
use crate::store::{
    self, Binding, BoundTarget, Key, Machine, OtherKey, Record, RotationRead, StoreReader, Stores,
};
use crate::testing::FewNames;
use crate::token::{AccessToken, Grant};
use std::time::Duration;

mod in_place;
mod told;

const CONFIG: &str = "[profiles.a]\nprovider='runai'\nurl='https://plane.example'\n\
                      [profiles.file]\nprovider='runai'\nurl='https://plane.example'\nclient-id='x'\nclient-secret={file='/x'}\n";

/// More commands than any rotation in these tests takes.
const MANY: usize = 300;

fn name() -> ProfileName {
    ProfileName::parse("a").unwrap()
}

fn overlap() -> HowToRotate {
    HowToRotate {
        mode: Mode::Overlap,
        finish: false,
        take_over: false,
        with: None,
    }
}

/// An issuer that accepts the keys of the control plane.
struct Issuer {
    plane: Arc<FakeIssuer>,
    /// If set, the issuer knows only this client: the other keys have not reached its replica.
    lags: AtomicBool,
    first: String,
    /// How many times the issuer was asked.
    asked: AtomicUsize,
    granted: Mutex<Vec<String>>,
}

impl Provider for Issuer {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        let id = &credential.client_id;
        self.asked.fetch_add(1, Ordering::SeqCst);
        let is_known = !self.lags.load(Ordering::SeqCst) || *id == self.first;
        let result = if is_known && self.plane.log_in(id, &credential.client_secret) {
            let mut granted = self.granted.lock().unwrap();
            granted.push(id.clone());
            let token = AccessToken::parse(&format!("{id}-{}", granted.len())).unwrap();
            Ok(Granted {
                grant: Grant {
                    lifetime: Some(Duration::from_secs(3_600)),
                    stated: true,
                    ..Grant::of(token)
                },
                server_date: None,
            })
        } else {
            Err(Fault::new(FaultKind::Rejected, "unknown client"))
        };
        Box::pin(std::future::ready(result))
    }
}

/// The store of the profile, unreadable while a test says so. It is read on this thread: a second thread would take
/// an arbitrary time on the paused clock.
struct Source {
    store: Arc<dyn StoreReader>,
    fails: Arc<AtomicBool>,
    /// Receives each read of a record with a rotation.
    found: tokio::sync::mpsc::UnboundedSender<ProfileName>,
}

impl CredentialSource for Source {
    fn load(&self) -> Loading<'_> {
        if self.fails.load(Ordering::SeqCst) {
            let fault = Fault::new(FaultKind::Connect, "no");
            return Box::pin(std::future::ready(Err(NotLoaded::Failed(fault))));
        }
        let record = self.store.load(&name()).unwrap().unwrap();
        if record.rotation.is_some() {
            // The process may have ended, so the receiver may be gone.
            let _: Result<_, _> = self.found.send(name());
        }
        let other = record.rotation.and_then(|rotation| rotation.other);
        let other = other.map(|other| other.into_key().credential);
        let loaded = LoadedCredential::new(record.key.credential).beside(other);
        Box::pin(std::future::ready(Ok(loaded)))
    }
}

/// The state that outlives a process.
struct World {
    dir: tempfile::TempDir,
    plane: Arc<FakeIssuer>,
    issuer: Arc<Issuer>,
    clock: Arc<TestClock>,
    config: Config,
    host: &'static str,
    /// A clock for the rotations that differs from the world's.
    hurry: Option<Arc<dyn crate::clock::Clock>>,
    /// How many of the next file operations fail.
    refusals: Arc<AtomicUsize>,
    /// Whether the profile fails to read its credential.
    fails: Arc<AtomicBool>,
}

struct Process {
    handle: Arc<Handle>,
    rotations: Rotations,
    shared: Arc<Shared>,
}

impl World {
    async fn new() -> Self {
        let plane = Arc::<FakeIssuer>::default();
        plane.set_clock(1_000_007);
        let first = KeyName::parse("first").unwrap();
        let Reply::Done(made) = plane.create(Family::AccessKeys, &first).await else {
            panic!("the first key is made");
        };
        let config = crate::config::parse(CONFIG, &FewNames).unwrap();
        let world = Self {
            dir: tempfile::tempdir().unwrap(),
            issuer: Arc::new(Issuer {
                plane: Arc::clone(&plane),
                lags: AtomicBool::new(false),
                first: made.client_id.clone(),
                asked: AtomicUsize::new(0),
                granted: Mutex::default(),
            }),
            plane,
            clock: Arc::new(TestClock::new()),
            config,
            host: "h",
            hurry: None,
            refusals: Arc::default(),
            fails: Arc::default(),
        };
        let profile = &world.config.profiles[&name()];
        let record = Record {
            key: Key {
                credential: Credential::new(&made.client_id, made.secret).unwrap(),
                key_id: Some(made.id),
                key_name: Some("first".to_owned()),
                created_at: world.clock.now().unix,
                server_date: None,
            },
            binding: Binding {
                bound: BoundTarget::of(profile, profile.endpoint().unwrap()),
                issuer: None,
                ca: Ca::System,
                proxy: None,
            },
            rotation: None,
        };
        let stores = world.stores();
        let lock = stores.lock(&name()).unwrap();
        let store = stores.store(&StoreKind::File);
        let seen = store.look(&name()).revision;
        store.replace(&lock, &seen, &record).unwrap();
        world
    }

    fn owner(&self) -> u32 {
        rustix::process::geteuid().as_raw()
    }

    fn stores(&self) -> Stores {
        Stores::new(self.dir.path(), self.owner())
    }

    /// Starts a process of this machine, and returns once it holds a token: the paused clock would run past any
    /// timeout of a wait for one.
    async fn start(&self) -> Process {
        let process = self.start_without_token().await;
        let mut view = process.handle.follow();
        let first = view.wait_for(|view| view.held.is_some()).await;
        drop(first.expect("the first token comes"));
        process
    }

    /// Starts a process of this machine.
    async fn start_without_token(&self) -> Process {
        let clock: Arc<dyn crate::clock::Clock> = Arc::<TestClock>::clone(&self.clock);
        let roster = Arc::new(Roster::new(AccessContext {
            own_uid: self.owner(),
            namespace: UserNamespace::Identity,
        }));
        let (plane, refusals) = (Arc::clone(&self.plane), Arc::clone(&self.refusals));
        let other_user = Arc::<FakeIssuer>::default();
        let (rotations, found) = Rotations::new(Environment {
            clock: self
                .hurry
                .as_ref()
                .map_or_else(|| Arc::clone(&clock), Arc::clone),
            roster: Arc::clone(&roster),
            stores: self.stores(),
            journals: store::Rotations::new(self.dir.path(), self.owner()),
            owner: self.owner(),
            machine: Machine {
                host: self.host.to_owned(),
                boot: format!("boot-of-{}", self.host),
            },
            keys: Box::new(move |profile, _, _| {
                // The profile without a store is another user's.
                let is_own = profile.store().is_some();
                let keys = if is_own { &plane } else { &other_user };
                Some(Arc::<FakeIssuer>::clone(keys))
            }),
            offload: Box::new(move |call| {
                let is_refused = refusals.load(Ordering::SeqCst) > 0;
                if is_refused {
                    refusals.fetch_sub(1, Ordering::SeqCst);
                    return Box::pin(std::future::ready(Err(offload::NotStarted::TooMany)));
                }
                // On this thread: a second thread would take an arbitrary time on the paused clock.
                call();
                Box::pin(std::future::ready(Ok(())))
            }),
        });
        let source = Source {
            store: self.stores().reader(&StoreKind::File),
            fails: Arc::clone(&self.fails),
            found,
        };
        let parts = KeeperParts {
            name: name(),
            source: Arc::new(source),
            provider: Arc::<Issuer>::clone(&self.issuer),
            clock: Arc::clone(&clock),
            jitter: || Jitter::new(0.5),
            policy: Policy::default(),
            compartment: Bulkhead::default().compartment("scripted"),
            generation: 0,
            pace: AttemptLimits::default(),
        };
        let handle = Arc::new(Handle::spawn(parts, "runai", TokenPurpose::default()));
        let entry = Entry {
            handle: Arc::clone(&handle),
            rules: [].into(),
            hosts: [].into(),
            sinks: [].into(),
            rotation: Arc::default(),
        };
        roster.replace(Profiles::from([(name(), entry)]));
        let shared = Arc::clone(&rotations.0.as_ref().unwrap().shared);
        shared.configure(&self.config);
        Process {
            handle,
            rotations,
            shared,
        }
    }

    /// Leaves the rotation of a process that was killed in the grace period.
    async fn switch(&mut self) {
        for commands in 1..MANY {
            self.start().await.drive(Some(&overlap()), commands).await;
            let journal = self.journal();
            if matches!(journal, RotationRead::Begun(journal) if journal.grace.is_some()) {
                return;
            }
            *self = Self::new().await;
        }
        panic!("it is never switched");
    }

    fn record(&self) -> Record {
        let store = self.stores().reader(&StoreKind::File);
        store.load(&name()).unwrap().unwrap()
    }

    fn journal(&self) -> RotationRead {
        let journals = store::Rotations::new(self.dir.path(), self.owner());
        journals.read(&name()).unwrap()
    }

    /// Returns the client IDs of the keys at the control plane.
    async fn clients(&self) -> Vec<String> {
        let listed = self.plane.list(crate::applications::Kind::Auto).await;
        let keys = listed.unwrap().keys.into_iter();
        keys.map(|key| key.client_id).collect()
    }

    /// Returns whether a secret in the record works.
    fn works(&self) -> bool {
        let record = self.record();
        let works = |key: &Key| {
            let secret: &ClientSecret = &key.credential.client_secret;
            self.plane.log_in(&key.credential.client_id, secret)
        };
        works(&record.key) || record.other_key().is_some_and(works)
    }

    /// Asserts that no rotation is left and that the key in use is the only one.
    async fn assert_settled(&self, what: &str) {
        let record = self.record();
        assert!(self.works(), "{what}: the credential is lost");
        assert!(record.rotation.is_none(), "{what}");
        assert!(matches!(self.journal(), RotationRead::Absent), "{what}");
        assert_eq!(
            self.clients().await,
            [record.key.credential.client_id],
            "{what}"
        );
    }
}

impl Process {
    /// Adds the profile `file`, whose token is another user's.
    fn add_other_user(&self) {
        let entry = || Entry {
            handle: Arc::clone(&self.handle),
            rules: [].into(),
            hosts: [].into(),
            sinks: [].into(),
            rotation: Arc::default(),
        };
        let other = ProfileName::parse("file").unwrap();
        let all = Profiles::from([(name(), entry()), (other, entry())]);
        self.shared.outside.roster.replace(all);
    }

    /// Executes this many commands of a rotation, then kills the process; `None` for `how` resumes an open rotation.
    async fn drive(&self, how: Option<&HowToRotate>, commands: usize) -> Option<End> {
        let (mut driver, mut machine) = self.begin(how).await?;
        walk(&mut driver, &mut machine, commands).await
    }

    /// Returns the driver of a rotation and its state machine; `None` if none can begin.
    async fn begin(&self, how: Option<&HowToRotate>) -> Option<(Driver, Overlap)> {
        let open = Arc::new(Open::new(self.shared.outside.clock.now().unix));
        let mut driver = Driver::new(Arc::clone(&self.shared), name(), open);
        match driver.machine(how).await {
            PreparedRotation::Machine(machine) => Some((driver, *machine)),
            _ => None,
        }
    }
}

/// Returns the last step of a rotation.
async fn last(steps: &mut Steps) -> RotationStep {
    loop {
        let step = steps.next().await.expect("it ends");
        if step.end.is_some() {
            return step;
        }
    }
}

/// Executes this many commands, or all until the end.
async fn walk(driver: &mut Driver, machine: &mut Overlap, commands: usize) -> Option<End> {
    for _ in 0..commands {
        let command = machine.command();
        if let Command::End(end) = command {
            return Some(end);
        }
        let event = driver.perform(command).await;
        driver.learn_lifetime(machine);
        machine.step(driver.shared.outside.clock.now().boot, event);
    }
    None
}

impl Drop for Process {
    fn drop(&mut self) {
        self.handle.retire();
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_continues_without_its_caller_and_deletes_the_old_key_later() {
    let world = World::new().await;
    let old = world.record().key.credential.client_id;
    let process = world.start().await;
    let mut steps = process.rotations.start(&name(), overlap()).unwrap();
    let mut names = vec![];
    while let Some(step) = steps.next().await {
        names.push(step.name);
        if step.name == "switched" {
            break;
        }
    }
    assert_eq!(
        names,
        [
            "checking",
            "creating",
            "storing",
            "proving",
            "switching",
            "switched"
        ]
    );
    let new = world.record().key.credential.client_id;
    assert_ne!(new, old);
    let shown = process.rotations.shown(&name()).unwrap();
    assert!(shown.is_switched && !shown.needs_human, "{shown:?}");
    assert_eq!(shown.old_key.as_deref(), Some("first"));
    drop(steps);
    let mut joined = process.rotations.start(&name(), overlap()).unwrap();
    let mut last = None;
    while let Some(step) = joined.next().await {
        if step.name == "waiting" {
            let held = process.handle.held().unwrap();
            let token = held.token.expose();
            assert!(token.starts_with(&new), "the proof's token is held");
        }
        last = Some(step);
    }
    assert_eq!(last.unwrap().end, Some(RotationEnd::Done));
    assert!(process.rotations.shown(&name()).is_none());
    world.assert_settled("the end").await;
    let granted = world.issuer.granted.lock().unwrap().clone();
    let after: Vec<_> = granted.iter().skip_while(|id| **id == old).collect();
    assert!(after.iter().all(|id| **id == new), "{granted:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rotation_killed_at_any_step_loses_no_credential_and_no_key() {
    let outcomes: &[(&str, &[FakeBehaviour])] = &[
        ("answered", &[]),
        ("create busy", &[FakeBehaviour::Refuse(ApiErrorKind::Busy)]),
        (
            "create refused",
            &[FakeBehaviour::Refuse(ApiErrorKind::Forbidden)],
        ),
        ("create lost", &[FakeBehaviour::Lose]),
        ("create answer lost", &[FakeBehaviour::LoseAnswer]),
        ("create late", &[FakeBehaviour::Delay]),
        ("delete lost", &[FakeBehaviour::Answer, FakeBehaviour::Lose]),
        (
            "delete answer lost",
            &[FakeBehaviour::Answer, FakeBehaviour::LoseAnswer],
        ),
        (
            "delete late",
            &[FakeBehaviour::Answer, FakeBehaviour::Delay],
        ),
    ];
    for (outcome, conduct) in outcomes {
        for commands in 0.. {
            let what = format!("{outcome}, killed after {commands} commands");
            let world = World::new().await;
            world.plane.expect(conduct.iter().copied());
            let ended = world.start().await.drive(Some(&overlap()), commands).await;
            assert!(world.works(), "{what}");
            assert!(world.clients().await.len() <= 2, "{what}");
            world.plane.execute_late();
            // The next process is killed too, before it can end the rotation.
            world.start().await.drive(None, 2).await;
            assert!(world.works(), "{what}");
            let process = world.start().await;
            process.drive(None, MANY).await;
            world.assert_settled(&what).await;
            if ended.is_some() {
                break;
            }
            assert!(commands < 60, "{what}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_new_key_is_deleted_without_counting_as_a_failed_attempt() {
    let world = World::new().await;
    world.issuer.lags.store(true, Ordering::SeqCst);
    let process = world.start().await;
    let end = process.drive(Some(&overlap()), MANY).await;
    let undone = End::Undone {
        reason: Reason::NewKeyRejected,
        left: vec![],
    };
    assert_eq!(end, Some(undone));
    world.assert_settled("the new key is rejected").await;
    assert_eq!(world.record().key.key_name.as_deref(), Some("first"));
    let view = process.handle.follow().borrow().clone();
    assert!(!view.rejected && view.failures == 0, "{view:?}");
}

#[tokio::test(start_paused = true)]
async fn the_old_key_is_not_deleted_while_the_issuer_rejects_the_new_one() {
    let is_switched = |world: &World| {
        let record = world.record();
        record
            .rotation
            .and_then(|it| it.other)
            .is_some_and(|it| matches!(it, OtherKey::Previous(_)))
    };
    let mut world = World::new().await;
    for commands in 1.. {
        assert!(commands < MANY, "it is never switched");
        world.start().await.drive(Some(&overlap()), commands).await;
        if is_switched(&world) {
            break;
        }
        world = World::new().await;
    }
    // A person replaces the new key's secret.
    world.issuer.lags.store(true, Ordering::SeqCst);
    assert_eq!(world.start().await.drive(None, MANY).await, None);
    assert!(is_switched(&world));
    assert_eq!(world.clients().await.len(), 2);
    // The person restores it.
    world.issuer.lags.store(false, Ordering::SeqCst);
    let end = world.start().await.drive(None, MANY).await;
    assert!(matches!(end, Some(End::Rotated { .. })), "{end:?}");
    world.assert_settled("the key in force works again").await;
}

#[tokio::test(start_paused = true)]
async fn the_grace_period_begins_when_the_profile_uses_the_new_key() {
    let world = World::new().await;
    let process = world.start().await;
    let open = Arc::new(Open::new(world.clock.now().unix));
    let mut driver = Driver::new(Arc::clone(&process.shared), name(), open);
    let PreparedRotation::Machine(mut machine) = driver.machine(Some(&overlap())).await else {
        panic!("it begins");
    };
    let notes = loop {
        match machine.command() {
            Command::Note(notes) if notes.phase == Phase::Grace => break notes,
            command => {
                let event = driver.perform(command).await;
                machine.step(world.clock.now().boot, event);
            }
        }
    };
    let used = || process.handle.enrolment().unwrap().client_id.clone();
    world.fails.store(true, Ordering::SeqCst);
    let event = driver.perform(Command::Note(notes.clone())).await;
    assert_eq!(
        (event, used()),
        (Event::NotNoted, notes.old.client_id.clone())
    );
    let waits_for = driver.hindrance.what().unwrap();
    let says = format!("the profile a to use {}: ", notes.name);
    assert!(waits_for.starts_with(&says), "{waits_for}");
    world.fails.store(false, Ordering::SeqCst);
    let event = driver.perform(Command::Note(notes.clone())).await;
    assert_eq!(
        (event, used()),
        (Event::Noted, notes.new.unwrap().client_id)
    );
}

#[tokio::test(start_paused = true)]
async fn an_open_rotation_resumes_once_system_errors_end() {
    // The number of failures decides what fails: the journals' listing, the rotation's lock, the record or the
    // journal.
    for refusals in [1, 2, 5, 20] {
        let world = World::new().await;
        world.start().await.drive(Some(&overlap()), 6).await;
        let process = world.start().await;
        world.refusals.store(refusals, Ordering::SeqCst);
        process.rotations.resume_all();
        let inner = process.rotations.0.as_ref().unwrap();
        let mut waits = 0..100;
        let open = loop {
            let open = inner.open().get(&name()).map(Arc::clone);
            if let Some(open) = open {
                break open;
            }
            assert!(
                waits.next().is_some(),
                "{refusals} refusals: it is not found"
            );
            let later = world.clock.now().boot.after(driver::AGAIN);
            world.clock.sleep_until(later).await;
        };
        let (mut steps, mut last) = (open.steps(), None);
        drop(open);
        while let Some(step) = steps.next().await {
            last = Some(step);
        }
        let end = last.and_then(|last| last.end);
        assert_eq!(end, Some(RotationEnd::Done), "{refusals} refusals");
        world.assert_settled("it goes on").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotate_request_refused_by_the_system_lets_the_open_rotation_resume() {
    let world = World::new().await;
    world.start().await.drive(Some(&overlap()), 6).await;
    let process = world.start().await;
    // The resume of the new process has joined the request, and so does not come again.
    world.refusals.store(1, Ordering::SeqCst);
    let mut steps = process.rotations.start(&name(), overlap()).unwrap();
    let last = last(&mut steps).await;
    assert_eq!(last.end, Some(RotationEnd::Failed), "{last:?}");
    told::until("it goes on", || {
        matches!(world.journal(), RotationRead::Absent)
    })
    .await;
    world.assert_settled("after a refused request").await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_resumes_after_the_other_daemon_that_ran_it_has_ended() {
    let world = World::new().await;
    world.start().await.drive(Some(&overlap()), 6).await;
    let journals = store::Rotations::new(world.dir.path(), world.owner());
    let other_daemon = journals.drive(&name()).unwrap();
    let process = world.start().await;
    let mut steps = process.rotations.start(&name(), overlap()).unwrap();
    let last = last(&mut steps).await;
    assert_eq!(last.end, Some(RotationEnd::Failed), "{last:?}");
    assert!(last.sentence.contains("another daemon"), "{last:?}");
    drop(other_daemon);
    told::until("it goes on", || {
        matches!(world.journal(), RotationRead::Absent)
    })
    .await;
    world.assert_settled("the other daemon has gone").await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_that_needed_a_person_is_forgotten_with_its_journal() {
    let world = World::new().await;
    // The journal is there, and nothing else yet.
    world.start().await.drive(Some(&overlap()), 2).await;
    assert!(world.record().rotation.is_none());
    let path = world.dir.path().join("rotations/a.json");
    std::fs::write(&path, "{").unwrap();
    let process = world.start().await;
    process.rotations.configure(&world.config);
    let needs_human = || {
        let shown = process.rotations.shown(&name());
        shown.is_some_and(|shown| shown.needs_human)
    };
    told::until("a person is needed", needs_human).await;
    std::fs::remove_file(&path).unwrap();
    process.rotations.configure(&world.config);
    told::until("it is forgotten", || {
        process.rotations.shown(&name()).is_none()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_of_another_host_is_not_resumed_without_take_over() {
    let mut world = World::new().await;
    world.start().await.drive(Some(&overlap()), 6).await;
    world.host = "other";
    let process = world.start().await;
    let mut steps = process.rotations.start(&name(), overlap()).unwrap();
    let last = last(&mut steps).await;
    assert_eq!(last.end, Some(RotationEnd::Failed));
    assert!(last.sentence.contains("on the host h"), "{}", last.sentence);
    assert!(matches!(world.journal(), RotationRead::Begun(journal) if journal.machine.host == "h"));
    let how = HowToRotate {
        take_over: true,
        ..overlap()
    };
    let mut steps = process.rotations.start(&name(), how).unwrap();
    while steps.next().await.is_some() {}
    world.assert_settled("taken over").await;
}

#[tokio::test(start_paused = true)]
async fn two_hosts_without_a_shared_lock_keep_the_first_journal() {
    let mut world = World::new().await;
    let ours = world.start().await;
    world.host = "other";
    let theirs = world.start().await;
    let how = overlap();
    let (mut second, mut late) = ours.begin(Some(&how)).await.unwrap();
    let (mut first, mut early) = theirs.begin(Some(&how)).await.unwrap();
    // Both have seen that no rotation is open, and one has written its journal.
    walk(&mut first, &mut early, 2).await;
    let end = walk(&mut second, &mut late, MANY).await;
    assert_eq!(end, Some(End::Refused(StartRefusal::NoJournal)));
    let journal = world.journal();
    assert!(matches!(journal, RotationRead::Begun(journal) if journal.machine.host == "other"));
    let end = walk(&mut first, &mut early, MANY).await;
    assert!(matches!(end, Some(End::Rotated { .. })), "{end:?}");
    world.assert_settled("the first host").await;
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_journal_stops_the_rotation_but_not_token_requests() {
    let world = World::new().await;
    world.start().await.drive(Some(&overlap()), 6).await;
    let path = world.dir.path().join("rotations/a.json");
    let text = std::fs::read(&path).unwrap();
    std::fs::write(&path, &text[..text.len() - 30]).unwrap();
    let before = world.clients().await;
    let process = world.start().await;
    let mut steps = process.rotations.start(&name(), overlap()).unwrap();
    let last = last(&mut steps).await;
    assert_eq!(last.end, Some(RotationEnd::NeedsHuman), "{last:?}");
    assert!(process.rotations.shown(&name()).unwrap().needs_human);
    assert_eq!(world.clients().await, before);
    assert!(process.handle.held().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_impossible_rotation_is_refused_before_any_change() {
    let world = World::new().await;
    let process = world.start().await;
    let start = |profile: &str, how| {
        let profile = ProfileName::parse(profile).unwrap();
        process.rotations.start(&profile, how).unwrap_err()
    };
    assert_eq!(start("none", overlap()), RotationRefused::NoProfile);
    assert_eq!(start("file", overlap()), RotationRefused::ReadOnly);
    let in_place = HowToRotate {
        mode: Mode::InPlace,
        ..overlap()
    };
    assert_eq!(start("file", in_place), RotationRefused::ReadOnly);
    let of_command = Rotations::default().start(&name(), overlap());
    assert_eq!(of_command.unwrap_err(), RotationRefused::OfOneCommand);
    // The key belongs to another user.
    let client = world.clients().await;
    world.plane.delete(Family::AccessKeys, "id-1").await;
    let end = process.drive(Some(&overlap()), MANY).await;
    // The paused clock may have run past the token's expiry; then the list is refused.
    let refused = matches!(
        end,
        Some(End::Refused(StartRefusal::NotListed | StartRefusal::NoList))
    );
    assert!(refused, "{end:?}");
    assert_eq!((client.len(), world.clients().await.len()), (1, 0));
    assert!(matches!(world.journal(), RotationRead::Absent));
}
