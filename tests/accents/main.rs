//! Accents: answers of real token endpoints, each in one small file, read by the real provider over a real socket.
//!
//! To add an accent, add a file `FOLDER/NAME.accent`. Its parts are separated by lines that begin with `===`:
//!
//! ```text
//! # Which servers answer like this, and what is unusual about it.
//! profile: client-auth = "post"
//!
//! === answer POST /token
//! HTTP/1.1 201 Created
//! Content-Type: application/json
//!
//! {"access_token":"a-token","expires_in":3600}
//!
//! === fetch
//! token: a-token
//! lifetime: 3600
//! ```
//!
//! | before the first part | |
//! |---|---|
//! | `# text` | which servers answer like this; the first line is required |
//! | `provider: runai` | the provider; the default is `oauth2` |
//! | `profile: KEY = VALUE` | one more line of the profile; without an address the token endpoint is `/token` |
//! | `id: TEXT`, `secret: TEXT` | the credential |
//! | `bound-to: URL` | the endpoint for which it was enrolled; `/token` for a profile with an issuer |
//! | `certificate: WORDS` | the issuer uses TLS with such a certificate (`certificate.rs`) |
//! | `trusts: WORDS` | the CA file of the profile (`certificate.rs`) |
//! | `profiles: N` | the number of profiles at the issuer; with two or more the client keeps connections |
//!
//! `=== answer [METHOD PATH] [OPTION]` is an answer to such a request, or to any request. The issuer sends the first
//! matching answer that it has not sent yet. If all were sent, it repeats the last one that matches. If none matches,
//! it answers 404. Only what is in the file is sent, and line ends and the length are added. The options:
//!
//! | option | |
//! |---|---|
//! | | `Content-Length` is added, unless the head has it or `Transfer-Encoding`; the connection stays open |
//! | `chunked` | `Transfer-Encoding` is added, and the body is sent in chunks |
//! | `close` | no length is added, and the end of the connection ends the body |
//! | `open` | no length is added, and the connection stays open |
//! | `reset` | no length is added, and the connection is reset after the body |
//!
//! `=== fetch` requests a token as the daemon does, `=== proof` as `jetond add` does, and `=== destination` asks for
//! the endpoint's address. The expected results:
//!
//! | key | |
//! |---|---|
//! | `token: TEXT` | this token |
//! | `lifetime: N`, `N..M` or `none` | its lifetime in seconds |
//! | `scope: TEXT` | the granted scope, or `as asked` |
//! | `client-auth: FORM` | the form of the credential that a proof found |
//! | `endpoint: URL` | this endpoint |
//! | `fault: KIND` | this fault |
//! | `says: TEXT`, `hides: TEXT` | a text that the fault's message has, and one that it does not have |
//! | `tried: FORM, …` | the forms of the credential that a proof tried |
//! | `wait: N` | the wait that the issuer asked for, in seconds |
//! | `asked: METHOD PATH, …` | all requests since the previous part |
//! | `sends: TEXT`, `withholds: TEXT` | a text that one of these requests has, and one that none of them has |
//! | `basic: ID:SECRET` | the content of `Authorization`, with only the base64 decoded |
//! | `connections: N` | the number of connections since the start |
//!
//! In every line and body `{{ NAME TEXT }}` stands for bytes (`text.rs`): `x 1f 8b`, `repeat 1000 TEXT`, `base64 TEXT`,
//! `gzip TEXT`, `jwt CLAIMS`, `at`, `id`, `secret`, `now N`, `date N`, `time N`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests panic on an unexpected result, and read the clock"
)]

mod accent;
mod certificate;
mod issuer;
mod run;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use accent::Accent;

/// The minimum number of accents, so that lost files are noticed.
const LEAST: usize = 120;

/// Returns every accent's text by folder and file name.
fn files() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/accents");
    let inside = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let folders = inside(&folder).into_iter().filter(|path| path.is_dir());
    folders
        .flat_map(|folder| inside(&folder))
        .map(|path| {
            let name = path.strip_prefix(&folder).unwrap().to_str().unwrap();
            let is_accent = path.extension().is_some_and(|it| it == "accent");
            assert!(is_accent, "{name} is not a .accent file");
            (name.to_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Returns whether an accent has an expected number of connections.
fn counts(text: &str) -> bool {
    text.contains("\nconnections:")
}

/// Runs an accent. The error names the file.
async fn judged(name: &str, text: &str) -> Result<(), String> {
    let judged = match Accent::parse(text) {
        Ok(accent) => run::run(accent).await,
        Err(why) => Err(why),
    };
    judged.map_err(|why| format!("{name}: {why}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accent_leads_to_the_outcome_in_its_file() {
    let files = files();
    assert!(files.len() >= LEAST, "only {} accents", files.len());
    let mut running = JoinSet::new();
    for (name, text) in files.into_iter().filter(|(_, text)| !counts(text)) {
        running.spawn(async move { judged(&name, &text).await.err() });
    }
    let mut failed = vec![];
    while let Some(ended) = running.join_next().await {
        failed.extend(ended.unwrap());
    }
    failed.sort();
    assert!(failed.is_empty(), "{}\n", failed.join("\n"));
}

/// A connection can be reused once its task has found that the answer was read. On a single thread, and with one accent
/// at a time, that task always runs before the next request.
#[tokio::test(flavor = "current_thread")]
async fn every_accent_with_connection_counts_leads_to_the_outcome_in_its_file() {
    let files = files();
    let counting: Vec<_> = files.iter().filter(|(_, text)| counts(text)).collect();
    assert!(counting.len() >= 3, "{counting:?}");
    for (name, text) in counting {
        judged(name, text)
            .await
            .unwrap_or_else(|why| panic!("{why}\n"));
    }
}

#[test]
fn no_two_accent_files_have_the_same_shape() {
    let mut seen = BTreeMap::<String, String>::new();
    for (name, text) in files() {
        let shape = accent::shape(&text);
        if let Some(other) = seen.insert(shape, name.clone()) {
            panic!("{name} and {other} are the same accent");
        }
    }
}

#[test]
fn the_shape_of_an_accent_ignores_comments_blank_lines_and_digit_values() {
    let text = "# a\n=== answer\nHTTP/1.1 404 X\n\n{\"a\":12}\n=== fetch\nfault: malformed\n";
    for (other, same) in [
        (text.replace("# a", "# b\n# c"), true),
        (
            text.replace("12", "34")
                .replace("=== fetch", "\n\n=== fetch"),
            true,
        ),
        (text.replace("12", "0"), false),
        (text.replace("12", "123"), false),
        (text.replace("404", "405"), false),
        (text.replace("malformed", "rejected"), false),
    ] {
        assert_eq!(
            accent::shape(text) == accent::shape(&other),
            same,
            "{other}"
        );
    }
}
