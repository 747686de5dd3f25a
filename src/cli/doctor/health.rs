//! The health of a profile, from a running daemon's own attempts: an origin that answers and a stored credential do not
//! prove that a token can be fetched.

use std::time::Duration;

use super::finding::{Finding, Verdict};
use super::judge;
use super::profiles::DaemonProfiles;
use crate::config::Profile;
use crate::dialect::human::duration;
use crate::fault::FaultKind;
use crate::lifecycle::Phase;
use crate::profile::ProfileName;
use crate::wire::{FaultReply, ProfileReply};

/// The health of a profile, as reported by a daemon.
#[derive(Debug)]
pub(super) struct Health<'a> {
    name: &'a ProfileName,
    source: Source<'a>,
    /// The wall clock, in Unix seconds.
    now: u64,
    /// The profile's configuration.
    profile: Option<&'a Profile>,
}

/// What the daemon reports about the profile.
#[derive(Debug)]
enum Source<'a> {
    /// Nothing: no daemon runs.
    NoDaemon,
    /// Nothing, although a daemon runs; another finding gives the reason.
    NotListed,
    /// The daemon at this socket does not have the profile.
    NotKept(String),
    /// The daemon has the profile, and reports this state.
    Kept(&'a ProfileReply),
}

/// The result of the last attempt to fetch a token.
enum Outcome<'a> {
    /// The last attempt returned a token that is still valid.
    Accepted,
    /// The last attempt failed.
    Failed(&'a FaultReply),
    /// There was no attempt, for this reason.
    NotTried(&'static str),
}

/// The remedy for an obstacle to the use of a credential.
const NOTICED: &str = "fix that; if the daemon does not notice it within 30 s: jeton reload";

// === impl Health ===

impl<'a> Health<'a> {
    pub(super) fn of(name: &'a ProfileName, profiles: &'a DaemonProfiles, now: u64) -> Self {
        let source = match profiles {
            DaemonProfiles::NoDaemon => Source::NoDaemon,
            DaemonProfiles::NotListed => Source::NotListed,
            DaemonProfiles::Listed(socket, profiles) => {
                match profiles.iter().find(|reply| reply.profile == name.as_str()) {
                    Some(reply) => Source::Kept(reply),
                    None => Source::NotKept(socket.display().to_string()),
                }
            }
        };
        Self {
            name,
            source,
            now,
            profile: None,
        }
    }

    /// Adds the profile's configuration.
    pub(super) fn configured(self, profile: Option<&'a Profile>) -> Self {
        Self { profile, ..self }
    }

    /// The finding about the profile's token, from the state that the daemon reports.
    pub(super) fn token(&self) -> Option<Finding> {
        const CHECK: &str = "token";
        let reply = match &self.source {
            Source::NoDaemon | Source::NotListed => return None,
            Source::NotKept(socket) => {
                let found = format!("the daemon at {socket} does not keep this profile");
                let remedy = "it has another configuration, or has not read this one: jeton reload";
                return Some(Finding::warn(CHECK, found).remedy(remedy.to_owned()));
            }
            Source::Kept(reply) => reply,
        };
        let left = reply.expires_in.map(|left| {
            let left = duration(Duration::from_secs(left));
            format!("valid for {left} more")
        });
        let held = left.as_deref().unwrap_or("no token is held");
        let last = reply.last_fault.as_ref();
        let fault = last.map_or_else(String::new, |fault| {
            let ago = duration(Duration::from_secs(self.now.saturating_sub(fault.at)));
            format!("; the last fault, {ago} ago: {}", fault.detail)
        });
        let unusable = reply.unusable.as_deref();
        let why = unusable.map_or_else(String::new, |why| format!("; {why}"));
        let found = |what: &str| format!("{what}: {held}{why}{fault}");
        let remedy = |finding| self.remedy(finding, last);
        Some(match (reply.phase, &left) {
            (Phase::Fresh | Phase::Resting, Some(_)) if unusable.is_some() => {
                let what = "got with the credential that was read before, since the stored one cannot be used";
                Finding::warn(CHECK, found(what)).remedy(NOTICED.to_owned())
            }
            (Phase::Fresh, _) if reply.cooling_down_until.is_some() => {
                let what = "fresh tokens keep being reported as rejected";
                Finding::warn(CHECK, found(what)).remedy(
                    "the service that rejects them is at fault: ask its operator".to_owned(),
                )
            }
            (Phase::Fresh, _) if reply.stored_credential_rejected.is_some() => {
                let why = reply.stored_credential_rejected.as_ref();
                let what = "fresh with the former credential, since the stored one was rejected";
                let found = why.map_or_else(String::new, |why| {
                    format!("{what}: {held}; the issuer says: {}", why.detail)
                });
                self.remedy(Finding::warn(CHECK, found), why)
            }
            (Phase::Fresh, _) => Finding::ok(CHECK, found("fresh")),
            (Phase::Resting, Some(_)) => Finding::ok(CHECK, found("resting")),
            (Phase::Resting, None) => Finding::skip(CHECK, found("resting, so not tried"))
                .remedy(format!("ask for one: jeton token {}", self.name)),
            (Phase::Starting, _) => Finding::skip(CHECK, found("the first attempt is running"))
                .remedy("run this again in a moment".to_owned()),
            (Phase::Retrying, Some(_)) => remedy(Finding::warn(CHECK, found("retrying"))),
            (Phase::Retrying, None) => remedy(Finding::fail(CHECK, found("retrying"))),
            (Phase::Rejected, _) => remedy(Finding::fail(CHECK, found("rejected"))),
            (Phase::Expired, _) => remedy(Finding::fail(CHECK, found("expired"))),
            (Phase::Locked, _) => Finding::warn(CHECK, found("locked, so nothing is sent"))
                .command("to open the encrypted store: ", "unlock"),
            (Phase::Misconfigured, _) => {
                let finding = Finding::fail(CHECK, found("misconfigured, so nothing is sent"));
                match unusable {
                    Some(_) => finding.remedy(NOTICED.to_owned()),
                    None => finding
                        .command("fix what is wrong, then jeton reload; to see it: ", "check"),
                }
            }
        })
    }

    /// The finding about the key's rotation, if one is unfinished, or is due and waits.
    pub(super) fn rotation(&self) -> Option<Finding> {
        const CHECK: &str = "key";
        let Source::Kept(reply) = &self.source else {
            return None;
        };
        if let Some(rotation) = &reply.rotation {
            let found = match rotation.needs_human {
                true => format!("its rotation has stopped: {}", rotation.detail),
                false => format!("being rotated ({}): {}", rotation.phase, rotation.detail),
            };
            return Some(if rotation.code.is_some() {
                Finding::warn(CHECK, found).remedy(format!(
                    "find what still uses the old key, and give it the new one; to delete the old one anyway: jeton rotate {} --finish",
                    self.name
                ))
            } else if rotation.needs_human {
                Finding::warn(CHECK, found).remedy(format!(
                    "look for its keys at the issuer; the profile's token: jeton status {}",
                    self.name
                ))
            } else {
                Finding::ok(CHECK, found)
            });
        }
        let waits = reply.key.as_ref()?.waits.as_ref()?;
        let found = format!("not rotated by its age: {waits}");
        let remedy = format!("to try it now: jeton rotate {}", self.name);
        Some(Finding::warn(CHECK, found).remedy(remedy))
    }

    /// Downgrades a good finding about the credential or the issuer unless a token was fetched with them.
    pub(super) fn review(&self, finding: Finding) -> Finding {
        let is_about_it = matches!(finding.check, "credential" | "issuer");
        if finding.verdict == Verdict::Ok && is_about_it {
            self.review_good(finding).of(self.name)
        } else {
            finding
        }
    }

    fn review_good(&self, finding: Finding) -> Finding {
        let is_credential = finding.check == "credential";
        if let (true, Source::Kept(reply)) = (is_credential, &self.source)
            && let (Some(why), false) = (&reply.unusable, reply.phase == Phase::Locked)
        {
            let found = format!("the daemon cannot use it: {why}");
            return Finding::fail("credential", found).remedy(NOTICED.to_owned());
        }
        match self.outcome() {
            Outcome::Accepted => finding,
            Outcome::NotTried(why) => {
                let what = if is_credential {
                    "whether the issuer accepts it was not tried"
                } else {
                    "its token endpoint was not tried"
                };
                let found = format!("{}; {what}: {why}", finding.found);
                let finding = Finding::skip(finding.check, found);
                match self.source {
                    Source::NoDaemon => finding.command("start it: ", "run"),
                    // A second daemon could not serve beside the running one.
                    Source::NotListed => finding.remedy("fix the daemon first".to_owned()),
                    _ => {
                        finding.remedy("run this again when a token has been asked for".to_owned())
                    }
                }
            }
            Outcome::Failed(fault) => {
                let is_rejected = fault.kind == FaultKind::Rejected;
                if is_credential && !is_rejected {
                    let what = "it is not known whether the issuer accepts it, since the last attempt failed";
                    let found = format!("{}; {what}", finding.found);
                    return self.remedy(Finding::skip("credential", found), Some(fault));
                }
                let what = if is_credential {
                    "the issuer rejects it"
                } else {
                    "the last attempt to get a token there failed"
                };
                let found = format!("{}; {what}: {}", finding.found, fault.detail);
                let finding = if self.holds_a_token() && !is_credential {
                    Finding::warn(finding.check, found)
                } else {
                    Finding::fail(finding.check, found)
                };
                self.remedy(finding, Some(fault))
            }
        }
    }

    fn holds_a_token(&self) -> bool {
        matches!(self.source, Source::Kept(reply) if reply.expires_in.is_some())
    }

    fn outcome(&self) -> Outcome<'a> {
        let reply = match self.source {
            Source::NoDaemon => return Outcome::NotTried("no daemon is running"),
            Source::NotListed => {
                return Outcome::NotTried("the daemon does not report its state");
            }
            Source::NotKept(_) => {
                return Outcome::NotTried("the daemon does not keep this profile");
            }
            Source::Kept(reply) => reply,
        };
        if let Some(fault) = &reply.stored_credential_rejected {
            return Outcome::Failed(fault);
        }
        match (reply.phase, &reply.last_fault) {
            (Phase::Fresh, _) => Outcome::Accepted,
            (Phase::Resting, _) if self.holds_a_token() => Outcome::Accepted,
            (Phase::Resting, _) => Outcome::NotTried("no program asks for a token, so it rests"),
            (Phase::Misconfigured, _) => Outcome::NotTried("nothing is sent as it is configured"),
            (Phase::Starting, _) => Outcome::NotTried("the first attempt is running"),
            (Phase::Locked, _) => Outcome::NotTried("the store is locked"),
            (_, Some(fault)) => Outcome::Failed(fault),
            (_, None) => Outcome::NotTried("the daemon does not report the result"),
        }
    }

    /// Adds the remedy for the fault.
    fn remedy(&self, finding: Finding, fault: Option<&FaultReply>) -> Finding {
        match fault {
            Some(fault) if fault.kind == FaultKind::Rejected => {
                if let Some(source) = self.profile.and_then(|it| it.credential.source()) {
                    let whence = &source.client_secret;
                    return finding.remedy(format!(
                        "put a secret that the issuer accepts into {whence}"
                    ));
                }
                let rebind = format!("add {} --rebind", self.name);
                finding.command("if the secret was replaced: ", rebind)
            }
            Some(fault) => finding.remedy(judge::remedy(fault.kind, self.profile)),
            None => finding.remedy("look into the daemon's log".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
