//! A fault that comes again and again: news when it begins and when it is over, and counted in between.

use std::time::Duration;

use crate::instant::BootInstant;

/// One run of the same fault.
#[derive(Debug)]
pub struct Episode {
    quiet: Duration,
    /// When it came last, and how often it has come.
    last: Option<(BootInstant, u64)>,
}

impl Episode {
    /// An episode is over when the fault has stayed away for `quiet`: a fault that comes and goes faster is one episode,
    /// and not two lines in the log for each time.
    pub const fn new(quiet: Duration) -> Self {
        Self { quiet, last: None }
    }

    /// The fault came. Tells whether that is news.
    pub fn came(&mut self, now: BootInstant) -> bool {
        let (_, count) = self.last.unwrap_or((now, 0));
        self.last = Some((now, count + 1));
        count == 0
    }

    /// Whether the fault is around.
    pub const fn is_on(&self) -> bool {
        self.last.is_some()
    }

    /// Ends the episode if the fault has stayed away for long enough. Tells how often it came, if that is news.
    pub fn over(&mut self, now: BootInstant) -> Option<u64> {
        let (last, count) = self.last?;
        if now.since(last) < self.quiet {
            return None;
        }
        self.last = None;
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_news_when_it_begins_and_when_it_has_stayed_away() {
        let at = |secs| BootInstant::from_boot(Duration::from_secs(secs));
        let mut episode = Episode::new(Duration::from_secs(10));
        assert_eq!((episode.is_on(), episode.over(at(0))), (false, None));
        assert!(episode.came(at(100)));
        for secs in [101, 105, 114] {
            assert!(!episode.came(at(secs)), "{secs}");
            assert_eq!(episode.over(at(secs + 9)), None, "{secs}");
        }
        assert!(episode.is_on());
        assert_eq!(episode.over(at(124)), Some(4));
        assert_eq!((episode.is_on(), episode.over(at(125))), (false, None));
        assert!(episode.came(at(126)), "a new one");
        assert_eq!(episode.over(at(136)), Some(1));
    }
}
