//! When the old key of a rotation may be deleted.
//!
//! Its tokens must have expired, and it must not be used elsewhere. Time is the boot clock's within one boot and the
//! issuer's own `Date` over a restart of the machine; our wall clock is never asked. A last login is compared only with
//! an earlier one that the same issuer told.

use std::time::Duration;

use super::pause::Why;
use crate::instant::{BootInstant, UnixTime};

/// How long two looks must be apart where the issuer tells the day of a login alone.
const TWO_DAYS: Duration = Duration::from_secs(49 * 60 * 60);

/// One day, in seconds.
const DAY: u64 = 24 * 60 * 60;

/// One moment by the clocks that a rotation may compare.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The boot that `at` belongs to.
    pub boot_id: String,
    /// The boot clock.
    pub at: BootInstant,
    /// The issuer's clock, if it was told at that moment or before it in the same boot.
    pub date: Option<UnixTime>,
}

/// What is known since the switch. The journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grace {
    /// The switch, or a later moment where that one can no longer be compared.
    pub switched: Mark,
    /// The lifetime of the profile's tokens then, if it was known.
    pub lifetime: Option<Duration>,
    /// The first look that showed the old key's last login as it is now, and the latest one.
    pub looks: Option<(Look, Look)>,
    /// The last login that showed a use of the old key after the switch.
    pub moved_to: Option<UnixTime>,
    /// Whether every last login that the issuer showed is at midnight.
    pub has_days_only: bool,
}

/// What the issuer's list said of the old key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Look {
    /// When.
    pub mark: Mark,
    /// The key's last login, if the issuer tells.
    pub last_login: Option<UnixTime>,
}

/// What the rules depend on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Terms {
    /// The lifetime of the profile's tokens now; `None` as long as it is not known.
    pub lifetime: Option<Duration>,
    /// What counts for the lifetime as long as neither the terms nor the journal tell one.
    pub longest_lifetime: Duration,
    /// How long the old key stays where the issuer tells no last login (`rotate-grace`).
    pub grace: Duration,
    /// Whether another machine uses the old key as well.
    pub is_shared: bool,
}

/// What is to be done with the old key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Wait this long, and judge again.
    Wait(Duration, Why),
    /// Read the list, and judge again.
    Look,
    /// Delete it.
    Delete,
    /// Leave it at the issuer.
    Keep,
}

// === impl Mark ===

impl Mark {
    /// How much later `now` is; `None` where no clock can tell.
    fn until(&self, now: &Self) -> Option<Duration> {
        if self.boot_id == now.boot_id {
            return Some(now.at.since(self.at));
        }
        self.until_by_date(now)
    }

    /// As [`Self::until`], by the issuer's clock alone.
    fn until_by_date(&self, now: &Self) -> Option<Duration> {
        let (from, to) = (self.date?, now.date?);
        Some(to.since_epoch().saturating_sub(from.since_epoch()))
    }

    /// The same clocks at a later moment of the same boot.
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
    /// The grace period of a switch at this moment, with tokens of this lifetime.
    pub const fn new(switched: Mark, lifetime: Option<Duration>) -> Self {
        Self {
            switched,
            lifetime,
            looks: None,
            moved_to: None,
            has_days_only: true,
        }
    }

    /// Takes down what the list says: the old key's last login, and those of all keys.
    pub fn look(&mut self, now: Mark, last_login: Option<UnixTime>, all: &[UnixTime]) {
        if self.switched.until(&now).is_none() {
            // Nothing tells how long ago the switch was, so the whole period is counted from now.
            *self = Self {
                moved_to: self.moved_to,
                has_days_only: self.has_days_only,
                ..Self::new(now.clone(), self.lifetime)
            };
        }
        let is_midnight = |login: &UnixTime| login.since_epoch().as_secs().is_multiple_of(DAY);
        self.has_days_only &= all.iter().all(is_midnight);
        let look = Look {
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

    /// What is to be done now. `finish` is the user's word that nothing else uses the old key: it counts at once where the
    /// issuer tells no last login, and otherwise once the key's tokens have expired.
    pub fn judge(&self, now: &Mark, terms: &Terms, finish: bool) -> Verdict {
        let lifetime = self.lifetime.or(terms.lifetime);
        let two_lifetimes = lifetime.unwrap_or(terms.longest_lifetime).saturating_mul(2);
        let Some(since) = self.switched.until(now) else {
            return Verdict::Look;
        };
        if terms.is_shared {
            return Verdict::Keep;
        }
        // The user's word is all that there is to wait for where the issuer tells nothing of the key's use.
        match (&self.looks, finish) {
            (None, true) => return Verdict::Look,
            (Some((_, latest)), true) if latest.last_login.is_none() => return Verdict::Delete,
            _ => {}
        }
        if since < two_lifetimes {
            return Verdict::Wait(two_lifetimes.saturating_sub(since), Why::Grace);
        }
        if finish {
            return Verdict::Delete;
        }
        // A look counts from the end of the period on, when no token of the old key is left.
        let Some((first, latest)) = &self.looks else {
            return Verdict::Look;
        };
        let between = |from: &Mark, to: &Mark| match self.has_days_only {
            true => from.until_by_date(to),
            false => from.until(to),
        };
        let gap = match self.has_days_only {
            true => TWO_DAYS.max(two_lifetimes),
            false => two_lifetimes,
        };
        let apart = between(&first.mark, &latest.mark);
        let (Some(_), Some(apart)) = (latest.last_login, apart) else {
            return self.judge_untold(now, terms, since, latest);
        };
        if apart >= gap {
            return Verdict::Delete;
        }
        let why = match self.moved_to {
            Some(_) => Why::InUse,
            None => Why::Unused,
        };
        match between(&first.mark, now) {
            Some(passed) if passed < gap => Verdict::Wait(gap.saturating_sub(passed), why),
            _ => Verdict::Look,
        }
    }

    /// As [`Self::judge`], where the issuer does not tell when the key was used.
    fn judge_untold(&self, now: &Mark, terms: &Terms, since: Duration, latest: &Look) -> Verdict {
        if since < terms.grace {
            return Verdict::Wait(terms.grace.saturating_sub(since), Why::NotTold);
        }
        // The issuer may have begun to tell.
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
