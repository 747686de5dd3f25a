//! The daemon: wiring, start and stop.
//!
//! A request passes through `sockets` → `serve` (a connection from accept to the last byte) → [`service`] → `keep`. A
//! token is made in `keep`: a profile's keeper starts an attempt, which asks the store's source for the credential and
//! the provider for the token. The keeper publishes the result, and the handle serves it.
//!
//! # Map
//! The rules are those of the crate's map: a file or a room names only what its row lists, and only rows below its own.
//! It may name anything in the core. Rooms have maps of their own on their pages. Only `wiring` names the
//! implementations of providers and stores.
//!
//! | File or room | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`reloading`] | applies configurations, one at a time | condition keep options service sockets wiring | clock offload process settings |
//! | [`wiring`] | builds the profiles that a configuration names | keep rotating | applications certificates clock offload provider store |
//! | [`watchdog`] | pings the service manager's watchdog after serving a request | serve service shutdown | process |
//! | `credential_watch` | notices when a stored credential is replaced | keep rounds | clock offload path_events store |
//! | [`sinks`] | writes each new token to the files that are configured for it | keep options | clock offload sink |
//! | `start_error` | why a daemon did not start, or had to end | sockets | process settings |
//! | [`sockets`] | binds the sockets and restores them when their files are removed | rounds serve service shutdown | clock file_lock path_events process trust |
//! | [`descriptors`] | divides the file descriptors between connections and attempts | keep serve | |
//! | [`serve`] | serves a connection from accept to the last byte | keep service shutdown | clock process |
//! | [`service`] | answers requests, whether they come from an HTTP path or a companion's verb | command_files keep rotating rotation_timer | clock offload process |
//! | [`rotation_timer`] | rotates keys by their age | keep rotating | clock |
//! | [`rotating`] | rotates the keys of profiles, with one task per open rotation | keep | applications clock offload store |
//! | [`command_files`] | files that hold a token for as long as a command runs | keep | clock folder offload process trust |
//! | `shutdown` | the shutdown signal, and the time that requests in progress get | | |
//! | `clock_changes` | reports suspends and steps of the wall clock to the profiles | keep | process |
//! | [`condition`] | the daemon's state, in one line | keep | |
//! | `options` | the options that a daemon is started with | | process store |
//! | `rounds` | the common times of all periodic checks | | clock |
//! | [`keep`] | holds the profiles: one task per profile owns its state | | clock process provider store |

mod clock_changes;
pub mod command_files;
pub mod condition;
mod credential_watch;
pub mod descriptors;
pub mod keep;
mod options;
pub mod reloading;
pub mod rotating;
pub mod rotation_timer;
mod rounds;
pub mod serve;
pub mod service;
pub mod shutdown;
pub mod sinks;
pub mod sockets;
mod start_error;
#[cfg(test)]
mod testing;
pub mod watchdog;
pub mod wiring;

pub use self::clock_changes::report_jumps;
pub use self::options::Options;
pub use self::start_error::StartError;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tracing::{debug, info, warn};

use self::credential_watch::CredentialWatch;
use self::reloading::{Reloading, ServedMode};
use self::rotation_timer::{KeyAges, RotationTimer};
use self::serve::peers;
use self::service::{Change, LongLists, SecondCalls, Service};
use self::shutdown::shutdown;
use self::sockets::{LostSocket, Servers, SocketSpecs, Sockets};
use self::wiring::Wiring;
use self::{command_files::CommandFiles, descriptors::Budget};
use crate::clock::{AlarmClock, Clock};
use crate::offload;
use crate::process;
use crate::process::hardening;
use crate::process::notify::Notify as Manager;
use crate::process::program::ProgramFile;
use crate::process::signals::{SignalRequest, Signals};
use crate::settings::{self, ConfigError, ConfigFile};
use keep::{jumps::Jumps, roster::Roster};
use serve::connections::Connections;
use serve::memory::Memory;
use serve::server::Server;
use serve::{refusal_log::RefusalLog, refusals::Refusals};
use sockets::activation::PassedSockets;
use sockets::mode::{mode_setter, warn_of_barrier};

/// Time that requests in progress get to finish once the shutdown has begun.
const GRACE: Duration = Duration::from_secs(5);

/// Runs a daemon until it is stopped.
///
/// # Errors
/// [`StartError`] if the daemon cannot start or cannot go on. No socket is left behind then.
pub fn run(options: &Options) -> Result<(), StartError> {
    let passed =
        PassedSockets::take(options.listen_names.as_deref()).map_err(StartError::Passed)?;
    let read = settings::read(&options.config, options.uid)
        .and_then(|found| found.usable_at_start(&options.config, options.config_named));
    let config = match read {
        Err(unusable) if options.notify.is_none() => return Err(StartError::Config(unusable)),
        read => read,
    };
    let limit = hardening::raise_descriptor_limit();
    let runtime = offload::event_loop().map_err(StartError::Io)?;
    let result = runtime.block_on(async {
        // Install the signal handlers first. A signal that killed the daemon after it bound a socket would leave the
        // socket behind.
        let signals = if options.stop_at_eof {
            let stdin = io::stdin().as_fd().try_clone_to_owned();
            stdin.and_then(Signals::with_lifeline)
        } else {
            Signals::new()
        };
        let signals = signals.map_err(StartError::Io)?;
        let valid = config.as_ref().ok().map(|found| &found.config);
        let mode = options.mode(valid);
        let is_mode_decided = options.is_mode_decided(valid);
        passed.report(Some(mode).filter(|_| is_mode_decided), options.uid);
        let places = SocketSpecs {
            paths: options.places.clone(),
            mode,
            is_mode_decided,
            uid: options.uid,
            private: options.stop_at_eof,
            has_guests: !options.guests.is_empty(),
        };
        let sockets = Sockets::open(passed, places).map_err(StartError::Listen)?;
        serve(options, config, sockets, signals, limit).await
    });
    process::bounded::end_all();
    // Do not wait for threads: one may hang in the system's resolver or on a disk.
    runtime.shutdown_background();
    result
}

async fn serve(
    options: &Options,
    config: Result<ConfigFile, ConfigError>,
    mut sockets: Sockets,
    mut signals: Signals,
    limit: u64,
) -> Result<(), StartError> {
    let gate = peers::gate(options.uid, !options.guests.is_empty());
    let roster = Arc::new(Roster::new(gate).with_guests(options.guests.clone()));
    // The clock has descriptors of its own, so create it before the free descriptors are counted.
    let clock: Arc<dyn Clock> = Arc::new(AlarmClock::start());
    let (reloads, mut changes) = mpsc::channel::<Change>(16);
    let (stop, shutdown) = shutdown(GRACE);
    let mut wiring = Wiring::new(
        &options.state,
        &options.surroundings,
        options.uid,
        Arc::clone(&clock),
        Arc::clone(&roster),
    );
    if options.stop_at_eof {
        // This daemon ends with its command, and a rotation takes longer than most commands.
        wiring = wiring.without_rotations();
    }
    let rotations = wiring.rotations();
    let ages = Arc::<KeyAges>::default();
    let service = Arc::new(Service {
        roster: Arc::clone(&roster),
        clock: Arc::clone(&clock),
        socket: sockets.shown(),
        program: ProgramFile::of_this_process(),
        reloads,
        closing: shutdown.flag(),
        lists: LongLists::default(),
        second_calls: SecondCalls::default(),
        files: CommandFiles::beside(sockets.passed_tokens().as_deref(), &options.places.token),
        rotations: Arc::clone(&rotations),
        ages: Arc::clone(&ages),
    });
    let credentials = CredentialWatch::open();
    let notify = Manager::new(options.notify.as_deref());
    // The watch and the manager have descriptors of their own, so create them before the free descriptors are counted.
    let [connections, admin] = [(); 2].map(|()| Connections::shared(gate));
    let budget = Budget::of_this_process(limit);
    let caps = budget.caps();
    debug!(limit, ?caps, "descriptors are shared out");
    connections.limit(caps.at_tokens());
    admin.limit(caps.at_admin());
    let refusals = Refusals::new(caps.refused);
    let memory = Memory::new(options.uid);
    let server = |connections| {
        Arc::new(Server {
            service: Arc::clone(&service),
            connections,
            memory: Arc::clone(&memory),
            refusals: Arc::clone(&refusals),
            refused: RefusalLog::default(),
        })
    };
    let servers = Arc::new(Servers::new(
        server(Arc::clone(&connections)),
        // The admin socket has a connection table of its own: a full token socket must not refuse a reload.
        server(Arc::clone(&admin)),
    ));
    sockets.serve(&servers, &shutdown).map_err(StartError::Io)?;
    let valid = config.as_ref().ok().map(|found| &found.config);
    let is_ours = sockets.tokens_are_ours();
    if is_ours {
        warn_of_barrier(&options.places.token, options.mode(valid));
    }
    let (setter, mode_changes) = mode_setter();
    let setter = Some(setter).filter(|_| is_ours && options.guests.is_empty());
    let served = ServedMode::new(valid, setter).of_unit(sockets.passed_tokens());
    credentials.keep(&roster, &clock);
    let jumps = Jumps::new(Arc::clone(&clock));
    tokio::spawn(report_jumps(jumps, Arc::clone(&roster)));
    let wiring = wiring.with_attempts(caps.attempts);
    let told = notify.clone();
    let mut reloading = Reloading::new(options, served, wiring, Arc::clone(&roster), told);
    reloading.start(config).await;
    let files = sinks::keep(options, sockets.passed_tokens(), &clock, &roster);
    tokio::spawn(Arc::clone(&service).take_up_files());
    // The daemon of one command ends with the command, and would interrupt a rotation.
    if !options.stop_at_eof {
        let timer = RotationTimer::new(Arc::clone(&roster), rotations, ages, Arc::clone(&clock));
        tokio::spawn(timer.run());
    }
    if let Some(deadline) = options.watchdog.filter(|_| notify.listens()) {
        tokio::spawn(watchdog::keep(
            deadline,
            service,
            notify.clone(),
            shutdown.clone(),
        ));
    }
    tokio::spawn(process::children::reap_orphans());
    if let Some(life) = &options.life {
        tokio::spawn(life.clone().outlast());
    }
    info!(socket = %sockets.shown(), "serving");
    let asked = Arc::new(Notify::new());
    let mut keeping = tokio::spawn(sockets.keep(
        Arc::clone(&servers),
        clock,
        shutdown,
        Arc::clone(&asked),
        mode_changes,
    ));
    let reloaded = || asked.notify_one();
    let lost = loop {
        tokio::select! { biased;
            request = signals.next() => match request {
                SignalRequest::Stop => break None,
                SignalRequest::Reload => {
                    reloading.reload_now().await;
                    reloaded();
                }
            },
            Some(change) = changes.recv() => if reloading.carry_out(change).await {
                reloaded();
            },
            asked = reloading.report() => if reloading.take(asked).await {
                reloaded();
            },
            lost = &mut keeping => break lost.ok(),
        }
    };
    info!("stopping");
    // Remove our own sockets first, so that no client connects to a daemon that no longer answers. Sockets passed by
    // the service manager are not even shut down: connections wait in their queues for the next daemon.
    if !keeping.is_finished() {
        keeping.abort();
        let _: Result<LostSocket, _> = keeping.await;
    }
    // Callers that wait for a reload, or request one now, learn that the daemon is stopping.
    drop(changes);
    // Stop accepting connections before notifying the manager, which may take a second.
    stop.order();
    notify.stopping().await;
    tokio::select! { biased;
        () = signals.stop() => warn!("second signal to stop: stopping at once"),
        closed = servers.stopped() => match closed {
            0 => debug!("all connections have ended"),
            _ => warn!(connections = closed, "some connections did not end in time"),
        },
    }
    tokio::select! { biased;
        () = signals.stop() => {}
        () = files.settle() => {}
    }
    lost.map_or(Ok(()), |lost| Err(StartError::Lost(lost)))
}
