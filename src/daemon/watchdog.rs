//! The service manager's watchdog (sd_watchdog_enabled(3)), which restarts a daemon that does not ping it in time. The
//! daemon pings only after it has served a request of its own. So a daemon that runs but no longer serves is restarted.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::serve::connections::Connections;
use super::serve::memory::Memory;
use super::serve::refusal_log::RefusalLog;
use super::serve::refusals::Refusals;
use super::serve::server::Server;
use super::service::{Service, SocketKind};
use super::shutdown::Shutdown;
use crate::policy::{Caller, Peer};
use crate::process::notify::Notify;

/// Shortest and longest time between two pings. A timer for a very long time would overflow.
const BETWEEN: [Duration; 2] = [Duration::from_millis(10), Duration::from_secs(3_600)];

/// The daemon's own request, and the possible beginnings of its answer.
const REQUEST: &[u8] = b"GET /healthz HTTP/1.0\r\n\r\n";
const ANSWER: [&[u8]; 2] = [b"HTTP/1.0 200 ", b"HTTP/1.1 200 "];

/// Returns the time within which the manager expects a ping, according to `WATCHDOG_USEC` and `WATCHDOG_PID`. Returns
/// `None` if it expects no ping, or one from another process than `own_pid`.
pub fn deadline(usec: Option<&str>, pid: Option<&str>, own_pid: u32) -> Option<Duration> {
    let usec: u64 = usec?.parse().ok()?;
    if pid.is_some_and(|pid| pid.parse() != Ok(own_pid)) {
        return None;
    }
    // The largest number means no limit.
    (1..u64::MAX)
        .contains(&usec)
        .then(|| Duration::from_micros(usec))
}

/// Pings the manager twice in each `deadline`, as long as our own requests are answered and `shutdown` is not ordered.
pub async fn keep(
    deadline: Duration,
    service: Arc<Service>,
    notify: Notify,
    mut shutdown: Shutdown,
) {
    let memory = Memory::new(service.roster.gate().own_uid);
    let server = Arc::new(Server {
        service,
        // A separate table, so that the request takes no place from a caller and needs no free one.
        connections: Connections::new(1, 1),
        memory,
        refusals: Refusals::new(1),
        refused: RefusalLog::default(),
    });
    let ping = || {
        let notify = notify.clone();
        async move { notify.alive().await }
    };
    let alive = alive(deadline, || serves(Arc::clone(&server)), ping);
    tokio::select! { biased;
        () = shutdown.ordered() => {}
        () = alive => {}
    }
}

/// Calls `ping` twice in each `deadline`, each time after `serves` returned true in time. Never returns.
async fn alive<S, T>(deadline: Duration, serves: impl Fn() -> S, ping: impl Fn() -> T)
where
    S: Future<Output = bool>,
    T: Future<Output = ()>,
{
    let half = (deadline / 2).clamp(BETWEEN[0], BETWEEN[1]);
    let mut ticks = tokio::time::interval(half);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = true;
    loop {
        ticks.tick().await;
        let now = tokio::time::timeout(half, serves()).await == Ok(true);
        match (before, now) {
            (true, false) => {
                warn!(
                    "the daemon does not answer its own request: the service manager's watchdog will restart it"
                );
            }
            (false, true) => info!("the daemon answers its own requests again"),
            _ => {}
        }
        before = now;
        if now {
            ping().await;
        }
    }
}

/// Whether a request of our own user is answered. It passes every stage of other requests except the socket.
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
    tokio::spawn(server.connection(theirs, peer, SocketKind::Tokens, place, leave));
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
    fn watchdog_variables_are_read_as_by_sd_watchdog_enabled() {
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
    async fn any_watchdog_deadline_gives_a_valid_timer() {
        for (deadline, lasts, pings) in [
            (Duration::from_micros(1), 1, 50..=101),
            (Duration::from_micros(u64::MAX - 1), 7_200, 2..=3),
        ] {
            let count = Cell::new(0);
            let ping = || {
                count.set(count.get() + 1);
                std::future::ready(())
            };
            let alive = alive(deadline, || std::future::ready(true), ping);
            let lasted = tokio::time::timeout(Duration::from_secs(lasts), alive).await;
            assert!(lasted.is_err());
            assert!(pings.contains(&count.get()), "{deadline:?} {count:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_pinged_twice_per_deadline_and_only_while_serving() {
        #[expect(
            clippy::disallowed_methods,
            reason = "the test runs on tokio's paused clock"
        )]
        let start = tokio::time::Instant::now();
        let pings = RefCell::new(vec![]);
        let round = Cell::new(0);
        // The rounds: served, refused, never answered, served again.
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
        let ping = || {
            pings.borrow_mut().push(start.elapsed().as_secs());
            std::future::ready(())
        };
        let alive = alive(Duration::from_secs(20), serves, ping);
        let lasted = tokio::time::timeout(Duration::from_secs(65), alive).await;
        assert!(lasted.is_err());
        assert_eq!(*pings.borrow(), [0, 10, 40, 50, 60]);
    }
}
