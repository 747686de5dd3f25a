//! Limits on every attempt, whatever its cause: the wait that the issuer stated, and the number of failed attempts.

use std::time::Duration;

use jetond::instant::BootInstant;

/// The longest stated wait that the daemon keeps the first time.
const ONCE: Duration = Duration::from_secs(300);

/// The longest stated wait that the daemon keeps if a long one is stated again.
const TWICE: Duration = Duration::from_secs(3_600);

/// The number of attempts that may fail without a pause, and the time per failed attempt after that.
const AT_ONCE: u32 = 130;
const SPACING: Duration = Duration::from_secs(30);

/// A wait that the issuer stated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stated {
    pub(super) until: BootInstant,
    /// Whether it is longer than zero.
    pub(super) is_wait: bool,
    is_long: bool,
    is_again: bool,
}

impl Stated {
    /// Returns the wait after an attempt that began at `began` and failed at `failed`.
    pub(super) fn after(
        before: Option<Self>,
        began: BootInstant,
        failed: BootInstant,
        wait: Option<Duration>,
    ) -> Option<Self> {
        let inside = before.filter(|before| began < before.until);
        let long = |wait: Duration| wait > ONCE;
        let was_long = match inside {
            Some(inside) => inside.is_again,
            None => before.is_some_and(|before| before.is_long),
        };
        let new = wait.map(|wait| {
            let is_again = was_long && long(wait);
            let most = if is_again { TWICE } else { ONCE };
            Self {
                until: failed.after(wait.clamp(Duration::from_secs(1), most)),
                is_wait: !wait.is_zero(),
                is_long: long(wait),
                is_again,
            }
        });
        let Some(inside) = inside else { return new };
        Some(Self {
            until: new.map_or(inside.until, |new| new.until.max(inside.until)),
            is_long: inside.is_long || new.is_some_and(|new| new.is_long),
            ..inside
        })
    }
}

/// The failed attempts, as if each had counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failures(BootInstant);

impl Failures {
    pub(super) fn new() -> Self {
        Self(BootInstant::from_boot(Duration::ZERO))
    }

    pub(super) fn add(&mut self, at: BootInstant) {
        self.0 = self.0.max(at).after(SPACING);
    }

    /// Returns how long failed attempts may delay the next attempt at most.
    pub(super) fn next(&self) -> BootInstant {
        self.0.before(SPACING * (AT_ONCE - 1))
    }
}
