//! The attackers of one run: threads, each with its own user.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::users::User;

/// The running attackers.
#[derive(Default)]
pub(crate) struct Attackers {
    stop: Stop,
    threads: Vec<JoinHandle<Tally>>,
}

/// The signal that ends the attackers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

/// The counts of the attackers: what they did and received.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) connected: u64,
    pub(crate) refused_connects: u64,
    /// The connections that each attacker held at the end.
    pub(crate) held: usize,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    /// The statuses of the first reply on each connection.
    pub(crate) answers: BTreeMap<String, u64>,
}

impl Attackers {
    /// Adds an attacker: a thread of this user that works until it is stopped.
    pub(crate) fn with(
        mut self,
        user: User,
        socket: &std::path::Path,
        work: impl FnOnce(PathBuf, &Stop) -> Tally + Send + 'static,
    ) -> Self {
        let (stop, socket) = (self.stop.clone(), socket.to_owned());
        self.threads.push(std::thread::spawn(move || {
            user.become_it();
            work(socket, &stop)
        }));
        self
    }

    /// Ends the attack.
    pub(crate) fn end(self) -> Tally {
        self.stop.0.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for thread in self.threads {
            all.add(thread.join().unwrap());
        }
        all
    }
}

impl Stop {
    pub(crate) fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.connected += other.connected;
        self.refused_connects += other.refused_connects;
        self.held += other.held;
        self.sent += other.sent;
        self.received += other.received;
        for (answer, n) in other.answers {
            *self.answers.entry(answer).or_default() += n;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} connections made, {} held, {} KiB sent, {} KiB received, first answers {:?}",
            self.connected,
            self.held,
            self.sent / 1024,
            self.received / 1024,
            self.answers
        )?;
        match self.refused_connects {
            0 => Ok(()),
            n => write!(f, ", {n} found the backlog full"),
        }
    }
}
