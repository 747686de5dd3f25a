//! A token for the calls, which the running daemon gives over its token socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::super::held_token::{self, NoToken};
use super::super::output::{Exit, fail};
use super::super::target::Target;
use crate::profile::ProfileName;

pub(super) use super::super::held_token::HeldToken;

/// How long the daemon may take to get a token, in seconds.
const MAX_WAIT: u64 = 10;

/// Time limit of the daemon's answer.
const PATIENCE: Duration = Duration::from_secs(MAX_WAIT + 2);

/// Asks the daemon at this socket for the profile's token, with this validity in seconds if possible.
pub(super) async fn ask(
    socket: &Path,
    target: &Target,
    name: &ProfileName,
    validity: u64,
) -> Result<HeldToken, Exit> {
    let shown = socket.display();
    let asking = held_token::ask(socket, target, name, validity, MAX_WAIT);
    let asked = tokio::time::timeout(PATIENCE, asking).await;
    let asked = asked.unwrap_or_else(|_| Err(NoToken::Io(io::ErrorKind::TimedOut.into())));
    asked.map_err(|none| {
        let (exit, what) = match &none {
            _ if none.is_absence() => {
                let start = target.line("run");
                (Exit::Later, format!("no daemon is running at {shown}, and this needs a token from one; start it with: {start}"))
            }
            NoToken::Io(error) => {
                (Exit::Later, format!("the daemon at {shown} gives no token: {error}"))
            }
            NoToken::Refused(status, why) => {
                let exit = match status {
                    429 | 500.. => Exit::Later,
                    _ => Exit::Config,
                };
                (exit, format!("the daemon gives no token of {name}, so nothing is asked: {why}"))
            }
            NoToken::Unknown => {
                (Exit::Failed, format!("the daemon at {shown} gives no token: its answer is malformed"))
            }
        };
        fail(exit, what)
    })
}
