//! The text for a file that is not trusted, to follow its name and its path.

use std::path::Path;

use crate::trust::{Distrust, Untrusted};

/// Describes the problem with the file at `path`, and the remedy.
pub(super) fn words(path: &Path, untrusted: &Untrusted) -> String {
    let is_itself = untrusted.path == path;
    match &untrusted.why {
        Distrust::NotAFile => "is not a file".to_owned(),
        Distrust::Missing => "cannot be read: No such file or directory".to_owned(),
        Distrust::TooLarge(cap) => format!("is larger than {cap} bytes"),
        Distrust::Io { source, .. } if is_itself => format!("cannot be read: {source}"),
        Distrust::Io { source, .. } => format!("cannot be read: {untrusted}: {source}"),
        Distrust::Denied(_) if is_itself => {
            let remedy = untrusted.remedy().map(|remedy| format!("; {remedy}"));
            format!(
                "cannot be read: {}{}",
                untrusted.what(),
                remedy.unwrap_or_default()
            )
        }
        Distrust::Denied(_) => format!("cannot be read: {untrusted}"),
        _ if is_itself => {
            let remedy = untrusted.remedy().map(|remedy| format!("; {remedy}"));
            let what = untrusted.what();
            format!("is not trusted: {what}{}", remedy.unwrap_or_default())
        }
        _ => format!("is not trusted, because of {untrusted}"),
    }
}
