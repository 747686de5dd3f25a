//! The clock that counts suspend.

use std::time::Duration;

use rustix::time::ClockId;

use crate::instant::BootInstant;

/// The clock that counts suspend. On macOS that is CLOCK_MONOTONIC (clock_gettime(3): it is mach_continuous_time).
#[cfg(target_os = "linux")]
const BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const BOOT: ClockId = ClockId::Monotonic;

/// The time since the machine started, suspend included.
pub(super) fn boot_now() -> BootInstant {
    let t = rustix::time::clock_gettime(BOOT);
    BootInstant::from_boot(Duration::new(
        u64::try_from(t.tv_sec).unwrap_or(0),
        u32::try_from(t.tv_nsec).unwrap_or(0),
    ))
}
