//! What a daemon's own attempts say of a profile: that an origin answers and a credential is stored is no proof that a token
//! can be had.

use std::time::Duration;

use super::finding::{Finding, Verdict};
use super::judge;
use super::profiles::DaemonProfiles;
use crate::dialect::human::duration;
use crate::fault::FaultKind;
use crate::lifecycle::Phase;
use crate::profile::ProfileName;
use crate::wire::{FaultReply, ProfileReply};

/// How a profile stands, by the word of a daemon.
#[derive(Debug)]
pub(super) struct Health<'a> {
    name: &'a ProfileName,
    source: Source<'a>,
    /// The wall clock, in Unix seconds.
    now: u64,
}

/// What the daemon says.
#[derive(Debug)]
enum Source<'a> {
    /// Nothing, since no daemon runs.
    NoDaemon,
    /// Nothing, although one runs: another finding tells why.
    NotListed,
    /// The daemon at this socket does not keep the profile.
    NotKept(String),
    /// The daemon keeps it, and it stands so.
    Kept(&'a ProfileReply),
}

/// What came of the last attempt to get a token.
enum Outcome<'a> {
    /// The last attempt brought one that still holds.
    Accepted,
    /// The last attempt failed.
    Failed(&'a FaultReply),
    /// Nothing has been tried, for this reason.
    NotTried(&'static str),
}

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
        Self { name, source, now }
    }

    /// How the daemon says that the profile stands.
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
        let held = left.as_deref().unwrap_or("none is held");
        let last = reply.last_fault.as_ref();
        let fault = last.map_or_else(String::new, |fault| {
            let ago = duration(Duration::from_secs(self.now.saturating_sub(fault.at)));
            format!("; the last fault, {ago} ago: {}", fault.detail)
        });
        let found = |what: &str| format!("{what}: {held}{fault}");
        let remedy = |finding| self.remedy(finding, last);
        Some(match (reply.phase, &left) {
            (Phase::Fresh, _) if reply.cooling_down_until.is_some() => {
                let what = "fresh ones keep being reported as rejected";
                Finding::warn(CHECK, found(what))
                    .remedy("the resource rejects them: ask who runs it".to_owned())
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
            (Phase::Misconfigured, _) => {
                Finding::fail(CHECK, found("misconfigured, so nothing is sent")).command(
                    "put right what is wrong, then jeton reload; to see it: ",
                    "check",
                )
            }
        })
    }

    /// What of the credential and of the issuer is as it should be stays so only where a token was had that way.
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
                    // A second one could not serve beside it.
                    Source::NotListed => finding.remedy("see to the daemon first".to_owned()),
                    _ => {
                        finding.remedy("run this again when a token has been asked for".to_owned())
                    }
                }
            }
            Outcome::Failed(fault) => {
                let is_rejected = fault.kind == FaultKind::Rejected;
                if is_credential && !is_rejected {
                    let what =
                        "whether the issuer accepts it is not known, since the last attempt failed";
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
                return Outcome::NotTried("the daemon does not say how it stands");
            }
            Source::NotKept(_) => {
                return Outcome::NotTried("the daemon does not keep this profile");
            }
            Source::Kept(reply) => reply,
        };
        match (reply.phase, &reply.last_fault) {
            (Phase::Fresh, _) => Outcome::Accepted,
            (Phase::Resting, _) if self.holds_a_token() => Outcome::Accepted,
            (Phase::Resting, _) => Outcome::NotTried("nobody asks for a token, so it rests"),
            (Phase::Misconfigured, _) => Outcome::NotTried("nothing is sent as it is configured"),
            (Phase::Starting, _) => Outcome::NotTried("the first attempt is running"),
            (_, Some(fault)) => Outcome::Failed(fault),
            (_, None) => Outcome::NotTried("the daemon does not say what came of it"),
        }
    }

    /// The finding with what a person does about the fault.
    fn remedy(&self, finding: Finding, fault: Option<&FaultReply>) -> Finding {
        match fault {
            Some(fault) if fault.kind == FaultKind::Rejected => {
                let rebind = format!("add {} --rebind", self.name);
                finding.command("if the secret was replaced: ", rebind)
            }
            Some(fault) => finding.remedy(judge::remedy(fault.kind).to_owned()),
            None => finding.remedy("look into the daemon's log".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
