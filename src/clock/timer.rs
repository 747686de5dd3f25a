//! System timers. Each one is a descriptor.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Creates a timer on this clock. Call it on the event loop.
pub(super) fn created(clock: TimerfdClockId) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = timerfd_create(clock, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    #[expect(
        deprecated,
        reason = "the replacement is unsafe because some types change their descriptor; OwnedFd does not"
    )]
    AsyncFd::with_interest(fd, Interest::READABLE)
}

/// Sets a timer to fire once. This replaces its previous setting.
pub(super) fn set(
    timer: &AsyncFd<OwnedFd>,
    flags: TimerfdTimerFlags,
    at: Timespec,
) -> io::Result<()> {
    let alarm = Itimerspec {
        it_interval: Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: at,
    };
    timerfd_settime(timer.as_fd(), flags, &alarm)?;
    Ok(())
}

/// Waits until a timer has fired since the last call.
pub(super) async fn fired(timer: &AsyncFd<OwnedFd>) -> io::Result<()> {
    let mut ready = timer.readable().await?;
    // The data is the number of times that the timer has fired. The read fails if the timer was set again meanwhile or
    // cancelled.
    let _: rustix::io::Result<usize> = rustix::io::read(timer.as_fd(), &mut [0; 8]);
    ready.clear_ready();
    Ok(())
}

/// Creates a timer on the wall clock that never expires. It fires only when that clock is set, which includes each
/// resume from a suspend (timerfd_create(2), `TFD_TIMER_CANCEL_ON_SET`).
pub(super) fn cancelled_by_steps() -> io::Result<AsyncFd<OwnedFd>> {
    let timer = created(TimerfdClockId::Realtime)?;
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    let never = Timespec {
        tv_sec: i64::MAX / 1_000_000_000,
        tv_nsec: 0,
    };
    set(&timer, flags, never)?;
    Ok(timer)
}
