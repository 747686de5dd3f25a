//! The surroundings of the daemon in one run: draws events from the seed and records them.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use jetond::config::runai::Api;
use jetond::config::{BaseUrl, Config, CredentialLocation, Profile, Provider, Proxy, Runai};
use jetond::daemon::keep::roster::Roster;
use jetond::instant::BootInstant;
use jetond::lifecycle::{Phase, Policy};
use jetond::policy::{AccessContext, AllowedUsers, UserNamespace};
use jetond::profile::ProfileName;
use jetond::schedule::Reissue;

use crate::bug::Bug;
use crate::clock::SimClock;
use crate::coverage::{Coverage, EventKind};
use crate::history::{Event, History, Life, Moment, StoreFailure};

/// The user of the daemon and of most of its clients.
pub(crate) const UID: u32 = 1_000;

/// Other users that may use every profile.
pub(crate) const OTHERS: [u32; 3] = [1_001, 1_002, 1_003];

/// The ranges of token lifetimes of one run, in seconds. All lifetimes in a run have one scale, so that its events
/// fit to them.
const SCALES: [Range<u64>; 4] = [2..20, 10..120, 60..1_000, 600..86_400];

pub(crate) struct World {
    pub(crate) clock: Arc<SimClock>,
    pub(crate) roster: Arc<Roster>,
    pub(crate) bug: Option<Bug>,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) rng: Rng,
    pub(crate) history: History,
    pub(crate) coverage: Coverage,
    pub(crate) subjects: Vec<Subject>,
    /// Whether everything works from now on.
    pub(crate) is_calm: bool,
    numbers: [u32; 5],
}

/// The kinds of numbered items.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    Life,
    Call,
    Load,
    Token,
    Request,
}

/// How reliable an issuer is for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reliability {
    /// The issuer always works.
    Well,
    Healthy,
    Mixed,
    Outage,
    /// Another server answers at the issuer's address.
    Absent,
    Rejecting,
}

/// What an issuer grants for a repeated request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RepeatGrant {
    Another,
    TheSame,
    OneOfTwo,
}

/// A profile with its issuer and its store.
pub(crate) struct Subject {
    pub(crate) name: ProfileName,
    /// The profile in the configuration; `None` while it is not there.
    pub(crate) configured: Option<Profile>,
    /// The profile for the next configuration that has it.
    pub(crate) wanted: Profile,
    pub(crate) life: Life,
    pub(crate) mood: Reliability,
    pub(crate) habit: RepeatGrant,
    /// The approximate lifetime of its tokens.
    pub(crate) scale: Duration,
    pub(crate) stored: Result<u32, StoreFailure>,
    pub(crate) load_takes: Duration,
    /// Whether clients request its tokens at present.
    pub(crate) is_busy: bool,
    pub(crate) tokens: [Option<Token>; 2],
    /// The index in [`Subject::tokens`] of the last granted token.
    pub(crate) last: usize,
    /// The number of the last granted token, and the life that got it.
    pub(crate) given: Option<(u32, Life)>,
    /// When a client asked while the profile rested.
    pub(crate) woken: Option<Duration>,
    /// The tokens that clients got, the newest last.
    pub(crate) seen: Vec<SeenToken>,
    /// Whether the service that uses the tokens rejects each of them.
    pub(crate) is_rejecting: bool,
}

/// A token that a client got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SeenToken {
    pub(crate) token: u32,
    pub(crate) generation: u64,
    pub(crate) life: Life,
    pub(crate) got: Duration,
}

/// A token that an issuer granted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) number: u32,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) stated: bool,
    pub(crate) end: BootInstant,
    /// The life that got it first.
    pub(crate) life: Life,
}

impl World {
    pub(crate) fn new(seed: u64, bug: Option<Bug>) -> Arc<Self> {
        let mut rng = Rng::with_seed(seed);
        let scales = &SCALES[rng.usize(0..SCALES.len())];
        let subjects = (0..3)
            .map(|i| Subject::draw(i, scales.clone(), &mut rng))
            .collect();
        let roster = Roster::new(AccessContext {
            own_uid: UID,
            namespace: UserNamespace::Identity,
        });
        let roster = roster.with_guests(AllowedUsers::new(OTHERS));
        Arc::new(Self {
            clock: Arc::new(SimClock::new(bug)),
            roster: Arc::new(roster),
            bug,
            state: Mutex::new(State {
                rng,
                history: History::default(),
                coverage: Coverage::default(),
                subjects,
                is_calm: false,
                numbers: [0; 5],
            }),
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn at(&self) -> Moment {
        self.clock.at()
    }

    /// Records an event that happens now.
    pub(crate) fn record(&self, what: Event) {
        let at = self.at();
        self.state().history.push(at, what);
    }

    /// Returns the number of the profile of this name.
    pub(crate) fn number_of(&self, name: &ProfileName) -> usize {
        let state = self.state();
        let found = state.subjects.iter().position(|s| s.name == *name);
        found.unwrap()
    }

    /// Returns the phase of a profile; `None` while the configuration does not have it.
    pub(crate) fn phase(&self, profile: usize) -> Option<Phase> {
        let name = self.state().subjects[profile].name.clone();
        let handle = Arc::clone(&self.roster.all().get(&name)?.handle);
        Some(handle.state().reply.phase)
    }

    /// Counts that a profile meets this event now.
    pub(crate) fn meets(&self, profile: usize, met: EventKind) {
        if let Some(phase) = self.phase(profile) {
            self.state().coverage.count(met, phase);
        }
    }

    pub(crate) fn all_meet(&self, met: EventKind) {
        let count = self.state().subjects.len();
        (0..count).for_each(|profile| self.meets(profile, met));
    }

    /// Returns the present configuration.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        for subject in &self.state().subjects {
            if let Some(profile) = &subject.configured {
                config
                    .profiles
                    .insert(subject.name.clone(), profile.clone());
            }
        }
        config
    }

    /// Makes everything outside of the daemon work from now on.
    pub(crate) fn calm(&self) {
        self.record(Event::Calm);
        self.state().is_calm = true;
        let count = self.state().subjects.len();
        for profile in 0..count {
            let stored = {
                let subject = &mut self.state().subjects[profile];
                subject.mood = Reliability::Well;
                subject.is_rejecting = false;
                subject.load_takes = Duration::ZERO;
                subject.configured = Some(subject.wanted.clone());
                subject.stored.or(Ok(0))
            };
            self.store(profile, stored);
        }
    }

    /// Sets the content of a profile's store.
    pub(crate) fn store(&self, profile: usize, found: Result<u32, StoreFailure>) {
        self.state().subjects[profile].stored = found;
        self.record(Event::Stored { profile, found });
    }
}

impl State {
    /// Returns the next number of this kind.
    pub(crate) fn next(&mut self, count: Count) -> u32 {
        let number = &mut self.numbers[count as usize];
        *number += 1;
        *number
    }
}

impl Subject {
    fn draw(number: usize, scales: Range<u64>, rng: &mut Rng) -> Self {
        let reissue = match rng.u8(0..10) {
            0 | 1 => Reissue::KillsOld,
            2 | 3 => Reissue::SameUntilExpiry,
            _ => Reissue::Normal,
        };
        let habit = match (reissue, rng.u8(0..10)) {
            (Reissue::SameUntilExpiry, _) | (_, 0..2) => RepeatGrant::TheSame,
            (_, 2) => RepeatGrant::OneOfTwo,
            _ => RepeatGrant::Another,
        };
        let wanted = Profile {
            provider: provider(0),
            credential: CredentialLocation::default(),
            ca_file: None,
            proxy: Proxy::Direct,
            client_certificate: None,
            lifetime: None,
            keep_warm: rng.u8(0..4) == 0,
            reissue,
            rotation: jetond::config::Rotation::default(),
        };
        Self {
            name: ProfileName::parse(&format!("p{number}")).unwrap(),
            configured: Some(wanted.clone()),
            wanted,
            life: 0,
            mood: Reliability::draw(rng),
            habit,
            scale: Duration::from_secs(rng.u64(scales)),
            stored: match rng.u8(0..10) {
                0 => Err(StoreFailure::NotEnrolled),
                1 => Err(StoreFailure::Unusable),
                _ => Ok(0),
            },
            load_takes: Duration::ZERO,
            is_busy: true,
            tokens: [None; 2],
            last: 0,
            given: None,
            woken: None,
            seen: vec![],
            is_rejecting: false,
        }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy {
            keep_warm: self.wanted.keep_warm,
            reissue: self.wanted.reissue,
        }
    }

    /// Records that a client got a token.
    pub(crate) fn sees(&mut self, seen: SeenToken) {
        const MANY: usize = 8;
        if self
            .seen
            .last()
            .is_none_or(|last| last.generation != seen.generation)
        {
            self.seen.push(seen);
        }
        if self.seen.len() > MANY {
            self.seen.remove(0);
        }
    }

    /// Returns whether this token was granted to this life, and no other one after it.
    pub(crate) fn holds(&self, seen: &SeenToken) -> bool {
        self.given == Some((seen.token, self.life))
    }

    /// Changes the profile's configuration, so that a reload starts a new life.
    pub(crate) fn change(&mut self, number: u32) {
        self.wanted.provider = provider(number);
        self.configured = Some(self.wanted.clone());
    }
}

impl Reliability {
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        match rng.u8(0..22) {
            0..6 => Self::Healthy,
            6..12 => Self::Mixed,
            12..17 => Self::Outage,
            17 => Self::Absent,
            _ => Self::Rejecting,
        }
    }
}

/// Makes an issuer of this number. No request is ever sent there.
fn provider(number: u32) -> Provider {
    Provider::Runai(Runai {
        url: BaseUrl::parse(&format!("https://issuer.example/{number}")).unwrap(),
        api: Api::V2,
    })
}
