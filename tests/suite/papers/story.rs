//! Shell commands on a page, run in their order beside a daemon and a sandbox.

use std::fs;
use std::path::Path;

use super::marks::mark;
use super::page::{Block, Mark};
use super::pages;
use crate::support::scripts::write_script;
use crate::support::{TestEnv, ignored};

/// The pages whose shell commands run here, with the minimum number of blocks on each.
pub(super) const PAGES: [(&str, usize); 4] = [
    ("README.md", 7),
    ("docs/getting-started.md", 4),
    ("docs/integrations.md", 3),
    ("docs/api.md", 1),
];

/// Adapts shell commands to the test: skips builds and the start of a daemon, and replaces acme's address with the
/// sandbox's.
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

/// Substitutes for the reader's own programs: each one checks that the command line gives it a token.
const READERS: [(&str, &str); 3] = [
    (
        "python",
        "if test \"$RUNAI_TOKEN\"; then :; elif test \"$TOKEN_FILE\"; then test -s \"$TOKEN_FILE\"; \
         else jeton token research >/dev/null; fi",
    ),
    ("make", "jeton token research >/dev/null"),
    ("srun", "exec \"$@\""),
];

/// Runs the unmarked shell blocks of a page.
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
    let readers = env.path("home/bin");
    fs::create_dir(&readers).unwrap();
    for (name, lines) in READERS {
        write_script(&readers.join(name), &format!("#!/bin/sh\n{lines}\n"));
    }
    let folders = [readers.as_path(), programs].map(|folder| folder.display().to_string());
    let path_variable = format!("{}:/usr/local/bin:/usr/bin:/bin", folders.join(":"));
    for block in blocks {
        let mut command = env.command("/bin/bash");
        let lines = here(&block.text, &env.sandbox().url(), &env.secret_file());
        command
            .args(["-euo", "pipefail", "-c", &lines])
            .env("PATH", &path_variable);
        let ran = env.finish(path, command, b"", true);
        let what = format!("{path}:{}:\n{lines}", block.line);
        assert_eq!(ran.code, 0, "{what}{}", ran.stderr);
        // Also checks the parts of a command whose exit code the shell does not return. A message with an expiry is not
        // a fault.
        let is_fault = |line: &str| line.starts_with("jeton: ") && !line.contains(" expires in ");
        let refused = ran.stderr.lines().any(is_fault);
        assert!(!refused, "{what}{}", ran.stderr);
    }
    env.stop(&mut daemon);
}

#[test]
fn the_shell_commands_of_each_page_run_in_order() {
    for (path, at_least) in PAGES {
        run(path, at_least);
    }
}
