//! `jetond unlock` and `jetond lock`: let the running daemon open encrypted records, and undo that.
//!
//! The passphrase is processed in this command, which then ends. Only the identity goes to the daemon, in one request,
//! and only if the daemon's user is trusted.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::admin::{self, DaemonAnswer};
use super::output::{Exit, fail, print_note, report};
use super::passphrase::{self, PassphraseArgs, TRIES};
use super::prompt;
use super::target::lines::option;
use super::target::{Target, TargetArgs};
use crate::age_file::{Identity, Recipient};
use crate::causes::Causes;
use crate::daemon::serve::peers;
use crate::paths::Env;
use crate::store::{IdentityFile, Wrapped};
use crate::wire::locking::{LockReply, UnlockQuery};

const NOT_UNLOCKED: &str = "nothing is unlocked";

/// The arguments of `jetond unlock`.
#[derive(Debug, clap::Args)]
pub(super) struct UnlockArgs {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The daemon's admin socket; jetond asks before it uses another user's daemon
    #[arg(long, value_name = "PATH")]
    admin_socket: Option<PathBuf>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

/// The arguments of `jetond lock`.
#[derive(Debug, clap::Args)]
pub(super) struct LockArgs {
    /// The admin socket of the daemon
    #[arg(long, value_name = "PATH")]
    admin_socket: Option<PathBuf>,
    #[command(flatten)]
    pub(super) target: TargetArgs,
}

pub(super) fn unlock(args: &UnlockArgs, env: &Env) -> Exit {
    try_unlock(args, env).err().unwrap_or(Exit::Done)
}

pub(super) fn lock(args: &LockArgs, env: &Env) -> Exit {
    try_lock(args, env).err().unwrap_or(Exit::Done)
}

fn try_unlock(args: &UnlockArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find(env)?;
    let recipient = target.read_config()?.recipient;
    let recipient = recipient.ok_or_else(|| {
        let (config, make) = (target.config.display(), target.line("encrypt-store"));
        let what = format!(
            "{NOT_UNLOCKED}: {config} has no [encrypted-file] recipient, so no credential is encrypted; to make such a store, run: {make}"
        );
        fail(Exit::Config, what)
    })?;
    let file = IdentityFile::new(&target.state, target.owner);
    let wrapped = wrapped(&file, &recipient)?;
    // Must come before the person types a passphrase: the daemon may not be there.
    let daemon = Daemon::find(args.admin_socket.as_deref(), &target, env)?;
    daemon.judge(env.uid)?;
    daemon.refuse_another(&target)?;
    let identity = opened(&wrapped, &file, &args.passphrase, env)?;
    if identity.recipient() != recipient {
        return Err(another_recipient(&file, &identity, &recipient));
    }
    let text = identity.expose();
    let query = UnlockQuery { identity: &text };
    let answer = daemon.post("/v1/unlock", &query.to_json())?;
    let LockReply { profiles, .. } = daemon.reply(&answer, NOT_UNLOCKED)?;
    report(match &profiles[..] {
        [] => "unlocked; no profile of the daemon has an encrypted credential yet".to_owned(),
        profiles => format!(
            "unlocked until it is locked or the daemon ends: {}",
            profiles.join(", ")
        ),
    });
    Ok(())
}

fn try_lock(args: &LockArgs, env: &Env) -> Result<(), Exit> {
    let target = args.target.find(env)?;
    // The daemon's user does not matter: nothing secret is sent.
    let daemon = Daemon::find(args.admin_socket.as_deref(), &target, env)?;
    daemon.refuse_another(&target)?;
    let answer = daemon.post("/v1/lock", "")?;
    let LockReply { profiles, left } = daemon.reply(&answer, "nothing is locked")?;
    for path in &left {
        print_note(format!(
            "warning: {path} still holds a token, and could not be removed: remove it"
        ));
    }
    report(match &profiles[..] {
        [] => "locked; no profile of the daemon has an encrypted credential".to_owned(),
        profiles => format!(
            "locked, with their tokens forgotten: {}",
            profiles.join(", ")
        ),
    });
    if left.is_empty() {
        Ok(())
    } else {
        Err(Exit::Failed)
    }
}

/// Reads the wrapped identity of this recipient.
pub(super) fn wrapped(file: &IdentityFile, recipient: &Recipient) -> Result<Wrapped, Exit> {
    let read = file.read();
    let read = read.map_err(|error| {
        let what = format!("{NOT_UNLOCKED}: {}", Causes(&error));
        fail(Exit::Config, what)
    })?;
    read.ok_or_else(|| {
        let path = file.path().display();
        let what = format!(
            "{NOT_UNLOCKED}: {path}, which holds the identity of {recipient}, is not there: without it no record can be opened, so restore it from a backup, or from the state folder of the machine where the store was made"
        );
        fail(Exit::Config, what)
    })
}

fn another_recipient(file: &IdentityFile, identity: &Identity, recipient: &Recipient) -> Exit {
    let (path, other) = (file.path().display(), identity.recipient());
    let what = format!(
        "{NOT_UNLOCKED}: {path} holds the identity of {other}, and the configuration names {recipient}: records are encrypted to that one, so put its identity there, or the right recipient into the configuration"
    );
    fail(Exit::Config, what)
}

/// Opens the identity with the given passphrase, or with one that a person types.
pub(super) fn opened(
    wrapped: &Wrapped,
    file: &IdentityFile,
    args: &PassphraseArgs,
    env: &Env,
) -> Result<Identity, Exit> {
    let unusable = |why: String| {
        let path = file.path().display();
        fail(Exit::Config, format!("{path} cannot be opened: {why}"))
    };
    let wrong = |what| fail(Exit::Failed, format!("{what}: the passphrase is not right"));
    if let Some(passphrase) = args.given(env)? {
        return wrapped
            .open(&passphrase)
            .map_err(|why| why.map_or_else(|| wrong(NOT_UNLOCKED), unusable));
    }
    for left in (0..TRIES).rev() {
        let passphrase = passphrase::ask("Passphrase (not shown)")?;
        match wrapped.open(&passphrase) {
            Ok(identity) => return Ok(identity),
            Err(Some(why)) => return Err(unusable(why)),
            Err(None) if left > 0 => print_note("the passphrase is not right; try again"),
            Err(None) => {}
        }
    }
    Err(wrong(NOT_UNLOCKED))
}

/// A daemon at an admin socket, and its user.
struct Daemon {
    socket: PathBuf,
    user: u32,
    named: bool,
}

// === impl Daemon ===

impl Daemon {
    /// Finds the daemon of this target, or the one at the named socket.
    fn find(named: Option<&Path>, target: &Target, env: &Env) -> Result<Self, Exit> {
        let socket = match named {
            Some(socket) => socket.to_owned(),
            None => {
                let places = admin::places(target, env);
                places.map_err(|error| fail(Exit::Config, error))?.admin
            }
        };
        let shown = socket.display();
        let stream = admin::connect(&socket).map_err(|error| {
            let start = target.line("run");
            let (exit, what) = if admin::is_absent(&error) {
                let what = format!("no daemon is running at {shown}; start one with: {start}");
                (Exit::Later, what)
            } else {
                let what = format!("the daemon at {shown} cannot be reached: {error}");
                (Exit::Config, what)
            };
            fail(exit, what)
        })?;
        let user = user_of(&stream, &socket)?;
        Ok(Self {
            socket,
            user,
            named: named.is_some(),
        })
    }

    /// Refuses the usual daemon if it has another configuration or state than this target.
    fn refuse_another(&self, target: &Target) -> Result<(), Exit> {
        if self.named || !admin::is_another_daemon(target, &self.socket) {
            return Ok(());
        }
        let (shown, start) = (self.socket.display(), target.line("run"));
        let what = format!(
            "the daemon at {shown} uses another configuration or state; start a daemon for this one with: {start}"
        );
        Err(fail(Exit::Config, what))
    }

    /// Accepts a daemon of our user or of root. Accepts another user's only if it was named and a person confirms it.
    fn judge(&self, own_uid: u32) -> Result<(), Exit> {
        if peers::gate(own_uid, true).is_ours(self.user) {
            return Ok(());
        }
        let (shown, user) = (self.socket.display(), self.user);
        if !self.named {
            let what = format!(
                "nothing is sent: a process of another user (uid {user}) listens at {shown}; if you mean that daemon, name it with{}",
                option("--admin-socket", &self.socket)
            );
            return Err(fail(Exit::Config, what));
        }
        if !prompt::possible() {
            let what = format!(
                "nothing is sent: the daemon at {shown} is another user's (uid {user}), and there is no terminal to ask whether you mean that daemon"
            );
            return Err(fail(Exit::Usage, what));
        }
        print_note(format!(
            "the daemon at {shown} is another user's (uid {user}), who could then read every encrypted credential of this store"
        ));
        if prompt::confirmed("Go on with that daemon?")? {
            Ok(())
        } else {
            Err(fail(Exit::Failed, "nothing is sent"))
        }
    }

    /// Sends a request on a new connection, and checks that the same user listens as before.
    fn post(&self, path: &str, body: &str) -> Result<DaemonAnswer, Exit> {
        let shown = self.socket.display();
        let failed = |error: std::io::Error| {
            let what = format!("the daemon at {shown} does not answer: {error}");
            fail(Exit::Later, what)
        };
        let stream = admin::connect(&self.socket).map_err(failed)?;
        if user_of(&stream, &self.socket)? != self.user {
            let what = format!("nothing is sent: another user has taken {shown} meanwhile");
            return Err(fail(Exit::Config, what));
        }
        admin::exchange_on(stream, "POST", path, body).map_err(failed)
    }

    /// Parses the daemon's answer.
    fn reply(&self, answer: &DaemonAnswer, so: &str) -> Result<LockReply, Exit> {
        #[derive(Deserialize, Default)]
        struct Problem {
            #[serde(default)]
            detail: String,
        }
        let shown = self.socket.display();
        if answer.status == 200
            && let Ok(reply) = serde_json::from_str(&answer.body)
        {
            return Ok(reply);
        }
        let Problem { detail } = serde_json::from_str(&answer.body).unwrap_or_default();
        let exit = match answer.status {
            503 | 504 => Exit::Later,
            _ => Exit::Config,
        };
        let what = match (&*detail, answer.status) {
            (_, 404) => format!(
                "{so}: the daemon at {shown} is of a version that has no encrypted store; restart it"
            ),
            ("", status) => format!("{so}: the daemon at {shown} answers with status {status}"),
            (detail, _) => format!("{so}: {detail}"),
        };
        Err(fail(exit, what))
    }
}

/// The user that listens, as the kernel reports it.
fn user_of(stream: &std::os::unix::net::UnixStream, socket: &Path) -> Result<u32, Exit> {
    let peer = peers::credentials(stream);
    peer.map(|(uid, ..)| uid).map_err(|error| {
        let shown = socket.display();
        let what = format!("nothing is sent: cannot tell which user listens at {shown}: {error}");
        fail(Exit::Config, what)
    })
}
