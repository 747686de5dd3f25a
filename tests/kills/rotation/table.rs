//! The table of rotations: kills by call, phase and behaviour of the control plane.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::mode::MODES;
use super::phase::Phase;
use crate::behaviour::Behaviour;
use crate::tracer::Group;

/// A cell: the number of the mode, the phase, the control plane's behaviour, and the kind of call.
pub(super) type Cell = (usize, Phase, Behaviour, Group);

/// Returns why the cell cannot be filled, if it cannot.
pub(super) fn never((mode, phase, behaviour, group): Cell) -> Option<&'static str> {
    let mut never = MODES[mode].never.iter();
    let never = never.find(|never| {
        never.phases.contains(&phase)
            && never.behaviours.contains(&behaviour)
            && never.groups.contains(&group)
    });
    never.map(|never| never.why)
}

/// Returns all cells.
pub(super) fn cells() -> impl Iterator<Item = Cell> {
    (0..MODES.len()).flat_map(|mode| {
        MODES[mode].phases.iter().flat_map(move |phase| {
            Behaviour::ALL.into_iter().flat_map(move |behaviour| {
                Group::ALL
                    .into_iter()
                    .map(move |group| (mode, *phase, behaviour, group))
            })
        })
    })
}

/// Formats the cell for people.
pub(super) fn label((mode, phase, behaviour, group): Cell) -> String {
    format!(
        "{}, {}, {}, {}",
        MODES[mode].name,
        phase.as_str(),
        behaviour.as_str(),
        group.short()
    )
}

/// Formats the table for people: the number of kills in each cell.
pub(super) fn text(counts: &BTreeMap<Cell, usize>) -> String {
    let mut text = String::new();
    let wide = Group::ALL.len() * 4;
    for (mode, of_mode) in MODES.iter().enumerate() {
        if mode > 0 {
            text.push('\n');
        }
        write!(text, "{:18}", of_mode.name).unwrap();
        for behaviour in Behaviour::ALL {
            write!(text, "|{:^wide$}", behaviour.as_str()).unwrap();
        }
        write!(text, "|\n{:18}", "").unwrap();
        for _ in Behaviour::ALL {
            text.push('|');
            for group in Group::ALL {
                write!(text, "{:>3} ", group.short()).unwrap();
            }
        }
        text.push('|');
        for phase in of_mode.phases.iter().copied() {
            write!(text, "\n  {:16}", phase.as_str()).unwrap();
            for behaviour in Behaviour::ALL {
                text.push('|');
                for group in Group::ALL {
                    let cell = (mode, phase, behaviour, group);
                    match (counts.get(&cell), never(cell)) {
                        (Some(count), _) => write!(text, "{count:>3} ").unwrap(),
                        (None, None) => text.push_str("  . "),
                        (None, Some(_)) => text.push_str("  - "),
                    }
                }
            }
            text.push('|');
        }
        text.push_str("\nwr write, rn rename or unlink, sy sync, co connect, se send, re receive; - cannot be, since:");
        for never in of_mode.never {
            let phases: Vec<_> = never.phases.iter().map(|phase| phase.as_str()).collect();
            write!(text, "\n  {}: {}", phases.join(", "), never.why).unwrap();
        }
    }
    text
}
