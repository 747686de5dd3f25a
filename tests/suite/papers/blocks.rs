//! Every block of code runs here, is run by a test that its mark names, or says why it does not run.
//!
//! Here run those without a mark: a configuration is read by the program's parser; the lines of a shell run beside a daemon
//! and a sandbox, in the order of their page.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use jetond::config::{self, LookupFailed, Names};

use super::page::{Block, Mark, Page};
use super::{pages, root};
use crate::support::{TestEnv, ignored};

/// How many blocks do not run. A block that can run is no member of these.
const NOT_RUN: usize = 9;

/// The marks of pages that have none themselves: the page, how a block begins, and its mark.
const MARKS: [(&str, &str, &str); 9] = [
    (
        "docs/applications.md",
        "jetond app create",
        "run by tests/suite/app.rs",
    ),
    (
        "docs/applications.md",
        "jeton token batch",
        "not run here: train.py is yours; the README runs the same with a shell",
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

/// The mark of a block.
fn mark(page: &Page, block: &Block) -> Mark {
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

/// The blocks of code; a text is none.
fn blocks(pages: &[Page]) -> impl Iterator<Item = (&Page, &Block)> {
    let all = pages
        .iter()
        .flat_map(|page| page.blocks.iter().map(move |block| (page, block)));
    all.filter(|(_, block)| block.language != "text")
}

/// The text of a test file, and of the files in the folder of its name.
fn text_of(file: &str) -> String {
    let path = root().join(file);
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    for entry in fs::read_dir(path.with_extension("")).into_iter().flatten() {
        text += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    text
}

/// The options of our own programs in a block.
fn options(text: &str) -> Vec<&str> {
    let commands = text
        .lines()
        .flat_map(|line| line.split(['|', '&', ';', '#']));
    let commands = commands.map(|command| command.trim_start().trim_start_matches("sudo "));
    let ours = commands.filter(|command| command.starts_with("jeton"));
    let words = ours.flat_map(str::split_whitespace);
    words
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .collect()
}

/// Whether a proof of `.ci/boot.d` runs the block: it takes it from the page by a line above, or has its first line.
fn is_in_proof(proof: &str, block: &Block) -> bool {
    let proof = format!("{proof}{}", text_of(".ci/boot.d/lib"));
    let taken = proof
        .split("lines \"")
        .chain(proof.split("example \""))
        .skip(1);
    let taken = taken.filter_map(|rest| rest.split('"').next());
    let quoted = proof
        .split("lines '")
        .skip(1)
        .filter_map(|rest| rest.split('\'').next());
    let mut taken = taken
        .chain(quoted)
        .map(|begin| begin.replace("\\`$unit\\`", "`/etc"));
    let is_above = |begin: String| block.above.iter().any(|line| line.starts_with(&begin));
    let first = block
        .text
        .lines()
        .next()
        .unwrap_or_default()
        .trim_start_matches("sudo ");
    taken.any(is_above) || proof.contains(first)
}

#[test]
fn every_block_that_another_test_runs_is_known_there() {
    let mut unknown = vec![];
    for (page, block) in blocks(&pages()) {
        let Mark::RunBy(files) = mark(page, block) else {
            continue;
        };
        let texts: Vec<_> = files.iter().map(|file| text_of(file)).collect();
        let is_known = match files.iter().all(|file| file.starts_with(".ci/")) {
            true => texts.iter().all(|text| is_in_proof(text, block)),
            false => options(&block.text)
                .iter()
                .all(|option| texts.concat().contains(option)),
        };
        if files.is_empty() || !is_known {
            unknown.push(format!("{}:{} in {files:?}", page.path, block.line));
        }
    }
    assert_eq!(unknown, Vec::<String>::new());
}

#[test]
fn the_blocks_that_do_not_run_say_why_and_are_counted() {
    let all = pages();
    let mut marked = String::new();
    for (page, block) in blocks(&all) {
        if let Mark::NotRun(reason) = mark(page, block) {
            assert!(reason.len() > 20, "{}:{}: {reason}", page.path, block.line);
            writeln!(marked, "{}:{}: {reason}", page.path, block.line).unwrap();
        }
    }
    assert_eq!(marked.lines().count(), NOT_RUN, "\n{marked}");
    for (path, begin, _) in MARKS {
        let has =
            |(page, block): (&Page, &Block)| page.path == path && block.text.starts_with(begin);
        assert!(blocks(&all).any(has), "{path} has no block {begin}");
    }
}

/// Every user and every group is there.
struct Everybody;

impl Names for Everybody {
    fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(1_000))
    }

    fn group(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(1_000))
    }
}

/// What a configuration has before the part of it that a page shows.
const PROFILE: &str = "[profiles.research]\nprovider = \"runai\"\nurl = \"https://acme.run.ai\"\n";

#[test]
fn every_configuration_is_valid() {
    let mut read = 0;
    for (page, block) in blocks(&pages()) {
        if block.language != "toml" || mark(page, block) != Mark::None {
            continue;
        }
        let is_part = !block.text.contains("provider");
        let before = if is_part { PROFILE } else { "" };
        let parsed = config::parse(&format!("{before}{}\n", block.text), &Everybody);
        assert!(parsed.is_ok(), "{}:{}: {parsed:?}", page.path, block.line);
        read += 1;
    }
    assert!(read >= 5, "{read}");
}

/// The lines of a shell as they run here. What was built elsewhere is not built again, the daemon is there already, and the
/// sandbox is in the place of acme.
fn here(text: &str, url: &str, secret: &Path) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        if line.starts_with("cargo ") || line.starts_with("jetond run &") {
            continue;
        }
        let credential = format!(
            "{url} --client-id test-client --store file --client-secret-file {}",
            secret.display()
        );
        let address = match line.starts_with("jetond add") {
            true => &credential,
            false => url,
        };
        lines += &line.replace("https://acme.run.ai", address);
        lines.push('\n');
    }
    lines
}

/// Runs the blocks of a shell on a page that have no mark.
fn run(path: &str, at_least: usize) {
    let pages = pages();
    let page = pages.iter().find(|page| page.path == path).unwrap();
    let here_run = |block: &&Block| block.language == "sh" && mark(page, block) == Mark::None;
    let blocks: Vec<_> = page.blocks.iter().filter(here_run).collect();
    assert!(blocks.len() >= at_least, "{path}: {}", blocks.len());
    if !Path::new("/usr/bin/curl").exists() {
        return ignored("curl is missing: apt-get install curl");
    }
    let env = TestEnv::with_sandbox(600);
    if !blocks
        .iter()
        .any(|block| block.text.contains("jetond add research"))
    {
        env.enrol("research");
    }
    let mut daemon = env.start();
    let programs = Path::new(env!("CARGO_BIN_EXE_jetond")).parent().unwrap();
    for block in blocks {
        let mut command = env.command("/bin/bash");
        let lines = here(&block.text, &env.sandbox().url(), &env.secret_file());
        command.args(["-euo", "pipefail", "-c", &lines]).env(
            "PATH",
            format!("{}:/usr/local/bin:/usr/bin:/bin", programs.display()),
        );
        let ran = env.finish(path, command, b"", true);
        let what = format!("{path}:{}:\n{lines}", block.line);
        assert_eq!(ran.code, 0, "{what}{}", ran.stderr);
        // Also in a part of a line whose exit code the shell does not tell. What is no fault has an expiry in it.
        let is_fault = |line: &str| line.starts_with("jeton: ") && !line.contains(" expires in ");
        let refused = ran.stderr.lines().any(is_fault);
        assert!(!refused, "{what}{}", ran.stderr);
    }
    env.stop(&mut daemon);
}

#[test]
fn the_lines_of_the_readme_run() {
    run("README.md", 7);
}

#[test]
fn the_lines_of_getting_started_run() {
    run("docs/getting-started.md", 4);
}

#[test]
fn the_lines_of_integrations_run() {
    run("docs/integrations.md", 3);
}

#[test]
fn the_lines_of_the_api_run() {
    run("docs/api.md", 1);
}

#[test]
fn no_block_is_left_out() {
    let ran_here = [
        "README.md",
        "docs/getting-started.md",
        "docs/integrations.md",
        "docs/api.md",
    ];
    for (page, block) in blocks(&pages()) {
        let is_run = match block.language.as_str() {
            "toml" => true,
            "sh" => ran_here.contains(&page.path.as_str()),
            _ => false,
        };
        let place = format!("{}:{}", page.path, block.line);
        assert!(
            is_run || mark(page, block) != Mark::None,
            "{place} does not run here: write '<!-- run by tests/… -->' or '<!-- not run here: reason -->' before it\n{}",
            block.text
        );
    }
}
