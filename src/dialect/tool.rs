//! The table of other tools' protocols, one per file.
//!
//! A tool starts the companion under a special name (`docker-credential-jeton`) or with the protocol's verb (`jeton git
//! get`). A row says how long its client keeps a token and how long it waits for one.

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

pub(super) use self::client::ClientBehaviour;
pub(super) use self::row::Tool;

use super::call::NextStep;
use super::row::Verb;

/// The table, in the order of the help.
pub(super) static TABLE: &[Tool] = &[
    git::TOOL,
    docker::TOOL,
    kube::TOOL,
    keyring::TOOL,
    mcp_headers::TOOL,
];

/// Applies the limits of the tool's client to a parsed call. A call of a verb that belongs to no tool stays as it is.
pub(super) fn bound(verb: &Verb, parsed: NextStep) -> NextStep {
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
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_tool_names_the_source_of_its_numbers() {
        for Tool { verb, client } in TABLE {
            let name = verb.grammar.verb;
            assert!(client.source.len() > 10, "{name}");
            assert!(client.is_sound(), "{name}");
        }
    }

    /// Formats a row of the table in `docs/integrations.md`.
    fn documented(asked_by: &str, client: &ClientBehaviour) -> String {
        let time = |time: Duration| match time.as_secs() {
            secs if secs.is_multiple_of(60) => format!("{} min", secs / 60),
            secs => format!("{secs} s"),
        };
        let (keeps, comes_back) = match (client.interval, client.window) {
            (Duration::ZERO, Duration::ZERO) => {
                ("until the expiry".to_owned(), "at the expiry".to_owned())
            }
            (Duration::ZERO, window) => (
                "until the expiry".to_owned(),
                format!("up to {} before the expiry", time(window)),
            ),
            (interval, _) => (time(interval), String::new()),
        };
        let waits = match client.timeout {
            None => "not known".to_owned(),
            Some(Duration::MAX) => "without a limit".to_owned(),
            Some(timeout) => time(timeout),
        };
        let columns = [
            // The part after the command stands outside of its backquotes.
            format!("`jeton {asked_by}`").replace("` of cargo`", "` of cargo"),
            keeps,
            comes_back,
            waits,
            time(client.deadline()),
            client.source.to_owned(),
        ];
        let line = columns.map(|text| format!("| {text} ")).concat() + "|";
        line.replace("|  |", "| |")
    }

    #[test]
    fn the_docs_list_the_numbers_of_every_tool() {
        let tools = TABLE
            .iter()
            .map(|tool| (tool.verb.grammar.verb.to_owned(), &tool.client));
        let plain = plain::CLIENTS.iter();
        let plain = plain.map(|(name, client)| (format!("token --for {name}"), client));
        let cargo = ("token --bearer` of cargo".to_owned(), &plain::CARGO);
        let want: Vec<_> = tools
            .chain(plain)
            .chain([cargo])
            .map(|(name, client)| documented(&name, client))
            .collect();
        let docs = include_str!("../../docs/integrations.md");
        let (_, table) = docs.split_once("| asked by |").unwrap();
        let rows = table
            .lines()
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        assert_eq!(rows.collect::<Vec<_>>(), want);
    }

    #[test]
    fn every_tool_has_a_folder_of_test_requests() {
        for Tool { verb, .. } in TABLE {
            let name = verb.grammar.verb;
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            let folder = root.join("tests/tools").join(name);
            assert!(folder.is_dir(), "{name}: see tests/tools/README.md");
        }
    }
}
