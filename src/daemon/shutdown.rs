//! The order to stop, given once and seen by every task that serves.

use std::time::Duration;

use tokio::sync::watch;

/// Gives the order to stop. Dropping it gives the order as well.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// A task's view of the order to stop, and the time that requests get after it.
#[derive(Debug, Clone)]
pub struct Shutdown {
    ordered: watch::Receiver<bool>,
    grace: Duration,
}

/// Creates a shutdown that gives requests in progress this much time.
pub fn shutdown(grace: Duration) -> (Stop, Shutdown) {
    let (stop, ordered) = watch::channel(false);
    (Stop(stop), Shutdown { ordered, grace })
}

// === impl Stop ===

impl Stop {
    /// Tells every task to stop.
    pub fn order(&self) {
        self.0.send_replace(true);
    }
}

// === impl Shutdown ===

impl Shutdown {
    /// Waits until the order is given.
    pub async fn ordered(&mut self) {
        // An error means that the sender was dropped, which counts as the order.
        let _: Result<_, _> = self.ordered.wait_for(|ordered| *ordered).await;
    }

    /// Whether the order has been given.
    pub fn is_ordered(&self) -> bool {
        *self.ordered.borrow() || self.ordered.has_changed().is_err()
    }

    /// Returns how long requests in progress may take after the order.
    pub const fn grace(&self) -> Duration {
        self.grace
    }

    /// Returns a receiver that becomes `true` with the order, for watches.
    pub fn flag(&self) -> watch::Receiver<bool> {
        self.ordered.clone()
    }
}
