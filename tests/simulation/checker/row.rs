//! The number of rejections of a secret in a row.

use std::time::Duration;

/// The retries before the circuit breaker opens, after 5, 15, 30 and 60 s in total.
const RETRIES: [u64; 4] = [5, 10, 15, 30];

/// The rejections of a secret in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct RejectionRow {
    /// Rejections that named the secret as the cause.
    certain: u32,
    /// Rejections that did not.
    doubtful: u32,
}

impl RejectionRow {
    pub(crate) const NONE: Self = Self {
        certain: 0,
        doubtful: 0,
    };

    pub(crate) const fn is_none(self) -> bool {
        self.certain + self.doubtful == 0
    }

    /// Returns whether they open the circuit breaker: two certain ones, or five.
    pub(crate) const fn opens(self) -> bool {
        self.certain > 1 || self.certain + self.doubtful > 4
    }

    pub(crate) const fn and_one(mut self, is_doubtful: bool) -> Self {
        if is_doubtful {
            self.doubtful += 1;
        } else {
            self.certain += 1;
        }
        self
    }

    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            certain: self.certain.max(other.certain),
            doubtful: self.doubtful.max(other.doubtful),
        }
    }

    /// Returns every row from this one to another.
    pub(crate) fn up_to(self, most: Self) -> impl Iterator<Item = Self> {
        (self.certain..=most.certain).flat_map(move |certain| {
            (self.doubtful..=most.doubtful).map(move |doubtful| Self { certain, doubtful })
        })
    }

    /// Returns the minimum and maximum wait after this row. The order of its rejections decides when the circuit
    /// breaker opened.
    pub(crate) fn waits(self) -> [Duration; 2] {
        let all = self.certain + self.doubtful;
        if !self.opens() {
            let wait = RETRIES[(all.max(1) - 1) as usize];
            return [Duration::from_secs(wait); 2];
        }
        let opened_by = if self.certain > 1 {
            [(self.doubtful + 2).min(5), 2]
        } else {
            [5, 5]
        };
        opened_by.map(|number| Duration::from_secs((60_u64 << (all - number).min(10)).min(900)))
    }
}
