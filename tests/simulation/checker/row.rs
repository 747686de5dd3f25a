//! How often in a row an issuer rejected a secret.

use std::time::Duration;

/// The retries before the breaker opens, after 5, 15, 30 and 60 s in all.
const RETRIES: [u64; 4] = [5, 10, 15, 30];

/// The rejections of a secret in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Row {
    /// Those that said that the secret is wrong.
    certain: u32,
    /// Those that did not.
    doubtful: u32,
}

impl Row {
    pub(crate) const NONE: Self = Self {
        certain: 0,
        doubtful: 0,
    };

    pub(crate) const fn is_none(self) -> bool {
        self.certain + self.doubtful == 0
    }

    /// Whether they open the breaker: two certain ones, or five.
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

    /// Every row from this one to another.
    pub(crate) fn up_to(self, most: Self) -> impl Iterator<Item = Self> {
        (self.certain..=most.certain).flat_map(move |certain| {
            (self.doubtful..=most.doubtful).map(move |doubtful| Self { certain, doubtful })
        })
    }

    /// The wait after it, at least and at most: in which order they came decides when the breaker opened.
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
