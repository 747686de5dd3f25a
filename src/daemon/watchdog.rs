//! The service manager's watchdog (sd_watchdog_enabled(3)): it ends a daemon that it does not hear of in time. We let it
//! hear of us only after we have served ourselves, so that a daemon that runs but no longer serves is started again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::connections::Connections;
use super::notify::Notify;
use super::peers::Peer;
use super::server::Server;
use super::service::{Door, Service};
use crate::policy::Caller;

/// The shortest time between two signs of life.
const FLOOR: Duration = Duration::from_millis(10);

/// What is asked, and how the answer begins.
const REQUEST: &[u8] = b"GET /healthz HTTP/1.0\r\n\r\n";
const ANSWER: [&[u8]; 2] = [b"HTTP/1.0 200 ", b"HTTP/1.1 200 "];

/// How often the manager wants to hear of us, by its variables `WATCHDOG_USEC` and `WATCHDOG_PID`; `None` when it does
/// not, or when it means another process than `own_pid`.
pub fn deadline(usec: Option<&str>, pid: Option<&str>, own_pid: u32) -> Option<Duration> {
    let usec: u64 = usec?.parse().ok()?;
    if pid.is_some_and(|pid| pid.parse() != Ok(own_pid)) {
        return None;
    }
    // The largest number is systemd's infinity.
    (1..u64::MAX)
        .contains(&usec)
        .then(|| Duration::from_micros(usec))
}

/// Lets the manager hear of us twice in each `deadline`, as long as we serve ourselves, until `closing` is true.
pub async fn keep(
    deadline: Duration,
    service: Arc<Service>,
    notify: Notify,
    mut closing: watch::Receiver<bool>,
) {
    let server = Arc::new(Server {
        service,
        // No place is taken from a caller, and none has to be free.
        connections: Connections::new(1, 1),
        refused: Mutex::default(),
    });
    let tell = || {
        let notify = notify.clone();
        async move { notify.alive().await }
    };
    let alive = alive(deadline, || serves(Arc::clone(&server)), tell);
    tokio::select! { biased;
        _ = closing.wait_for(|closing| *closing) => {}
        () = alive => {}
    }
}

/// Calls `tell` twice in each `deadline`, each time after `serves` has said yes in time; never comes back.
async fn alive<S, T>(deadline: Duration, serves: impl Fn() -> S, tell: impl Fn() -> T)
where
    S: Future<Output = bool>,
    T: Future<Output = ()>,
{
    let half = (deadline / 2).max(FLOOR);
    let mut ticks = tokio::time::interval(half);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut did = true;
    loop {
        ticks.tick().await;
        let does = tokio::time::timeout(half, serves()).await == Ok(true);
        match (did, does) {
            (true, false) => {
                warn!(
                    "the daemon does not answer itself: the service manager's watchdog will end it"
                );
            }
            (false, true) => info!("the daemon answers itself again"),
            _ => {}
        }
        did = does;
        if does {
            tell().await;
        }
    }
}

/// Whether a request of our own user is answered, by all that answers those of others but for the socket.
async fn serves(server: Arc<Server>) -> bool {
    let uid = server.service.roster.gate().own_uid;
    let caller = Caller {
        uid,
        gid: rustix::process::getegid().as_raw(),
        groups: Box::default(),
    };
    let Some((place, leave)) = server.connections.admit(uid) else {
        return false;
    };
    let (mut ours, theirs) = tokio::io::duplex(1_024);
    let peer = Peer { caller, pid: None };
    tokio::spawn(server.connection(theirs, peer, Door::Tokens, place, leave));
    let mut answer = vec![];
    let asked = async {
        ours.write_all(REQUEST).await?;
        ours.read_to_end(&mut answer).await
    };
    asked.await.is_ok() && ANSWER.iter().any(|start| answer.starts_with(start))
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    #[test]
    fn the_variables_mean_what_sd_watchdog_enabled_says() {
        let secs = |s| Some(Duration::from_secs(s));
        for (usec, pid, expected) in [
            (None, None, None),
            (None, Some("7"), None),
            (Some("30000000"), None, secs(30)),
            (Some("30000000"), Some("7"), secs(30)),
            (Some("30000000"), Some("8"), None),
            (Some("30000000"), Some(""), None),
            (Some("30000000"), Some("seven"), None),
            (Some("0"), None, None),
            (Some("-1"), None, None),
            (Some("1s"), None, None),
            (Some(""), None, None),
            (Some("18446744073709551615"), None, None),
        ] {
            assert_eq!(deadline(usec, pid, 7), expected, "{usec:?} {pid:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_manager_hears_of_us_twice_a_deadline_and_only_while_we_serve() {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test's clock is tokio's paused one"
        )]
        let start = tokio::time::Instant::now();
        let told = RefCell::new(vec![]);
        let round = Cell::new(0);
        // Served; refused; never answered; served again.
        let serves = || {
            round.set(round.get() + 1);
            let round = round.get();
            async move {
                match round {
                    3 => false,
                    4 => std::future::pending().await,
                    _ => true,
                }
            }
        };
        let tell = || {
            told.borrow_mut().push(start.elapsed().as_secs());
            std::future::ready(())
        };
        let alive = alive(Duration::from_secs(20), serves, tell);
        let lasted = tokio::time::timeout(Duration::from_secs(65), alive).await;
        assert!(lasted.is_err());
        assert_eq!(*told.borrow(), [0, 10, 40, 50, 60]);
    }
}
