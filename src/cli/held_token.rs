//! Requests for a profile's token to a running daemon's token socket.

use std::io;
use std::path::Path;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::target::Target;
use crate::profile::ProfileName;
use crate::token::{AccessToken, MAX_TOKEN_LEN};

/// The largest answer that is read, in bytes: the longest token with each character escaped, and some reserve.
const MAX_ANSWER: usize = 2 * MAX_TOKEN_LEN + 16 * 1024;

/// A token with its remaining lifetime.
pub(super) struct HeldToken {
    pub(super) token: AccessToken,
    /// The remaining lifetime, in seconds.
    pub(super) left: u64,
}

/// The reason why the daemon gives no token.
#[derive(Debug)]
pub(super) enum NoToken {
    /// It cannot be asked.
    Io(io::Error),
    /// It refuses with this status and this reason.
    Refused(u16, String),
    /// Its answer cannot be understood.
    Unknown,
}

/// The used part of the daemon's answer.
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

// === impl NoToken ===

impl NoToken {
    /// Whether no daemon listens.
    pub(super) fn is_absence(&self) -> bool {
        let Self::Io(error) = self else { return false };
        matches!(
            error.kind(),
            io::ErrorKind::NotFound
                | io::ErrorKind::NotADirectory
                | io::ErrorKind::ConnectionRefused
        )
    }
}

/// Asks for the profile's token. `min_valid` and `max_wait` are in seconds. The caller sets the time limit.
pub(super) async fn ask(
    socket: &Path,
    target: &Target,
    name: &ProfileName,
    min_valid: u64,
    max_wait: u64,
) -> Result<HeldToken, NoToken> {
    let path = format!("/v1/profiles/{name}/token?min_valid={min_valid}&max_wait={max_wait}");
    let answer = get(socket, target, &path).await?;
    let reply: Reply = read(&answer)?;
    let text = Zeroizing::new(reply.access_token);
    let token = AccessToken::parse(&text).map_err(|_| NoToken::Unknown)?;
    Ok(HeldToken {
        token,
        left: reply.expires_in,
    })
}

/// Asks whether the daemon holds a token of the profile. This starts no attempt to get one.
pub(super) async fn is_held(
    socket: &Path,
    target: &Target,
    name: &ProfileName,
) -> Result<bool, NoToken> {
    #[derive(Deserialize)]
    struct State {
        expires_in: Option<u64>,
    }
    let answer = get(socket, target, &format!("/v1/profiles/{name}")).await?;
    let state: State = read(&answer)?;
    Ok(state.expires_in.is_some_and(|left| left > 0))
}

/// Parses the body of a success; otherwise returns the daemon's reason.
fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, NoToken> {
    let (status, body) = parts(answer).ok_or(NoToken::Unknown)?;
    if status == 200 {
        return serde_json::from_slice(body).map_err(|_| NoToken::Unknown);
    }
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let why = match (problem.detail.as_str(), problem.title.as_str()) {
        ("", "") => format!("it answers with status {status}"),
        ("", title) => title.to_owned(),
        (detail, _) => detail.to_owned(),
    };
    Err(NoToken::Refused(status, why))
}

async fn get(socket: &Path, target: &Target, path: &str) -> Result<Zeroizing<Vec<u8>>, NoToken> {
    let exchanged = exchange(socket, target, path).await;
    exchanged.map_err(NoToken::Io)
}

async fn exchange(socket: &Path, target: &Target, path: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut stream = UnixStream::connect(socket).await?;
    let uid = stream.peer_cred()?.uid();
    if ![0, target.uid, target.daemon].contains(&uid) {
        let what = "a process of another user listens there";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    let request = format!("GET {path} HTTP/1.0\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    // Allocated at the largest size, so that no growth leaves a copy behind.
    let mut answer = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
    let mut limited = stream.take(MAX_ANSWER as u64);
    limited.read_to_end(&mut answer).await?;
    Ok(answer)
}

/// Splits an answer into its status and its body.
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
    fn a_response_is_split_and_an_incomplete_one_is_rejected() {
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
