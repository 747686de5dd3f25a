//! One process of the daemon.

use std::sync::Arc;
use std::time::Duration;

use jetond::clock::{Clock, ClockReading, ClockWait};
use jetond::config::Config;
use jetond::daemon::keep::jumps::Jumps;
use jetond::daemon::keep::roster::Roster;
use jetond::daemon::report_jumps;
use jetond::daemon::rotating::{self, Offload, Rotations};
use jetond::daemon::service::Change;
use jetond::daemon::wiring::{ProfileParts, Wiring};
use jetond::instant::{BootInstant, Now};
use jetond::offload::NotStarted;
use jetond::policy::{AccessContext, UserNamespace};
use jetond::schedule::Jitter;
use jetond::store::{self, Machine, Stores};
use jetond::wire::reload::Source as ReloadSource;

use super::bug::Bug;
use super::history::Event;
use super::issuer::Issuer;
use super::keyring::Keyring;
use super::keys::Keys;
use super::source::Source;
use super::world::World;
use crate::clock::SimClock;
use crate::daemon::Daemon;
use crate::world::UID;

/// The factor by which the rotation's clock is too fast with a bug.
const HASTE: u32 = 20;

/// A clock that runs too fast.
struct HastyClock(Arc<SimClock>);

/// Starts a process of the daemon.
pub(super) async fn start(world: &Arc<World>) -> (Daemon, Arc<Rotations>) {
    let sim = world.state().begin_process();
    let clock: Arc<dyn Clock> = Arc::<SimClock>::clone(&sim);
    let roster = Arc::new(Roster::new(AccessContext {
        own_uid: UID,
        namespace: UserNamespace::Identity,
    }));
    let (rotations, found) = Rotations::new(outside(world, &sim, &roster));
    let rotations = Arc::new(rotations);
    let (daemon, mut changes) = Daemon::around(&roster, &clock, Arc::clone(&rotations));
    tokio::spawn(report_jumps(
        Jumps::new(Arc::clone(&clock)),
        Arc::clone(&roster),
    ));
    let around = Arc::clone(world);
    let wiring = Wiring::around(clock, roster, move |_, _| {
        Some(ProfileParts {
            source: Arc::new(Source(Arc::clone(&around), found.clone())),
            provider: Arc::new(Issuer(Arc::clone(&around))),
            api: None,
            jitter: || Jitter::new(fastrand::f64()),
        })
    });
    let mut wiring = wiring.with_rotations(Arc::clone(&rotations));
    let mut config = Config::default();
    let profile = world.profile.clone();
    config.profiles.insert(world.name.clone(), profile);
    wiring.apply(config.clone()).await;
    tokio::spawn(async move {
        while let Some(Change::Reload(request)) = changes.recv().await {
            let changed = wiring.apply(config.clone()).await;
            // The caller may be gone.
            let _: Result<(), _> = request.done.send(Ok((changed, ReloadSource::default())));
        }
    });
    (daemon, rotations)
}

fn outside(
    world: &Arc<World>,
    clock: &Arc<SimClock>,
    roster: &Arc<Roster>,
) -> rotating::Environment {
    let keyring = Keyring(Arc::clone(world));
    let state = world.folder.path();
    let around = Arc::clone(world);
    let boot = world.state().machine.boot;
    rotating::Environment {
        clock: match world.bug {
            Some(Bug::HastyClock) => Arc::new(HastyClock(Arc::clone(clock))),
            _ => Arc::<SimClock>::clone(clock),
        },
        roster: Arc::clone(roster),
        stores: Stores::new(state, world.owner).with_keyring(Arc::new(keyring)),
        journals: store::Rotations::new(state, world.owner),
        owner: world.owner,
        machine: Machine {
            host: "host".to_owned(),
            boot: format!("b{boot}"),
        },
        keys: Box::new(move |_, token, _| {
            let token = token.expose().strip_prefix("tok-");
            Some(Arc::new(Keys {
                world: Arc::clone(&around),
                token: token.and_then(|number| number.parse().ok()),
            }))
        }),
        offload: offload(world),
    }
}

/// Makes the calls to the files and the keyring on this thread. The process may be killed before and after each call,
/// and the system may refuse it.
fn offload(world: &Arc<World>) -> Box<Offload> {
    let world = Arc::clone(world);
    Box::new(move |call| {
        let world = Arc::clone(&world);
        Box::pin(async move {
            world.point().await;
            let (takes, is_refused) = {
                let state = &mut *world.state();
                let is_refused = state.moods.disk.fails(8, &mut state.rng);
                state.tally.not_written += u32::from(is_refused);
                (Duration::from_millis(state.rng.u64(0..20)), is_refused)
            };
            tokio::time::sleep(takes).await;
            if is_refused {
                world.record(Event::Write { fate: "is refused" });
                return Err(NotStarted::TooMany);
            }
            call();
            if world.bug == Some(Bug::NoJournal) && !world.has_begun() {
                // The file may be missing.
                let _: std::io::Result<()> = std::fs::remove_file(world.journals.path(&world.name));
            }
            if world.bug == Some(Bug::EmptySlot) {
                world.empty_slot();
            }
            world.look();
            world.point().await;
            Ok(())
        })
    })
}

impl Clock for HastyClock {
    fn now(&self) -> Now {
        let now = self.0.now();
        let boot = BootInstant::from_boot(now.boot.since_boot() * HASTE);
        Now { boot, ..now }
    }

    fn read(&self) -> ClockReading {
        ClockReading {
            now: self.now(),
            ..self.0.read()
        }
    }

    fn sleep_until(&self, at: BootInstant) -> ClockWait<'_> {
        self.0
            .sleep_until(BootInstant::from_boot(at.since_boot() / HASTE))
    }

    fn wait_for_change(&self) -> ClockWait<'_> {
        self.0.wait_for_change()
    }
}
