//! Tells a running daemon that its configuration has changed.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::output::{say, tell};
use super::target::Target;
use crate::paths::{Env, PathError, SocketPlaces};
use crate::profile::ProfileName;

/// How long a daemon may take to read its configuration and look at its store.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has the running daemon read its configuration again, if there is one, and says what came of it. `added` is a profile
/// that it must have then: a daemon with another configuration reads that one again, and answers that all is well.
pub(super) fn reload(target: &Target, env: &Env, added: Option<&ProfileName>) {
    let places = match places(target, env) {
        Ok(places) => places,
        Err(error) => return tell(format!("no daemon could be told: {error}")),
    };
    let (socket, start) = (places.admin.display(), start(target));
    match ask(&places.admin, "POST /v1/reload") {
        Ok(200) => {
            match added.map(|name| ask(&places.token, &format!("GET /v1/profiles/{name}"))) {
                Some(Ok(404)) => tell(format!(
                    "the daemon at {socket} has another configuration; start one for this one with: {start}"
                )),
                _ => say("the running daemon has read it"),
            }
        }
        Ok(_) => {
            tell("the running daemon could not read its configuration; 'jetond check' says why");
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
            "the daemon at {socket} could not be told ({e}); tell it with: jeton reload"
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
        env.sockets(None, None, |_| false)
    } else {
        env.sockets(None, None, Path::is_dir)
    }
}

/// What starts a daemon of this configuration.
fn start(target: &Target) -> String {
    if target.system {
        return "systemctl start jetond".to_owned();
    }
    let mut line = "jetond run".to_owned();
    if target.config_named {
        line.push_str(&format!(" --config {}", target.config.display()));
    }
    if target.state_named {
        line.push_str(&format!(" --state {}", target.state.display()));
    }
    line
}

/// Sends a request without a body, and returns the status of the answer.
fn ask(socket: &Path, request: &str) -> io::Result<u16> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "{request} HTTP/1.0\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no answer"))
}
