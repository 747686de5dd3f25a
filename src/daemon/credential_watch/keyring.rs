//! Watches the keyring through its signals, which a helper process of this program receives.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::clock::from_now;
use crate::daemon::keep::handle::Handle;
use crate::offload;
use crate::store::keyring::{KeyringWatch, Signal};

/// Pause between a first signal and the check. A program changes several attributes of an entry one after the other.
const SETTLE: Duration = Duration::from_millis(200);

/// Longest pause when signals keep coming: each check needs a process.
const LONGEST: Duration = Duration::from_secs(30);

/// Largest number of periodic checks (every 30 s) between two attempts to watch the keyring.
const LONGEST_WAIT: u32 = 20;

/// The watch on the keyring. It does not run while no profile has its credential there.
pub(super) struct Keyring {
    /// The profiles whose credential is in the keyring.
    handles: Vec<Arc<Handle>>,
    state: State,
    /// Number of checks until the watch is tried again, and the number that was chosen last.
    wait: u32,
    waited: u32,
    /// Whether the keyring has to be polled: it is not watched, and the last watch did not report that there is none.
    is_unwatchable: bool,
    /// Whether signals may have been missed since an earlier watch ended.
    has_gap: bool,
    /// When the profiles are to check the keyring.
    settles: Option<Instant>,
    /// When the profiles last checked the keyring.
    looked: Option<Instant>,
    pause: Duration,
}

enum State {
    Idle,
    Starting(Pin<Box<dyn Future<Output = io::Result<KeyringWatch>> + Send>>),
    Running {
        output: Receiver,
        /// Ends the helper process when dropped.
        _watch: KeyringWatch,
    },
}

/// An event of the watch.
enum WakeUp {
    Started(io::Result<KeyringWatch>),
    Signaled(Option<Signal>),
    Settled,
}

// === impl Keyring ===

impl Default for Keyring {
    fn default() -> Self {
        Self {
            handles: vec![],
            state: State::Idle,
            wait: 0,
            waited: 0,
            is_unwatchable: false,
            has_gap: false,
            settles: None,
            looked: None,
            pause: SETTLE,
        }
    }
}

impl Keyring {
    /// Sets the profiles whose credential is in the keyring.
    pub(super) fn keep(&mut self, handles: Vec<Arc<Handle>>) {
        self.handles = handles;
        if self.handles.is_empty() {
            *self = Self::default();
        } else if matches!(self.state, State::Idle) && self.wait == 0 {
            self.start();
        }
    }

    /// Waits for an event. Returns the profiles whose credential may have been replaced, if any. Cancelling the wait
    /// loses no event.
    pub(super) async fn next(&mut self) -> Vec<Arc<Handle>> {
        let settles = self.settles;
        let woken = tokio::select! { biased;
            woken = woken(&mut self.state) => woken,
            () = until(settles) => WakeUp::Settled,
        };
        match woken {
            WakeUp::Started(Ok(mut watch)) => {
                match watch.take_output().and_then(Receiver::from_owned_fd) {
                    Ok(output) => {
                        self.state = State::Running {
                            output,
                            _watch: watch,
                        }
                    }
                    Err(error) => self.ended(&error),
                }
            }
            WakeUp::Started(Err(error)) => self.ended(&error),
            WakeUp::Signaled(Some(Signal::Ready)) => {
                (self.waited, self.is_unwatchable) = (0, false);
                debug!("the keyring is watched");
                if std::mem::take(&mut self.has_gap) {
                    self.stir();
                }
            }
            WakeUp::Signaled(Some(Signal::Changed)) => self.stir(),
            WakeUp::Signaled(Some(Signal::NoKeyring)) => self.is_unwatchable = false,
            WakeUp::Signaled(None) => self.ended(&io::ErrorKind::UnexpectedEof.into()),
            WakeUp::Settled => {
                self.settles = None;
                self.looked = Some(from_now(Duration::ZERO));
                return self.handles.clone();
            }
        }
        vec![]
    }

    /// Whether the periodic check has nothing to do: no profile uses the keyring, or its watch is running or starting.
    pub(super) fn is_watched(&self) -> bool {
        self.handles.is_empty() || !matches!(self.state, State::Idle)
    }

    /// Runs every 30 s. Returns the profiles that must check the keyring themselves because it cannot be watched.
    pub(super) fn look(&mut self) -> Vec<Arc<Handle>> {
        if self.handles.is_empty() || !matches!(self.state, State::Idle) {
            return vec![];
        }
        self.wait = self.wait.saturating_sub(1);
        if self.wait == 0 {
            self.start();
        }
        match self.is_unwatchable {
            true => self.handles.clone(),
            false => vec![],
        }
    }

    fn start(&mut self) {
        self.is_unwatchable = true;
        self.state = State::Starting(Box::pin(async {
            let started = offload::run(KeyringWatch::start).await;
            started.unwrap_or_else(|refused| Err(io::Error::other(refused.to_string())))
        }));
    }

    /// Handles a watch that has ended or could not be started.
    fn ended(&mut self, error: &io::Error) {
        if self.waited == 0 && self.is_unwatchable {
            info!(%error, "the keyring cannot be watched; looking at it every 30 s");
        } else {
            debug!(%error, "the keyring is not watched");
        }
        self.state = State::Idle;
        self.has_gap = true;
        self.waited = (self.waited * 2).clamp(1, LONGEST_WAIT);
        self.wait = self.waited;
    }

    /// Handles a change in the keyring.
    fn stir(&mut self) {
        if self.settles.is_some() {
            return;
        }
        let is_again = self.looked.is_some_and(|at| at.elapsed() < self.pause * 2);
        self.pause = match is_again {
            true => (self.pause * 2).min(LONGEST),
            false => SETTLE,
        };
        self.settles = Some(from_now(self.pause));
    }
}

async fn woken(state: &mut State) -> WakeUp {
    match state {
        State::Idle => std::future::pending().await,
        State::Starting(starting) => WakeUp::Started(starting.await),
        State::Running { output, .. } => {
            let told = output.read_u8().await;
            WakeUp::Signaled(told.ok().and_then(Signal::of))
        }
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
