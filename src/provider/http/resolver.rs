//! Looks names up on threads of ours, which the system may refuse.
//!
//! There is one look-up of a name at a time, which all requests for that name share. A look-up that hangs holds its thread
//! and its name, and nothing else: other names get another thread. One thread always waits for the next name, so that a
//! process at its limit can look up names while no look-up hangs.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::offload;

mod clients;

/// How long a look-up may take, its wait for a thread included: less than a connection may take, so that the fault says
/// that it was the name.
const LIMIT: Duration = Duration::from_millis(2_500);

/// How long a name waits for a thread that becomes free when the system refuses another: less than a connection may
/// take, so that the fault says what was missing.
const THREAD_WAIT: Duration = Duration::from_secs(2);

type Lookup = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Spawn = dyn Fn(Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync;
type Found = Result<Vec<SocketAddr>, ResolveError>;

/// Where names are looked up. Clones share the threads.
#[derive(Clone)]
pub struct Resolver(Arc<Shared>);

struct Shared {
    lookup: Box<Lookup>,
    spawn: Box<Spawn>,
    state: Mutex<State>,
    /// Wakes a thread that waits for a name.
    asked: Condvar,
}

#[derive(Default)]
struct State {
    /// Every look-up that waits for a thread or runs.
    lookups: HashMap<String, watch::Sender<Progress>>,
    /// Those that wait, the oldest first.
    waiting: VecDeque<String>,
    threads: usize,
    /// How many of the threads wait for a name, or have just been started and will look for one.
    idle: usize,
}

/// How far a look-up is.
#[derive(Debug, Clone)]
enum Progress {
    /// It waits for a thread; with the system's reason when it has refused one.
    Waiting(Option<Arc<io::Error>>),
    Running,
    Done(Found),
}

/// Why a name has no address.
#[derive(Debug, Clone)]
pub(in crate::provider) enum ResolveError {
    /// The system refuses another thread, and none became free in time.
    NoThread(Arc<io::Error>),
    /// The system's resolver failed.
    Failed(Arc<io::Error>),
    /// The name exists, and has no address.
    NoAddress,
    /// The system's resolver has not answered in time.
    Late,
}

// === impl Resolver ===

impl Resolver {
    /// The one of this process, by the system's resolver (getaddrinfo(3)).
    pub fn shared() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "it runs on a thread of the resolver"
        )]
        fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
            (name, 0).to_socket_addrs().map(Iterator::collect)
        }
        static SHARED: LazyLock<Resolver> =
            LazyLock::new(|| Resolver::new(look_up, |work| offload::thread("resolver", work)));
        SHARED.clone()
    }

    /// One that looks up with `lookup` on threads that `spawn` starts.
    pub(super) fn new(
        lookup: impl Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static,
        spawn: impl Fn(Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Shared {
            lookup: Box::new(lookup),
            spawn: Box::new(spawn),
            state: Mutex::default(),
            asked: Condvar::new(),
        }))
    }

    /// Whether both look names up on the same threads.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Starts the thread that waits for the next name, while the system gives one.
    ///
    /// # Errors
    /// The system's, when it refuses the thread. It is asked again for each name.
    pub fn start(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        if state.threads > 0 {
            return Ok(());
        }
        self.spawn(&mut state)
    }

    fn spawn(&self, state: &mut State) -> io::Result<()> {
        let shared = Arc::clone(&self.0);
        (self.0.spawn)(Box::new(move || shared.work()))?;
        state.threads += 1;
        state.idle += 1;
        Ok(())
    }

    /// The addresses of a name, with port 0, if they are found in time.
    async fn find_in_time(&self, name: &str) -> Found {
        let found = tokio::time::timeout(LIMIT, self.find(name)).await;
        found.unwrap_or(Err(ResolveError::Late))
    }

    /// The addresses of a name, with port 0.
    async fn find(&self, name: &str) -> Found {
        if let Some(addresses) = local(name) {
            return Ok(addresses);
        }
        let mut progress = self.join(name)?;
        let begun = progress.wait_for(|progress| !matches!(progress, Progress::Waiting(_)));
        let late = tokio::time::timeout(THREAD_WAIT, begun).await.is_err();
        if late && let Progress::Waiting(Some(refused)) = &*progress.borrow() {
            return Err(ResolveError::NoThread(Arc::clone(refused)));
        }
        let done = progress.wait_for(|progress| matches!(progress, Progress::Done(_)));
        match done.await.as_deref() {
            Ok(Progress::Done(found)) => found.clone(),
            // A look-up is dropped only when no request waits for it.
            _ => Err(ResolveError::NoAddress),
        }
    }

    /// Joins the look-up of a name, or begins one.
    fn join(&self, name: &str) -> Result<watch::Receiver<Progress>, ResolveError> {
        let state = &mut *self.0.lock();
        let (sender, receiver) = match state.lookups.get(name) {
            Some(sender) => (sender.clone(), sender.subscribe()),
            None => {
                let (sender, receiver) = watch::channel(Progress::Waiting(None));
                state.lookups.insert(name.to_owned(), sender.clone());
                state.waiting.push_back(name.to_owned());
                (sender, receiver)
            }
        };
        if state.waiting.is_empty() {
            return Ok(receiver);
        }
        let refused = if state.waiting.len() <= state.idle {
            self.0.asked.notify_one();
            None
        } else {
            self.spawn(state).err().map(Arc::new)
        };
        if let (Some(refused), 0) = (&refused, state.threads) {
            state.lookups.remove(name);
            state.waiting.retain(|waiting| waiting != name);
            return Err(ResolveError::NoThread(Arc::clone(refused)));
        }
        sender.send_if_modified(|progress| {
            let waits = matches!(progress, Progress::Waiting(_));
            if waits {
                *progress = Progress::Waiting(refused);
            }
            waits
        });
        Ok(receiver)
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::shared()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").finish_non_exhaustive()
    }
}

/// The addresses of `localhost`, which is this machine whatever a resolver says (RFC 6761 section 6.3).
fn local(name: &str) -> Option<Vec<SocketAddr>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost").then(|| {
        vec![
            (Ipv6Addr::LOCALHOST, 0).into(),
            (Ipv4Addr::LOCALHOST, 0).into(),
        ]
    })
}

// === impl Shared ===

impl Shared {
    /// Nothing panics while it is locked.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks names up until no name waits and another thread is there for the next one.
    fn work(&self) {
        let mut state = self.lock();
        state.idle -= 1;
        loop {
            let Some(name) = state.waiting.pop_front() else {
                if state.idle > 0 {
                    state.threads -= 1;
                    return;
                }
                state.idle += 1;
                let woken = self.asked.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            match state.lookups.get(&name) {
                Some(sender) if sender.receiver_count() > 0 => {
                    sender.send_replace(Progress::Running);
                }
                // The requests for it have been dropped.
                _ => {
                    state.lookups.remove(&name);
                    continue;
                }
            }
            drop(state);
            let found = match (self.lookup)(&name) {
                Ok(addresses) if addresses.is_empty() => Err(ResolveError::NoAddress),
                Ok(addresses) => Ok(addresses),
                Err(error) => Err(ResolveError::Failed(Arc::new(error))),
            };
            state = self.lock();
            if let Some(sender) = state.lookups.remove(&name) {
                sender.send_replace(Progress::Done(found));
            }
        }
    }
}

// === impl ResolveError ===

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoThread(_) => {
                "cannot be looked up, since the system refuses another thread (ulimit -u, TasksMax=)"
            }
            Self::Failed(_) => "cannot be resolved",
            Self::NoAddress => "has no address",
            Self::Late => "cannot be resolved, since no name server answers in time",
        })
    }
}

impl Error for ResolveError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoThread(error) | Self::Failed(error) => Some(&**error),
            Self::NoAddress | Self::Late => None,
        }
    }
}

#[cfg(test)]
mod tests;
