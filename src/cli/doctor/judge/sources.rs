//! Findings about the sources that Jeton only reads credentials from.

use super::super::finding::Finding;
use crate::causes::Causes;
use crate::config::{Profile, SecretSource};
use crate::store::{SourceError, StoreError};

/// The finding about a source that gave no credential.
pub(super) fn unreadable(check: &'static str, error: &StoreError, why: &SourceError) -> Finding {
    match why {
        SourceError::NotPassed(name) => Finding::skip(
            check,
            format!(
                "not read: systemd passes the credential {name} only to the service, while that runs"
            ),
        ),
        _ => Finding::fail(check, Causes(error).to_string()),
    }
}

/// The finding about a daemon that starts programs; `None` for a profile whose credential comes from no command.
pub(in super::super) fn command(profile: &Profile) -> Option<Finding> {
    let source = profile.credential.source()?;
    let SecretSource::Command(_) = &source.client_secret else {
        return None;
    };
    let found = format!(
        "its secret comes from {}, so the daemon is hardened less: it has to start programs, which can do what this user can",
        source.client_secret
    );
    let remedy = "a file ({ file = … }) or a systemd credential needs no program".to_owned();
    Some(Finding::warn("hardening", found).remedy(remedy))
}
