//! The daemon's state in one line, and when that line may have changed.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::keep::roster::Roster;
use crate::lifecycle::View;

/// The daemon's state, computed from its profiles and its configuration.
pub struct Condition {
    roster: Arc<Roster>,
    /// One task per profile, which ends when the profile's view has changed.
    following: JoinSet<Option<watch::Receiver<View>>>,
    /// Why the configuration that was read last was not put in force, if so.
    invalid: Option<Arc<str>>,
}

impl Condition {
    /// Creates a condition that follows no profile yet.
    pub fn new(roster: Arc<Roster>) -> Self {
        Self {
            roster,
            following: JoinSet::new(),
            invalid: None,
        }
    }

    /// Follows the profiles of the configuration that has just been put in force.
    pub fn renew(&mut self) {
        self.invalid = None;
        // These tasks wait for profiles of the old configuration.
        self.following.abort_all();
        self.following.detach_all();
        for entry in self.roster.all().values() {
            self.follow(entry.handle.follow());
        }
    }

    /// Records that the configuration was read again and is invalid for this reason.
    pub fn refused(&mut self, reason: Arc<str>) {
        self.invalid = Some(reason);
    }

    fn follow(&mut self, mut view: watch::Receiver<View>) {
        self.following
            .spawn(async move { view.changed().await.ok().map(|()| view) });
    }

    /// Waits until the line may have changed.
    pub async fn changed(&mut self) {
        match self.following.join_next().await {
            Some(Ok(Some(view))) => self.follow(view),
            // Its keeper has ended: the profile is gone, or will be in a moment.
            Some(Ok(None) | Err(_)) => {}
            None => std::future::pending().await,
        }
    }

    /// Returns the line.
    pub fn line(&self) -> String {
        let kept = self.roster.valid().map(|profiles| {
            let ready = profiles
                .values()
                .filter(|entry| entry.handle.is_ready())
                .count();
            (profiles.len(), ready)
        });
        line(kept.ok(), self.invalid.as_deref())
    }
}

/// Formats the line. `kept` is how many profiles there are and how many of them have a valid token; `None` without a
/// valid configuration.
fn line(kept: Option<(usize, usize)>, invalid: Option<&str>) -> String {
    let kept = match kept {
        Some((0, _)) => "no profiles yet; make one with: jetond add NAME".to_owned(),
        Some((1, ready)) => format!("1 profile, {ready} ready"),
        Some((all, ready)) => format!("{all} profiles, {ready} ready"),
        None => "misconfigured".to_owned(),
    };
    match invalid {
        Some(reason) => format!("{kept}; the configuration is invalid: {reason}"),
        None => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_many_profiles_are_ready_and_what_is_wrong() {
        for (kept, invalid, says) in [
            (
                Some((0, 0)),
                None,
                "no profiles yet; make one with: jetond add NAME",
            ),
            (Some((1, 0)), None, "1 profile, 0 ready"),
            (Some((3, 2)), None, "3 profiles, 2 ready"),
            (
                Some((3, 2)),
                Some("/c:1:1: a: unknown key"),
                "3 profiles, 2 ready; the configuration is invalid: /c:1:1: a: unknown key",
            ),
            (
                None,
                Some("/c:1:1: a: unknown key"),
                "misconfigured; the configuration is invalid: /c:1:1: a: unknown key",
            ),
        ] {
            assert_eq!(line(kept, invalid), says);
        }
    }
}
