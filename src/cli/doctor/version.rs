//! Findings about the version of the running daemon, beside the version of this program.

use std::path::{Path, PathBuf};

use super::facts::SocketState;
use super::finding::Finding;
use super::limit::LIMIT;
use super::profiles::{get, split};
use crate::process::program;
use crate::wire::VersionReply;

const CHECK: &str = "version";

/// A daemon's report of its version.
#[derive(Debug)]
enum Reported {
    Version(VersionReply),
    /// The daemon does not have the path: it is too old.
    Nothing,
}

/// Asks the first daemon that answers. If none answers, there is no finding here: the check of the socket has one.
pub(super) async fn examine(looked: &[(PathBuf, SocketState)], system: bool) -> Option<Finding> {
    let answers =
        |(_, state): &&(PathBuf, SocketState)| matches!(state, SocketState::Answers(200, _));
    let (path, _) = looked.iter().find(answers)?;
    let answer = tokio::time::timeout(LIMIT, get(path, "/v1/version")).await;
    let reported = parse(&answer.ok()?.ok()?)?;
    Some(judge(path, &reported, system))
}

fn parse(answer: &[u8]) -> Option<Reported> {
    match split(answer) {
        (Some(b"200"), body) => serde_json::from_slice(body).ok().map(Reported::Version),
        (Some(b"404"), _) => Some(Reported::Nothing),
        _ => None,
    }
}

fn judge(socket: &Path, reported: &Reported, system: bool) -> Finding {
    let (socket, ours) = (socket.display(), program::version());
    let restart = if system {
        "systemctl restart jetond"
    } else {
        "restart it (under systemd: systemctl --user restart jetond)"
    };
    let Reported::Version(VersionReply {
        version,
        binary_replaced,
    }) = reported
    else {
        let found = format!("the daemon at {socket} is older than this program, version {ours}");
        return Finding::warn(CHECK, found).remedy(restart.to_owned());
    };
    if *binary_replaced == Some(true) {
        let found = format!(
            "the daemon at {socket} still runs version {version}, and its program was replaced; this program is version {ours}"
        );
        return Finding::warn(CHECK, found).remedy(restart.to_owned());
    }
    if version != ours {
        let found = format!(
            "the daemon at {socket} runs version {version} from another file than this program, version {ours}"
        );
        let remedy = "remove the one that you do not use, and restart the daemon";
        return Finding::warn(CHECK, found).remedy(remedy.to_owned());
    }
    Finding::ok(
        CHECK,
        format!("the daemon at {socket} runs version {version}, as this program"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Verdict;

    #[test]
    fn a_daemon_that_runs_an_older_version_is_reported_with_a_restart() {
        let told = |version: &str, replaced: Option<bool>| {
            let body = serde_json::json!({ "version": version, "binary_replaced": replaced });
            format!("HTTP/1.0 200 OK\r\n\r\n{body}")
        };
        let old = "HTTP/1.0 404 Not Found\r\n\r\n{}".to_owned();
        for (answer, system, verdict, found, remedy) in [
            (
                told(program::version(), Some(false)),
                true,
                Verdict::Ok,
                "runs version 0",
                "",
            ),
            (
                told(program::version(), None),
                true,
                Verdict::Ok,
                "runs version 0",
                "",
            ),
            (
                told("0.0.9", Some(true)),
                true,
                Verdict::Warn,
                "still runs version 0.0.9, and its program was replaced; this program is version 0",
                "systemctl restart jetond",
            ),
            (
                told(program::version(), Some(true)),
                false,
                Verdict::Warn,
                "still runs version 0",
                "restart it (under systemd: systemctl --user restart jetond)",
            ),
            (
                told("9.0.0", Some(false)),
                false,
                Verdict::Warn,
                "runs version 9.0.0 from another file than this program, version 0",
                "remove the one that you do not use, and restart the daemon",
            ),
            (
                old,
                true,
                Verdict::Warn,
                "is older than this program, version 0",
                "systemctl restart jetond",
            ),
        ] {
            let reported = parse(answer.as_bytes()).unwrap();
            let finding = judge(Path::new("/s"), &reported, system);
            assert_eq!(finding.verdict, verdict, "{finding:?}");
            assert!(finding.found.contains(found), "{finding:?}");
            assert_eq!(finding.remedy.as_deref().unwrap_or_default(), remedy);
        }
        assert!(parse(b"HTTP/1.0 503 x\r\n\r\n{}").is_none());
    }
}
