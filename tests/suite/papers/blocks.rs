//! Code blocks: each runs here, is run by the test that its mark names, or says why it does not run.
//!
//! Blocks without a mark run here. The program's parser reads a configuration, and `story.rs` runs shell commands.

use std::fmt::Write as _;
use std::fs;

use jetond::config::{self, LookupFailed, Names};

use super::marks::{MARKS, mark};
use super::page::{Block, Mark, Page};
use super::story;
use super::{pages, root};

/// How many blocks do not run. A block that can run must not be one of them.
const NOT_RUN: usize = 7;

/// Returns the code blocks. A block of plain text is not one.
fn blocks(pages: &[Page]) -> impl Iterator<Item = (&Page, &Block)> {
    let all = pages
        .iter()
        .flat_map(|page| page.blocks.iter().map(move |block| (page, block)));
    all.filter(|(_, block)| block.language != "text")
}

/// Returns the text of a test file and of the files in the folder with its name.
fn text_of(file: &str) -> String {
    let path = root().join(file);
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    for entry in fs::read_dir(path.with_extension("")).into_iter().flatten() {
        text += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    text
}

/// Returns the options of our own programs in a block.
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

/// Returns whether a proof of `.ci/boot.d` runs the block: the proof contains the block's first line, or extracts the
/// block from the page by a line above it.
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
fn every_block_marked_as_run_elsewhere_appears_in_the_named_file() {
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
fn every_block_that_does_not_run_has_a_reason_and_is_counted() {
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

/// A directory of names in which every user and every group exists.
struct AllNamesExist;

impl Names for AllNamesExist {
    fn user(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(1_000))
    }

    fn group(&self, _: &str) -> Result<Option<u32>, LookupFailed> {
        Ok(Some(1_000))
    }
}

/// The configuration that precedes a part shown on a page.
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
        let parsed = config::parse(&format!("{before}{}\n", block.text), &AllNamesExist);
        assert!(parsed.is_ok(), "{}:{}: {parsed:?}", page.path, block.line);
        read += 1;
    }
    assert!(read >= 5, "{read}");
}

#[test]
fn every_block_runs_or_has_a_mark() {
    for (page, block) in blocks(&pages()) {
        let is_run = match block.language.as_str() {
            "toml" => true,
            "sh" => story::PAGES.iter().any(|(path, _)| *path == page.path),
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
