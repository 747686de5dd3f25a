//! Decides when the old key of a rotation may be deleted.
//!
//! The tokens of the old key must have expired, and no other program may use the key. Within one boot, time is that
//! of the boot clock; across a restart of the machine, it is that of the issuer's `Date`. The wall clock of this
//! machine is never used. A last login is compared only with an earlier one from the same issuer.

use std::time::Duration;

use super::pause::WaitReason;
use crate::instant::{BootInstant, UnixTime};

/// The minimum time between two checks of the last login, if the issuer shows only the day of a login.
const TWO_DAYS: Duration = Duration::from_secs(49 * 60 * 60);

/// One day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// A moment on the clocks that a rotation may compare.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GraceMoment {
    /// The ID of the boot to which `at` belongs.
    pub boot_id: String,
    /// The boot clock.
    pub at: BootInstant,
    /// The issuer's clock at that moment, if the issuer has shown its clock in that boot.
    pub date: Option<UnixTime>,
}

/// The state of the grace period since the switch. The journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grace {
    /// The switch, or a later moment if no clock can compare the switch any more.
    pub switched: GraceMoment,
    /// The lifetime of the profile's tokens at the switch, if it was known.
    pub lifetime: Option<Duration>,
    /// The first check that showed the old key's present last login, and the latest check.
    pub looks: Option<(LoginReading, LoginReading)>,
    /// The old key's last login after a use of the key since the switch.
    pub moved_to: Option<UnixTime>,
    /// Whether every last login from the issuer is at midnight.
    pub has_days_only: bool,
}

/// The old key's entry in the issuer's list at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginReading {
    /// The moment.
    pub mark: GraceMoment,
    /// The key's last login, if the issuer shows it.
    pub last_login: Option<UnixTime>,
}

/// The parameters of the decision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The lifetime of the profile's tokens now; `None` if it is unknown.
    pub lifetime: Option<Duration>,
    /// The assumed lifetime if neither `lifetime` nor the journal has one.
    pub longest_lifetime: Duration,
    /// How long the old key stays if the issuer does not show last logins (`rotate-grace`).
    pub grace: Duration,
    /// Whether another machine uses the old key as well.
    pub is_shared: bool,
}

/// The decision about the old key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait this long, then decide again.
    Wait(Duration, WaitReason),
    /// Read the issuer's list, then decide again.
    Look,
    /// Delete the key.
    Delete,
    /// Leave the key at the issuer.
    Keep,
}

// === impl Mark ===

impl GraceMoment {
    /// Returns the time from this mark to `now`; `None` if no clock spans it.
    fn until(&self, now: &Self) -> Option<Duration> {
        if self.boot_id == now.boot_id {
            return Some(now.at.since(self.at));
        }
        self.until_by_date(now)
    }

    /// Returns the time from this mark to `now` by the issuer's clock.
    fn until_by_date(&self, now: &Self) -> Option<Duration> {
        let (from, to) = (self.date?, now.date?);
        Some(to.since_epoch().saturating_sub(from.since_epoch()))
    }

    /// Returns the mark for a later moment of the same boot.
    #[must_use]
    pub fn at(&self, now: BootInstant) -> Self {
        let date = self.date.map(|date| {
            let since = date.since_epoch().saturating_add(now.since(self.at));
            UnixTime::from_epoch(since)
        });
        Self {
            boot_id: self.boot_id.clone(),
            at: now,
            date,
        }
    }
}

// === impl Grace ===

impl Grace {
    /// Begins the grace period of a switch at this moment, with tokens of this lifetime.
    pub const fn new(switched: GraceMoment, lifetime: Option<Duration>) -> Self {
        Self {
            switched,
            lifetime,
            looks: None,
            moved_to: None,
            has_days_only: true,
        }
    }

    /// Records what the issuer's list shows: the old key's last login, and those of all keys.
    pub fn look(&mut self, now: GraceMoment, last_login: Option<UnixTime>, all: &[UnixTime]) {
        if self.switched.until(&now).is_none() {
            // No clock spans the time since the switch, so the whole period is counted from now.
            *self = Self {
                moved_to: self.moved_to,
                has_days_only: self.has_days_only,
                ..Self::new(now.clone(), self.lifetime)
            };
        }
        let is_midnight = |login: &UnixTime| login.since_epoch().as_secs().is_multiple_of(DAY);
        self.has_days_only &= all.iter().all(is_midnight);
        let look = LoginReading {
            mark: now,
            last_login,
        };
        self.looks = Some(match self.looks.take() {
            Some((first, _)) if first.last_login == last_login => {
                match first.mark.until(&look.mark) {
                    Some(_) => (first, look),
                    None => (look.clone(), look),
                }
            }
            Some(_) => {
                self.moved_to = last_login;
                (look.clone(), look)
            }
            None => (look.clone(), look),
        });
    }

    /// Decides what to do with the old key now. `finish` is the user's assurance that no other program uses the key.
    /// If the issuer does not show last logins, it applies at once; otherwise, when the key's tokens have expired.
    pub fn judge(&self, now: &GraceMoment, terms: &Terms, finish: bool) -> Verdict {
        let lifetime = self.lifetime.or(terms.lifetime);
        let two_lifetimes = lifetime.unwrap_or(terms.longest_lifetime).saturating_mul(2);
        let Some(since) = self.switched.until(now) else {
            return Verdict::Look;
        };
        if terms.is_shared {
            return Verdict::Keep;
        }
        // If the issuer does not show the key's use, the user's assurance is all the evidence that there can be.
        match (&self.looks, finish) {
            (None, true) => return Verdict::Look,
            (Some((_, latest)), true) if latest.last_login.is_none() => return Verdict::Delete,
            _ => {}
        }
        if since < two_lifetimes {
            return Verdict::Wait(two_lifetimes.saturating_sub(since), WaitReason::Grace);
        }
        if finish {
            return Verdict::Delete;
        }
        // Only checks after the period count, when no token of the old key is valid any more.
        let Some((first, latest)) = &self.looks else {
            return Verdict::Look;
        };
        let between = |from: &GraceMoment, to: &GraceMoment| match self.has_days_only {
            true => from.until_by_date(to),
            false => from.until(to),
        };
        let gap = match self.has_days_only {
            true => TWO_DAYS.max(two_lifetimes),
            false => two_lifetimes,
        };
        let apart = between(&first.mark, &latest.mark);
        let (Some(_), Some(apart)) = (latest.last_login, apart) else {
            return self.judge_without_logins(now, terms, since, latest);
        };
        if apart >= gap {
            return Verdict::Delete;
        }
        let why = match self.moved_to {
            Some(_) => WaitReason::InUse,
            None => WaitReason::Unused,
        };
        match between(&first.mark, now) {
            Some(passed) if passed < gap => Verdict::Wait(gap.saturating_sub(passed), why),
            _ => Verdict::Look,
        }
    }

    /// Decides as [`Self::judge`] does, for an issuer that does not show when the key was used.
    fn judge_without_logins(
        &self,
        now: &GraceMoment,
        terms: &Terms,
        since: Duration,
        latest: &LoginReading,
    ) -> Verdict {
        if since < terms.grace {
            return Verdict::Wait(terms.grace.saturating_sub(since), WaitReason::NoLoginsShown);
        }
        // The issuer may have begun to show last logins.
        let is_told_late = self
            .switched
            .until(&latest.mark)
            .is_some_and(|at| at >= terms.grace);
        match is_told_late || latest.mark == *now {
            true => Verdict::Delete,
            false => Verdict::Look,
        }
    }
}

#[cfg(test)]
mod tests;
