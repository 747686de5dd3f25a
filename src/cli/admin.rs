//! Requests to a running daemon's admin socket, such as the reload after a change of the configuration.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::output::{Exit, fail, print_note, report};
use super::socket_unit;
use super::sockets;
use super::target::Target;
use super::target::lines::option;
use crate::paths::{Env, PathError, SocketPlaces};
use crate::process::manager::SystemdManager;
use crate::settings;
use crate::wire::ProfilesReply;
use crate::wire::reload::ReloadQuery;

/// Time limit for each read and write: the daemon reads its configuration and checks its store meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer that is read, in bytes: a thousand profiles with their faults take half of it.
const MAX_ANSWER: u64 = 1 << 20;

/// A daemon's answer: its status and its body.
pub(super) struct DaemonAnswer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// The part of a reload's answer that counts here.
#[derive(Deserialize)]
struct Reloaded {
    source: Option<String>,
}

/// Has the running daemon reload its configuration, and prints the result. A daemon with another configuration or state
/// says so, and reads nothing.
pub(super) fn reload(target: &Target, env: &Env) {
    let places = match places(target, env) {
        Ok(places) => places,
        Err(error) => return print_note(format!("no daemon could be notified: {error}")),
    };
    let (socket, start) = (places.admin.display(), target.line("run"));
    let source = settings::source_id(&target.config, &target.state);
    match request_reload(&places.admin, source.clone()) {
        Ok(DaemonAnswer { status: 200, body }) => {
            let reloaded: Option<Reloaded> = serde_json::from_str(&body).ok();
            let theirs = reloaded.and_then(|reloaded| reloaded.source);
            if theirs.is_some() && theirs == source {
                report("the running daemon has read it");
            } else {
                print_note(format!(
                    "the daemon at {socket} has read its configuration and does not say which file that is; if it is another one, start a daemon for this one with: {start}"
                ));
            }
        }
        Ok(DaemonAnswer { status: 409, .. }) => print_note(format!(
            "the daemon at {socket} uses another configuration or state; start a daemon for this one with: {start}"
        )),
        Ok(_) => {
            let check = target.line("check");
            print_note(format!(
                "the running daemon could not read its configuration; to see why, run: {check}"
            ));
        }
        Err(e) if is_absent(&e) => match SystemdManager::listening_at(&places.token) {
            Some(manager) => print_note(format!(
                "the running daemon could not be notified: its admin socket {socket} is missing; create it again with: {} restart jetond-admin.socket",
                manager.systemctl()
            )),
            None => report(format!(
                "no daemon is running at {socket}; start one with: {start}"
            )),
        },
        Err(e) => print_note(format!(
            "the daemon at {socket} could not be notified ({e}); run: jeton reload{}",
            option("--admin-socket", &places.admin)
        )),
    }
}

/// Refuses if a running daemon still serves profiles of this configuration, whose file is missing or empty now: a file
/// with one new profile would make that daemon drop all of them.
pub(super) fn refuse_if_gone(target: &Target, env: &Env) -> Result<(), Exit> {
    let Ok(places) = places(target, env) else {
        return Ok(());
    };
    // This request comes first, since it changes nothing: a daemon without profiles has none to lose.
    match exchange(&places.token, "GET", "/v1/profiles", "") {
        Ok(answer) if answer.has_no_profiles() => return Ok(()),
        Err(error) if is_absent(&error) => return Ok(()),
        Ok(_) | Err(_) => {}
    }
    let socket = places.admin.display();
    let source = settings::source_id(&target.config, &target.state);
    let unknown = |why: String| {
        let what = format!("cannot tell whether the daemon at {socket} serves its profiles");
        (Exit::Later, format!("{what} ({why}): try again"))
    };
    let (exit, why) = match request_reload(&places.admin, source) {
        // The daemon has another configuration, has reloaded this one, or belongs to another user.
        Ok(DaemonAnswer {
            status: 200 | 403 | 409,
            ..
        }) => return Ok(()),
        Err(error) if is_absent(&error) || error.kind() == io::ErrorKind::PermissionDenied => {
            return Ok(());
        }
        Ok(answer) if answer.has_code("misconfigured") => {
            let what = format!("the daemon at {socket} still serves the profiles that were in it");
            let remedy = "put the file back, or stop the daemon to begin with a new one";
            (Exit::Config, format!("{what}: {remedy}"))
        }
        Ok(DaemonAnswer { status, .. }) => unknown(format!("it answers with status {status}")),
        Err(error) => unknown(error.to_string()),
    };
    let config = target.config.display();
    let what = format!("nothing is changed: {config}: the file is gone or empty, and {why}");
    Err(fail(exit, what))
}

/// Refuses if the daemon there surely has another configuration or state than the named one: its token would be from
/// another issuer. With neither named, the daemon is assumed to be the usual one.
pub(super) fn refuse_another_daemon(target: &Target, places: &SocketPlaces) -> Result<(), Exit> {
    if !target.config_named && !target.state_named {
        return Ok(());
    }
    let source = settings::source_id(&target.config, &target.state);
    let answer = match identify(&places.admin, source.clone()) {
        // An older daemon says so only when it reloads.
        Ok(DaemonAnswer { status: 400, .. }) => request_reload(&places.admin, source),
        answer => answer,
    };
    match answer {
        Ok(DaemonAnswer { status: 409, .. }) => {
            let (socket, start) = (places.admin.display(), target.line("run"));
            let what = format!(
                "nothing is sent: the daemon at {socket} uses another configuration or state; start a daemon for this one with: {start}"
            );
            Err(fail(Exit::Config, what))
        }
        // If the daemon cannot be asked, the request to the token socket reports the reason.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether the daemon at this admin socket surely has another configuration or state than this target.
pub(super) fn is_another_daemon(target: &Target, admin: &Path) -> bool {
    let source = settings::source_id(&target.config, &target.state);
    matches!(
        identify(admin, source),
        Ok(DaemonAnswer { status: 409, .. })
    )
}

/// Whether the daemon at this admin socket surely has the configuration and the state of this target.
pub(super) fn is_daemon_of(target: &Target, admin: &Path) -> bool {
    let Some(source) = settings::source_id(&target.config, &target.state) else {
        return false;
    };
    let Ok(DaemonAnswer { status: 200, body }) = identify(admin, Some(source.clone())) else {
        return false;
    };
    let theirs: Option<Reloaded> = serde_json::from_str(&body).ok();
    theirs.is_some_and(|theirs| theirs.source == Some(source))
}

/// Whether no process listens.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused
    )
}

/// The sockets of this configuration's daemon. The system's daemon is not looked for in the runtime folder of the user
/// who sets it up.
pub(super) fn places(target: &Target, env: &Env) -> Result<SocketPlaces, PathError> {
    if target.system {
        let env = Env {
            xdg_runtime_dir: None,
            ..env.clone()
        };
        let moved = match env.socket {
            Some(_) => None,
            None => socket_unit::moved(),
        };
        let token = moved.as_ref().map(|moved| &*moved.token);
        let admin = moved.as_ref().map(|moved| &*moved.admin);
        sockets::find(&env, token, admin, |_| false)
    } else {
        sockets::find(env, None, None, Path::is_dir)
    }
}

// === impl Answer ===

impl DaemonAnswer {
    /// Whether the daemon has no profiles, or no configuration in force.
    fn has_no_profiles(&self) -> bool {
        let list = serde_json::from_str::<ProfilesReply>(&self.body);
        list.is_ok_and(|list| list.profiles.is_empty()) || self.has_code("misconfigured")
    }

    /// Whether the answer is a problem with this code.
    fn has_code(&self, code: &str) -> bool {
        #[derive(Deserialize)]
        struct Problem {
            code: String,
        }
        let problem = serde_json::from_str::<Problem>(&self.body);
        problem.is_ok_and(|problem| problem.code == code)
    }
}

/// Asks the daemon for a reload, if `source` is its configuration and state.
fn request_reload(socket: &Path, source: Option<String>) -> io::Result<DaemonAnswer> {
    let query = ReloadQuery {
        source,
        dry_run: false,
    };
    exchange(
        socket,
        "POST",
        "/v1/reload",
        &serde_json::to_string(&query)?,
    )
}

/// Asks a daemon whether `source` is its configuration and state. The daemon reads no file for it; an older one rejects
/// the request.
fn identify(socket: &Path, source: Option<String>) -> io::Result<DaemonAnswer> {
    let query = ReloadQuery {
        source,
        dry_run: true,
    };
    exchange(
        socket,
        "POST",
        "/v1/reload",
        &serde_json::to_string(&query)?,
    )
}

/// Sends a request to an admin socket, and waits for the answer, but ignores its content.
pub(super) fn post(socket: &Path, path: &str, body: &str) -> io::Result<()> {
    exchange(socket, "POST", path, body).map(drop)
}

/// Connects to a socket, with a time limit for each read and write.
pub(super) fn connect(socket: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends a request, and reads the answer to its end.
fn exchange(socket: &Path, method: &str, path: &str, body: &str) -> io::Result<DaemonAnswer> {
    exchange_on(connect(socket)?, method, path, body)
}

/// Does the same on an existing connection.
pub(super) fn exchange_on(
    mut stream: UnixStream,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<DaemonAnswer> {
    // Written in one piece: if the daemon answers early, a second write would fail. It may hold a secret.
    let request = Zeroizing::new(format!(
        "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer)?;
    let no_answer = || io::Error::new(io::ErrorKind::InvalidData, "no answer");
    let status = answer.split(' ').nth(1).and_then(|text| text.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").ok_or_else(no_answer)?;
    Ok(DaemonAnswer {
        status: status.ok_or_else(no_answer)?,
        body: body.to_owned(),
    })
}
