//! Marks of code blocks.

use super::page::{Block, Mark, Page};

/// Marks for pages that have none in their text: the page, the beginning of a block, and its mark.
pub(super) const MARKS: [(&str, &str, &str); 10] = [
    (
        "docs/applications.md",
        "jetond app create",
        "run by tests/suite/app.rs",
    ),
    (
        "docs/applications.md",
        "jeton token batch",
        "not run here: the profile batch is not there; the README runs the same",
    ),
    (
        "docs/applications.md",
        "jetond app list",
        "run by tests/suite/app.rs",
    ),
    (
        "docs/applications.md",
        "jetond app regenerate",
        "run by tests/suite/app.rs",
    ),
    (
        "docs/applications.md",
        "jeton rotate",
        "run by tests/suite/rotate.rs",
    ),
    (
        "docs/applications.md",
        "jetond app delete",
        "run by tests/suite/app.rs",
    ),
    (
        "docs/credentials.md",
        "jetond encrypt-store",
        "run by tests/suite/encrypted.rs",
    ),
    (
        "docs/credentials.md",
        "# ~/.config/systemd/user/jetond-unlock.service",
        "not run here: no test boots with a credential that systemd has encrypted",
    ),
    (
        "docs/credentials.md",
        "age -d",
        "run by tests/suite/encrypted.rs",
    ),
    (
        "docs/credentials.md",
        "jetond migrate",
        "run by tests/suite/moves.rs",
    ),
];

/// Returns the mark of a block.
pub(super) fn mark(page: &Page, block: &Block) -> Mark {
    let of_page = MARKS
        .iter()
        .find(|(path, begin, _)| *path == page.path && block.text.starts_with(begin));
    match of_page {
        Some((.., mark)) if block.mark == Mark::None => {
            Mark::parse(&format!("<!-- {mark} -->")).unwrap()
        }
        _ => block.mark.clone(),
    }
}
