//! Ends all connections when the daemon stops.

use std::time::Duration;

use super::{Connections, Place};
use crate::clock;

/// How long connections that have sent nothing may take for their first request, from the order to stop on. A client
/// that has connected sends its request within this; a silent one must not hold up a restart.
pub const FIRST_REQUEST: Duration = Duration::from_millis(250);

// === impl Connections ===

impl Connections {
    /// Ends all connections, including later ones: each may finish its request within `grace`, and is closed after
    /// that. Returns when the last one has ended, with the number of those that were closed. It can be dropped and
    /// called again.
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

    /// Waits until there is no connection. Only during a drain is that sure to happen.
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

    /// Tells every connection that the daemon stops, including those still to come.
    pub(in super::super) fn close(&self) {
        // One moment for all, so that connections that are accepted late do not hold up the stop.
        self.lock().close(clock::from_now(FIRST_REQUEST));
    }
}

// === impl Place ===

impl Place {
    /// Waits until a stopping daemon no longer waits for the first request of a connection.
    pub(in super::super) async fn first_request_is_overdue(&self) {
        let until = self.spot.connections.lock().first_request_until;
        // Only a connection that was told of the stop asks, so there is such a moment.
        if let Some(until) = until {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Waits until the deadline of a drain has passed.
    pub(in super::super) async fn overdue(&self) {
        let mut overdue = self.spot.connections.overdue.subscribe();
        // It fails only without a sender, and this place keeps the sender alive.
        let _: Result<_, _> = overdue.wait_for(|overdue| *overdue).await;
    }
}
