//! Test doubles on a paused clock: an issuer that plays a script, and a store in memory.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::keep::bulkhead::{Bulkhead, Compartment};
use super::keep::handle::Handle;
use super::keep::keeper::KeeperParts;
use crate::clock::testing::TestClock;
use crate::config::TokenPurpose;
use crate::credential::Credential;
use crate::fault::{Block, Fault, FaultKind};
use crate::instant::UnixTime;
use crate::lifecycle::credentials::{Credentials, NotLoaded};
use crate::lifecycle::{AttemptLimits, Policy};
use crate::profile::ProfileName;
use crate::provider::{Fetching, Granted, Provider};
use crate::schedule::Jitter;
use crate::store::source::{CredentialSource, LoadedCredential, Loading};
use crate::token::{AccessToken, Grant};

/// The issuer's answer to one request.
#[derive(Debug, Clone)]
pub(crate) enum Play {
    /// Grants a token of this lifetime after a delay. Tokens are numbered `token-1`, `token-2` …
    Grant { secs: u64, after: Duration },
    /// Fails after a delay.
    Fail { kind: FaultKind, after: Duration },
    /// Fails at once with this fault.
    Refuse(Fault),
    /// Never answers.
    Hang,
}

/// An issuer that plays a script and repeats its last step.
pub(crate) struct ScriptedIssuer {
    /// The time that its clock shows in every answer.
    date: Option<UnixTime>,
    script: Mutex<VecDeque<Play>>,
    seen: Mutex<Vec<String>>,
}

impl ScriptedIssuer {
    pub(crate) fn new(script: &[Play]) -> Arc<Self> {
        Self::dated(script, None)
    }

    /// Creates an issuer whose clock shows `date` in every answer.
    pub(crate) fn dated(script: &[Play], date: Option<UnixTime>) -> Arc<Self> {
        Arc::new(Self {
            date,
            script: Mutex::new(script.iter().cloned().collect()),
            seen: Mutex::default(),
        })
    }

    /// Returns the secrets that the requests carried, in order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Provider for ScriptedIssuer {
    fn fetch<'a>(&'a self, credential: &'a Credential) -> Fetching<'a> {
        Box::pin(async move {
            let number = {
                let mut seen = self.seen.lock().unwrap();
                seen.push(credential.client_secret.expose().to_owned());
                seen.len()
            };
            let scene = {
                let mut script = self.script.lock().unwrap();
                let scene = script.front().cloned().unwrap();
                if script.len() > 1 {
                    script.pop_front();
                }
                scene
            };
            match scene {
                Play::Grant { secs, after } => {
                    tokio::time::sleep(after).await;
                    let token = AccessToken::parse(&format!("token-{number}")).unwrap();
                    let grant = Grant {
                        lifetime: Some(Duration::from_secs(secs)),
                        stated: true,
                        ..Grant::of(token)
                    };
                    Ok(Granted {
                        grant,
                        server_date: self.date,
                    })
                }
                Play::Fail { kind, after } => {
                    tokio::time::sleep(after).await;
                    Err(Fault::new(kind, "scripted"))
                }
                Play::Refuse(fault) => Err(fault),
                Play::Hang => std::future::pending().await,
            }
        })
    }
}

/// An in-memory store whose secret can be replaced.
pub(crate) struct MemoryStore {
    secret: Mutex<Option<&'static str>>,
    /// Number of upcoming reads that fail.
    refusals: AtomicUsize,
    /// Duration of a read.
    delay: Mutex<Duration>,
    is_locked: AtomicBool,
    /// Number of reads for other reasons than an attempt.
    reads: AtomicUsize,
}

impl MemoryStore {
    pub(crate) fn new(secret: Option<&'static str>) -> Arc<Self> {
        Arc::new(Self {
            secret: Mutex::new(secret),
            refusals: AtomicUsize::new(0),
            delay: Mutex::default(),
            is_locked: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
        })
    }

    pub(crate) fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }

    pub(crate) fn put(&self, secret: Option<&'static str>) {
        *self.secret.lock().unwrap() = secret;
    }

    pub(crate) fn refuse(&self, times: usize) {
        self.refusals.store(times, Ordering::SeqCst);
    }

    pub(crate) fn slow(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    pub(crate) fn lock(&self, is_locked: bool) {
        self.is_locked.store(is_locked, Ordering::SeqCst);
    }

    pub(crate) fn set(&self, secret: &'static str) {
        self.put(Some(secret));
    }
}

impl CredentialSource for MemoryStore {
    fn load(&self) -> Loading<'_> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.load_for_attempt()
    }

    fn load_for_attempt(&self) -> Loading<'_> {
        let one_less = |n: usize| n.checked_sub(1);
        let refused = self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        let loaded = match *self.secret.lock().unwrap() {
            _ if refused.is_ok() => {
                let fault = Fault::new(FaultKind::Connect, "no thread");
                Err(NotLoaded::Failed(fault))
            }
            Some(_) if self.is_locked.load(Ordering::SeqCst) => {
                Err(NotLoaded::Blocked(Block::Locked))
            }
            Some(secret) => Ok(LoadedCredential::new(
                Credential::parse("id", secret).unwrap(),
            )),
            None => Err(NotLoaded::Blocked(Block::NotEnrolled(research()))),
        };
        let delay = *self.delay.lock().unwrap();
        Box::pin(async move {
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            loaded
        })
    }
}

/// Returns the profile's name.
fn research() -> ProfileName {
    ProfileName::parse("research").unwrap()
}

/// Keeps a profile on a paused clock, with jitter 0.5.
pub(crate) fn keep(
    issuer: &Arc<ScriptedIssuer>,
    store: &Arc<MemoryStore>,
) -> (Arc<Handle>, Arc<TestClock>) {
    keep_with(issuer, store, Policy::default())
}

/// Like [`keep`], with this policy.
pub(crate) fn keep_with(
    issuer: &Arc<ScriptedIssuer>,
    store: &Arc<MemoryStore>,
    policy: Policy,
) -> (Arc<Handle>, Arc<TestClock>) {
    let compartment = Bulkhead::default().compartment("scripted");
    keep_at(issuer, store, policy, compartment)
}

/// Like [`keep_with`], with this concurrency limit for the attempts.
pub(crate) fn keep_at(
    issuer: &Arc<ScriptedIssuer>,
    store: &Arc<MemoryStore>,
    policy: Policy,
    compartment: Compartment,
) -> (Arc<Handle>, Arc<TestClock>) {
    let clock = Arc::new(TestClock::new());
    let handle = Handle::spawn(
        KeeperParts {
            name: research(),
            source: Arc::<MemoryStore>::clone(store),
            provider: Arc::<ScriptedIssuer>::clone(issuer),
            clock: Arc::<TestClock>::clone(&clock),
            jitter: || Jitter::new(0.5),
            policy,
            compartment,
            generation: 0,
            pace: AttemptLimits::default(),
        },
        "scripted",
        TokenPurpose::default(),
    );
    (Arc::new(handle), clock)
}

/// Starts a keeper on this clock that replaces one which handed over these credentials.
pub(crate) fn keep_after(
    credentials: Credentials,
    issuer: &Arc<ScriptedIssuer>,
    store: &Arc<MemoryStore>,
    clock: &Arc<TestClock>,
) -> Arc<Handle> {
    let parts = KeeperParts {
        name: research(),
        source: Arc::<MemoryStore>::clone(store),
        provider: Arc::<ScriptedIssuer>::clone(issuer),
        clock: Arc::<TestClock>::clone(clock),
        jitter: || Jitter::new(0.5),
        policy: Policy::default(),
        compartment: Bulkhead::default().compartment("scripted"),
        generation: 0,
        pace: AttemptLimits::default(),
    };
    let handle = Handle::spawn_after(credentials, parts, "scripted", TokenPurpose::default());
    Arc::new(handle)
}
