//! Findings about the files that tokens are written to: their folders, and the daemon's report of them.

use super::super::sink_folders::{self, MOUNT, SinkFolder};
use super::super::target::Target;
use super::finding::Finding;
use super::limit::within;
use super::profiles::DaemonProfiles;
use crate::config::Config;
use crate::paths::Env;
use crate::wire::{SinkReply, SinkState};

/// The check's name.
const CHECK: &str = "file";

/// Makes a finding for each file.
pub(super) async fn findings(
    target: &Target,
    config: &Config,
    env: &Env,
    profiles: &DaemonProfiles,
) -> Vec<Finding> {
    if config.sinks.is_empty() {
        return vec![];
    }
    let (looker, copy, env) = (target.clone(), config.clone(), env.clone());
    let folders = match within(move || sink_folders::look(&looker, &copy, &env)).await {
        Ok(folders) => folders,
        Err(why) => return vec![super::judge::missed(CHECK, &target.config, &why)],
    };
    folders
        .iter()
        .map(|folder| finding(folder, said_of(profiles, folder)).of(&folder.profile))
        .collect()
}

/// The daemon's report of this file.
fn said_of<'a>(profiles: &'a DaemonProfiles, folder: &SinkFolder) -> Option<&'a SinkReply> {
    let DaemonProfiles::Listed(_, profiles) = profiles else {
        return None;
    };
    let path = folder.path.display().to_string();
    let sinks = profiles.iter().flat_map(|profile| &profile.sinks);
    sinks.into_iter().find(|sink| sink.path == path)
}

fn finding(folder: &SinkFolder, said: Option<&SinkReply>) -> Finding {
    let (path, format) = (folder.path.display(), folder.format);
    if let Some((found, remedy)) = &folder.fault {
        return Finding::fail(CHECK, format!("{path} is not written: {found}"))
            .remedy(remedy.clone());
    }
    match said {
        Some(said) if said.state == SinkState::Failed => {
            let why = said.detail.as_deref().unwrap_or("for an unknown reason");
            let (why, remedy) = why.split_once("; ").unwrap_or((why, ""));
            let found = format!("{path} is not fresh: {why}");
            let remedy = (!remedy.is_empty()).then(|| remedy.to_owned());
            Finding::fail(CHECK, found).remedy(remedy)
        }
        Some(said) if matches!(said.state, SinkState::Removed | SinkState::Expired) => {
            let found = format!("{path} has no valid token, since the last one has expired");
            Finding::warn(CHECK, found)
        }
        _ if folder.is_on_disk => {
            let found = format!("{}; {MOUNT}", folder.disk());
            Finding::warn(CHECK, found).remedy(SinkFolder::DISK_REMEDY.to_owned())
        }
        Some(said) if said.state == SinkState::Fresh => {
            Finding::ok(CHECK, format!("{path} ({format}) is fresh; {MOUNT}"))
        }
        _ => Finding::ok(CHECK, format!("{path} ({format}) can be written; {MOUNT}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ProfileName;

    #[test]
    fn a_sink_finding_shows_the_fault_and_the_remedy() {
        let folder = |fault: Option<(&str, &str)>, is_on_disk| SinkFolder {
            profile: ProfileName::parse("research").unwrap(),
            format: "jwt",
            path: "/run/jeton/t".into(),
            fault: fault.map(|(found, remedy)| (found.to_owned(), remedy.to_owned())),
            is_on_disk,
        };
        let said = |state, detail: Option<&str>| SinkReply {
            path: "/run/jeton/t".to_owned(),
            format: "jwt".to_owned(),
            state,
            written_at: None,
            generation: None,
            expires_at: None,
            on_disk: false,
            process: None,
            detail: detail.map(str::to_owned),
        };
        let failed = said(
            SinkState::Failed,
            Some("the token is not a JWT; use format = \"raw\""),
        );
        for (folder, said, verdict, words) in [
            (
                folder(Some(("others can write to it", "chmod go-w /run")), false),
                None,
                "fail",
                &["others can write to it", "chmod go-w"][..],
            ),
            (
                folder(None, false),
                Some(&failed),
                "fail",
                &["the token is not a JWT", "use format"],
            ),
            (folder(None, true), None, "warn", &["on a disk", "tmpfs"]),
            (
                folder(None, false),
                Some(&said(SinkState::Removed, None)),
                "warn",
                &["expired"],
            ),
            (
                folder(None, false),
                Some(&said(SinkState::Fresh, None)),
                "ok",
                &["is fresh", "mount the folder, never the single file"],
            ),
            (
                folder(None, false),
                None,
                "ok",
                &["can be written", "mount the folder"],
            ),
        ] {
            let finding = finding(&folder, said);
            assert_eq!(finding.verdict.as_str(), verdict, "{finding:?}");
            let text = format!("{} {:?}", finding.found, finding.remedy);
            for word in words {
                assert!(text.contains(word), "{word}: {text}");
            }
        }
    }
}
