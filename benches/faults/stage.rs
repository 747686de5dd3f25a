//! What the clients and the directors of one run share.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::way::Way;

/// With so much left of a token, in seconds, nobody may be refused.
pub(crate) const HELD: u64 = 10;

/// So many surprises are told, and no more: the run is over with them.
const NOTES: usize = 20;

/// What is shared.
pub(crate) struct Stage {
    /// The daemon's.
    pub(crate) socket: PathBuf,
    /// The faults of this run.
    pub(crate) ways: Vec<&'static Way>,
    /// The profiles: as many, and each meets the fault of its number first.
    profiles: Vec<Mutex<Scene>>,
    goal: u64,
    requests: AtomicU64,
    /// How many profiles have come to the end of their first fault.
    opened: AtomicUsize,
    notes: Mutex<Vec<String>>,
    has_failed: AtomicBool,
}

/// How a profile is at a moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Scene {
    /// The fault in force, by its number; the number after the last is none.
    pub(crate) way: usize,
    /// Whether the issuer rejects the credential, or did so last.
    pub(crate) rejecting: bool,
    /// Until when the newest token is served that anybody was given, in Unix seconds, rounded down.
    pub(crate) held_until: u64,
}

impl Scene {
    /// How much is left of what is known to be held, in seconds; below zero when it has ended.
    pub(crate) fn left(&self, unix: f64) -> f64 {
        self.held_until as f64 - unix
    }
}

impl Stage {
    /// Every profile is under its first fault.
    pub(crate) fn new(socket: PathBuf, ways: Vec<&'static Way>, goal: u64) -> Self {
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

    /// How a profile is.
    pub(crate) fn scene(&self, profile: usize) -> Scene {
        *self.profiles[profile].lock().unwrap()
    }

    /// A fault is in force from now on, or none.
    pub(crate) fn put(&self, profile: usize, way: Option<usize>) {
        let mut scene = self.profiles[profile].lock().unwrap();
        if let Some(way) = way {
            scene.rejecting = self.ways[way].told_as == "rejected";
        }
        scene.way = way.unwrap_or(self.ways.len());
    }

    /// What the fault of this number is called.
    pub(crate) fn called(&self, way: usize) -> &'static str {
        self.ways.get(way).map_or("no fault", |way| way.shown())
    }

    /// Somebody was given a token.
    pub(crate) fn given(&self, profile: usize, held_until: u64) {
        let mut scene = self.profiles[profile].lock().unwrap();
        scene.held_until = scene.held_until.max(held_until);
    }

    /// Counts a request.
    pub(crate) fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// A profile's first fault has come to its end.
    pub(crate) fn opened(&self) {
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether all requests were made and every fault was seen to its end, or enough was seen.
    pub(crate) fn is_over(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
            || self.requests.load(Ordering::Relaxed) >= self.goal
                && self.opened.load(Ordering::Relaxed) >= self.ways.len()
    }

    /// Remembers what must not happen.
    pub(crate) fn note(&self, what: String) {
        let mut notes = self.notes.lock().unwrap();
        if notes.len() < NOTES {
            notes.push(what);
        } else {
            self.has_failed.store(true, Ordering::Relaxed);
        }
    }

    /// What must not happen, and did.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}
