//! Judges the places of a daemon's socket, in the order in which the companion tries them.

use std::path::{Path, PathBuf};

use super::super::facts::SocketState;
use super::super::finding::Finding;
use super::super::limit::LIMIT;
use crate::daemon::sockets::unit::usual_manager_of;

const CHECK: &str = "daemon";

/// The remedy for a daemon that accepts a connection and does not answer.
pub(in super::super) const RESTART: &str = "restart it";

pub(in super::super) fn daemons(places: Vec<(PathBuf, SocketState)>) -> Vec<Finding> {
    let mut findings = vec![];
    let mut answering = 0;
    let first = places.first().map(|(path, _)| path.display().to_string());
    for (path, state) in places {
        let path = path.display();
        if answering > 0 && !matches!(state, SocketState::Answers(200, _)) {
            findings.extend(beside(&path.to_string(), &state));
            continue;
        }
        let text = |text: &str| Some(text.to_owned());
        findings.push(match state {
            SocketState::Missing => continue,
            SocketState::Answers(200, who) => {
                answering += 1;
                let who = who.map_or_else(String::new, |who| format!(" ({who})"));
                Finding::ok(CHECK, format!("a daemon answers at {path}{who}"))
            }
            SocketState::Answers(403, _) => Finding::fail(
                CHECK,
                format!("the daemon at {path} refuses this user"),
            )
            .remedy(text(
                "it serves its own user and root: use a daemon of your own, or ask that user",
            )),
            SocketState::Answers(status, _) => Finding::fail(
                CHECK,
                format!("the daemon at {path} answers with status {status}"),
            )
            .remedy(text("look into its log, and restart it")),
            SocketState::NotASocket => Finding::fail(CHECK, format!("{path} is not a socket"))
                .command("move it away, and start: ", "run"),
            SocketState::Stale => Finding::warn(
                CHECK,
                format!("stale socket at {path}: no daemon is listening"),
            )
            .command("start it, which replaces the socket: ", "run"),
            SocketState::Locked => Finding::fail(
                CHECK,
                format!("a daemon runs for {path}, and its socket is missing"),
            )
            .remedy(text(
                "it creates the socket again within seconds; if it does not, restart it",
            )),
            SocketState::Unlinked => unlinked(&path.to_string()),
            SocketState::Denied => {
                Finding::fail(CHECK, format!("this user may not connect to {path}")).remedy(text(
                    "it is another user's: use a daemon of your own, or ask that user",
                ))
            }
            SocketState::Silent => Finding::fail(
                CHECK,
                format!("the daemon at {path} did not answer within {LIMIT:?}"),
            )
            .remedy(text(RESTART)),
            SocketState::Failed(why) => Finding::fail(CHECK, format!("{path}: {why}")),
        });
    }
    match (findings.is_empty(), answering) {
        (true, _) => {
            let place = first.unwrap_or_else(|| "a path that no socket can have".to_owned());
            let finding = Finding::warn(CHECK, format!("no daemon is running at {place}"));
            vec![finding.command("start it: ", "run")]
        }
        (_, 2..) => {
            let several = Finding::warn(CHECK, "several daemons answer, and jeton uses the first");
            findings.push(several.remedy("to use another one, name it: JETON_SOCKET".to_owned()));
            findings
        }
        _ => findings,
    }
}

/// The finding for a socket of a service manager whose file is missing. Only the manager can make it again, and only by
/// a restart: starting a running unit has no effect.
fn unlinked(path: &str) -> Finding {
    let systemctl = usual_manager_of(Path::new(path)).systemctl();
    let found = format!("a service listens at {path}, and the file of its socket is missing");
    let remedy = format!(
        "no client can connect until it is created again: {systemctl} restart jetond.socket"
    );
    Finding::fail(CHECK, found).remedy(remedy)
}

/// Judges the admin socket of a service whose token socket answers.
pub(in super::super) fn admin(path: &Path, state: &SocketState) -> Option<Finding> {
    let is_missing = matches!(
        state,
        SocketState::Missing | SocketState::Stale | SocketState::Unlinked
    );
    let systemctl = usual_manager_of(path).systemctl();
    is_missing.then(|| {
        let path = path.display();
        let found =
            format!("nothing can be changed while it runs: its admin socket {path} is missing");
        let remedy = format!("create it again: {systemctl} restart jetond-admin.socket");
        Finding::fail(CHECK, found).remedy(remedy)
    })
}

/// Judges a place after one where a daemon answers. The companion does not try it, so it keeps no token from being
/// served. A user's daemon often runs beside the system's socket, which is not for every user.
fn beside(path: &str, state: &SocketState) -> Option<Finding> {
    let what = match state {
        SocketState::Missing | SocketState::Answers(200, _) => return None,
        SocketState::Denied | SocketState::Answers(403, _) => "the daemon there refuses this user",
        SocketState::Stale => "the socket is stale",
        SocketState::NotASocket => "that is not a socket",
        SocketState::Locked | SocketState::Unlinked => "the socket of the daemon there is missing",
        SocketState::Silent | SocketState::Answers(..) | SocketState::Failed(_) => {
            "the daemon there does not serve"
        }
    };
    let found = format!("jeton does not try {path} while the first one answers ({what})");
    Some(Finding::ok(CHECK, found))
}
