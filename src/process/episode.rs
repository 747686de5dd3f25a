//! Episodes of a recurring fault: logged at the start and at the end, and counted in between.

use std::time::Duration;

use crate::instant::BootInstant;

/// A series of occurrences of one fault.
#[derive(Debug)]
pub struct Episode {
    quiet: Duration,
    /// The time of the last occurrence, and the number of occurrences.
    last: Option<(BootInstant, u64)>,
}

impl Episode {
    /// Creates an episode that ends when the fault has not occurred for `quiet`. A fault that comes and goes faster is
    /// one episode, so that it does not log two lines for each occurrence.
    pub const fn new(quiet: Duration) -> Self {
        Self { quiet, last: None }
    }

    /// Counts an occurrence. Returns whether it is the first of an episode.
    pub fn occurred(&mut self, now: BootInstant) -> bool {
        let (_, count) = self.last.unwrap_or((now, 0));
        self.last = Some((now, count + 1));
        count == 0
    }

    /// Reports whether an episode is in progress.
    pub const fn is_on(&self) -> bool {
        self.last.is_some()
    }

    /// Ends the episode if the fault has been absent for long enough. Returns the number of occurrences if the episode
    /// ends now.
    pub fn end_if_quiet(&mut self, now: BootInstant) -> Option<u64> {
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
    fn an_episode_starts_with_a_fault_and_ends_after_a_quiet_time() {
        let at = |secs| BootInstant::from_boot(Duration::from_secs(secs));
        let mut episode = Episode::new(Duration::from_secs(10));
        assert_eq!(
            (episode.is_on(), episode.end_if_quiet(at(0))),
            (false, None)
        );
        assert!(episode.occurred(at(100)));
        for secs in [101, 105, 114] {
            assert!(!episode.occurred(at(secs)), "{secs}");
            assert_eq!(episode.end_if_quiet(at(secs + 9)), None, "{secs}");
        }
        assert!(episode.is_on());
        assert_eq!(episode.end_if_quiet(at(124)), Some(4));
        assert_eq!(
            (episode.is_on(), episode.end_if_quiet(at(125))),
            (false, None)
        );
        assert!(episode.occurred(at(126)), "a new one");
        assert_eq!(episode.end_if_quiet(at(136)), Some(1));
    }
}
