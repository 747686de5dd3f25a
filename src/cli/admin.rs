//! Tells a running daemon that its configuration has changed.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::output::{say, tell};
use super::target::Target;
use crate::paths::Env;

/// How long a daemon may take to read its configuration and look at its store.
const PATIENCE: Duration = Duration::from_secs(5);

/// Has the running daemon read its configuration again, if there is one, and says what came of it.
pub(super) fn reload(target: &Target, env: &Env) {
    let start = if target.system {
        "systemctl start jetond"
    } else {
        "jetond run"
    };
    let Ok(places) = env.sockets(None, None, Path::is_dir) else {
        return;
    };
    match post(&places.admin, "/v1/reload") {
        Ok(200) => say("the running daemon has read it"),
        Ok(_) => {
            tell("the running daemon could not read its configuration; 'jetond check' says why");
        }
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            say(format!("no daemon is running yet; start it with: {start}"));
        }
        Err(e) => tell(format!(
            "the running daemon could not be told ({e}); run 'jeton reload' where its admin socket is"
        )),
    }
}

/// Posts nothing to a path, and returns the status of the answer.
fn post(socket: &Path, path: &str) -> io::Result<u16> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "POST {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no answer"))
}
