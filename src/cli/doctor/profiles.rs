//! The profiles that a running daemon reports.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::facts::SocketState;
use super::finding::Finding;
use super::limit::LIMIT;
use crate::wire::{ProfileReply, ProfilesReply};

/// The largest accepted answer, in bytes: a thousand profiles with their faults take half as much.
const MAX_ANSWER: u64 = 1 << 20;

/// The profiles of the daemon that the companion would use.
#[derive(Debug)]
pub(super) enum DaemonProfiles {
    /// No daemon answers.
    NoDaemon,
    /// A daemon answers, but does not list its profiles to us.
    NotListed,
    /// The daemon at this socket has these profiles.
    Listed(PathBuf, Vec<ProfileReply>),
}

impl DaemonProfiles {
    /// The socket of the daemon that lists its profiles.
    pub(super) fn socket(&self) -> Option<&Path> {
        match self {
            Self::Listed(socket, _) => Some(socket),
            Self::NoDaemon | Self::NotListed => None,
        }
    }
}

/// The reason why there is no list.
enum ListError {
    Io(io::Error),
    /// The answer has a status other than 200, perhaps with a reason.
    Refused(Option<String>),
    /// The answer has an unknown form.
    Unknown,
}

/// Asks the first daemon that answers, which is the one that the companion uses. If there is no list, a finding gives
/// the reason.
pub(super) async fn list(looked: &[(PathBuf, SocketState)]) -> (DaemonProfiles, Option<Finding>) {
    let answers =
        |(_, state): &&(PathBuf, SocketState)| matches!(state, SocketState::Answers(200, _));
    let Some((path, _)) = looked.iter().find(answers) else {
        let is_there = |(_, state): &(PathBuf, SocketState)| {
            matches!(
                state,
                SocketState::Answers(..)
                    | SocketState::Silent
                    | SocketState::Denied
                    | SocketState::Locked
                    | SocketState::Unlinked
            )
        };
        let profiles = match looked.iter().any(is_there) {
            true => DaemonProfiles::NotListed,
            false => DaemonProfiles::NoDaemon,
        };
        return (profiles, None);
    };
    let answer = match tokio::time::timeout(LIMIT, fetch(path)).await {
        Ok(answer) => answer,
        Err(_) => Err(ListError::Io(io::ErrorKind::TimedOut.into())),
    };
    let why = match answer {
        Ok(profiles) => return (DaemonProfiles::Listed(path.clone(), profiles), None),
        Err(ListError::Io(error)) => error.to_string(),
        Err(ListError::Refused(Some(why))) => why,
        Err(ListError::Refused(None) | ListError::Unknown) => {
            "its answer is not understood".to_owned()
        }
    };
    let found = format!("the daemon at {} does not list them: {why}", path.display());
    let finding = Finding::fail("profiles", found);
    let finding = finding.command(
        "look into its log, and before a jeton reload run: ",
        "check",
    );
    (DaemonProfiles::NotListed, Some(finding))
}

/// The profiles of the daemon at this socket; `None` if it lists none to us.
pub(in super::super) async fn listed(socket: &Path) -> Option<Vec<ProfileReply>> {
    let answer = tokio::time::timeout(LIMIT, fetch(socket)).await;
    answer.ok()?.ok()
}

async fn fetch(socket: &Path) -> Result<Vec<ProfileReply>, ListError> {
    let answer = get(socket, "/v1/profiles").await.map_err(ListError::Io)?;
    parse(&answer)
}

/// Requests a path from a daemon, and returns its whole answer, including the head.
pub(super) async fn get(socket: &Path, path: &str) -> io::Result<Vec<u8>> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = format!("GET {path} HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![];
    let mut stream = stream.take(MAX_ANSWER);
    stream.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Splits an answer into its status and its body.
pub(super) fn split(answer: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let (head, body) = answer.split_at(end.map_or(answer.len(), |end| end + 4));
    (head.split(|byte| *byte == b' ').nth(1), body)
}

fn parse(answer: &[u8]) -> Result<Vec<ProfileReply>, ListError> {
    #[derive(serde::Deserialize)]
    struct Problem {
        detail: String,
    }
    let (status, body) = split(answer);
    if status == Some(b"200") {
        let list = serde_json::from_slice::<ProfilesReply>(body);
        return list
            .map(|list| list.profiles)
            .map_err(|_| ListError::Unknown);
    }
    let problem = serde_json::from_slice::<Problem>(body);
    Err(ListError::Refused(
        problem.ok().map(|problem| problem.detail),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_list_is_parsed_and_a_problem_response_gives_the_reason() {
        let list = b"HTTP/1.0 200 OK\r\ncontent-length: 15\r\n\r\n{\"profiles\":[]}";
        assert!(parse(list).is_ok_and(|list| list.is_empty()));
        let problem =
            b"HTTP/1.0 503 Service Unavailable\r\n\r\n{\"code\":\"x\",\"detail\":\"why\"}";
        let Err(ListError::Refused(Some(why))) = parse(problem) else {
            panic!("it is a problem")
        };
        assert_eq!(why, "why");
        for bad in [
            &b""[..],
            b"HTTP/1.0 200 OK\r\n\r\n{\"profiles\":[{}]}",
            b"HTTP/1.0 200 OK\r\n",
            b"HTTP/1.0 500 x\r\n\r\n<html>",
            b"SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            let failed = parse(bad);
            assert!(matches!(
                failed,
                Err(ListError::Unknown | ListError::Refused(None))
            ));
        }
    }
}
