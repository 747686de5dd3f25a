//! Tells a running daemon that its configuration has changed.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::output::{say, tell};
use super::sockets;
use super::target::Target;
use super::target::lines::option;
use crate::paths::{Env, PathError, SocketPlaces};
use crate::settings;
use crate::wire::reload::ReloadQuery;

/// How long a daemon may take to read its configuration and look at its store.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a daemon answered: the status, and the body.
struct Answer {
    status: u16,
    body: String,
}

/// What of a reload's answer counts.
#[derive(Deserialize)]
struct Reloaded {
    source: Option<String>,
}

/// Has the running daemon read its configuration again, and says what came of it. A daemon with another configuration or
/// state answers that, and reads nothing.
pub(super) fn reload(target: &Target, env: &Env) {
    let places = match places(target, env) {
        Ok(places) => places,
        Err(error) => return tell(format!("no daemon could be told: {error}")),
    };
    let (socket, start) = (places.admin.display(), target.line("run"));
    let source = settings::source_id(&target.config, &target.state);
    match ask(&places.admin, source.clone()) {
        Ok(Answer { status: 200, body }) => {
            let reloaded: Option<Reloaded> = serde_json::from_str(&body).ok();
            let theirs = reloaded.and_then(|reloaded| reloaded.source);
            if theirs.is_some() && theirs == source {
                say("the running daemon has read it");
            } else {
                tell(format!(
                    "the daemon at {socket} has read its configuration and does not say which; if it is another one, start one for this one with: {start}"
                ));
            }
        }
        Ok(Answer { status: 409, .. }) => tell(format!(
            "the daemon at {socket} has another configuration or another state; start one for this one with: {start}"
        )),
        Ok(_) => {
            let check = target.line("check");
            tell(format!(
                "the running daemon could not read its configuration; to see why, run: {check}"
            ));
        }
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            say(format!(
                "no daemon is running at {socket}; start one with: {start}"
            ));
        }
        Err(e) => tell(format!(
            "the daemon at {socket} could not be told ({e}); tell it with: jeton reload{}",
            option("--admin-socket", &places.admin)
        )),
    }
}

/// Where the daemon of this configuration is. The system's is not looked for in the runtime folder of whoever sets it up.
pub(super) fn places(target: &Target, env: &Env) -> Result<SocketPlaces, PathError> {
    if target.system {
        let env = Env {
            xdg_runtime_dir: None,
            ..env.clone()
        };
        sockets::find(&env, None, None, |_| false)
    } else {
        sockets::find(env, None, None, Path::is_dir)
    }
}

/// Asks for a reload by the daemon that has this.
fn ask(socket: &Path, source: Option<String>) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let body = serde_json::to_string(&ReloadQuery { source })?;
    // In one piece: a daemon that answers early must not break the second.
    let request = format!(
        "POST /v1/reload HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    let no_answer = || io::Error::new(io::ErrorKind::InvalidData, "no answer");
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(no_answer)?;
    Ok(Answer {
        status: status.ok_or_else(no_answer)?,
        body: body.to_owned(),
    })
}
