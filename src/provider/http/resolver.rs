//! Resolves names on its own threads, which the system may refuse to create.
//!
//! All requests for a name share one look-up. A look-up that hangs blocks only its thread and its name: other names
//! get another thread. One thread always waits for the next name, so that a process at its thread limit can still
//! resolve names while no look-up hangs.

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

/// The timeout of a look-up, including its wait for a thread. It is below the connection's timeout, so that the fault
/// names the look-up as the cause.
const LIMIT: Duration = Duration::from_millis(2_500);

/// How long a name waits for a free thread when the system refuses another one. It is below the connection's timeout,
/// so that the fault names the cause.
const THREAD_WAIT: Duration = Duration::from_secs(2);

type Lookup = dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync;
type Spawn = dyn Fn(Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync;
type Found = Result<Vec<SocketAddr>, ResolveError>;

/// A name resolver. Clones share its threads.
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
    /// All look-ups that wait for a thread or run.
    lookups: HashMap<String, watch::Sender<Progress>>,
    /// The names that wait for a thread, the oldest first.
    waiting: VecDeque<String>,
    threads: usize,
    /// The number of threads that wait for a name, or were just started and will wait.
    idle: usize,
}

/// The progress of a look-up.
#[derive(Debug, Clone)]
enum Progress {
    /// It waits for a thread. Has the system's reason if it has refused one.
    Waiting(Option<Arc<io::Error>>),
    Running,
    Done(Found),
}

/// The reason why a name has no address.
#[derive(Debug, Clone)]
pub(in crate::provider) enum ResolveError {
    /// The system refuses another thread, and no thread became free in time.
    NoThread(Arc<io::Error>),
    /// The system's resolver failed.
    Failed(Arc<io::Error>),
    /// The name exists but has no address.
    NoAddress,
    /// The system's resolver did not answer in time.
    Late,
}

// === impl Resolver ===

impl Resolver {
    /// Returns this process's resolver, which uses the system's getaddrinfo(3).
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

    /// Makes a resolver that calls `lookup` on threads that `spawn` starts.
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

    /// Returns whether both use the same threads.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Starts the thread that waits for the next name, if the system allows it.
    ///
    /// # Errors
    /// The system's error when it refuses the thread. The resolver tries again for each name.
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

    /// Returns the addresses of a name, with port 0, or an error at the timeout.
    async fn find_in_time(&self, name: &str) -> Found {
        let found = tokio::time::timeout(LIMIT, self.find(name)).await;
        found.unwrap_or(Err(ResolveError::Late))
    }

    /// Returns the addresses of a name, with port 0.
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

/// Returns the addresses of `localhost`, which is always this machine (RFC 6761 section 6.3).
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
    /// Locks the state. No code panics while it holds this lock, so the lock is never poisoned.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Resolves names until none waits and another thread is ready for the next one.
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
                // All requests for the name have been dropped.
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
