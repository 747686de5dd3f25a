//! Turns facts into findings; reads nothing and connects to nothing.

use std::io::ErrorKind;
use std::iter;
use std::path::Path;

mod daemons;
mod issuer;
mod sources;

pub(super) use daemons::{RESTART, admin, daemons};
pub(super) use issuer::{issuer, remedy};
pub(super) use sources::command;

use super::facts::{CredentialFacts, FolderFacts, FolderUse, Host, Traversal};
use super::finding::{Finding, Verdict};
use super::limit::{LIMIT, NoResult};
use crate::causes::Causes;
use crate::cli::hosts::AddressReport;
use crate::command_line;
use crate::config::Config;
use crate::profile::ProfileName;
use crate::settings::ConfigError;
use crate::store::{BoundTarget, Differences, SourceError, StoreError, StoreErrorKind};
use crate::trust::{TrustFault, UntrustedPath};

/// The remedy for a user without the right to read.
const AS_OWNER: &str = "run this as the daemon's user or as root";

/// The finding for something that could not be examined.
pub(super) fn missed(check: &'static str, path: &Path, why: &NoResult) -> Finding {
    let path = path.display();
    match why {
        NoResult::Late => {
            let remedy = "a network file system that hangs? keep it on a local disk";
            let found = format!("{path} did not answer within {LIMIT:?}");
            Finding::fail(check, found).remedy(remedy.to_owned())
        }
        NoResult::Refused(refused) => {
            Finding::fail(check, format!("{path} could not be checked: {refused}"))
        }
    }
}

pub(super) fn configuration(
    path: &Path,
    named: bool,
    missing: bool,
    read: &Result<Config, ConfigError>,
) -> Vec<Finding> {
    const CHECK: &str = "configuration";
    const ADD: &str = "add NAME --provider runai --url https://…";
    let shown = path.display();
    let config = match read {
        _ if missing && named => {
            let finding = Finding::fail(CHECK, format!("{shown}: there is no such file"));
            return vec![finding.command("name another one, or make it with: ", ADD)];
        }
        Ok(config) => config,
        Err(ConfigError::File(untrusted)) => return vec![distrust(CHECK, untrusted)],
        Err(unusable) => {
            let lines = unusable.lines().into_iter();
            return lines
                .map(|line| {
                    Finding::fail(CHECK, line).command("fix it, and check again: ", "check")
                })
                .collect();
        }
    };
    let finding = match config.profiles.len() {
        0 => Finding::warn(CHECK, format!("{shown}: no profiles yet")).command("", ADD),
        1 => Finding::ok(CHECK, format!("{shown}: 1 profile")),
        n => Finding::ok(CHECK, format!("{shown}: {n} profiles")),
    };
    let doubts = config.doubts.iter().map(|doubtful| {
        let found = format!("{shown}:{doubtful}; {}", doubtful.consequence());
        Finding::warn("names", found).remedy(doubtful.remedy())
    });
    iter::once(finding).chain(doubts).collect()
}

pub(super) fn folder(what: FolderUse, facts: &FolderFacts) -> Vec<Finding> {
    let (check, path) = (what.name(), facts.path.display());
    let mut findings = vec![match &facts.judged {
        Ok(()) => passage(check, &path.to_string(), facts.passage),
        Err(untrusted) if untrusted.is_missing() => {
            Finding::ok(check, format!("{path} is not there yet"))
        }
        // A container that was given the sockets of a daemon outside.
        Err(untrusted)
            if what == FolderUse::Sockets
                && matches!(untrusted.why, TrustFault::NotOurs { .. }) =>
        {
            let finding = distrust(check, untrusted);
            Finding::warn(check, finding.found).remedy(finding.remedy)
        }
        Err(untrusted) => distrust(check, untrusted),
    }];
    if let (true, Some(kind)) = (facts.shared, &facts.kind) {
        let found = format!("{path} is on a file system that other hosts may have too ({kind})");
        let check = "file system";
        findings.push(match what {
            FolderUse::State => Finding::warn(check, found).remedy(
                if command_line::is_of_the_system() {
                    "locks and permissions are another machine's there: mount a local disk at /var/lib/jeton"
                } else {
                    "locks and permissions are another machine's there: --state or XDG_STATE_HOME on a local disk"
                }
                .to_owned(),
            ),
            FolderUse::Sockets => Finding::fail(check, found).remedy(
                "a socket works only on its own host: set --socket or XDG_RUNTIME_DIR to a local file system"
                    .to_owned(),
            ),
        });
    }
    findings
}

fn passage(check: &'static str, path: &str, passage: Traversal) -> Finding {
    match passage {
        Traversal::Owner => Finding::ok(check, format!("{path} is private to its owner")),
        Traversal::Others(mode) => {
            let what = "lets others pass through";
            let found =
                format!("{path} {what} (mode {mode:04o}), and only its owner can change it");
            Finding::ok(check, found)
        }
        Traversal::NotEvenOwner(uid, mode) => {
            let found = format!(
                "{path} is closed (mode {mode:04o}) to the daemon's own user, uid {uid}, and to all others but root"
            );
            Finding::fail(check, found).remedy(format!("chmod 755 {path}"))
        }
    }
}

/// Judges the folder of the sockets. A folder of another user is not a fault if a daemon answers in it: a container may
/// be given one.
pub(super) fn sockets(facts: &FolderFacts, volume: Option<&Path>, is_served: bool) -> Vec<Finding> {
    let mut findings = folder(FolderUse::Sockets, facts);
    if let Some(first) = findings.first_mut() {
        if let (Verdict::Warn, false) = (first.verdict, is_served) {
            first.verdict = Verdict::Fail;
        }
        if let Some(volume) = volume {
            let found = format!(
                "{} is in the volume {}, and every user of that volume is trusted",
                facts.path.display(),
                volume.display()
            );
            let remedy = "if they are not: --socket or JETON_SOCKET in a folder of your own";
            *first = Finding::warn(first.check, found).remedy(remedy.to_owned());
        }
    }
    findings
}

fn distrust(check: &'static str, untrusted: &UntrustedPath) -> Finding {
    let path = untrusted.path.display();
    match &untrusted.why {
        TrustFault::Denied(denied) if denied.is_of_another() => {
            let found = format!("{path}: {}", untrusted.what());
            Finding::warn(check, found).remedy(untrusted.remedy())
        }
        TrustFault::Io { source, .. } => {
            let found = format!("{path}: {} ({source})", untrusted.what());
            if let Some(remedy) = untrusted.remedy() {
                Finding::fail(check, found).remedy(remedy)
            } else if source.kind() == ErrorKind::PermissionDenied {
                Finding::warn(check, found).remedy(AS_OWNER.to_owned())
            } else {
                Finding::fail(check, found)
            }
        }
        _ => {
            Finding::fail(check, format!("{path}: {}", untrusted.what())).remedy(untrusted.remedy())
        }
    }
}

/// Judges a profile's credential; `place` says where it is, in words that follow "one for ADDRESS".
pub(super) fn credential(
    place: &str,
    name: &ProfileName,
    facts: Result<&CredentialFacts, &NoResult>,
) -> Vec<Finding> {
    const CHECK: &str = "credential";
    let rebind = format!("add {name} --rebind");
    vec![match facts {
        Err(NoResult::Late) => {
            Finding::fail(CHECK, format!("its store did not answer within {LIMIT:?}"))
        }
        Err(NoResult::Refused(refused)) => {
            Finding::fail(CHECK, format!("its store could not be asked: {refused}"))
        }
        Ok(CredentialFacts::Absent) => Finding::fail(CHECK, "none is stored").command("", rebind),
        Ok(CredentialFacts::Unreadable(error)) => unreadable(CHECK, error, rebind),
        Ok(CredentialFacts::Uncompared(why)) => Finding::fail(CHECK, why.clone())
            .remedy("correct its entry in the configuration, or the file".to_owned()),
        Ok(CredentialFacts::Bound(bound, differences)) if differences.is_empty() => {
            Finding::ok(CHECK, format!("the credential for {bound} {place}"))
        }
        Ok(CredentialFacts::Unused(bound)) => {
            let found = format!("the credential for {bound} {place}, and was not used yet");
            Finding::ok(CHECK, found)
        }
        Ok(CredentialFacts::Bound(_, differences)) => {
            let found = format!("nothing is sent with it: {}", Differences(differences));
            Finding::fail(CHECK, found).command("if that is right: ", rebind)
        }
    }]
}

fn unreadable(check: &'static str, error: &StoreError, rebind: String) -> Finding {
    match &error.kind {
        // The finding about its token says whether the daemon has opened it.
        StoreErrorKind::Locked => Finding::ok(
            check,
            "it is in an encrypted file, which only the daemon opens",
        ),
        StoreErrorKind::Untrusted(untrusted) => distrust(check, untrusted),
        StoreErrorKind::Source(why) => match &**why {
            SourceError::Untrusted(untrusted) => distrust(check, untrusted),
            why => sources::unreadable(check, error, why),
        },
        StoreErrorKind::Unavailable(why) => {
            let found = format!("{} cannot be used: {}", why.store(), why.reason());
            Finding::fail(check, found).remedy(why.advice().to_owned())
        }
        StoreErrorKind::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Finding::warn(check, Causes(error).to_string()).remedy(AS_OWNER.to_owned())
        }
        StoreErrorKind::Malformed { .. }
        | StoreErrorKind::Unopened(_)
        | StoreErrorKind::OfAnotherProfile(_) => {
            Finding::fail(check, Causes(error).to_string()).command("", rebind)
        }
        _ => Finding::fail(check, Causes(error).to_string()),
    }
}

/// The finding for an issuer that names another token endpoint than the credential's binding.
pub(super) fn moved(
    name: &ProfileName,
    bound: &BoundTarget,
    discovered: &BoundTarget,
) -> Option<Finding> {
    let differences = bound.differences(discovered);
    (!differences.is_empty()).then(|| {
        let found = format!(
            "nothing is sent with it, since the issuer names another token endpoint: {}",
            Differences(&differences)
        );
        let rebind = format!("add {name} --rebind");
        Finding::fail("credential", found).command("if that is right: ", rebind)
    })
}

/// The finding about the hosts that a profile's tokens are for.
pub(super) fn hosts(told: AddressReport) -> Finding {
    const CHECK: &str = "hosts";
    let finding = match told.doubts.into_iter().next() {
        Some((found, remedy)) => Finding::warn(CHECK, found).remedy(remedy.to_owned()),
        None => Finding::ok(
            CHECK,
            [vec![told.addresses], told.notes].concat().join("; "),
        ),
    };
    finding.of(&told.profile)
}

/// The finding about whether the user's daemon outlives the user's last session.
pub(super) fn linger(host: &Host) -> Option<Finding> {
    const CHECK: &str = "linger";
    if !host.systemd || host.uid == 0 || host.system {
        return None;
    }
    match (&host.user, host.lingers) {
        (Some(_), true) => Some(Finding::ok(
            CHECK,
            "services of this user outlive the last session",
        )),
        (Some(_), false) => {
            let found = "a daemon of this user ends with the last session";
            Some(Finding::warn(CHECK, found).remedy("loginctl enable-linger".to_owned()))
        }
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests;
