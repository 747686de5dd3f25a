//! Summary of the daemon's state in one line, and notice of its changes.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::keep::roster::Roster;
use crate::command_line;
use crate::lifecycle::View;

/// The daemon's state, derived from its profiles and its configuration.
pub struct Condition {
    roster: Arc<Roster>,
    /// One task per profile, which ends when the profile's view has changed.
    following: JoinSet<Option<watch::Receiver<View>>>,
    /// Why the latest configuration was not applied, if it was not.
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

    /// Follows the profiles of the configuration that has just been applied.
    pub fn renew(&mut self) {
        self.invalid = None;
        // These tasks follow profiles of the old configuration.
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
            // The profile's keeper has ended: the profile has been removed or is being removed.
            Some(Ok(None) | Err(_)) => {}
            None => std::future::pending().await,
        }
    }

    /// Returns the line.
    pub fn line(&self) -> String {
        let kept = self.roster.valid().map(|profiles| {
            let all = profiles.len();
            let unready = profiles.values().filter(|entry| !entry.handle.is_ready());
            let (mut ready, mut stuck) = (all, vec![]);
            for entry in unready {
                ready -= 1;
                stuck.extend(entry.handle.trouble().map(|why| (entry.handle.name(), why)));
            }
            let stuck = stuck.first().map(|(name, why)| UnreadyProfile {
                profile: name.as_str(),
                why,
                more: stuck.len() - 1,
            });
            counts(all, ready, stuck.as_ref())
        });
        line(kept.ok(), self.invalid.as_deref())
    }
}

/// A profile without a token, the reason, and the number of further ones.
struct UnreadyProfile<'a> {
    profile: &'a str,
    why: &'a str,
    more: usize,
}

/// Formats the number of profiles, how many of them have a valid token, and why one of the others has none.
fn counts(all: usize, ready: usize, stuck: Option<&UnreadyProfile<'_>>) -> String {
    /// Longest reason, in characters. The status should fit in one line of a screen.
    const LONGEST: usize = 300;
    let counts = match all {
        0 => command_line::proposed("no profiles yet; make one with: jetond add NAME", None)
            .into_owned(),
        1 => format!("1 profile, {ready} ready"),
        _ => format!("{all} profiles, {ready} ready"),
    };
    let Some(UnreadyProfile { profile, why, more }) = stuck else {
        return counts;
    };
    // A path can contain any characters, and this text goes to terminals and to the service manager.
    let plain = |c: char| if c.is_control() { '?' } else { c };
    let mut shown: String = why.chars().map(plain).take(LONGEST).collect();
    if why.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    let more = match more {
        0 => String::new(),
        1 => " (and one more profile)".to_owned(),
        more => format!(" (and {more} more profiles)"),
    };
    format!("{counts}; {profile}: {shown}{more}")
}

/// Formats the line. `kept` is the summary of the profiles, or `None` without a valid configuration.
fn line(kept: Option<String>, invalid: Option<&str>) -> String {
    let kept = kept.unwrap_or_else(|| "misconfigured".to_owned());
    match invalid {
        Some(reason) => format!("{kept}; the configuration is invalid: {reason}"),
        None => kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_line_counts_ready_profiles_and_names_a_fault() {
        let stuck = |more| UnreadyProfile {
            profile: "research",
            why: "no credential is stored\u{1b}",
            more,
        };
        for (counted, says) in [
            (
                counts(0, 0, None),
                "no profiles yet; make one with: jetond add NAME",
            ),
            (counts(1, 0, None), "1 profile, 0 ready"),
            (
                counts(1, 0, Some(&stuck(0))),
                "1 profile, 0 ready; research: no credential is stored?",
            ),
            (counts(3, 2, None), "3 profiles, 2 ready"),
            (
                counts(3, 1, Some(&stuck(1))),
                "3 profiles, 1 ready; research: no credential is stored? (and one more profile)",
            ),
            (
                counts(9, 1, Some(&stuck(7))),
                "9 profiles, 1 ready; research: no credential is stored? (and 7 more profiles)",
            ),
        ] {
            assert_eq!(counted, says);
            assert_eq!(line(Some(counted), None), says);
        }
        let why = "x".repeat(1_000);
        let long = UnreadyProfile {
            why: &why,
            ..stuck(0)
        };
        let long = counts(1, 0, Some(&long));
        assert!(long.chars().count() < 400 && long.ends_with("x…"), "{long}");
    }

    #[test]
    fn the_status_line_appends_an_invalid_configuration() {
        let invalid = Some("/c:1:1: a: unknown key");
        for (kept, says) in [
            (
                Some("3 profiles, 2 ready".to_owned()),
                "3 profiles, 2 ready; the configuration is invalid: /c:1:1: a: unknown key",
            ),
            (
                None,
                "misconfigured; the configuration is invalid: /c:1:1: a: unknown key",
            ),
        ] {
            assert_eq!(line(kept, invalid), says);
        }
    }
}
