//! Ends all connections when the daemon stops.

use std::time::Duration;

use super::{ConnectionSlot, Connections};
use crate::clock;

/// How long a connection that has sent nothing may take for its first request after the order to stop. A client sends
/// its request within this time after connecting. A silent connection must not delay a restart.
pub const FIRST_REQUEST: Duration = Duration::from_millis(250);

// === impl Connections ===

impl Connections {
    /// Ends all connections, including later ones. Each may finish its request within `grace` and is closed after that.
    /// Returns the number of closed connections once the last one has ended. The call may be cancelled and repeated.
    pub async fn drain(&self, grace: Duration) -> usize {
        self.close();
        if tokio::time::timeout(grace, self.ended()).await.is_ok() {
            return 0;
        }
        let left = self.lock().open;
        self.overdue.send_replace(true);
        self.ended().await;
        left
    }

    /// Waits until there is no connection. This is certain to happen only during a drain.
    async fn ended(&self) {
        loop {
            // Subscribe before the check, so that no end is missed.
            let emptied = self.emptied.notified();
            if self.lock().open == 0 {
                return;
            }
            emptied.await;
        }
    }

    /// Tells every connection that the daemon stops, including connections that are accepted later.
    pub(in super::super) fn close(&self) {
        // Use one moment for all connections, so that late ones do not delay the stop.
        self.lock().close(clock::from_now(FIRST_REQUEST));
    }
}

// === impl Place ===

impl ConnectionSlot {
    /// Waits until a stopping daemon stops waiting for the first request of a connection.
    pub(in super::super) async fn first_request_is_overdue(&self) {
        let until = self.spot.connections.lock().first_request_until;
        // Only a connection that was told of the stop calls this, so the moment is set.
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Waits until the deadline of a drain has passed.
    pub(in super::super) async fn overdue(&self) {
        let mut overdue = self.spot.connections.overdue.subscribe();
        // An error would mean that the sender is gone, but this place keeps it alive.
        let _: Result<_, _> = overdue.wait_for(|overdue| *overdue).await;
    }
}
