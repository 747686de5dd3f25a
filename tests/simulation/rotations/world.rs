//! The machine of one run, its issuer and its store.
//!
//! The seed draws their behaviour, and they record their actions.

use std::collections::BTreeMap;
use std::future::pending;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use jetond::applications;
use jetond::config::runai::Api;
use jetond::config::{
    BaseUrl, CredentialLocation, Profile, Provider, Proxy, Rotation, Runai, StoreKind,
};
use jetond::credential::Credential;
use jetond::instant::{BootInstant, UnixTime};
use jetond::profile::ProfileName;
use jetond::schedule::Reissue;
use jetond::store::source::binding_of;
use jetond::store::{
    BoundTarget, Key, Record, Revision, RotationData, RotationMode, RotationRead, Rotations, Store,
    Stores,
};
use tempfile::TempDir;
use tokio::sync::Notify;

use super::bug::Bug;
use super::history::{Event, History, Secret};
use super::plane::{self, Change, KeyPlane, Logins};
use super::tally::Tally;
use crate::clock::SimClock;

/// The number of events in one run.
const STEPS: u32 = 110;

/// The kind of a rotation in place.
const IN_PLACE: &str = "in place";

/// A folder in memory, where writes of files are fast.
const MEMORY: &str = "/dev/shm";

pub(crate) struct World {
    pub(super) bug: Option<Bug>,
    pub(super) name: ProfileName,
    pub(super) profile: Profile,
    /// The approximate lifetime of tokens.
    pub(super) lifetime: Duration,
    pub(super) owner: u32,
    /// Ends the running process.
    pub(super) kill: Notify,
    pub(super) folder: TempDir,
    pub(super) files: Stores,
    /// The content of the keyring.
    pub(super) vault: Stores,
    pub(super) journals: Rotations,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(super) rng: Rng,
    pub(crate) history: History,
    pub(crate) tally: Tally,
    pub(super) plane: KeyPlane,
    pub(super) machine: Machine,
    pub(super) moods: Moods,
    /// The secret and the end of each token.
    pub(super) tokens: BTreeMap<u32, (Secret, Duration)>,
    /// The writes that the keyring makes late.
    pub(super) late_writes: Vec<(Duration, Record)>,
    /// Whether everything works from now on.
    pub(super) is_calm: bool,
    /// Whether a rotation is written down anywhere.
    pub(super) is_open: bool,
    /// Whether a rotation in place has a journal.
    pub(super) is_in_place: bool,
    /// Whether this process has refused to rotate a key.
    pub(super) was_refused: bool,
    /// The number of remaining events in this run.
    pub(super) steps: u32,
    /// The process ends after this many further outside calls during an open rotation.
    kill_in: Option<u32>,
    /// The last known content of the store.
    record: Option<Stored>,
    /// The last known content of its second slot.
    slot: Slot,
    /// The kind of rotation that had a journal when it was last read.
    journal: Option<&'static str>,
    /// The secret that was in force when no rotation was open.
    in_force: Option<Secret>,
    requests: u32,
}

/// The content of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) current: Option<Secret>,
    pub(super) other: Option<Secret>,
    is_open: bool,
}

/// The content of the second slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slot {
    token: Option<u32>,
    answer: Option<Secret>,
}

/// The machine's clocks.
pub(super) struct Machine {
    /// The time of the run at which this process began.
    base: Duration,
    /// The number of the boot, and its clock at this process's begin.
    pub(super) boot: u32,
    booted: Duration,
    /// By how many seconds the wall clock was set.
    pub(super) stepped: i64,
    pub(super) clock: Option<Arc<SimClock>>,
}

/// How reliable something outside of the daemon is for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reliability {
    Well,
    Mixed,
    Outage,
}

/// The reliability of the token endpoint, of the API of keys, and of the files and the keyring.
pub(super) struct Moods {
    pub(super) tokens: Reliability,
    pub(super) api: Reliability,
    pub(super) disk: Reliability,
}

// === impl World ===

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>) -> Arc<Self> {
        let mut rng = Rng::with_seed(seed);
        let folder = match Path::new(MEMORY).is_dir() {
            true => tempfile::tempdir_in(MEMORY),
            false => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let owner = folder.path().metadata().unwrap().uid();
        let plane = KeyPlane::new(&mut rng);
        let scale = match rng.u8(0..4) {
            _ if plane.logins() == Logins::Days => 3_600..20_000,
            0 => 10..60,
            1 => 60..600,
            _ => 600..7_200,
        };
        let lifetime = Duration::from_secs(rng.u64(scale));
        let place = match rng.bool() {
            true => StoreKind::Keyring,
            false => StoreKind::File,
        };
        let world = Self {
            bug,
            name: ProfileName::parse("p").unwrap(),
            profile: profile(place, lifetime, &mut rng),
            lifetime,
            owner,
            kill: Notify::new(),
            files: Stores::new(folder.path(), owner),
            vault: Stores::new(&folder.path().join("keyring"), owner),
            journals: Rotations::new(folder.path(), owner),
            folder,
            state: Mutex::new(State {
                rng,
                history: History::default(),
                tally: Tally::default(),
                plane,
                machine: Machine {
                    base: Duration::ZERO,
                    boot: 0,
                    booted: Duration::from_secs(1_000),
                    stepped: 0,
                    clock: None,
                },
                moods: Moods {
                    tokens: Reliability::Well,
                    api: Reliability::Well,
                    disk: Reliability::Well,
                },
                tokens: BTreeMap::new(),
                late_writes: vec![],
                is_calm: false,
                is_open: false,
                is_in_place: false,
                was_refused: false,
                steps: STEPS,
                kill_in: None,
                record: None,
                slot: Slot::default(),
                journal: None,
                in_force: None,
                requests: 0,
            }),
        };
        world.enrol();
        Arc::new(world)
    }

    /// Stores the first key, as a person would.
    fn enrol(&self) {
        let first = Change::Create("first".to_owned(), Duration::ZERO);
        let (key, made) = self.state().plane.execute(Duration::ZERO, &first).unwrap();
        self.record(made);
        let bound = BoundTarget::of(&self.profile, self.profile.endpoint().unwrap());
        let record = Record {
            key: Key {
                credential: Credential::parse(&key.client_id(), &key.secret()).unwrap(),
                key_id: Some(key.id()),
                key_name: Some(key.name.clone()),
                created_at: UnixTime::from_epoch(Duration::from_secs(plane::EPOCH)),
                server_date: None,
            },
            binding: binding_of(&self.profile, &bound, self.owner)
                .unwrap()
                .binding,
            rotation: None,
        };
        let (stores, store) = self.kept();
        let lock = stores.lock(&self.name).unwrap();
        let revision = store.look(&self.name).revision;
        store.replace(&lock, &revision, &record).unwrap();
        self.state().in_force = Some(key.present());
        let folder = self.broken().join("credentials");
        std::fs::create_dir_all(folder.join(format!("{}.json", self.name))).unwrap();
        self.look();
    }

    /// Returns a folder whose record cannot be read.
    fn broken(&self) -> PathBuf {
        self.folder.path().join("broken")
    }

    /// Returns the revision of a record that cannot be read.
    pub(super) fn unreadable(&self) -> Revision {
        let store = Stores::new(&self.broken(), self.owner).store(&StoreKind::File);
        store.look(&self.name).revision
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Records an event that happens now.
    pub(super) fn record(&self, what: Event) {
        self.state().push(what);
    }

    /// Returns the store that has the record.
    pub(super) fn kept(&self) -> (&Stores, Arc<dyn Store>) {
        let stores = match self.profile.store() {
            Some(StoreKind::Keyring) => &self.vault,
            _ => &self.files,
        };
        (stores, stores.store(&StoreKind::File))
    }

    /// Returns whether the store is a file.
    pub(super) fn is_file(&self) -> bool {
        self.profile.store() == Some(&StoreKind::File)
    }

    /// Reads the store, and records its content if it has changed.
    pub(super) fn look(&self) {
        self.write_late();
        let key = |key: &Key| {
            let secret = key.credential.client_secret.expose();
            plane::key_of(&key.credential.client_id, secret)
        };
        let record = self.kept().1.load(&self.name).unwrap().unwrap();
        let stored = Stored {
            current: key(&record.key),
            other: record.other_key().and_then(key),
            is_open: record.rotation.is_some(),
        };
        let slot = Slot::of(self.kept().1.kept(&self.name).unwrap().as_ref());
        let journal = self.journal();
        let state = &mut *self.state();
        state.is_open = stored.is_open || journal.is_some();
        state.is_in_place = journal == Some(IN_PLACE);
        if state.journal != journal && journal.is_some() {
            state.journal = journal;
            state.push(Event::Journal { of: journal });
        }
        if state.slot != slot {
            state.slot = slot;
            let Slot { token, answer } = slot;
            state.push(Event::Slot { token, answer });
        }
        if state.record != Some(stored) {
            state.record = Some(stored);
            state.push(Event::Record {
                current: stored.current,
                other: stored.other,
                is_open: stored.is_open,
            });
        }
        // The end of a rotation comes last, as it does for the daemon.
        if state.journal != journal {
            state.journal = journal;
            state.push(Event::Journal { of: journal });
        }
        if !state.is_open && stored.current != state.in_force {
            let key = |secret: Option<Secret>| secret.map(|secret| secret.key);
            match key(stored.current) == key(state.in_force) {
                true => state.tally.in_place += 1,
                false => state.tally.rotations += 1,
            }
            state.in_force = stored.current;
        }
    }

    /// Returns which kind of rotation has a journal.
    fn journal(&self) -> Option<&'static str> {
        if !self.journals.path(&self.name).exists() {
            return None;
        }
        Some(match self.journals.read(&self.name) {
            Ok(RotationRead::Begun(journal)) if journal.mode == RotationMode::InPlace => IN_PLACE,
            _ => "overlap",
        })
    }

    /// Makes another secret for the key in force and stores it, as a person would.
    pub(super) fn mend(&self) {
        self.record(Event::Mends);
        let (id, now) = {
            let state = self.state();
            let key = state.current().unwrap_or_default();
            (plane::id(key), state.now())
        };
        let renew = Change::Renew(id, Duration::ZERO);
        let (key, renewed) = self.state().plane.execute(now, &renew).unwrap();
        self.record(renewed);
        let (stores, store) = self.kept();
        let lock = stores.lock(&self.name).unwrap();
        let look = store.look(&self.name);
        let before = look.record.unwrap().unwrap();
        let record = Record {
            key: Key {
                credential: Credential::parse(&key.client_id(), &key.secret()).unwrap(),
                ..before.key
            },
            rotation: None,
            ..before
        };
        store.replace(&lock, &look.revision, &record).unwrap();
        drop(lock);
        self.look();
    }

    /// Empties the second slot.
    pub(super) fn empty_slot(&self) {
        let (stores, store) = self.kept();
        let lock = stores.lock(&self.name).unwrap();
        store.forget(&lock).unwrap();
        drop(lock);
        self.look();
    }

    /// Makes the keyring's writes that are due.
    pub(super) fn write_late(&self) {
        let due = {
            let state = &mut *self.state();
            let now = state.now();
            let (due, later) = std::mem::take(&mut state.late_writes)
                .into_iter()
                .partition(|(at, _)| *at <= now);
            state.late_writes = later;
            let due: Vec<(Duration, Record)> = due;
            due
        };
        for (_, record) in due {
            let (stores, store) = self.kept();
            let lock = stores.lock(&self.name).unwrap();
            let revision = store.look(&self.name).revision;
            store.replace(&lock, &revision, &record).unwrap();
            self.record(Event::Write { fate: "comes late" });
        }
    }

    /// A point at which the process may be killed.
    pub(super) async fn point(&self) {
        let is_killed = {
            let state = &mut *self.state();
            let is_open = state.is_open || state.slot.token.is_some();
            match &mut state.kill_in {
                Some(0) if is_open => true,
                Some(left) if is_open => {
                    *left -= 1;
                    false
                }
                _ => false,
            }
        };
        if is_killed {
            self.kill.notify_one();
            pending::<()>().await;
        }
    }

    /// Returns whether the record has a rotation.
    pub(super) fn has_begun(&self) -> bool {
        let record = self.kept().1.load(&self.name).unwrap();
        record.is_some_and(|record| record.rotation.is_some())
    }

    /// Returns whether no rotation is open anywhere.
    pub(super) fn is_settled(&self) -> bool {
        self.look();
        !self.state().is_open
    }

    /// Makes everything outside of the daemon work from now on.
    pub(super) fn calm(&self) {
        let state = &mut *self.state();
        state.push(Event::Calm);
        state.is_calm = true;
        state.kill_in = None;
        state.moods = Moods {
            tokens: Reliability::Well,
            api: Reliability::Well,
            disk: Reliability::Well,
        };
    }
}

// === impl State ===

impl State {
    /// Returns the time since the run began.
    pub(super) fn now(&self) -> Duration {
        let machine = &self.machine;
        let clock = machine.clock.as_ref();
        let shown = clock.map_or(machine.booted, |clock| clock.at().boot.since_boot());
        machine.base + (shown - machine.booted)
    }

    /// Records an event that happens now, after the issuer's events until now.
    pub(super) fn push(&mut self, what: Event) {
        let now = self.now();
        let late = self.plane.catch_up(now);
        self.history.0.extend(late);
        self.history.0.push((now, what));
    }

    /// Begins a process, which may be killed.
    pub(super) fn begin_process(&mut self) -> Arc<SimClock> {
        let booted = BootInstant::from_boot(self.machine.booted);
        let clock = Arc::new(SimClock::booted_at(booted));
        let seconds = i64::try_from(self.machine.base.as_secs()).unwrap();
        clock.jump(seconds + self.machine.stepped);
        self.machine.clock = Some(Arc::clone(&clock));
        self.was_refused = false;
        let is_killed = !self.is_calm && self.rng.u8(0..5) < 2;
        self.kill_in = is_killed.then(|| self.rng.u32(0..50));
        let boot = self.machine.boot;
        let tokens_survive = self.plane.tokens_survive();
        self.push(Event::Starts {
            boot,
            tokens_survive,
        });
        clock
    }

    /// Ends a process. The next one begins after a while, perhaps in another boot.
    pub(super) fn end_process(&mut self) {
        if self.is_open {
            self.tally.killed += 1;
        }
        self.push(Event::Killed);
        let now = self.now();
        let down = match self.rng.u8(0..6) {
            0..3 => Duration::from_millis(self.rng.u64(1..3_000)),
            3 | 4 => Duration::from_secs(self.rng.u64(3..300)),
            _ => Duration::from_secs(self.rng.u64(300..10_000)),
        };
        let shown = self.machine.booted + (now - self.machine.base);
        self.machine.base = now + down;
        self.machine.booted = shown + down;
        self.machine.clock = None;
        if self.rng.u8(0..4) == 0 {
            self.machine.boot += 1;
            self.machine.booted = Duration::from_secs(self.rng.u64(5..60));
            self.tally.disturbed += 1;
            // The keyring's pending writes are lost with it.
            self.late_writes.clear();
        }
    }

    pub(super) fn next_request(&mut self) -> u32 {
        self.requests += 1;
        self.requests
    }

    /// Returns whether the record has the key of this client ID.
    pub(super) fn needs(&self, client_id: &str) -> bool {
        let keys = self.record.into_iter();
        let mut secrets = keys.flat_map(|it| [it.current, it.other]).flatten();
        secrets.any(|secret| client_id == format!("client-{}", secret.key))
    }

    /// Returns the token that a client receives: with a bug, the relay always passes on the first one.
    pub(super) fn passed_on(&self, bug: Option<Bug>, token: Option<u32>) -> Option<u32> {
        let has_rotated = self.tally.rotations > 0 && bug == Some(Bug::OldTokens);
        token.map(|token| if has_rotated { 1 } else { token })
    }

    /// Returns the key in force.
    pub(super) fn current(&self) -> Option<u32> {
        Some(self.record?.current?.key)
    }

    /// Returns whether the second slot has anything.
    pub(super) fn has_slot(&self) -> bool {
        self.slot != Slot::default()
    }
}

// === impl Slot ===

impl Slot {
    fn of(kept: Option<&RotationData>) -> Self {
        let token = kept.and_then(|kept| kept.token.expose().strip_prefix("tok-")?.parse().ok());
        let answer = kept.and_then(|kept| applications::secret_of(kept.answer.as_ref()?));
        Self {
            token,
            answer: answer.and_then(|secret| plane::secret_of(secret.expose())),
        }
    }
}

// === impl Mood ===

impl Reliability {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..10) {
            0..5 => Self::Well,
            5..9 => Self::Mixed,
            _ => Self::Outage,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Mixed => "mixed",
            Self::Outage => "outage",
        }
    }

    /// Returns whether something fails now. While mixed, it fails in this percentage of the cases.
    pub(super) fn fails(self, percent: u8, rng: &mut Rng) -> bool {
        match self {
            Self::Well => false,
            Self::Mixed => rng.u8(0..100) < percent,
            Self::Outage => true,
        }
    }
}

/// Makes a profile whose key can be rotated.
fn profile(place: StoreKind, lifetime: Duration, rng: &mut Rng) -> Profile {
    Profile {
        provider: Provider::Runai(Runai {
            url: BaseUrl::parse("https://issuer.example").unwrap(),
            api: Api::V2,
        }),
        credential: CredentialLocation::Store(place),
        ca_file: None,
        proxy: Proxy::Direct,
        client_certificate: None,
        lifetime: None,
        keep_warm: lifetime.as_secs() > 600 && rng.u8(0..4) == 0,
        reissue: Reissue::Normal,
        rotation: Rotation {
            every: None,
            grace: lifetime * rng.u32(4..10),
            is_shared: false,
        },
    }
}
