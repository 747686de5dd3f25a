//! The table of other tools' protocols, one per file.
//!
//! A tool starts the companion under a name of its own (`docker-credential-jeton`) or with the protocol's verb (`jeton
//! git get`). A row says how long its client keeps an answer and how long it waits for one.

mod challenges;
mod client;
mod docker;
mod git;
mod keyring;
mod kube;
mod mcp_headers;
pub(super) mod plain;
mod request;
mod row;
#[cfg(test)]
mod testing;

pub(super) use self::client::Client;
pub(super) use self::row::Tool;

use super::call::Parsed;
use super::row::Verb;

/// The table, in the order of the help.
pub(super) static TABLE: &[Tool] = &[
    git::TOOL,
    docker::TOOL,
    kube::TOOL,
    keyring::TOOL,
    mcp_headers::TOOL,
];

/// A parsed call of `verb`, bound to what the client of its row needs. For a verb that is no tool's nothing changes.
pub(super) fn bound(verb: &Verb, parsed: Parsed) -> Parsed {
    match TABLE
        .iter()
        .find(|tool| std::ptr::eq(&raw const tool.verb, verb))
    {
        Some(tool) => tool.client.bind(parsed),
        None => parsed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_names_where_its_numbers_are_written() {
        for Tool { verb, client } in TABLE {
            let name = verb.grammar.verb;
            assert!(client.source.len() > 10, "{name}");
            assert!(client.is_sound(), "{name}");
        }
    }

    #[test]
    fn every_row_has_requests_for_the_tests_of_all_protocols() {
        for Tool { verb, .. } in TABLE {
            let name = verb.grammar.verb;
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            let folder = root.join("tests/tools").join(name);
            assert!(folder.is_dir(), "{name}: see tests/tools/README.md");
        }
    }
}
