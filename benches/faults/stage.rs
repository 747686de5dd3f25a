//! The state that the clients and the directors of one run share.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::way::IssuerFault;

/// With this much time left of a token, in seconds, no request may be refused.
pub(crate) const HELD: u64 = 10;

/// The most violations to report. The run ends with the next one.
const NOTES: usize = 20;

/// The shared state.
pub(crate) struct SharedState {
    /// The daemon's socket.
    pub(crate) socket: PathBuf,
    /// The faults of this run.
    pub(crate) ways: Vec<&'static IssuerFault>,
    /// The profiles: as many as faults, and each meets the fault with its number first.
    profiles: Vec<Mutex<ProfileState>>,
    goal: u64,
    requests: AtomicU64,
    /// How many profiles have completed their first fault.
    opened: AtomicUsize,
    notes: Mutex<Vec<String>>,
    has_failed: AtomicBool,
}

/// The state of a profile at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ProfileState {
    /// The number of the fault in force; the number after the last fault means none.
    pub(crate) way: usize,
    /// Whether the issuer rejects the credential, or did so most recently.
    pub(crate) rejecting: bool,
    /// The expiry of the newest token that any client got, in Unix seconds, rounded down.
    pub(crate) held_until: u64,
}

impl ProfileState {
    /// Returns the remaining seconds of the token that is known to be held; negative after its expiry.
    pub(crate) fn left(&self, unix: f64) -> f64 {
        self.held_until as f64 - unix
    }
}

impl SharedState {
    /// Creates the state, with every profile under its first fault.
    pub(crate) fn new(socket: PathBuf, ways: Vec<&'static IssuerFault>, goal: u64) -> Self {
        let stage = Self {
            socket,
            profiles: ways.iter().map(|_| Mutex::default()).collect(),
            ways,
            goal,
            requests: AtomicU64::new(0),
            opened: AtomicUsize::new(0),
            notes: Mutex::default(),
            has_failed: AtomicBool::new(false),
        };
        for profile in 0..stage.ways.len() {
            stage.put(profile, Some(profile));
        }
        stage
    }

    /// Returns the state of a profile.
    pub(crate) fn scene(&self, profile: usize) -> ProfileState {
        *self.profiles[profile].lock().unwrap()
    }

    /// Records that a fault is in force from now on, or none.
    pub(crate) fn put(&self, profile: usize, way: Option<usize>) {
        let mut scene = self.profiles[profile].lock().unwrap();
        if let Some(way) = way {
            scene.rejecting = self.ways[way].told_as == "rejected";
        }
        scene.way = way.unwrap_or(self.ways.len());
    }

    /// Returns the name of the fault with this number.
    pub(crate) fn called(&self, way: usize) -> &'static str {
        self.ways.get(way).map_or("no fault", |way| way.shown())
    }

    /// Records that a client got a token.
    pub(crate) fn given(&self, profile: usize, held_until: u64) {
        let mut scene = self.profiles[profile].lock().unwrap();
        scene.held_until = scene.held_until.max(held_until);
    }

    /// Counts a request.
    pub(crate) fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that a profile has completed its first fault.
    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// Reports whether all requests were made and every fault has ended, or there were too many violations.
    pub(crate) fn is_over(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
            || self.requests.load(Ordering::Relaxed) >= self.goal
                && self.opened.load(Ordering::Relaxed) >= self.ways.len()
    }

    /// Records a violation.
    pub(crate) fn note(&self, what: String) {
        let mut notes = self.notes.lock().unwrap();
        if notes.len() < NOTES {
            notes.push(what);
        } else {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }

    /// Returns the recorded violations.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}
