//! The state of a life at one moment, while the checker steps through it.

use std::collections::BTreeMap;
use std::time::Duration;

use jetond::instant::BootInstant;

use super::absence::Absence;
use super::attempts::Attempt;
use super::held::Held;
use super::limits::{Failures, Stated};
use super::moments::Window;
use super::record::{ClientRequest, ProfileLife, Record};
use super::reports::Reports;
use super::row::RejectionRow;
use crate::history::Ask;

/// The state of a life at one moment.
pub(super) struct LifeState<'a> {
    pub(super) record: &'a Record,
    pub(super) life: &'a ProfileLife,
    pub(super) requests: Vec<&'a ClientRequest>,
    pub(super) held: Option<Held>,
    pub(super) last: Option<Attempt>,
    /// The minimum and maximum number of rejections of the credential in a row.
    pub(super) rejections: [RejectionRow; 2],
    /// The minimum and maximum number of failed attempts in a row.
    pub(super) failing: [u32; 2],
    pub(super) is_blocked: bool,
    pub(super) secret: Option<u32>,
    /// The secret that was rejected last, until an attempt with it succeeds.
    pub(super) bad: Option<u32>,
    /// The maximum number of rejections of each secret in a row: the daemon remembers them for a secret that returns
    /// to the store.
    pub(super) remembered: BTreeMap<u32, RejectionRow>,
    pub(super) window: Window,
    /// Whether an attempt was cancelled and another one will replace it.
    pub(super) is_broken_off: bool,
    /// The time of the last failed store read or known outcome.
    pub(super) idle_since: Duration,
    pub(super) reports: Reports,
    /// The wait that the issuer stated.
    pub(super) stated: Option<Stated>,
    pub(super) failures: Failures,
    /// When the first attempt of this outage began.
    pub(super) outage: Option<BootInstant>,
    /// How long the address has had no token endpoint.
    pub(super) absence: Option<Absence>,
}

impl<'a> LifeState<'a> {
    pub(super) fn new(record: &'a Record, life: &'a ProfileLife) -> Self {
        let requests = record.requests.iter();
        Self {
            record,
            life,
            requests: requests.filter(|r| r.profile == life.profile).collect(),
            held: None,
            last: None,
            rejections: [RejectionRow::NONE; 2],
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

    /// Returns when a reload or a requested refresh makes the daemon read the store.
    pub(super) fn looks(&self) -> impl Iterator<Item = Duration> {
        // A reload does not wait for the reads of an earlier one, but a read begins after the running one has ended.
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
