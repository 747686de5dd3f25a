//! Invariants of the state machine in any order of events.

use proptest::prelude::*;

use super::*;
use crate::schedule::{self, RejectionCount};

/// The next event of a test.
#[derive(Debug, Clone)]
enum Happens {
    /// Time passes, in milliseconds.
    Pass(u64),
    /// The store holds this credential from now on, or none for 0.
    Store(u8),
    /// The record has this other key from now on, or none for 0.
    Beside(u8),
    /// The store holds this credential from now on and is read at once.
    Replace(u8),
    /// The store cannot be read from now on.
    StoreFails,
    /// The store is read outside any attempt.
    Recheck,
    /// A user requests a refresh.
    Refresh,
    /// The lifecycle begins an attempt for any reason.
    Begin,
    /// The attempt continues: its read ends, its call is sent if it may begin, or its call ends with this answer.
    GoOn(Answer),
    /// A call that has not been sent yet runs out of time.
    Expire,
}

#[derive(Debug, Clone, Copy)]
enum Answer {
    Grant,
    Fail(FaultKind),
    /// A 401 without details.
    Doubt,
}

/// An entry of the record of events, in order.
#[derive(Debug, Clone, Copy)]
enum Entry {
    /// The record that is read next has this other key, or none for 0.
    Beside(u8),
    /// The store was read and held this credential.
    Read(u8),
    /// The machine decided on a call.
    Decided {
        credential: u8,
        at: BootInstant,
        not_before: BootInstant,
    },
    /// A call with this credential was sent.
    Sent(u8, BootInstant),
    /// A call was cancelled before it was sent: another attempt began, or its time ran out.
    Cancelled,
    /// A call with this credential brought a token.
    Granted(u8),
    /// A call with this credential failed.
    Failed(u8, BootInstant, FaultKind),
    /// A call with this credential was rejected, and it is not certain that the credential is the cause.
    Doubted(u8, BootInstant),
    /// An attempt ended without a call, because the stored credential had been rejected.
    Withheld,
    /// An attempt ended after this number of calls, the last of which was rejected.
    Rejected(u32),
    /// The lifecycle was informed that the credential was rejected.
    Counted,
    /// Whether the state says that the former credential stays in use.
    Says(bool),
    /// A recheck found a credential while the attempt carried the credential `carried`, or read the store itself.
    Recheck {
        found: u8,
        carried: Option<u8>,
        was_loading: bool,
        /// Whether an attempt began because of it.
        has_begun: bool,
    },
}

/// What the machine waits for.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Load,
    Call {
        credential: u8,
        not_before: BootInstant,
        sent: Option<BootInstant>,
    },
}

/// The environment of the machine: a store, an issuer, and a lifecycle that begins attempts at any time.
struct World {
    machine: Credentials,
    now: BootInstant,
    attempt: u64,
    pending: Option<Pending>,
    /// The credential that the attempt carries.
    carried: Option<u8>,
    /// How many calls the attempt has decided on.
    calls: u32,
    stored: Result<u8, ()>,
    /// The other key of the record, or 0.
    beside: u8,
    record: Vec<Entry>,
}

impl World {
    /// Plays these events, lets the last attempt end, and returns the record.
    fn record(story: &[Happens]) -> Vec<Entry> {
        let mut world = Self {
            machine: Credentials::default(),
            now: at(0),
            attempt: 0,
            pending: None,
            carried: None,
            calls: 0,
            stored: Ok(1),
            beside: 0,
            record: vec![],
        };
        for happens in story {
            world.take(happens);
        }
        // An attempt makes at most two reads and three calls. Each call is sent and answered.
        for _ in 0..8 {
            world.take(&Happens::Pass(1_000));
            world.take(&Happens::GoOn(Answer::Fail(FaultKind::Connect)));
        }
        assert!(world.pending.is_none(), "{:?}", world.machine);
        world.record
    }

    fn take(&mut self, happens: &Happens) {
        self.act(happens);
        let says = self.machine.rejected_successor().is_some();
        self.record.push(Entry::Says(says));
    }

    fn act(&mut self, happens: &Happens) {
        match happens {
            Happens::Pass(millis) => self.now = self.now.after(Duration::from_millis(*millis)),
            Happens::Store(number) => self.stored = Ok(*number),
            Happens::Beside(number) => self.beside = *number,
            Happens::Replace(number) => {
                self.stored = Ok(*number);
                self.recheck();
            }
            Happens::StoreFails => self.stored = Err(()),
            Happens::Recheck => self.recheck(),
            Happens::Refresh => {
                let decision = self.machine.refresh_requested();
                self.follow(&decision);
            }
            Happens::Begin => self.begin(),
            Happens::GoOn(answer) => self.go_on(*answer),
            Happens::Expire => {
                if let Some(Pending::Call {
                    credential,
                    sent: None,
                    ..
                }) = self.pending
                {
                    self.record.push(Entry::Cancelled);
                    self.answer(credential, Answer::Fail(FaultKind::Timeout), None);
                }
            }
        }
    }

    fn read(&mut self) -> StoreRead {
        match self.stored {
            Ok(0) => nothing(),
            Ok(number) => {
                self.record.push(Entry::Beside(self.beside));
                self.record.push(Entry::Read(number));
                let other = (self.beside > 0).then(|| id(self.beside));
                let credential = id(number);
                Ok(StoredCredentials { credential, other })
            }
            Err(()) => Err(NotLoaded::Failed(Fault::new(FaultKind::Connect, "x"))),
        }
    }

    fn recheck(&mut self) {
        let (carried, before) = (self.carried, self.attempt);
        let was_loading = matches!(self.pending, Some(Pending::Load)) && carried.is_none();
        let read = self.read();
        let decision = self.machine.rechecked(self.now, read.ok());
        self.follow(&decision);
        if let Ok(found @ 1..) = self.stored {
            let has_begun = self.attempt > before;
            self.record.push(Entry::Recheck {
                found,
                carried,
                was_loading,
                has_begun,
            });
        }
    }

    fn begin(&mut self) {
        if let Some(Pending::Call { sent: None, .. }) = self.pending {
            self.record.push(Entry::Cancelled);
        }
        self.attempt += 1;
        (self.carried, self.calls) = (None, 0);
        let decision = self.machine.begin(self.now, self.attempt);
        self.follow(&decision);
    }

    fn go_on(&mut self, answer: Answer) {
        match self.pending {
            None => {}
            Some(Pending::Load) => {
                let read = self.read();
                let decision = self.machine.loaded(self.now, self.attempt, read);
                self.follow(&decision);
            }
            Some(Pending::Call {
                credential,
                not_before,
                sent: None,
            }) if not_before <= self.now => {
                self.record.push(Entry::Sent(credential, self.now));
                self.pending = Some(Pending::Call {
                    credential,
                    not_before,
                    sent: Some(self.now),
                });
            }
            Some(Pending::Call { sent: None, .. }) => {}
            Some(Pending::Call {
                credential, sent, ..
            }) => self.answer(credential, answer, sent),
        }
    }

    fn answer(&mut self, credential: u8, answer: Answer, sent: Option<BootInstant>) {
        let end = match answer {
            Answer::Grant => {
                self.record.push(Entry::Granted(credential));
                granted(sent.unwrap())
            }
            Answer::Fail(kind) => {
                self.record.push(Entry::Failed(credential, self.now, kind));
                let fault = Fault::new(kind, "x");
                CallEnd::Failed { sent, fault }
            }
            Answer::Doubt => {
                self.record.push(Entry::Doubted(credential, self.now));
                let fault = Fault::new(FaultKind::Rejected, "x").in_doubt();
                CallEnd::Failed { sent, fault }
            }
        };
        let decision = self.machine.answered(self.now, self.attempt, end);
        self.follow(&decision);
    }

    fn follow(&mut self, decision: &Decision) {
        match decision {
            Decision::Wait => {}
            Decision::Load { .. } => self.pending = Some(Pending::Load),
            Decision::Call {
                credential,
                not_before,
                ..
            } => {
                let credential = (1..=3).find(|n| id(*n) == *credential).unwrap();
                self.carried = Some(credential);
                self.calls += 1;
                self.record.push(Entry::Decided {
                    credential,
                    at: self.now,
                    not_before: *not_before,
                });
                self.pending = Some(Pending::Call {
                    credential,
                    not_before: *not_before,
                    sent: None,
                });
            }
            Decision::Recheck => self.recheck(),
            Decision::Pass(Event::CredentialChanged) => self.begin(),
            Decision::Pass(Event::Recheck | Event::RefreshRequested) => {
                if self.pending.is_none() {
                    self.begin();
                }
            }
            Decision::Pass(event) => {
                if let Event::Failed { rejections, .. } = event
                    && !rejections.is_none()
                {
                    self.record.push(Entry::Counted);
                }
                match event {
                    Event::Withheld { .. } => self.record.push(Entry::Withheld),
                    Event::Failed { fault, .. } if fault.kind == FaultKind::Rejected => {
                        self.record.push(Entry::Rejected(self.calls));
                    }
                    _ => {}
                }
                (self.pending, self.carried) = (None, None);
            }
        }
    }
}

/// Generates an event. The first number selects the kind, the second one the duration or the credential.
fn happens() -> impl Strategy<Value = Happens> {
    (0u8..22, 0u64..20_000).prop_map(|(kind, size)| match kind {
        0 => Happens::Pass(size % 1_500),
        1 => Happens::Pass(size),
        2 => Happens::Pass(size * 10),
        3 => Happens::Pass(size * 100),
        4 => Happens::Store((size % 4) as u8),
        5 => Happens::StoreFails,
        6 => Happens::Recheck,
        7 | 8 => Happens::Replace((size % 4) as u8),
        9 => Happens::Refresh,
        10 | 11 => Happens::Begin,
        12 => Happens::Expire,
        13 => Happens::GoOn(Answer::Grant),
        14 => Happens::GoOn(Answer::Fail(FaultKind::Connect)),
        15 => Happens::GoOn(Answer::Fail(FaultKind::BindingChanged)),
        16 | 17 => Happens::GoOn(Answer::Doubt),
        18 => Happens::Beside((size % 4) as u8),
        _ => Happens::GoOn(Answer::Fail(FaultKind::Rejected)),
    })
}

fn story() -> impl Strategy<Value = Vec<Happens>> {
    proptest::collection::vec(happens(), 0..50)
}

/// Returns when a credential may be sent again after this record, depending on the number of its rejections in a row. A
/// row ends when the issuer accepts the credential. It may also end after the longest time between two probes.
fn probe(record: &[Entry], credential: u8) -> Option<BootInstant> {
    let mut row: Option<(RejectionCount, BootInstant)> = None;
    for entry in record {
        let (number, at, is_doubtful) = match entry {
            Entry::Granted(number) if *number == credential => {
                row = None;
                continue;
            }
            Entry::Failed(number, at, FaultKind::Rejected) => (number, at, false),
            Entry::Doubted(number, at) => (number, at, true),
            _ => continue,
        };
        if *number == credential {
            let goes_on = row.filter(|(_, last)| at.since(*last) < schedule::PROBE_CAP);
            let before = goes_on.map_or(RejectionCount::NONE, |(times, _)| times);
            row = Some((before.and_one(is_doubtful), *at));
        }
    }
    row.map(|(times, at)| schedule::probe_due(at, times))
}

fn last_read(record: &[Entry]) -> Option<u8> {
    record.iter().rev().find_map(|entry| match entry {
        Entry::Read(number) => Some(*number),
        _ => None,
    })
}

/// Returns the credential that the issuer accepted last, unless it has rejected it since.
fn accepted(record: &[Entry]) -> Option<u8> {
    record.iter().fold(None, |accepted, entry| match entry {
        Entry::Granted(number) => Some(*number),
        Entry::Failed(number, _, FaultKind::Rejected) | Entry::Doubted(number, _) => {
            accepted.filter(|accepted| accepted != number)
        }
        _ => accepted,
    })
}

/// Returns when this credential was last rejected, unless the issuer has accepted it since.
fn rejected(record: &[Entry], credential: u8) -> Option<BootInstant> {
    record.iter().fold(None, |rejected, entry| match entry {
        Entry::Granted(number) if *number == credential => None,
        Entry::Failed(number, at, FaultKind::Rejected) | Entry::Doubted(number, at)
            if *number == credential =>
        {
            Some(*at)
        }
        _ => rejected,
    })
}

/// Returns the former credential, if the stored one was rejected and the former one was not.
fn former(record: &[Entry]) -> Option<u8> {
    let stored = last_read(record)?;
    let former = accepted(record).filter(|former| *former != stored)?;
    rejected(record, stored).map(|_| former)
}

/// Returns the other key of the record that was read last, if the key in use was rejected.
fn other(record: &[Entry]) -> Option<u8> {
    let stored = last_read(record)?;
    let beside = record.iter().rev().find_map(|entry| match entry {
        Entry::Beside(number) => Some(*number),
        _ => None,
    });
    let other = beside.filter(|other| *other > 0 && *other != stored)?;
    rejected(record, stored).map(|_| other)
}

/// Returns the last known moment of this record.
fn last_moment(record: &[Entry]) -> BootInstant {
    let moments = record.iter().filter_map(|entry| match entry {
        Entry::Decided { at, .. }
        | Entry::Sent(_, at)
        | Entry::Failed(_, at, _)
        | Entry::Doubted(_, at) => Some(*at),
        _ => None,
    });
    moments.max().unwrap_or(at(0))
}

proptest! {
    #![proptest_config(crate::testing::many_cases())]

    #[test]
    fn a_rejected_credential_is_not_sent_before_its_probe(story in story()) {
        let record = World::record(&story);
        for (index, entry) in record.iter().enumerate() {
            if let Entry::Sent(credential, at) = entry {
                let probe = probe(&record[..index], *credential);
                prop_assert!(probe.is_none_or(|probe| probe <= *at), "{probe:?} {record:#?}");
            }
        }
    }

    #[test]
    fn b_a_call_sends_the_stored_or_former_credential_and_uses_a_new_one_promptly(story in story()) {
        let record = World::record(&story);
        for (index, entry) in record.iter().enumerate() {
            let before = &record[..index];
            match entry {
                Entry::Decided { credential, .. } => {
                    let allowed = [last_read(before), former(before), other(before)];
                    prop_assert!(allowed.contains(&Some(*credential)), "{record:#?}");
                }
                Entry::Recheck { found, has_begun, .. } => {
                    let is_found = |entry: &&Entry| matches!(entry, Entry::Read(number) if number == found);
                    // It may have been sent as the other key of a record, or earlier in this attempt.
                    let was_sent = |entry: &Entry| matches!(entry, Entry::Decided { credential, .. } if credential == found);
                    let is_new = before.iter().filter(is_found).count() == 1
                        && !before.iter().any(was_sent);
                    prop_assert!(!is_new || *has_begun, "{record:#?}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn c_a_store_read_does_not_cancel_an_attempt_with_the_same_credential(story in story()) {
        let record = World::record(&story);
        for entry in &record {
            if let Entry::Recheck { found, carried, was_loading, has_begun } = entry {
                let goes_on = *carried == Some(*found) || *was_loading;
                prop_assert!(!goes_on || !has_begun, "{record:#?}");
            }
        }
    }

    #[test]
    fn d_a_third_call_within_a_second_is_delayed_and_not_dropped(story in story()) {
        let record = World::record(&story);
        let sent = record.iter().filter_map(|entry| match entry {
            Entry::Sent(_, at) => Some(*at),
            _ => None,
        });
        let sent: Vec<_> = sent.collect();
        for three in sent.windows(3) {
            prop_assert!(three[2].since(three[0]) >= WINDOW, "{record:#?}");
        }
        for entry in &record {
            if let Entry::Decided { at, not_before, .. } = entry {
                prop_assert!(at <= not_before && *not_before <= at.after(WINDOW), "{record:#?}");
            }
        }
        let count = |wanted: fn(&&Entry) -> bool| record.iter().filter(wanted).count();
        let decided = count(|entry| matches!(entry, Entry::Decided { .. }));
        let cancelled = count(|entry| matches!(entry, Entry::Cancelled));
        prop_assert_eq!(decided, sent.len() + cancelled, "each decision is executed");
    }

    #[test]
    fn e_the_former_credential_stays_in_use_while_the_stored_one_is_rejected(story in story()) {
        let record = World::record(&story);
        for (index, entry) in record.iter().enumerate() {
            let before = &record[..index];
            let is_known = |stored| {
                let at = rejected(before, stored);
                // A rejection is remembered while its credential is stored, otherwise for at least this time.
                at.is_some_and(|at| last_moment(before).since(at) < schedule::PROBE_CAP)
            };
            let has_former = former(before).is_some() && last_read(before).is_some_and(is_known);
            match entry {
                // A withheld attempt must not keep callers from a token that the former credential would bring.
                Entry::Withheld => prop_assert!(!has_former, "{record:#?}"),
                // The stored credential is never the only one that such an attempt sends.
                Entry::Rejected(calls) => prop_assert!(!has_former || *calls > 1, "{record:#?}"),
                Entry::Says(says) => {
                    prop_assert!(!says || former(before).is_some(), "{record:#?}");
                    prop_assert!(*says || !has_former, "{record:#?}");
                }
                _ => {}
            }
        }
    }

    #[test]
    fn g_a_rejection_counts_only_after_the_other_key_was_tried(story in story()) {
        let record = World::record(&story);
        for (index, entry) in record.iter().enumerate() {
            if matches!(entry, Entry::Counted | Entry::Rejected(_) | Entry::Withheld) {
                let before = &record[..index];
                let untried = other(before).filter(|other| rejected(before, *other).is_none());
                // A rejected credential that the machine has dropped counts as good.
                let stored = last_read(before).and_then(|stored| rejected(before, stored));
                let is_known = stored.is_some_and(|at| last_moment(before).since(at) < schedule::PROBE_CAP);
                prop_assert!(untried.is_none() || !is_known, "{record:#?}");
            }
        }
    }
}
