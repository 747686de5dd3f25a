//! Runs blocking calls on separate threads, and creates event loops. The system may refuse a thread or an event loop,
//! which is an error.
//!
//! tokio's pool for blocking calls panics if the system refuses its first thread. With `panic = "abort"` that would end
//! the daemon as soon as its user's limit of processes is reached. Here it is the error of one call. A call that never
//! returns, as on a disk that hangs, blocks only its own thread and its own caller.

use std::error::Error;
use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Semaphore, oneshot};

mod background;

pub use background::{BackgroundLoop, LoopEnded};

/// How many calls of [`run_in_turn`] run at once, if they end soon. A daemon with a thousand profiles reads their
/// credentials with this many threads instead of a thousand.
const AT_ONCE: usize = 32;

/// How long a call counts towards that limit. A longer call may hang, so other calls no longer wait for it.
const COUNTED: Duration = Duration::from_secs(1);

/// How many calls of one [`ConcurrencyLimit`] run or hang at once. With a limit of one, a call that hangs forever, as
/// after its disk was removed, would block all later calls, even to a disk that works.
const IN_A_LANE: usize = 4;

/// The most threads for calls, including calls that hang.
const MOST: usize = 512;

/// The pauses before each further attempt to start a thread: calls that are about to end may have reached the limit for
/// a moment.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(160),
];

static RUNNING: Semaphore = Semaphore::const_new(AT_ONCE);
static THREADS: Semaphore = Semaphore::const_new(MOST);

/// The reason why a call was not made.
#[derive(Debug)]
pub enum NotStarted {
    /// The system refuses another thread.
    NoThread(io::Error),
    /// Too many earlier calls have not returned.
    TooMany,
}

/// A concurrency limit for the calls of one caller. A call that hangs counts even if its caller no longer waits for it,
/// so that a caller that retries occupies only a few threads. Clones share the limit.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit(Arc<Semaphore>);

/// Runs a blocking call on a separate thread, at once. If the future is dropped, the call continues and its result is
/// discarded.
///
/// # Errors
/// [`NotStarted`] if there is no thread for it; the call was not made then.
pub async fn run<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotStarted> {
    finish(start(call).await?.await)
}

/// Does the same, but waits for other calls of this function if there are many. Use it for work that every profile
/// does.
///
/// # Errors
/// The errors of [`run`].
pub async fn run_in_turn<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotStarted> {
    // The semaphore is never closed.
    let counted = RUNNING.acquire().await.ok();
    let mut result = start(call).await?;
    let soon = tokio::time::timeout(COUNTED, &mut result).await;
    drop(counted);
    match soon {
        Ok(result) => finish(result),
        Err(_) => finish(result.await),
    }
}

/// Converts a missing result. A thread ends without a result only by a panic, which ends the process.
fn finish<T>(result: Result<T, oneshot::error::RecvError>) -> Result<T, NotStarted> {
    result.map_err(|_| NotStarted::NoThread(io::ErrorKind::Interrupted.into()))
}

/// Starts the call; an error means that it cannot be started.
async fn start<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<oneshot::Receiver<T>, NotStarted> {
    let place = THREADS.try_acquire().map_err(|_| NotStarted::TooMany)?;
    let (sender, receiver) = oneshot::channel();
    // Kept outside of the thread's closure, which is lost if the system refuses the thread.
    let job = Arc::new(Mutex::new(Some((call, sender, place))));
    let mut pauses = PAUSES.into_iter();
    loop {
        let job = Arc::clone(&job);
        let begun = thread("blocking", move || {
            let job = job.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some((call, sender, place)) = job {
                let result = call();
                drop(place);
                // The caller may have gone.
                let _: Result<(), T> = sender.send(result);
            }
        });
        match (begun, pauses.next()) {
            (Ok(()), _) => return Ok(receiver),
            (Err(_), Some(pause)) => tokio::time::sleep(pause).await,
            (Err(error), None) => return Err(NotStarted::NoThread(error)),
        }
    }
}

/// Starts a thread with this name, of at most 15 bytes.
///
/// # Errors
/// The system's error, if it refuses another thread; the work was not begun then, and is lost.
pub fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let builder = thread::Builder::new().name(name.to_owned());
    builder.spawn(work).map(drop)
}

/// Creates an event loop on this thread.
///
/// # Errors
/// The system's error, if no descriptors are left.
pub fn event_loop() -> io::Result<Runtime> {
    unstarted()?.build()
}

/// Creates the builder of an event loop for one thread.
fn unstarted() -> io::Result<Builder> {
    // tokio panics if it cannot create the socket pair that it needs for signals. So twice the needed descriptors are
    // opened first, and closed again.
    let spare: Result<Vec<_>, _> = (0..6).map(|_| UnixStream::pair()).collect();
    drop(spare?);
    let mut builder = Builder::new_current_thread();
    builder.enable_all();
    Ok(builder)
}

// === impl Lane ===

impl ConcurrencyLimit {
    /// Runs a call like [`run`], once the limit allows it.
    ///
    /// # Errors
    /// The errors of [`run`].
    pub async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotStarted> {
        run(self.next(call).await).await
    }

    /// Runs a call like [`run_in_turn`], once the limit allows it.
    ///
    /// # Errors
    /// The errors of [`run`].
    pub async fn run_in_turn<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotStarted> {
        run_in_turn(self.next(call).await).await
    }

    /// Wraps the call with its permit, which it releases at its end.
    async fn next<T, F: FnOnce() -> T>(&self, call: F) -> impl FnOnce() -> T + use<T, F> {
        // The semaphore is never closed.
        let place = Arc::clone(&self.0).acquire_owned().await.ok();
        move || {
            let result = call();
            drop(place);
            result
        }
    }
}

impl Default for ConcurrencyLimit {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(IN_A_LANE)))
    }
}

// === impl Refused ===

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoThread(error) => write!(
                f,
                "the system refuses another thread ({error}): end other processes of this user, or raise its limit (ulimit -u, TasksMax=)"
            ),
            Self::TooMany => write!(
                f,
                "{MOST} earlier calls have not returned: does a disk hang?"
            ),
        }
    }
}

impl Error for NotStarted {}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn a_call_returns_its_result_and_a_hanging_one_delays_no_other() {
        assert_eq!(run(|| 1).await.unwrap(), 1);
        let (go, gate) = channel::<()>();
        let hanging = tokio::spawn(run_in_turn(move || gate.recv()));
        // If the permits were not released, further calls would use up the limit.
        let calls: Vec<_> = (0..2 * AT_ONCE)
            .map(|n| tokio::spawn(run_in_turn(move || n)))
            .collect();
        for (n, call) in calls.into_iter().enumerate() {
            assert_eq!(call.await.unwrap().unwrap(), n);
        }
        assert!(!hanging.is_finished());
        go.send(()).unwrap();
        assert_eq!(hanging.await.unwrap().unwrap(), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_calls_release_their_permits_to_others() {
        let gates: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let (go, gate) = channel::<()>();
                (go, tokio::spawn(run_in_turn(move || gate.recv())))
            })
            .collect();
        // `run` does not wait for the limit of `run_in_turn`.
        assert_eq!(run(|| 1).await.unwrap(), 1);
        assert_eq!(run_in_turn(|| 1).await.unwrap(), 1);
        for (go, hanging) in gates {
            drop(go);
            assert!(hanging.await.unwrap().unwrap().is_err());
        }
    }

    #[tokio::test]
    async fn the_result_of_a_cancelled_call_is_dropped() {
        let (go, gate) = channel::<()>();
        let result = Arc::new(());
        let kept = Arc::clone(&result);
        let call = tokio::spawn(run(move || {
            let _: Result<(), _> = gate.recv();
            kept
        }));
        tokio::task::yield_now().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        drop(go);
        while Arc::strong_count(&result) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn repeated_hanging_calls_hold_only_a_few_threads() {
        let lane = ConcurrencyLimit::default();
        assert_eq!(lane.run(|| 1).await.unwrap(), 1);
        let mut gates = vec![];
        for _ in 0..IN_A_LANE {
            let (begin, begun) = oneshot::channel();
            let (go, gate) = channel::<()>();
            let hanging = lane.clone();
            let hanging = tokio::spawn(async move {
                let hang = move || {
                    begin.send(()).unwrap();
                    gate.recv()
                };
                hanging.run_in_turn(hang).await
            });
            begun.await.unwrap();
            // Its caller goes away, but the call still hangs.
            hanging.abort();
            assert!(hanging.await.unwrap_err().is_cancelled());
            gates.push(go);
        }
        let waiting = tokio::spawn(async move { lane.run(|| 2).await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        gates.pop();
        assert_eq!(waiting.await.unwrap().unwrap(), 2);
    }

    #[test]
    fn a_refused_thread_is_reported_with_a_remedy() {
        let refused = NotStarted::NoThread(io::Error::from_raw_os_error(11));
        let shown = refused.to_string();
        assert!(
            shown.starts_with("the system refuses another thread (Resource"),
            "{shown}"
        );
        assert!(shown.contains("TasksMax="), "{shown}");
        assert!(
            NotStarted::TooMany
                .to_string()
                .starts_with("512 earlier calls")
        );
    }

    #[test]
    fn the_event_loop_runs_a_call() {
        assert_eq!(event_loop().unwrap().block_on(run(|| 1)).unwrap(), 1);
    }
}
