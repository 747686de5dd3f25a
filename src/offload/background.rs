//! A second event loop on a separate thread at a lower priority, for work that peers can make arbitrarily expensive.

use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{thread, unstarted};

/// How much nicer the thread is than the others (setpriority(2)). While both have work on one processor, the others get
/// three quarters of it. A larger value would starve the thread beside busy processes of other users.
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

/// A second event loop, on a separate thread. The thread starts with the first work, and stays.
#[derive(Debug)]
pub struct BackgroundLoop {
    name: &'static str,
    start: fn(&'static str) -> io::Result<Handle>,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// No work has been submitted yet.
    NotStarted,
    /// The system refused the thread. The next work tries again.
    Refused,
    Running(Handle),
}

/// The error for work that was dropped before it ended, because the event loop is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoopEnded;

/// Work on the other event loop. Dropping it cancels the work.
struct BackgroundTask<T>(JoinHandle<T>);

// === impl SideLoop ===

impl BackgroundLoop {
    /// Creates an event loop whose thread has this name, of at most 15 bytes.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            start,
            state: Mutex::new(State::NotStarted),
        }
    }

    /// Runs `work` on the other event loop, or on this one while the system refuses a thread. Dropping the future
    /// cancels the work.
    ///
    /// # Errors
    /// [`LoopEnded`] if the other event loop has ended, which happens only when the process ends.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, LoopEnded> {
        let Some(handle) = self.handle() else {
            return Ok(work.await);
        };
        let mut task = BackgroundTask(handle.spawn(work));
        (&mut task.0).await.map_err(|_| LoopEnded)
    }

    fn handle(&self) -> Option<Handle> {
        // No code panics while it is locked.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let State::Running(handle) = &*state {
            return Some(handle.clone());
        }
        match (self.start)(self.name) {
            Ok(handle) => {
                *state = State::Running(handle.clone());
                Some(handle)
            }
            Err(error) => {
                if !matches!(*state, State::Refused) {
                    warn!(thread = self.name, %error, "the system refuses another thread: its work is done on the thread that serves requests");
                }
                *state = State::Refused;
                None
            }
        }
    }
}

/// Starts the thread. It inherits the signal mask of its creator, as every thread of this process does.
fn start(name: &'static str) -> io::Result<Handle> {
    // The event loop checks for timers and for messages from the other thread after each step of a task, so that a task
    // which is always ready delays them by one step at most.
    let runtime = unstarted()?
        .event_interval(1)
        .global_queue_interval(1)
        .build()?;
    let handle = runtime.handle().clone();
    let ours = Arc::new(Mutex::new(Some(runtime)));
    let theirs = Arc::clone(&ours);
    let started = thread(name, move || {
        if let Err(error) = give_way() {
            debug!(thread = name, %error, "the system refuses a lower priority");
        }
        // It is still there: this thread takes it only if the new thread did not start.
        if let Some(runtime) = taken(&theirs) {
            runtime.block_on(pending::<()>());
        }
    });
    if started.is_err()
        && let Some(runtime) = taken(&ours)
    {
        // tokio panics when an event loop is dropped on the thread of another one.
        runtime.shutdown_background();
    }
    started.map(|()| handle)
}

/// Takes the event loop; `None` if it was taken before.
fn taken(runtime: &Mutex<Option<Runtime>>) -> Option<Runtime> {
    // No code panics while it is locked.
    runtime
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take()
}

/// Lowers the priority of this thread. On systems other than Linux, the priority belongs to the whole process.
fn give_way() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let nice = rustix::process::getpriority_process(None)?;
        rustix::process::setpriority_process(None, nice.saturating_add(NICER))?;
    }
    Ok(())
}

// === impl Task ===

impl<T> Drop for BackgroundTask<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn work_runs_on_one_dedicated_background_thread() {
        let aside = BackgroundLoop::new("aside");
        let there = || aside.run(async { thread::current().id() });
        let first = there().await.unwrap();
        assert_ne!(first, thread::current().id());
        assert_eq!(there().await, Ok(first));
    }

    #[tokio::test]
    async fn dropping_the_future_drops_the_work_on_the_background_thread() {
        let aside = BackgroundLoop::new("aside");
        let (begin, begun) = oneshot::channel();
        let (alive, ended) = oneshot::channel::<()>();
        let work = async move {
            begin.send(()).unwrap();
            pending::<()>().await;
            drop(alive);
        };
        tokio::select! { biased;
            _ = aside.run(work) => panic!("it never ends"),
            done = begun => done.unwrap(),
        }
        assert!(ended.await.is_err());
    }

    #[tokio::test]
    async fn blocking_work_on_the_background_loop_does_not_delay_the_main_loop() {
        let aside = BackgroundLoop::new("aside");
        let (go, gate) = channel::<()>();
        let (begin, begun) = oneshot::channel();
        let busy = aside.run(async move {
            begin.send(()).unwrap();
            gate.recv().unwrap();
        });
        let free = async {
            begun.await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
            go.send(()).unwrap();
        };
        let (done, ()) = tokio::join!(busy, free);
        assert_eq!(done, Ok(()));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn only_the_background_thread_has_a_lower_priority() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let ours = nice();
        let aside = BackgroundLoop::new("aside");
        let theirs = aside.run(async move { nice() }).await.unwrap();
        assert_eq!(theirs, (ours + NICER).min(19));
        assert_eq!(nice(), ours);
    }

    #[tokio::test]
    async fn without_a_background_thread_the_work_runs_on_the_calling_thread() {
        let aside = BackgroundLoop {
            start: |_| Err(io::ErrorKind::WouldBlock.into()),
            ..BackgroundLoop::new("aside")
        };
        let there = aside.run(async { thread::current().id() }).await;
        assert_eq!(there, Ok(thread::current().id()));
        assert!(matches!(*aside.state.lock().unwrap(), State::Refused));
    }
}
