//! A bounded queue of commands to a keeper.
//!
//! It is almost always empty, and every profile has one. tokio's channel takes 1.5 KB while it is empty, since it
//! allocates room for 32 messages at once; this queue takes a tenth of that.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The largest number of waiting commands. While the queue is full, senders wait within their own deadlines.
const CAPACITY: usize = 64;

/// The room that an empty queue keeps, in commands. The room for a burst is released.
const SPARE: usize = 4;

/// The sending end. The queue is closed when it is dropped.
pub(super) struct Sender<T>(Arc<Mailbox<T>>);

/// The receiving end. When it is dropped, the commands in the queue are dropped, and later ones are refused.
pub(super) struct Receiver<T>(Arc<Mailbox<T>>);

/// The error if the other end is gone, so that nothing can be sent any more.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closed;

struct Mailbox<T> {
    state: Mutex<State<T>>,
    /// Notified for each command, and when the sender is dropped.
    arrived: Notify,
    /// Notified for each command that is taken, and when the receiver is dropped.
    room: Notify,
}

struct State<T> {
    queue: VecDeque<T>,
    is_closed: bool,
}

/// Creates a queue.
pub(super) fn mailbox<T>() -> (Sender<T>, Receiver<T>) {
    let mailbox = Arc::new(Mailbox {
        state: Mutex::new(State {
            queue: VecDeque::new(),
            is_closed: false,
        }),
        arrived: Notify::new(),
        room: Notify::new(),
    });
    (Sender(Arc::clone(&mailbox)), Receiver(mailbox))
}

// === impl Mailbox ===

impl<T> Mailbox<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        // A poisoned lock is harmless: no code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a command if there is room, and returns it otherwise.
    fn push(&self, command: T) -> Result<Option<T>, Closed> {
        let mut state = self.lock();
        if state.is_closed {
            // Another sender may have found the queue full just before it was closed, and may be waiting now.
            self.room.notify_one();
            return Err(Closed);
        }
        if state.queue.len() >= CAPACITY {
            return Ok(Some(command));
        }
        state.queue.push_back(command);
        drop(state);
        self.arrived.notify_one();
        Ok(None)
    }
}

// === impl Sender ===

impl<T> Sender<T> {
    /// Sends a command, and waits for room in a full queue.
    ///
    /// # Errors
    /// The receiver is gone.
    pub(super) async fn send(&self, command: T) -> Result<(), Closed> {
        let mut unsent = self.0.push(command)?;
        while let Some(command) = unsent {
            self.0.room.notified().await;
            unsent = self.0.push(command)?;
        }
        Ok(())
    }

    /// Sends a command if there is room for it. Returns whether it was sent.
    pub(super) fn try_send(&self, command: T) -> bool {
        matches!(self.0.push(command), Ok(None))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.arrived.notify_one();
    }
}

// === impl Receiver ===

impl<T> Receiver<T> {
    /// Takes the next command, or waits for one. Returns `None` once the sender was dropped and the queue is empty. It
    /// is cancel safe.
    pub(super) async fn recv(&mut self) -> Option<T> {
        loop {
            let (taken, is_closed) = {
                let mut state = self.0.lock();
                let taken = state.queue.pop_front();
                if state.queue.is_empty() {
                    state.queue.shrink_to(SPARE);
                }
                (taken, state.is_closed)
            };
            if taken.is_some() {
                self.0.room.notify_one();
                return taken;
            }
            if is_closed {
                return None;
            }
            // A command that came since the look has left its notification.
            self.0.arrived.notified().await;
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closed = true;
        let unread = std::mem::take(&mut state.queue);
        drop(state);
        drop(unread);
        // Each sender that is woken finds the queue closed, and wakes the next one.
        self.0.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn commands_arrive_in_order_even_after_the_sender_is_dropped() {
        let (sender, mut receiver) = mailbox();
        let receiving = tokio::spawn(async move {
            let mut all = vec![];
            while let Some(command) = receiver.recv().await {
                all.push(command);
            }
            all
        });
        for command in 0..500 {
            sender.send(command).await.unwrap();
            if command % 7 == 0 {
                yield_now().await;
            }
        }
        drop(sender);
        assert_eq!(receiving.await.unwrap(), (0..500).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn senders_wait_for_a_full_queue_and_a_cancelled_one_blocks_no_other() {
        let (sender, mut receiver) = mailbox();
        for command in 0..CAPACITY {
            assert!(sender.try_send(command));
        }
        assert!(!sender.try_send(99));
        let limit = Duration::from_millis(1);
        let given_up = tokio::time::timeout(limit, sender.send(98)).await;
        assert!(given_up.is_err());
        let sender = Arc::new(sender);
        let waiting: Vec<_> = (100..103)
            .map(|command| {
                let sender = Arc::clone(&sender);
                tokio::spawn(async move { sender.send(command).await })
            })
            .collect();
        yield_now().await;
        for command in (0..CAPACITY).chain(100..103) {
            assert_eq!(receiver.recv().await, Some(command));
            yield_now().await;
        }
        for sent in waiting {
            assert_eq!(sent.await.unwrap(), Ok(()));
        }
    }

    #[tokio::test]
    async fn a_dropped_receiver_drops_its_commands_and_refuses_later_ones() {
        let (sender, receiver) = mailbox();
        let (command, dropped) = tokio::sync::oneshot::channel::<()>();
        assert!(sender.try_send(command));
        for _ in 1..CAPACITY {
            assert!(sender.try_send(tokio::sync::oneshot::channel().0));
        }
        let sender = Arc::new(sender);
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let sender = Arc::clone(&sender);
                tokio::spawn(async move { sender.send(tokio::sync::oneshot::channel().0).await })
            })
            .collect();
        yield_now().await;
        drop(receiver);
        assert!(dropped.await.is_err());
        for sent in waiting {
            assert_eq!(sent.await.unwrap(), Err(Closed));
        }
        let late = sender.send(tokio::sync::oneshot::channel().0).await;
        assert_eq!(late, Err(Closed));
    }

    #[tokio::test]
    async fn the_queue_capacity_shrinks_after_a_burst() {
        let (sender, mut receiver) = mailbox();
        for command in 0..CAPACITY {
            assert!(sender.try_send(command));
        }
        for _ in 0..CAPACITY {
            receiver.recv().await.unwrap();
        }
        assert!(sender.0.lock().queue.capacity() <= SPARE);
    }
}
