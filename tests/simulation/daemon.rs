//! The daemon of a run.
//!
//! It is the shipped one except for the issuers, the stores, the clock and the kernel's identification of clients.

use std::sync::Arc;

use jetond::clock::Clock;
use jetond::daemon::command_files::CommandFiles;
use jetond::daemon::keep::jumps::Jumps;
use jetond::daemon::keep::roster::Roster;
use jetond::daemon::report_jumps;
use jetond::daemon::rotating::Rotations;
use jetond::daemon::serve::connections::Connections;
use jetond::daemon::serve::memory::Memory;
use jetond::daemon::serve::refusal_log::RefusalLog;
use jetond::daemon::serve::refusals::Refusals;
use jetond::daemon::serve::server::Server;
use jetond::daemon::service::{Change, LongLists, SecondCalls, Service, SocketKind};
use jetond::daemon::wiring::{ProfileParts, Wiring};
use jetond::policy::{Caller, Peer};
use jetond::process::program::ProgramFile;
use jetond::profile::ProfileName;
use jetond::schedule::Jitter;
use jetond::wire::reload::Source;
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, watch};

use crate::bug::Bug;
use crate::clock::SimClock;
use crate::history::Event;
use crate::issuer::{Issuer, Store};
use crate::world::{Count, OTHERS, World};

/// The capacity of a connection in each direction, in bytes.
const PIPE: usize = 4_096;

pub(crate) struct Daemon {
    server: Arc<Server>,
    bug: Option<Bug>,
    /// Kept open: watchers would take a closed channel for the daemon's end.
    _close: watch::Sender<bool>,
}

impl Daemon {
    /// Makes a daemon of these parts; also returns the receiver of its reload requests.
    pub(crate) fn around(
        roster: &Arc<Roster>,
        clock: &Arc<dyn Clock>,
        rotations: Arc<Rotations>,
    ) -> (Self, mpsc::Receiver<Change>) {
        let close = watch::channel(false).0;
        let (reloads, requests) = mpsc::channel::<Change>(16);
        let server = Arc::new(Server {
            service: Arc::new(Service {
                roster: Arc::clone(roster),
                clock: Arc::clone(clock),
                socket: "/run/jeton/jeton.sock".to_owned(),
                program: ProgramFile::of_this_process(),
                reloads,
                closing: close.subscribe(),
                lists: LongLists::default(),
                second_calls: SecondCalls::default(),
                files: CommandFiles::default(),
                rotations,
                ages: Arc::default(),
            }),
            connections: Connections::new(4_096, 3_072),
            memory: Memory::new(roster.gate().own_uid),
            refusals: Refusals::new(1),
            refused: RefusalLog::default(),
        });
        let daemon = Self {
            server,
            bug: None,
            _close: close,
        };
        (daemon, requests)
    }

    /// Starts a daemon with the world's configuration.
    pub(crate) async fn start(world: &Arc<World>) -> Self {
        let clock: Arc<dyn Clock> = Arc::<SimClock>::clone(&world.clock);
        let roster = Arc::clone(&world.roster);
        let (daemon, mut requests) = Self::around(&roster, &clock, Arc::default());
        let around = Arc::clone(world);
        tokio::spawn(report_jumps(
            Jumps::new(Arc::clone(&clock)),
            Arc::clone(&roster),
        ));
        let mut wiring = Wiring::around(clock, roster, move |name, _| Some(outside(&around, name)));
        let mut config = world.config();
        wiring.apply(config.clone()).await;
        let around = Arc::clone(world);
        tokio::spawn(async move {
            while let Some(Change::Reload(request)) = requests.recv().await {
                let next = around.config();
                for (name, before) in config.profiles {
                    around.record(Event::Reload {
                        profile: around.number_of(&name),
                        goes_on: next.profiles.get(&name) == Some(&before),
                    });
                }
                config = next;
                let changed = wiring.apply(config.clone()).await;
                // The caller may be gone.
                let _: Result<(), _> = request.done.send(Ok((changed, Source::default())));
            }
        });
        Self {
            bug: world.bug,
            ..daemon
        }
    }

    /// Returns the client's end of a new connection.
    pub(crate) fn connect(&self, door: SocketKind, uid: u32) -> DuplexStream {
        let uid = match self.bug {
            Some(Bug::OneUser) if door == SocketKind::Tokens => OTHERS[0],
            _ => uid,
        };
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let peer = Peer {
            caller: Caller {
                uid,
                gid: uid,
                groups: Box::default(),
            },
            pid: None,
        };
        let (place, leave) = self.server.connections.admit(uid).unwrap();
        let server = Arc::clone(&self.server);
        tokio::spawn(server.connection(ours, peer, door, place, leave));
        theirs
    }
}

/// Makes the environment of a profile, with which a new life of it begins.
fn outside(world: &Arc<World>, name: &ProfileName) -> ProfileParts {
    let profile = world.number_of(name);
    let (life, policy) = {
        let state = &mut *world.state();
        let life = state.next(Count::Life);
        let subject = &mut state.subjects[profile];
        subject.life = life;
        (life, subject.policy())
    };
    world.record(Event::Kept {
        life,
        profile,
        policy,
    });
    let issuer = Issuer {
        world: Arc::clone(world),
        profile,
        life,
    };
    let store = Store {
        world: Arc::clone(world),
        profile,
        life,
    };
    ProfileParts {
        source: Arc::new(store),
        provider: Arc::new(issuer),
        api: None,
        jitter: match world.bug {
            Some(Bug::NoJitter) => || Jitter::new(0.0),
            // This thread's generator, which the run has seeded.
            _ => || Jitter::new(fastrand::f64()),
        },
    }
}
