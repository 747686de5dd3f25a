//! The table of the kills.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::behaviour::Behaviour;
use crate::operation;
use crate::tracer::Group;

/// A cell of the table: the number of the operation, the server's behaviour, and the kind of call.
pub(crate) type Cell = (usize, Behaviour, Group);

/// Returns why the cell cannot be filled, if it cannot.
pub(crate) fn never((operation, behaviour, group): Cell) -> Option<&'static str> {
    let mut never = operation::ALL[operation].never.iter();
    let never =
        never.find(|never| never.behaviours.contains(&behaviour) && never.groups.contains(&group));
    never.map(|never| never.why)
}

/// Formats the cell for people.
pub(crate) fn label((operation, behaviour, group): Cell) -> String {
    let (name, behaviour) = (operation::ALL[operation].name, behaviour.as_str());
    format!("{name}, {behaviour}, {}", group.short())
}

/// Returns all cells of the table.
pub(crate) fn cells() -> impl Iterator<Item = Cell> {
    (0..operation::ALL.len()).flat_map(|operation| {
        Behaviour::ALL.into_iter().flat_map(move |behaviour| {
            Group::ALL
                .into_iter()
                .map(move |group| (operation, behaviour, group))
        })
    })
}

/// Formats the table for people: the number of kills in each cell.
pub(crate) fn text(counts: &BTreeMap<Cell, usize>) -> String {
    let mut text = String::new();
    let wide = Group::ALL.len() * 4;
    write!(text, "{:25}", "").unwrap();
    for behaviour in Behaviour::ALL {
        write!(text, "|{:^wide$}", behaviour.as_str()).unwrap();
    }
    write!(text, "|\n{:25}", "").unwrap();
    for _ in Behaviour::ALL {
        text.push('|');
        for group in Group::ALL {
            write!(text, "{:>3} ", group.short()).unwrap();
        }
    }
    text.push('|');
    for (row, operation) in operation::ALL.iter().enumerate() {
        write!(text, "\n{:25}", operation.name).unwrap();
        for behaviour in Behaviour::ALL {
            text.push('|');
            for group in Group::ALL {
                let cell = (row, behaviour, group);
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
    for operation in operation::ALL {
        for never in operation.never {
            write!(text, "\n  {}: {}", operation.name, never.why).unwrap();
        }
    }
    text
}
