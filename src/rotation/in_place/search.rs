//! Checks every state that a rotation in place can reach, with lost and late calls, dying tokens and kills.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::*;
use crate::rotation::record::{KeyRef, RotationId};

const NOW: BootInstant = BootInstant::from_boot(Duration::from_secs(1_000));
const OLD: u8 = 0;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    /// The secret that works at the issuer.
    valid: u8,
    has_token: bool,
    /// Whether the server may still execute a call.
    late: bool,
    current: u8,
    slot: Slot,
    write: Option<u8>,
    is_noted: bool,
    machine: Option<InPlace>,
}

fn notes() -> InPlaceNotes {
    InPlaceNotes {
        rotation: RotationId::of_bits(1),
        key: KeyRef {
            client_id: "c".into(),
            id: Some("i".into()),
            name: None,
        },
        old: hash(OLD),
    }
}

fn hash(secret: u8) -> SecretHash {
    format!("s{secret}")
}

fn secret(hash: &str) -> u8 {
    hash[1..].parse().unwrap()
}

type Change<'a> = &'a dyn Fn(&mut World);

impl World {
    fn begin() -> Self {
        Self {
            valid: OLD,
            has_token: false,
            late: false,
            current: OLD,
            slot: Slot::Empty,
            write: None,
            is_noted: false,
            machine: Some(InPlace::new(notes(), NOW)),
        }
    }

    /// The server replaces the secret by a new one, and returns it.
    fn regenerate(&mut self) -> u8 {
        let text = format!("{:?}", (&self.slot, &self.machine));
        let known = [self.current, self.valid, self.write.unwrap_or(OLD)];
        let mut free = (1..).filter(|n| !known.contains(n) && !text.contains(&hash(*n)));
        self.valid = free.next().unwrap();
        self.valid
    }

    fn with(&self, change: Change<'_>) -> Self {
        let mut world = self.clone();
        change(&mut world);
        world
    }

    fn is_at_rest(&self) -> bool {
        match &self.machine {
            Some(machine) => matches!(machine.state, State::Ended(_)),
            None => !self.is_noted,
        }
    }

    fn next(&self) -> Vec<Self> {
        let mut next = vec![];
        if self.is_at_rest() {
            return next;
        }
        if self.has_token {
            next.push(self.with(&|world| world.has_token = false));
        }
        if self.late {
            next.push(self.with(&|world| world.late = false));
            next.push(self.with(&|world| {
                world.late = false;
                world.regenerate();
            }));
        }
        if let Some(write) = self.write {
            next.push(self.with(&|world| world.write = None));
            next.push(self.with(&|world| {
                world.write = None;
                world.current = write;
            }));
        }
        let Some(machine) = &self.machine else {
            next.push(self.with(&|world| world.machine = Some(InPlace::resume(notes(), NOW))));
            return next;
        };
        next.push(self.with(&|world| world.machine = None));
        self.outcomes(machine, &mut |event, change| {
            let mut world = self.with(change);
            let machine = world.machine.as_mut().unwrap();
            machine.step(NOW, event);
            machine.faults = 0;
            machine.tries = machine.tries.min(1) * if machine.tries > 1 { 5 } else { 1 };
            machine.checks = machine.checks.min(1) * (CHECKS - 1);
            next.push(world);
        });
        next
    }

    fn outcomes(&self, machine: &InPlace, take: &mut dyn FnMut(InPlaceEvent, Change<'_>)) {
        use InPlaceEvent as E;
        let none = |_: &mut Self| ();
        let is_valid = self.valid == self.current;
        match machine.command() {
            InPlaceCommand::KeepToken => {
                take(E::NotKept, &none);
                if is_valid {
                    take(E::Kept, &|world| {
                        world.has_token = true;
                        world.slot = Slot::Token;
                    });
                } else {
                    take(E::Rejected, &none);
                }
            }
            InPlaceCommand::Note(_) => {
                take(E::Noted, &|world| world.is_noted = true);
                take(E::NotNoted, &|world| world.is_noted = true);
                take(E::NotNoted, &none);
            }
            InPlaceCommand::Regenerate(_) => {
                take(E::NotSent, &none);
                if !self.has_token {
                    return take(E::Refused(CallRefusal::Unauthorized), &none);
                }
                take(E::Refused(CallRefusal::Forbidden), &none);
                let new = self.clone().regenerate();
                take(E::Regenerated(hash(new)), &|world| world.valid = new);
                take(E::Lost, &none);
                take(E::Lost, &|world| world.valid = new);
                take(E::Lost, &|world| world.late = true);
            }
            InPlaceCommand::KeepAnswer => {
                let State::KeepingAnswer(secret) = &machine.state else {
                    panic!("no answer to keep");
                };
                take(E::Kept, &|world| world.slot = Slot::Answer(secret.clone()));
                take(E::NotKept, &none);
            }
            InPlaceCommand::Store(_, hash) => {
                assert_eq!(self.write, None);
                let new = secret(&hash);
                take(E::Stored(WriteOutcome::Done), &|world| world.current = new);
                take(E::Stored(WriteOutcome::Failed), &none);
                take(E::Stored(WriteOutcome::Unknown), &none);
                take(E::Stored(WriteOutcome::Unknown), &|world| {
                    world.current = new;
                });
                take(E::Stored(WriteOutcome::Unknown), &|world| {
                    world.write = Some(new);
                });
            }
            InPlaceCommand::Prove => {
                take(E::Lost, &none);
                take(if is_valid { E::Proved } else { E::Rejected }, &none);
            }
            InPlaceCommand::Settle => {
                if self.write.is_none() {
                    take(E::Settled, &none);
                }
            }
            InPlaceCommand::Read => {
                take(E::Unreadable, &none);
                let record = E::Record(hash(self.current), self.slot.clone());
                take(record, &none);
            }
            InPlaceCommand::Finish(_) => {
                take(E::Stored(WriteOutcome::Done), &|world| {
                    world.slot = Slot::Empty;
                });
                take(E::Stored(WriteOutcome::Unknown), &none);
                take(E::Stored(WriteOutcome::Failed), &none);
            }
            InPlaceCommand::RemoveNotes => {
                take(E::Noted, &|world| world.is_noted = false);
                take(E::NotNoted, &|world| world.is_noted = false);
                take(E::NotNoted, &none);
            }
            InPlaceCommand::Pause(_) => match machine.state {
                State::Lasting(..) => {
                    take(E::Woken, &none);
                    if !self.late {
                        take(E::Woken, &|world| {
                            let machine = world.machine.as_mut().unwrap();
                            machine.last_lost = Some(NOW.before(LATE_CALLS));
                        });
                    }
                }
                _ => take(E::Woken, &none),
            },
            InPlaceCommand::End(_) => {}
        }
    }

    fn check(&self) -> Result<(), &'static str> {
        let end = match &self.machine {
            Some(machine) => match machine.state {
                State::Ended(end) => end,
                _ => return Ok(()),
            },
            None if self.is_noted => return Ok(()),
            None => InPlaceEnd::Rotated,
        };
        let works = self.valid == self.current && !self.late && self.write.is_none();
        match end {
            InPlaceEnd::Rotated | InPlaceEnd::Undone if !works => Err("a false success"),
            InPlaceEnd::NeedsHuman if self.valid == self.current => Err("a false alarm"),
            InPlaceEnd::NeedsHuman => Ok(()),
            _ if self.is_noted => Err("the journal is left"),
            _ => Ok(()),
        }
    }
}

#[test]
fn an_in_place_rotation_succeeds_only_with_a_working_lasting_secret() {
    let mut worlds = vec![World::begin()];
    let mut index = HashMap::from([(World::begin(), 0_usize)]);
    let mut cause = vec![0];
    let mut ends = BTreeSet::new();
    let mut at = 0;
    while at < worlds.len() {
        let world = worlds[at].clone();
        if let Err(fault) = world.check() {
            let mut lines = vec![];
            let mut from = at;
            while from != 0 {
                lines.push(format!("{:?}", worlds[from]));
                from = cause[from];
            }
            lines.reverse();
            panic!("{fault}:\n{}", lines.join("\n"));
        }
        if let Some(State::Ended(end)) = world.machine.as_ref().map(|it| &it.state) {
            ends.insert(format!("{end:?}"));
        }
        for next in world.next() {
            index.entry(next.clone()).or_insert_with(|| {
                worlds.push(next);
                cause.push(at);
                worlds.len() - 1
            });
        }
        at += 1;
        assert!(at < 200_000, "no end");
    }
    assert!(at > 1_000, "{at}");
    let all = ["NeedsHuman", "Rotated", "Undone"].map(String::from);
    assert_eq!(ends, BTreeSet::from(all));
}

#[test]
fn a_lost_response_is_requested_again_while_the_token_is_certainly_valid() {
    let mut now = NOW;
    let mut machine = InPlace::new(notes(), now);
    let mut calls = 0;
    loop {
        let event = match machine.command() {
            InPlaceCommand::KeepToken => InPlaceEvent::Kept,
            InPlaceCommand::Note(_) => InPlaceEvent::Noted,
            InPlaceCommand::Regenerate(_) => {
                calls += 1;
                InPlaceEvent::Lost
            }
            InPlaceCommand::Prove => InPlaceEvent::Rejected,
            InPlaceCommand::Pause(pause) => {
                now = pause.until;
                InPlaceEvent::Woken
            }
            InPlaceCommand::End(end) => {
                assert_eq!(end, InPlaceEnd::NeedsHuman);
                break;
            }
            command => panic!("{command:?}"),
        };
        machine.step(now, event);
    }
    assert!(now >= NOW.after(Duration::from_secs(15 * 60)), "{now:?}");
    assert_eq!(calls, 25);
}
