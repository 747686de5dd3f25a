//! A life as it is walked through: what is known of it at one moment.

use std::collections::BTreeMap;
use std::time::Duration;

use jetond::instant::BootInstant;

use super::absence::Absence;
use super::attempts::Attempt;
use super::held::Held;
use super::limits::{Failures, Stated};
use super::moments::Window;
use super::record::{Lived, Record, Requested};
use super::reports::Reports;
use super::row::Row;
use crate::history::Ask;

/// What is known of a life at one moment.
pub(super) struct Walk<'a> {
    pub(super) record: &'a Record,
    pub(super) life: &'a Lived,
    pub(super) requests: Vec<&'a Requested>,
    pub(super) held: Option<Held>,
    pub(super) last: Option<Attempt>,
    /// How often in a row the credential was rejected: at least, and at most.
    pub(super) rejections: [Row; 2],
    /// How many attempts in a row failed: at least, and at most.
    pub(super) failing: [u32; 2],
    pub(super) is_blocked: bool,
    pub(super) secret: Option<u32>,
    /// The secret that was rejected last, while nothing better is known of it.
    pub(super) bad: Option<u32>,
    /// How often in a row each secret was rejected, at most: one that comes back to the store is remembered.
    pub(super) remembered: BTreeMap<u32, Row>,
    pub(super) window: Window,
    /// Whether an attempt was broken off, and another is to take its place.
    pub(super) is_broken_off: bool,
    /// When it last looked into the store in vain, or knew what came of an attempt.
    pub(super) idle_since: Duration,
    pub(super) reports: Reports,
    /// What the issuer asked for.
    pub(super) stated: Option<Stated>,
    pub(super) failures: Failures,
    /// When the first attempt of this outage began.
    pub(super) outage: Option<BootInstant>,
    /// Since when the address has had no token endpoint.
    pub(super) absence: Option<Absence>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(record: &'a Record, life: &'a Lived) -> Self {
        let requests = record.requests.iter();
        Self {
            record,
            life,
            requests: requests.filter(|r| r.profile == life.profile).collect(),
            held: None,
            last: None,
            rejections: [Row::NONE; 2],
            failing: [0; 2],
            is_blocked: false,
            secret: None,
            bad: None,
            remembered: BTreeMap::new(),
            window: Window {
                from: life.from.boot,
                until: life.from.boot,
            },
            is_broken_off: false,
            idle_since: life.from.run,
            reports: Reports::default(),
            stated: None,
            failures: Failures::new(),
            outage: None,
            absence: None,
        }
    }

    /// When somebody has the daemon look whether there is another secret.
    pub(super) fn looks(&self) -> impl Iterator<Item = Duration> {
        // A reload does not wait for the looks of the one before it; a look begins when the one that is under way has ended.
        let under_way = |at: Duration| {
            let loads = self.life.loads();
            let ends = loads.filter(move |load| load.from.run <= at && at <= load.until.run);
            ends.map(|load| load.until.run)
        };
        let reloads = self.life.reloads.iter().map(|at| at.run);
        let reloads = reloads.flat_map(move |at| under_way(at).chain([at]));
        let requests = self.requests.iter();
        let refreshes = requests.filter(|request| matches!(request.ask, Ask::Refresh));
        reloads.chain(refreshes.map(|request| request.from.run))
    }
}
