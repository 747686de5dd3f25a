//! Checks the promises of a rotation in every state that it can reach.
//!
//! The server, the store and the disk answer, fail, lose answers, and execute calls late and twice; a kill and a
//! restart happen at every point.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use super::*;
use crate::instant::UnixTime;
use crate::rotation::event::{CallRefusal, ListedKey, Listing, WriteOutcome};
use crate::rotation::grace::Grace;
use crate::rotation::pause::LATE_CALLS;
use crate::rotation::record::RecordView;

/// The present moment in every world. Time passes by moving earlier moments back.
const NOW: BootInstant = BootInstant::from_boot(Duration::from_secs(1_000));
const OLD: u8 = 0;
const NAME: &str = "new";

/// A call that the server may still execute.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Late {
    Create(u8),
    Delete(u8),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Stored {
    has_rotation: bool,
    current: u8,
    next: Option<u8>,
    previous: Option<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    /// The server's keys. All but the old one have the name of the new key.
    keys: BTreeSet<u8>,
    late: BTreeSet<Late>,
    record: Stored,
    /// A write that the store may still make.
    write: Option<Stored>,
    journal: Option<Notes>,
    /// The state machine; `None` after a kill.
    machine: Option<Overlap>,
    /// Whether the server refused to delete a key.
    refused: bool,
    /// Whether another program may still rewrite the record and drop the fields that it does not know.
    rewrite: bool,
}

fn id() -> RotationId {
    RotationId::of_bits(1)
}

fn client(key: u8) -> String {
    format!("c{key}")
}

fn key(key: u8) -> KeyRef {
    KeyRef {
        client_id: client(key),
        id: Some(format!("i{key}")),
        name: (key != OLD).then(|| NAME.to_owned()),
    }
}

fn number(key: &KeyRef) -> u8 {
    key.client_id[1..].parse().unwrap()
}

fn clock() -> GraceMoment {
    GraceMoment {
        boot_id: String::new(),
        at: NOW,
        date: None,
    }
}

fn terms() -> Terms {
    Terms {
        lifetime: Some(Duration::from_secs(1)),
        longest_lifetime: Duration::from_secs(1),
        grace: Duration::from_secs(7),
        is_shared: false,
    }
}

fn begin() -> Overlap {
    let wanted = RotationRequest {
        client_id: client(OLD),
        name: NAME.into(),
        sharers: vec![],
        in_use: BTreeSet::new(),
        max_keys: 20,
    };
    Overlap::new(id(), wanted, terms(), clock())
}

/// A change of the world that accompanies an event.
type Effect<'a> = &'a dyn Fn(&mut World);

impl Stored {
    const fn plain(current: u8) -> Self {
        Self {
            has_rotation: false,
            current,
            next: None,
            previous: None,
        }
    }

    fn view(&self) -> RecordView {
        RecordView {
            rotation: self.has_rotation.then(id),
            current: key(self.current),
            next: self.next.map(key),
            previous: self.previous.map(key),
        }
    }

    /// Returns the record after this change; `None` if the change expects another record.
    fn changed(&self, change: &Change) -> Option<Self> {
        let begun = |id_: &RotationId| self.has_rotation && *id_ == id();
        match change {
            Change::PutNext { current, next, .. } => {
                (!self.has_rotation && self.current == number(current)).then(|| Self {
                    has_rotation: true,
                    next: Some(number(next)),
                    ..self.clone()
                })
            }
            Change::Switch(id) => {
                let next = self.next.filter(|_| begun(id))?;
                Some(Self {
                    has_rotation: true,
                    current: next,
                    next: None,
                    previous: Some(self.current),
                })
            }
            Change::Restore(id, key) => begun(id).then(|| Self::plain(number(key))),
            Change::Finish(id) => begun(id).then(|| Self::plain(self.current)),
        }
    }
}

impl World {
    fn begin(rewrite: bool) -> Self {
        Self {
            keys: BTreeSet::from([OLD]),
            late: BTreeSet::new(),
            record: Stored::plain(OLD),
            write: None,
            journal: None,
            machine: Some(begin()),
            refused: false,
            rewrite,
        }
    }

    /// Returns a number that no part of the world has or remembers.
    fn unused(&self) -> u8 {
        let machine = self.machine.as_ref();
        let state = machine.map_or_else(String::new, |it| format!("{:?}", it.state));
        let remembered: Vec<_> = [
            self.journal.as_ref().and_then(|it| it.new.as_ref()),
            machine.and_then(|it| it.notes.new.as_ref()),
            machine.and_then(|it| it.made.as_ref()),
        ]
        .into_iter()
        .flatten()
        .map(number)
        .collect();
        let is_free = |n: &u8| {
            !self.keys.contains(n)
                && !self.late.contains(&Late::Create(*n))
                && !self.late.contains(&Late::Delete(*n))
                && ![Some(&self.record), self.write.as_ref()]
                    .into_iter()
                    .flatten()
                    .any(|it| [Some(it.current), it.next, it.previous].contains(&Some(*n)))
                && !remembered.contains(n)
                && !state.contains(&client(*n))
        };
        (1..).find(is_free).unwrap()
    }

    fn create(&mut self, number: u8) -> bool {
        let is_free = self.keys.iter().all(|key| *key == OLD);
        if is_free {
            self.keys.insert(number);
        }
        is_free
    }

    fn delete(&mut self, number: u8) {
        self.keys.remove(&number);
        self.late.remove(&Late::Delete(number));
    }

    fn list(&self) -> Listing {
        let keys = self.keys.iter().map(|number| ListedKey {
            id: format!("i{number}"),
            name: if *number == OLD { "old" } else { NAME }.into(),
            client_id: client(*number),
            is_users: true,
            last_login: Some(UnixTime::from_epoch(Duration::from_secs(12_345))),
        });
        Listing {
            keys: keys.collect(),
            date: None,
        }
    }

    /// Lets time pass by moving all earlier moments back. The grace period is too short to affect the other waits.
    fn pass(&mut self, time: Duration) {
        let oldest = NOW.before(LATE_CALLS);
        let back = |at: &mut BootInstant| *at = at.before(time).max(oldest);
        if let Some(machine) = &mut self.machine {
            if time >= LATE_CALLS {
                back(&mut machine.last_create);
            }
            machine.notes.grace.iter_mut().for_each(|it| age(it, &back));
        }
        if let Some(notes) = &mut self.journal {
            notes.grace.iter_mut().for_each(|it| age(it, &back));
        }
    }

    /// Passes this event to the state machine.
    fn take(&self, seen: &mut Table, event: Event, change: impl FnOnce(&mut Self)) -> Self {
        let mut world = self.clone();
        change(&mut world);
        let machine = world.machine.as_mut().unwrap();
        let from = machine.state().kind();
        let kind = event.kind().0;
        machine.step(NOW, event);
        machine.faults = 0;
        seen.entry((from, kind))
            .or_default()
            .insert(machine.state().kind());
        world
    }

    fn is_at_rest(&self) -> bool {
        match &self.machine {
            Some(machine) => matches!(machine.state(), State::Ended(_)),
            None => self.journal.is_none() && !self.record.has_rotation,
        }
    }

    fn next(&self, seen: &mut Table) -> Vec<Self> {
        let mut next = self.late_steps();
        let changed = |change: &dyn Fn(&mut Self)| {
            let mut world = self.clone();
            change(&mut world);
            world
        };
        if self.rewrite && self.record.has_rotation {
            next.push(changed(&|world| {
                world.rewrite = false;
                world.record = Stored::plain(world.record.current);
            }));
        }
        let Some(machine) = &self.machine else {
            let notes = match &self.journal {
                Some(notes) => Some(notes.clone()),
                None => Notes::of_record(&self.record.view(), NAME.into()),
            };
            if let Some(notes) = notes {
                let machine = Overlap::resume(notes, terms(), clock());
                next.push(changed(&|world| world.machine = Some(machine.clone())));
            }
            return next;
        };
        if self.is_at_rest() {
            return next;
        }
        next.push(changed(&|world| world.machine = None));
        self.outcomes(machine, seen, &mut next);
        let jumps: Vec<_> = next.iter_mut().filter_map(Self::jump).collect();
        next.extend(jumps);
        next
    }

    /// Merges the tries of a step between the first and the last one; returns the world with the last try.
    fn jump(&mut self) -> Option<Self> {
        let machine = self.machine.as_mut().filter(|it| it.tries > 0)?;
        let proves = matches!(&machine.state, State::Pausing(_, after) if matches!(**after, State::Proving(_)));
        let last = if proves { 5 } else { TRIES - 1 };
        machine.tries = if machine.tries < last { 1 } else { last };
        let mut jumped = self.clone();
        jumped.machine.as_mut()?.tries = last;
        Some(jumped)
    }

    /// Returns the worlds after each late call is executed, or is dropped.
    fn late_steps(&self) -> Vec<Self> {
        let mut next = vec![];
        for late in &self.late {
            let mut never = self.clone();
            never.late.remove(late);
            let mut executed = never.clone();
            match late {
                Late::Create(number) => {
                    executed.create(*number);
                }
                Late::Delete(number) => executed.delete(*number),
            }
            next.extend([never, executed]);
        }
        if let Some(write) = &self.write {
            let never = Self {
                write: None,
                ..self.clone()
            };
            let executed = Self {
                record: write.clone(),
                ..never.clone()
            };
            next.extend([never, executed]);
        }
        next
    }

    /// Collects every outcome of the machine's command.
    fn outcomes(&self, machine: &Overlap, seen: &mut Table, next: &mut Vec<Self>) {
        let mut take = |event: Event, change: &dyn Fn(&mut Self)| {
            next.push(self.take(seen, event, change));
        };
        let none = |_: &mut Self| ();
        match machine.command() {
            Command::List => {
                take(Event::Listed(self.list()), &none);
                take(Event::Lost, &none);
                take(Event::Refused(CallRefusal::Forbidden), &none);
            }
            Command::Create(_) => {
                let new = self.unused();
                let is_free = self.clone().create(new);
                let late = self.late.iter();
                let creates = late.filter(|it| matches!(it, Late::Create(_))).count();
                let delay = |world: &mut Self| {
                    let number = world.unused();
                    world.late.insert(Late::Create(number));
                };
                take(Event::NotSent, &none);
                take(Event::Lost, &none);
                take(Event::Refused(CallRefusal::Other), &none);
                take(Event::Refused(CallRefusal::Forbidden), &none);
                if is_free {
                    take(Event::Created(key(new)), &|world| {
                        world.create(new);
                    });
                    take(Event::Lost, &|world| {
                        world.create(new);
                    });
                } else {
                    take(Event::Refused(CallRefusal::NameTaken), &none);
                }
                if creates == 0 {
                    take(Event::Lost, &delay);
                    if is_free {
                        take(Event::Created(key(new)), &|world| {
                            world.create(new);
                            delay(world);
                        });
                    }
                }
            }
            Command::Delete(key) => {
                let number = number(&key);
                take(Event::Deleted, &|world| world.delete(number));
                take(Event::Lost, &|world| world.delete(number));
                take(Event::Lost, &none);
                if self.keys.contains(&number) {
                    take(Event::Lost, &|world| {
                        world.late.insert(Late::Delete(number));
                    });
                }
                take(Event::Refused(CallRefusal::Forbidden), &|world| {
                    world.refused = true;
                });
            }
            Command::Store(change) => {
                assert_eq!(self.write, None, "a write while another is unfinished");
                let Some(changed) = self.record.changed(&change) else {
                    return take(Event::Stored(WriteOutcome::Conflict), &none);
                };
                let done = |world: &mut Self| world.record = changed.clone();
                take(Event::Stored(WriteOutcome::Done), &done);
                take(Event::Stored(WriteOutcome::Failed), &none);
                take(Event::Stored(WriteOutcome::Unknown), &done);
                take(Event::Stored(WriteOutcome::Unknown), &none);
                take(Event::Stored(WriteOutcome::Unknown), &|world| {
                    world.write = Some(changed.clone());
                });
            }
            Command::Settle => {
                if self.write.is_none() {
                    take(Event::Settled, &none);
                }
            }
            Command::Read => {
                take(Event::Record(self.record.view()), &none);
                take(Event::Unreadable, &none);
            }
            Command::Note(notes) => {
                let write = |world: &mut Self| world.journal = Some((*notes).clone());
                take(Event::Noted, &write);
                take(Event::NotNoted, &write);
                take(Event::NotNoted, &none);
            }
            Command::RemoveNotes => {
                take(Event::Noted, &|world| world.journal = None);
                take(Event::NotNoted, &|world| world.journal = None);
                take(Event::NotNoted, &none);
            }
            Command::Prove(key) => {
                take(Event::Lost, &none);
                take(Event::Rejected, &none);
                if self.keys.contains(&number(&key)) {
                    for rights in [Rights::Kept, Rights::Fewer] {
                        take(Event::Proved { rights, date: None }, &none);
                    }
                }
            }
            Command::Pause(pause) => self.woken(machine, pause.until, &mut take),
            Command::End(_) => {}
        }
    }

    fn woken(
        &self,
        machine: &Overlap,
        until: BootInstant,
        take: &mut dyn FnMut(Event, Effect<'_>),
    ) {
        let time = match machine.state() {
            // A retry must not rely on how long it waited.
            State::Pausing(..) => Duration::ZERO,
            _ => until.since(NOW),
        };
        let creates = |late: &Late| matches!(late, Late::Create(_));
        if matches!(machine.state(), State::Lasting(_)) && self.late.iter().any(creates) {
            return;
        }
        take(Event::Woken, &|world| world.pass(time));
        take(Event::Woken, &|_| ());
    }

    fn check(&self) -> Result<(), &'static str> {
        let records = std::iter::once(&self.record).chain(&self.write);
        for record in records {
            if !self.keys.contains(&record.current) {
                return Err("the key in force is gone");
            }
            if record.next.is_some_and(|next| !self.keys.contains(&next)) {
                return Err("the next key is gone");
            }
        }
        if self.keys.len() > 2 {
            return Err("more than two keys");
        }
        let record = &self.record;
        for made in self.keys.iter().filter(|key| **key != OLD) {
            let stored = [Some(record.current), record.next, record.previous];
            let is_known = self.journal.as_ref().is_some_and(|it| it.name == NAME);
            if !is_known && !stored.contains(&Some(*made)) && !self.refused {
                return Err("nothing knows a key that we made");
            }
        }
        if !self.is_at_rest() || self.refused {
            return Ok(());
        }
        if record.has_rotation || self.journal.is_some() {
            return Err("something is left of the rotation");
        }
        let left = self.keys.iter().any(|key| *key != record.current);
        match &self.machine {
            Some(_) if left => Err("a key is left"),
            None if self.journal.is_none() && left => Err("a key is left after a kill"),
            _ => Ok(()),
        }
    }
}

fn age(grace: &mut Grace, back: &dyn Fn(&mut BootInstant)) {
    back(&mut grace.switched.at);
    if let Some((first, latest)) = &mut grace.looks {
        back(&mut first.mark.at);
        back(&mut latest.mark.at);
    }
}

/// The next states for each state and event.
type Table = BTreeMap<(&'static str, &'static str), BTreeSet<&'static str>>;

/// Searches every reachable world, and checks each; returns their number and the observed table.
fn search(begin: World) -> (usize, Table) {
    let mut seen = Table::new();
    let mut index = HashMap::from([(begin.clone(), 0_usize)]);
    let mut worlds = vec![begin];
    let mut before: Vec<Vec<usize>> = vec![vec![]];
    let mut cause = vec![0];
    let mut at = 0;
    while at < worlds.len() {
        let world = worlds[at].clone();
        if let Err(fault) = world.check() {
            panic!("{fault}:\n{}", path(&worlds, &cause, at));
        }
        for next in world.next(&mut seen) {
            let to = *index.entry(next.clone()).or_insert_with(|| {
                worlds.push(next);
                before.push(vec![]);
                cause.push(at);
                worlds.len() - 1
            });
            before[to].push(at);
        }
        at += 1;
        assert!(at < 400_000, "no end:\n{}", path(&worlds, &cause, at));
    }
    // Each world must lead to one at rest.
    let mut ends: VecDeque<_> = (0..at).filter(|at| worlds[*at].is_at_rest()).collect();
    let mut reaches: BTreeSet<_> = ends.iter().copied().collect();
    while let Some(end) = ends.pop_front() {
        let more = before[end].iter().copied();
        ends.extend(more.filter(|from| reaches.insert(*from)));
    }
    if let Some(stuck) = (0..at).find(|at| !reaches.contains(at)) {
        panic!("no way out:\n{}", path(&worlds, &cause, stuck));
    }
    (at, seen)
}

fn path(worlds: &[World], cause: &[usize], mut at: usize) -> String {
    let mut lines = vec![];
    loop {
        let world = &worlds[at.min(worlds.len() - 1)];
        let state = world.machine.as_ref().map(|it| it.state().kind());
        let phase = world.journal.as_ref().map(|it| it.phase);
        lines.push(format!(
            "{state:?} journal {phase:?} keys {:?} late {:?} record {:?} write {:?}",
            world.keys, world.late, world.record, world.write
        ));
        if at == 0 {
            break;
        }
        at = cause[at];
    }
    lines.reverse();
    lines.join("\n")
}

#[test]
fn no_credential_is_lost_and_no_key_forgotten_in_any_reachable_state() {
    let (count, seen) = search(World::begin(false));
    assert!(count > 2_000, "{count}");
    // The table in the documentation must be the observed one.
    let mut rows: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ((state, event), next) in &seen {
        let next: Vec<_> = next.iter().copied().collect();
        let cell = format!("{event} → {}", next.join(" or "));
        rows.entry(state).or_default().push(cell);
    }
    let table: Vec<_> = rows
        .iter()
        .map(|(state, cells)| format!("//! | {state} | {} |", cells.join("; ")))
        .collect();
    let head = "//! | State | Outcome → next state |";
    let page = include_str!("../overlap.rs").lines();
    let page = page.skip_while(|line| *line != head).skip(2);
    let documented: Vec<_> = page.take_while(|line| line.starts_with("//! |")).collect();
    assert!(
        table == documented,
        "the table is now:\n{}",
        table.join("\n")
    );
}

#[test]
fn a_program_that_rewrites_the_record_without_the_rotation_loses_no_credential() {
    let (count, _) = search(World::begin(true));
    assert!(count > 3_000, "{count}");
}
