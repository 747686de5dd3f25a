//! The task that follows a timeline and switches its faults when they are due.

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::moment::Moment;
use super::panel::{SandboxHandle, TimelineStart};
use super::timeline::Timeline;

/// Follows the latest timeline until the sender is dropped. Faults can be switched by hand between two steps.
pub(super) async fn run(panel: SandboxHandle, mut timelines: mpsc::Receiver<TimelineStart>) {
    let mut play = timelines.recv().await;
    while let Some((timeline, started)) = play {
        let start = Moment::now().mono;
        let mut started = Some(started);
        play = tokio::select! {
            biased;
            next = timelines.recv() => next,
            () = follow(&panel, &timeline, start, &mut started) => timelines.recv().await,
        };
    }
}

async fn follow(
    panel: &SandboxHandle,
    timeline: &Timeline,
    start: Instant,
    started: &mut Option<tokio::sync::oneshot::Sender<()>>,
) {
    let mut tell = || {
        // the caller may be gone
        started.take().map(|started| started.send(()));
    };
    for (after, fault) in timeline.steps() {
        if !after.is_zero() {
            tell();
        }
        tokio::time::sleep_until(start + *after).await;
        // a port that could not be reopened stays closed; the next step tries again
        let _ = panel.set_fault(fault.clone(), None).await;
    }
    tell();
}

#[cfg(test)]
mod tests;
