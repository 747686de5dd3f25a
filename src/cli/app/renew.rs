//! Has the running daemon replace the secret of a key that one of our profiles uses, and shows its steps.
//!
//! The daemon rotates the key in place, under the lock and with the journal of rotations, so the rotation continues if
//! the command is interrupted.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::Deserialize;

use super::super::admin;
use super::super::output::{Exit, fail, report};
use super::session::Session;
use crate::profile::ProfileName;
use crate::wire::rotation::{RotateBody, StepEnd};

/// The longest silence of the daemon: it sends an empty line every 15 s.
const SILENCE: Duration = Duration::from_secs(60);

/// The longest answer that is read, in bytes: a step takes less than 1 KiB, and there are at most some hundred.
const MAX_ANSWER: u64 = 1 << 20;

/// A step, as the daemon reports it.
#[derive(Deserialize)]
struct Step {
    step: String,
    detail: String,
    end: Option<StepEnd>,
}

/// The reason why there is no rotation, as the daemon reports it.
#[derive(Deserialize, Default)]
struct Refusal {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

/// The daemon's answer, after its head.
struct RenewAnswer {
    status: u16,
    body: io::Take<BufReader<UnixStream>>,
}

/// Replaces the secret of the key that this profile uses.
pub(super) fn renew(session: &Session, holder: &ProfileName, nothing: &str) -> Result<(), Exit> {
    let socket = session.admin().display();
    let answer = ask(session, holder).map_err(|error| {
        let start = session.target.line("run");
        let what = format!(
            "{nothing}: the daemon at {socket}, which replaces the secret of a key that a profile uses, cannot be asked ({error}); start one with: {start}"
        );
        fail(Exit::Later, what)
    })?;
    if answer.status != 200 {
        let refusal = answer.refusal();
        let exit = match refusal.code.as_str() {
            "needs_human" => Exit::Failed,
            "misconfigured" | "unknown_profile" | "forbidden" | "not_supported" => Exit::Config,
            _ => Exit::Later,
        };
        return Err(fail(exit, format!("{nothing}: {}", refusal.detail)));
    }
    for line in answer.body.lines() {
        let Ok(line) = line else { break };
        // The daemon sends an empty line to show that it is alive.
        let Ok(step) = serde_json::from_str::<Step>(&line) else {
            continue;
        };
        match step.end {
            None => report(format!("{}: {}", step.step, step.detail)),
            Some(StepEnd::Done | StepEnd::Kept) => return Ok(()),
            Some(StepEnd::Failed) => return Err(fail(Exit::Later, step.detail)),
            Some(StepEnd::Impossible) => return Err(fail(Exit::Config, step.detail)),
            Some(StepEnd::NeedsHuman) => return Err(fail(Exit::Failed, step.detail)),
        }
    }
    let what = format!(
        "the daemon at {socket} no longer answers; it continues with the key of {holder}, also after a restart; to see how far it is, run: jeton status {holder}"
    );
    Err(fail(Exit::Later, what))
}

/// Asks the daemon, and reads the head of its answer.
fn ask(session: &Session, holder: &ProfileName) -> io::Result<RenewAnswer> {
    let is_other = *holder != session.name;
    let body = serde_json::to_string(&RotateBody {
        in_place: true,
        wait: true,
        with: is_other.then(|| session.name.to_string()),
        ..RotateBody::default()
    })?;
    let mut stream = admin::connect(session.admin())?;
    stream.set_read_timeout(Some(SILENCE))?;
    let request = format!(
        "POST /v1/profiles/{holder}/rotate HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut body = BufReader::new(stream).take(MAX_ANSWER);
    let mut line = String::new();
    body.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|text| text.parse().ok());
    let no_answer = || io::Error::new(io::ErrorKind::InvalidData, "no answer");
    let status = status.ok_or_else(no_answer)?;
    while !matches!(line.as_str(), "\r\n" | "\n") {
        line.clear();
        if body.read_line(&mut line)? == 0 {
            return Err(no_answer());
        }
    }
    Ok(RenewAnswer { status, body })
}

// === impl Answer ===

impl RenewAnswer {
    fn refusal(mut self) -> Refusal {
        let mut text = String::new();
        let read = self.body.read_to_string(&mut text);
        let refusal = read.ok().and_then(|_| serde_json::from_str(&text).ok());
        refusal.unwrap_or_else(|| Refusal {
            detail: format!("the daemon answers with status {}", self.status),
            ..Refusal::default()
        })
    }
}
