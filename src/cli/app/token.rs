//! A token for the calls, from the running daemon over its token socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::super::output::{Exit, fail};
use super::super::target::Target;
use crate::profile::ProfileName;
use crate::token::AccessToken;

/// How long the daemon may take to get a token, in seconds.
const MAX_WAIT: u64 = 10;

/// How long its answer may take.
const PATIENCE: Duration = Duration::from_secs(MAX_WAIT + 2);

/// The largest answer that is read, in bytes: a token of 64 KiB, and room.
const MAX_ANSWER: usize = 128 * 1024;

/// A token, and how long it holds.
pub(super) struct Held {
    pub(super) token: AccessToken,
    /// In seconds.
    pub(super) left: u64,
}

/// What of the daemon's answer counts.
#[derive(Deserialize)]
struct Reply {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize, Default)]
struct Problem {
    #[serde(default)]
    detail: String,
    #[serde(default)]
    title: String,
}

/// Asks the daemon at this socket for the profile's token, of this validity in seconds if it can have it.
pub(super) async fn ask(
    socket: &Path,
    target: &Target,
    name: &ProfileName,
    validity: u64,
) -> Result<Held, Exit> {
    let shown = socket.display();
    let asked = tokio::time::timeout(PATIENCE, exchange(socket, target, name, validity)).await;
    let answer = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let answer = answer.map_err(|error| {
        let absent = matches!(
            error.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::ConnectionRefused
        );
        let start = target.line("run");
        let what = if absent {
            format!("no daemon is running at {shown}, which would give the token for this; start one with: {start}")
        } else {
            format!("the daemon at {shown} gives no token: {error}")
        };
        fail(Exit::Later, what)
    })?;
    let (status, body) = parts(&answer).ok_or_else(|| {
        let what = format!("the daemon at {shown} gives no token: its answer makes no sense");
        fail(Exit::Failed, what)
    })?;
    if status != 200 {
        let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        let why = match (problem.detail.as_str(), problem.title.as_str()) {
            ("", "") => format!("it answers with status {status}"),
            ("", title) => title.to_owned(),
            (detail, _) => detail.to_owned(),
        };
        let exit = match status {
            429 | 500.. => Exit::Later,
            _ => Exit::Config,
        };
        let what = format!("the daemon gives no token of {name}, so nothing is asked: {why}");
        return Err(fail(exit, what));
    }
    let reply: Option<Reply> = serde_json::from_slice(body).ok();
    let held = reply.and_then(|reply| {
        let text = Zeroizing::new(reply.access_token);
        let token = AccessToken::parse(&text).ok()?;
        Some(Held {
            token,
            left: reply.expires_in,
        })
    });
    held.ok_or_else(|| {
        let what = format!("the daemon at {shown} gives no token: its answer makes no sense");
        fail(Exit::Failed, what)
    })
}

async fn exchange(
    socket: &Path,
    target: &Target,
    name: &ProfileName,
    validity: u64,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut stream = UnixStream::connect(socket).await?;
    let uid = stream.peer_cred()?.uid();
    if ![0, target.uid, target.daemon].contains(&uid) {
        let what = "a process of another user listens there";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let request = format!(
        "GET /v1/profiles/{name}/token?min_valid={validity}&max_wait={MAX_WAIT} HTTP/1.0\r\nAccept: application/json\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    // As large as it can get, so that no growth leaves a copy behind.
    let mut answer = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
    let mut limited = stream.take(MAX_ANSWER as u64);
    limited.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The status and the body of an answer.
fn parts(answer: &[u8]) -> Option<(u16, &[u8])> {
    const END: &[u8] = b"\r\n\r\n";
    let at = answer.windows(END.len()).position(|bytes| bytes == END)?;
    let (head, body) = answer.split_at_checked(at + END.len())?;
    let status = std::str::from_utf8(head).ok()?.split(' ').nth(1)?;
    Some((status.parse().ok()?, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart_and_half_a_one_is_none() {
        let answer = b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}";
        assert_eq!(parts(answer), Some((200, &b"{}"[..])));
        for bad in [
            &b""[..],
            b"HTTP/1.0 200 OK\r\n",
            b"x\r\n\r\n",
            b"HTTP/1.0 abc\r\n\r\n",
        ] {
            assert_eq!(parts(bad), None);
        }
    }
}
