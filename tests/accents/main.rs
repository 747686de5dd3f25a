//! Accents: how real token endpoints answer, each as one small file, read through the real provider over a real socket.
//!
//! Adding an accent is adding a file `FOLDER/NAME.accent`. Its parts are separated by lines that begin with `===`:
//!
//! ```text
//! # Who answers like that, and what is odd about it.
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
//! | `# text` | who answers like that; the first line is required |
//! | `provider: runai` | the provider; `oauth2` without it |
//! | `profile: KEY = VALUE` | one more line of the profile; without an address in any the token endpoint is `/token` |
//! | `id: TEXT`, `secret: TEXT` | the credential |
//! | `bound-to: URL` | the endpoint that it was enrolled for; `/token` for a profile with an issuer |
//! | `certificate: WORDS` | the issuer speaks TLS with a certificate like that (`certificate.rs`) |
//! | `trusts: WORDS` | the CA file by which the profile trusts it (`certificate.rs`) |
//! | `profiles: N` | so many profiles at the issuer: with two or more the client keeps connections |
//!
//! `=== answer [METHOD PATH] [OPTION]` is an answer to such a request, or to any. The first that fits and was not given
//! yet is given; when there is none, the last that fitted, and without one a 404. What is not there is not sent, but for
//! line ends and the length. The options:
//!
//! | option | |
//! |---|---|
//! | | `Content-Length` is added, unless the head has it or `Transfer-Encoding`; the connection stays open |
//! | `chunked` | `Transfer-Encoding` is added, and the body is sent in chunks |
//! | `close` | no length is added, and the connection's end ends the body |
//! | `open` | no length is added, and the connection stays open |
//! | `reset` | no length is added, and the connection is reset behind the body |
//!
//! `=== fetch` asks for a token as the daemon does, `=== proof` as `jetond add` does, `=== destination` for the endpoint's
//! address. What must come of it:
//!
//! | key | |
//! |---|---|
//! | `token: TEXT` | this token |
//! | `lifetime: N`, `N..M` or `none` | its lifetime in seconds |
//! | `scope: TEXT` | the scope that was granted, or `as asked` |
//! | `client-auth: FORM` | the form of the credential that a proof found |
//! | `endpoint: URL` | this endpoint |
//! | `fault: KIND` | this fault |
//! | `says: TEXT`, `hides: TEXT` | what its sentence has, and what it has not |
//! | `tried: FORM, …` | the forms of the credential that a proof tried |
//! | `wait: N` | the wait that the issuer asked for, in seconds |
//! | `asked: METHOD PATH, …` | the requests since the part before, all of them |
//! | `sends: TEXT`, `withholds: TEXT` | what these requests have, and what none has |
//! | `basic: ID:SECRET` | the pair in `Authorization`, decoded from base64 alone |
//! | `connections: N` | how many connections there were since the start |
//!
//! In every line and body `{{ NAME TEXT }}` stands for bytes (`text.rs`): `x 1f 8b`, `repeat 1000 TEXT`, `base64 TEXT`,
//! `gzip TEXT`, `jwt CLAIMS`, `at`, `id`, `secret`, `now N`, `date N`, `time N`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected fails by panicking, and reads the clock"
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

/// How many there are at least: none goes missing unnoticed.
const LEAST: usize = 120;

/// Every file, by folder and name.
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
            assert!(is_accent, "{name} is no .accent");
            (name.to_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect()
}

/// Whether an accent says how many connections there were.
fn counts(text: &str) -> bool {
    text.contains("\nconnections:")
}

/// Runs an accent. An error says of which file it is.
async fn judged(name: &str, text: &str) -> Result<(), String> {
    let judged = match Accent::parse(text) {
        Ok(accent) => run::run(accent).await,
        Err(why) => Err(why),
    };
    judged.map_err(|why| format!("{name}: {why}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accent_is_understood() {
    let files = files();
    assert!(files.len() >= LEAST, "{} accents", files.len());
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

/// A connection may be used again once its own task has found that the answer is read. On one thread, and one accent after
/// the other, that task always comes before the next request.
#[tokio::test(flavor = "current_thread")]
async fn every_accent_that_counts_connections_is_understood() {
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
fn no_two_accents_differ_only_in_values_of_one_class() {
    let mut seen = BTreeMap::<String, String>::new();
    for (name, text) in files() {
        let shape = accent::shape(&text);
        if let Some(other) = seen.insert(shape, name.clone()) {
            panic!("{name} and {other} are the same accent");
        }
    }
}

#[test]
fn accents_are_the_same_when_only_digits_spaces_and_comments_differ() {
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
