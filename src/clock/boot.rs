//! The clock that counts suspends.

use std::time::Duration;

use rustix::time::ClockId;

use crate::instant::BootInstant;

/// The clock that counts suspends. On macOS that is CLOCK_MONOTONIC, which is mach_continuous_time (clock_gettime(3)).
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

/// Returns the time since the machine started, including suspends.
pub(super) fn boot_now() -> BootInstant {
    let t = rustix::time::clock_gettime(BOOT);
    BootInstant::from_boot(Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    ))
}
