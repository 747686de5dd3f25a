//! A profile with an issuer whose answers the scheduler times.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jetond::credential::Credential;
use jetond::fault::{Fault, FaultKind};
use jetond::instant::{BootInstant, Now, UnixTime};
use jetond::lifecycle::{AttemptLimits, Policy};
use jetond::policy::{AccessContext, Caller, UserNamespace};
use jetond::profile::ProfileName;
use jetond::provider::{Fetching, Granted, Provider};
use jetond::schedule::Jitter;
use jetond::token::{AccessToken, Grant};
use tokio::sync::watch;

use crate::clock::{Clock, ClockReading, ClockWait};
use crate::keep::bulkhead::Bulkhead;
use crate::keep::feed::Feed;
use crate::keep::handle::Handle;
use crate::keep::keeper::KeeperParts;
use crate::keep::roster::{Entry, Roster};
use crate::store::source::{CredentialSource, LoadedCredential, Loading};

#[path = "../../../src/clock/testing.rs"]
mod testing;

use testing::TestClock;

/// An issuer that fails this many times and then grants tokens. Each answer takes a few turns of the scheduler.
pub(crate) struct Issuer {
    failures: usize,
    calls: AtomicUsize,
    running: AtomicUsize,
}

impl Issuer {
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl Provider for Issuer {
    fn fetch<'a>(&'a self, _: &'a Credential) -> Fetching<'a> {
        Box::pin(async move {
            let call = self.calls.fetch_add(1, Ordering::SeqCst);
            assert_eq!(
                self.running.fetch_add(1, Ordering::SeqCst),
                0,
                "two calls at once"
            );
            for _ in 0..2 {
                shuttle::future::yield_now().await;
            }
            self.running.fetch_sub(1, Ordering::SeqCst);
            if call < self.failures {
                return Err(Fault::new(FaultKind::Connect, "as told"));
            }
            Ok(Granted {
                grant: Grant {
                    lifetime: Some(Duration::from_secs(3_600)),
                    stated: true,
                    ..Grant::of(AccessToken::parse(&format!("token-{call}")).unwrap())
                },
                server_date: None,
            })
        })
    }
}

struct Store;

impl CredentialSource for Store {
    fn load(&self) -> Loading<'_> {
        Box::pin(async {
            shuttle::future::yield_now().await;
            let credential = Credential::parse("id", "secret").unwrap();
            Ok(LoadedCredential::new(credential))
        })
    }
}

pub(crate) struct World {
    pub(crate) handle: Arc<Handle>,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) clock: Arc<TestClock>,
    roster: Arc<Roster>,
    closing: watch::Sender<bool>,
}

impl World {
    /// Creates a profile whose issuer fails this many times first.
    pub(crate) fn new(failures: usize) -> Self {
        let issuer = Arc::new(Issuer {
            failures,
            calls: AtomicUsize::new(0),
            running: AtomicUsize::new(0),
        });
        let booted = BootInstant::from_boot(Duration::from_secs(1_000));
        let clock = Arc::new(TestClock::still(booted));
        let parts = KeeperParts {
            name: name(),
            source: Arc::new(Store),
            provider: Arc::<Issuer>::clone(&issuer),
            clock: Arc::<TestClock>::clone(&clock),
            jitter: || Jitter::new(0.5),
            policy: Policy::default(),
            compartment: Bulkhead::default().compartment("issuer"),
            generation: 0,
            pace: AttemptLimits::default(),
        };
        let handle = Arc::new(Handle::spawn(parts, "told", Default::default()));
        let roster = Arc::new(Roster::new(AccessContext {
            own_uid: 1_000,
            namespace: UserNamespace::Identity,
        }));
        let entry = Entry {
            handle: Arc::clone(&handle),
            rules: [].into(),
            hosts: [].into(),
            sinks: [].into(),
            rotation: Arc::default(),
        };
        roster.replace(BTreeMap::from([(name(), entry)]));
        Self {
            handle,
            issuer,
            clock,
            roster,
            closing: watch::channel(false).0,
        }
    }

    pub(crate) fn watch(&self) -> Feed {
        let clock: Arc<dyn Clock> = Arc::<TestClock>::clone(&self.clock);
        let caller = Caller {
            uid: 1_000,
            gid: 1_000,
            groups: Box::default(),
        };
        let closing = self.closing.subscribe();
        Feed::open(&self.roster, &clock, &closing, &caller, Some(&name()), None).unwrap()
    }

    /// Signals the daemon's shutdown.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }
}

fn name() -> ProfileName {
    ProfileName::parse("research").unwrap()
}
