//! Prints the findings, for a person or for a program.

use std::io::{IsTerminal as _, stdout};

use rustix::termios::tcgetwinsize;

use super::super::output::print;
use super::finding::{Finding, Verdict};
use crate::paths::Env;
use crate::process::logging::{printable, printable_json};

/// The smallest width that text is wrapped to.
const NARROWEST: usize = 40;

/// Prints the findings as a JSON array.
pub(super) fn json(findings: &[Finding]) {
    // Serialising strings cannot fail.
    if let Ok(text) = serde_json::to_string_pretty(findings) {
        print(&format!("{}\n", printable_json(&text)));
    }
}

/// Prints a line for each finding; on a terminal wrapped to its width, and coloured.
pub(super) fn text(findings: &[Finding], env: &Env) {
    let terminal = stdout().is_terminal();
    let columns = tcgetwinsize(stdout())
        .ok()
        .map_or(80, |size| usize::from(size.ws_col));
    let width = terminal.then_some(columns.max(NARROWEST));
    let colour = terminal && !env.no_color && env.term.as_deref() != Some("dumb");
    for line in lines(findings, width, colour) {
        // Only our own colours: the text has no control characters.
        print(&format!("{line}\n"));
    }
}

/// Formats the lines. Subjects have a column; text that does not fit continues below the finding's text.
fn lines(findings: &[Finding], width: Option<usize>, colour: bool) -> Vec<String> {
    let subject = |finding: &Finding| match &finding.profile {
        Some(profile) => format!("{profile}: {}", finding.check),
        None => finding.check.to_owned(),
    };
    let longest = findings.iter().map(|f| subject(f).chars().count()).max();
    let column = longest.unwrap_or(0).min(28);
    let indent = "warn  ".len() + column + 2;
    let mut lines = vec![];
    for finding in findings {
        let verdict = format!("{:4}", finding.verdict.as_str());
        let verdict = match finding.verdict {
            _ if !colour => verdict,
            Verdict::Ok => format!("\u{1b}[32m{verdict}\u{1b}[0m"),
            Verdict::Skip => format!("\u{1b}[36m{verdict}\u{1b}[0m"),
            Verdict::Warn => format!("\u{1b}[33m{verdict}\u{1b}[0m"),
            Verdict::Fail => format!("\u{1b}[31m{verdict}\u{1b}[0m"),
        };
        let head = format!("{verdict}  {:column$}  ", subject(finding));
        // Quoted text from outside must not move the cursor.
        let found = printable(&finding.found);
        let remedy = finding.remedy.as_deref().map(printable);
        let Some(width) = width else {
            let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
            lines.push(format!("{head}{found}{remedy}"));
            continue;
        };
        let room = width.saturating_sub(indent).max(20);
        let remedy = remedy.map(|remedy| wrapped(&format!("-> {remedy}"), room));
        let texts = wrapped(&found, room)
            .into_iter()
            .chain(remedy.into_iter().flatten());
        for (at, text) in texts.enumerate() {
            let before = if at == 0 {
                head.clone()
            } else {
                " ".repeat(indent)
            };
            lines.push(format!("{before}{text}"));
        }
    }
    lines
}

/// Wraps at spaces; a word that is longer than the width gets a line of its own.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![];
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("configuration", "/c.toml, 1 profile"),
            Finding::fail(
                "issuer",
                "the certificate of https://acme.run.ai has expired\u{1b}[2J",
            )
            .remedy("ask who runs it to renew the certificate of the server".to_owned()),
        ]
    }

    #[test]
    fn a_pipe_gets_one_line_per_finding() {
        assert_eq!(
            lines(&findings(), None, false),
            [
                "ok    configuration  /c.toml, 1 profile",
                "fail  issuer         the certificate of https://acme.run.ai has expired\\x1b[2J; ask who runs it to renew the certificate of the server",
            ]
        );
    }

    #[test]
    fn a_terminal_gets_findings_wrapped_to_its_width() {
        let shown = lines(&findings(), Some(60), false);
        assert_eq!(
            shown,
            [
                "ok    configuration  /c.toml, 1 profile",
                "fail  issuer         the certificate of https://acme.run.ai",
                "                     has expired\\x1b[2J",
                "                     -> ask who runs it to renew the",
                "                     certificate of the server",
            ]
        );
        let coloured = lines(&findings(), Some(60), true);
        assert!(
            coloured
                .iter()
                .any(|line| line.starts_with("\u{1b}[31mfail\u{1b}[0m  issuer"))
        );
    }
}
