//! The table of what was killed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::behaviour::Behaviour;
use crate::operation;
use crate::tracer::Group;

/// A cell of the table: an operation by its number, the server's behaviour, what the call does.
pub(crate) type Cell = (usize, Behaviour, Group);

/// Every cell of the table.
pub(crate) fn cells() -> impl Iterator<Item = Cell> {
    (0..operation::ALL.len()).flat_map(|operation| {
        Behaviour::ALL.into_iter().flat_map(move |behaviour| {
            Group::ALL
                .into_iter()
                .map(move |group| (operation, behaviour, group))
        })
    })
}

/// The table for people: how many kills there were in each cell.
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
                match counts.get(&(row, behaviour, group)) {
                    Some(count) => write!(text, "{count:>3} ").unwrap(),
                    None => text.push_str("  . "),
                }
            }
        }
        text.push('|');
    }
    text.push_str("\nwr write, rn rename or unlink, sy sync, co connect, se send, re receive");
    text
}
