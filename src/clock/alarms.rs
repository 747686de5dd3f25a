//! Waits on the boot clock that share one system timer.
//!
//! A timer is a descriptor. One timer per profile would leave no descriptors for connections when there are thousands
//! of profiles.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use rustix::time::{TimerfdClockId, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::boot::boot_now;
use super::timer::{self, created, set};
use crate::instant::BootInstant;

/// All waits, and the task that ends the due ones.
pub(super) struct Alarms {
    waits: Arc<Waits>,
    task: AbortHandle,
}

struct Waits {
    timer: AsyncFd<OwnedFd>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    /// The number of the next wait. It distinguishes two waits for the same moment.
    next: u64,
    /// The wakers, by the moment and the number of the wait.
    wakers: BTreeMap<(BootInstant, u64), Waker>,
    /// The moment that the timer is set for.
    set_for: Option<BootInstant>,
}

/// A wait until the boot clock shows a moment. It fails if the system does not accept that moment.
struct Wait<'a> {
    waits: &'a Waits,
    at: BootInstant,
    /// The number of the wait, once it has been registered.
    number: Option<u64>,
}

// === impl Alarms ===

impl Alarms {
    /// Creates the timer. Call it on the event loop that is to end the waits.
    ///
    /// # Errors
    /// The system has no descriptor for the timer.
    pub(super) fn new() -> io::Result<Self> {
        let waits = Arc::new(Waits {
            timer: created(TimerfdClockId::Boottime)?,
            pending: Mutex::default(),
        });
        let task = tokio::spawn(run(Arc::clone(&waits))).abort_handle();
        Ok(Self { waits, task })
    }

    /// Waits until the boot clock shows `at`. After a suspend it returns at once if `at` has passed, unlike the timers
    /// of tokio and std, which stand still during a suspend (tokio#3185).
    ///
    /// # Errors
    /// The system does not accept this moment.
    pub(super) fn sleep_until(&self, at: BootInstant) -> impl Future<Output = io::Result<()>> {
        Wait {
            waits: &self.waits,
            at,
            number: None,
        }
    }
}

impl Drop for Alarms {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends due waits each time the timer fires.
async fn run(waits: Arc<Waits>) {
    // This fails only when the runtime is shutting down.
    while timer::fired(&waits.timer).await.is_ok() {
        waits.end_due();
    }
}

// === impl Waits ===

impl Waits {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        // Ignore poisoning: no code that can panic runs under the lock, so the state is always consistent.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the waits that are due, and sets the timer for the next one.
    fn end_due(&self) {
        let mut pending = self.lock();
        pending.set_for = None;
        let later = pending.wakers.split_off(&(boot_now(), u64::MAX));
        let due = std::mem::replace(&mut pending.wakers, later);
        let next = pending.wakers.first_key_value().map(|((at, _), _)| *at);
        // The system already accepted this moment when its wait began.
        let _: io::Result<()> = next.map_or(Ok(()), |at| pending.set(&self.timer, at));
        drop(pending);
        due.into_values().for_each(Waker::wake);
    }
}

// === impl Pending ===

impl Pending {
    /// Sets the timer, unless it is already set for that moment or an earlier one.
    fn set(&mut self, timer: &AsyncFd<OwnedFd>, at: BootInstant) -> io::Result<()> {
        if self.set_for.is_some_and(|earlier| earlier <= at) {
            return Ok(());
        }
        set(timer, TimerfdTimerFlags::ABSTIME, timespec(at))?;
        self.set_for = Some(at);
        Ok(())
    }
}

fn timespec(at: BootInstant) -> Timespec {
    let at = at.since_boot();
    Timespec {
        tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX),
        // Zero would disarm the timer, so use the first nanosecond after boot instead.
        tv_nsec: i64::from(at.subsec_nanos().max(1)),
    }
}

// === impl Wait ===

impl Future for Wait<'_> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if boot_now() >= self.at {
            return Poll::Ready(Ok(()));
        }
        let mut pending = self.waits.lock();
        let number = self.number.unwrap_or(pending.next);
        if self.number.is_none() {
            pending.next += 1;
        }
        pending
            .wakers
            .entry((self.at, number))
            .and_modify(|waker| waker.clone_from(cx.waker()))
            .or_insert_with(|| cx.waker().clone());
        let is_set = pending.set(&self.waits.timer, self.at);
        drop(pending);
        self.number = Some(number);
        match is_set {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            // Leave the timer set. Firing for no wait costs less than another system call.
            self.waits.lock().wakers.remove(&(self.at, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn timers() -> usize {
        let listing = std::fs::read_dir("/proc/self/fd").unwrap();
        let links = listing.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links
            .filter(|link| link.ends_with("anon_inode:[timerfd]"))
            .count()
    }

    #[tokio::test]
    async fn waits_end_at_their_deadlines_in_any_starting_order() {
        let alarms = Alarms::new().unwrap();
        let start = boot_now();
        let wait = async |after| {
            let at = start.after(ms(after));
            alarms.sleep_until(at).await.unwrap();
            assert!(boot_now() >= at);
            after
        };
        let past = start.before(ms(5));
        alarms.sleep_until(past).await.unwrap();
        tokio::join!(wait(60), wait(20), wait(40), wait(20), wait(0));
        assert!(alarms.waits.lock().wakers.is_empty());
        // The timer can be set again for a later moment.
        assert_eq!(wait(80).await, 80);
    }

    #[tokio::test]
    async fn cancelling_a_wait_does_not_end_another() {
        let alarms = Alarms::new().unwrap();
        // The machine may be so slow that the first poll comes too late: then begin again.
        let early = loop {
            let early = boot_now().after(ms(20));
            let mut given_up = Box::pin(alarms.sleep_until(early));
            let polled = given_up
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            if polled.is_pending() {
                break early;
            }
        };
        // The timer is still set for the first moment. It fires then, and must be set for the second one.
        let at = early.after(ms(20));
        alarms.sleep_until(at).await.unwrap();
        assert!(boot_now() >= at);
        assert!(alarms.waits.lock().wakers.is_empty());
    }

    #[tokio::test]
    async fn thousands_of_waits_take_one_descriptor() {
        let alarms = Alarms::new().unwrap();
        let at = boot_now().after(Duration::from_secs(3_600));
        let mut waits: Vec<_> = (0..3_000)
            .map(|_| Box::pin(alarms.sleep_until(at)))
            .collect();
        let mut context = Context::from_waker(Waker::noop());
        for wait in &mut waits {
            assert!(wait.as_mut().poll(&mut context).is_pending());
        }
        // Other tests of this process have timers as well.
        assert!(timers() < 500, "{}", timers());
        assert_eq!(alarms.waits.lock().wakers.len(), 3_000);
        drop(waits);
        assert!(alarms.waits.lock().wakers.is_empty());
    }

    #[tokio::test]
    async fn a_wait_until_the_latest_instant_does_not_end() {
        let alarms = Alarms::new().unwrap();
        let never = alarms.sleep_until(BootInstant::from_boot(Duration::MAX));
        assert!(tokio::time::timeout(ms(10), never).await.is_err());
    }
}
