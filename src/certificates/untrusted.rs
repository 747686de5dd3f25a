//! The text for a file that is not trusted, to follow its name and its path.

use std::path::Path;

use crate::trust::{TrustFault, UntrustedPath};

/// Describes the problem with the file at `path`, and the remedy.
pub(super) fn words(path: &Path, untrusted: &UntrustedPath) -> String {
    let is_itself = untrusted.path == path;
    match &untrusted.why {
        TrustFault::NotAFile => "is not a file".to_owned(),
        TrustFault::Missing => "cannot be read: No such file or directory".to_owned(),
        TrustFault::TooLarge(cap) => format!("is larger than {cap} bytes"),
        TrustFault::Io { source, .. } if is_itself => format!("cannot be read: {source}"),
        TrustFault::Io { source, .. } => format!("cannot be read: {untrusted}: {source}"),
        TrustFault::Denied(_) if is_itself => {
            let remedy = untrusted.remedy().map(|remedy| format!("; {remedy}"));
            format!(
                "cannot be read: {}{}",
                untrusted.what(),
                remedy.unwrap_or_default()
            )
        }
        TrustFault::Denied(_) => format!("cannot be read: {untrusted}"),
        _ if is_itself => {
            let remedy = untrusted.remedy().map(|remedy| format!("; {remedy}"));
            let what = untrusted.what();
            format!("is not trusted: {what}{}", remedy.unwrap_or_default())
        }
        _ => format!("is not trusted, because of {untrusted}"),
    }
}
