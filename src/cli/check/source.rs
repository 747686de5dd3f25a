//! Checks whether the credential of a profile can be read from its source.

use super::super::output::{print_line, print_note};
use super::super::target::Target;
use crate::causes::Causes;
use crate::profile::ProfileName;
use crate::store::{SourceError, SourceReader, StoreErrorKind, Stores};

/// Reads the source as the daemon would, and reports the credential's binding. `is_used` says whether the binding is
/// recorded. Returns whether the source could be read.
pub(super) fn check(
    target: &Target,
    stores: &Stores,
    name: &ProfileName,
    source: &SourceReader,
    is_used: bool,
) -> Result<bool, String> {
    let mut is_read = true;
    if let Err(error) = target.as_daemon(|| source.credential().map(drop)) {
        let StoreErrorKind::Source(why) = &error.kind else {
            return Err(Causes(&error).to_string());
        };
        let SourceError::NotPassed(credential) = &**why else {
            return Err(Causes(&error).to_string());
        };
        is_read = false;
        print_line(format!(
            "{name}: the systemd credential {credential} was not read: systemd passes it only to the service, while that runs"
        ));
    }
    if is_used {
        return Ok(is_read);
    }
    match target.as_daemon(|| stores.bindings().obstacle()) {
        Some((path, why)) => print_note(format!(
            "warning: {name}: where its credential may be sent cannot be recorded ({}: {why}), so the configuration alone decides that",
            path.display()
        )),
        None => print_line(format!(
            "{name}: where its credential may be sent is recorded at its first use"
        )),
    }
    Ok(is_read)
}
