//! Tables in the pages, compared with the program. `JETON_RECORD=1` writes the generated ones.

use std::collections::BTreeSet;
use std::fs;

use jetond::config::{self, KeyDoc};
use jetond::problem::TABLE;
use serde_json::Value;

use super::{read, root};

/// Asserts that the page has this table between `<!-- generated: NAME -->` and `<!-- end -->`.
fn holds(page: &str, name: &str, table: &str) {
    let text = read(page);
    let begin = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&begin).unwrap();
    let (there, after) = rest.split_once("<!-- end -->").unwrap();
    let wanted = format!("\n{table}\n");
    if std::env::var_os("JETON_RECORD").is_some() {
        let written = format!("{before}{begin}{wanted}<!-- end -->{after}");
        // Written atomically, because other tests read the page at the same time.
        let new = root().join(format!("{page}.new"));
        fs::write(&new, written).unwrap();
        fs::rename(new, root().join(page)).unwrap();
        return;
    }
    assert!(
        there == wanted,
        "JETON_RECORD=1 cargo test --test suite papers:: writes this table of {page}:\n{wanted}"
    );
}

/// Escapes a text for a table cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// Returns the table row of a configuration key.
fn row(doc: &KeyDoc) -> String {
    let default = match doc.default {
        "" => "required",
        default => default,
    };
    let (takes, default, about) = (cell(doc.takes), cell(default), cell(doc.about));
    format!(
        "| `{}` | {} | {takes} | {default} | {about} |\n",
        doc.name, doc.provider
    )
}

#[test]
fn docs_configuration_lists_every_key() {
    let tables = config::reference().into_iter().map(|(table, keys)| {
        let rows: String = keys.iter().map(row).collect();
        let head = "| key | of | takes | default, or why it may be missing | what it does |\n|---|---|---|---|---|";
        format!("### `[{table}]`\n\n{head}\n{rows}")
    });
    let tables: Vec<_> = tables.collect();
    holds("docs/configuration.md", "keys", &tables.join("\n"));
}

#[test]
fn docs_operations_lists_every_code() {
    let rows = TABLE.iter().map(|row| {
        let (name, status, exit, detail) = (row.name, row.status, row.exit, cell(row.detail));
        format!("| `{name}` | {status} | {exit} | {detail} |\n")
    });
    let rows: String = rows.collect();
    let head = "| code | status | exit code | what it says |\n|---|---|---|---|";
    holds("docs/operations.md", "codes", &format!("{head}\n{rows}"));
}

fn document() -> Value {
    serde_json::from_str(include_str!("../../../src/daemon/serve/openapi.json")).unwrap()
}

/// Returns the requests in a text: a method and a path in backquotes.
fn requests(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_request = |word: &&str| word.starts_with("GET /") || word.starts_with("POST /");
    let without_query = |word: &str| word.split('?').next().unwrap_or_default().to_owned();
    quoted.filter(is_request).map(without_query).collect()
}

#[test]
fn docs_api_lists_every_request_of_the_api_document() {
    let page = read("docs/api.md");
    let (tokens, admin) = page.split_once("## On `admin.sock` alone").unwrap();
    let (admin, _) = admin.split_once("\n## ").unwrap();
    let (mut at_tokens, mut at_admin) = (BTreeSet::new(), BTreeSet::new());
    for (path, item) in document()["paths"].as_object().unwrap() {
        for method in ["get", "post"]
            .iter()
            .filter(|method| item.get(**method).is_some())
        {
            let request = format!("{} {path}", method.to_uppercase());
            match item["x-sockets"] == serde_json::json!(["admin.sock"]) {
                true => at_admin.insert(request),
                false => at_tokens.insert(request),
            };
        }
    }
    assert_eq!(requests(tokens), at_tokens);
    assert_eq!(requests(admin), at_admin);
    assert!(!at_admin.is_empty());
}

/// Returns the allowed values of a schema's property.
fn names(schema: &str, property: &str) -> Vec<String> {
    let document = document();
    let names = &document["components"]["schemas"][schema]["properties"][property]["enum"];
    let names = names.as_array().unwrap().iter();
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn docs_operations_lists_every_stable_name() {
    let page = read("docs/operations.md");
    let (_, stable) = page.split_once("## Stable names").unwrap();
    let (stable, codes) = stable.split_once("\n## ").unwrap();
    let kinds = names("Fault", "kind");
    assert!(kinds.len() > 10);
    let phases = names("Profile", "phase");
    for name in kinds
        .iter()
        .chain(&phases)
        .map(String::as_str)
        .chain(["token", "state"])
    {
        assert!(stable.contains(&format!("| `{name}` |")), "{name}");
    }
    for name in names("Sink", "state") {
        assert!(stable.contains(&format!("`{name}`")), "{name}");
    }
    for name in names("Problem", "code") {
        assert!(codes.contains(&format!("| `{name}` |")), "{name}");
    }
}
