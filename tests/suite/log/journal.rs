//! The journal as the destination of the log: each line has its priority in the prefix, and not again in the text.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::pipe::{PipeFlags, pipe_with};
use serde_json::Value;

use super::{Reader, chatter_of_megabytes, enrolled, fill, start_command};
use crate::support::TestEnv;

/// A file in place of the journal's stream, and the matching value of `JOURNAL_STREAM`.
struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    fn new(env: &TestEnv) -> Self {
        let path = env.path("out/journal");
        let file = File::options().create(true).append(true).open(&path);
        Self {
            path,
            file: file.unwrap(),
        }
    }

    fn stream(&self) -> String {
        stream(&self.file)
    }

    fn end(&self) -> Stdio {
        self.file.try_clone().unwrap().into()
    }

    /// Returns what was written so far.
    fn read(&self, env: &TestEnv) -> String {
        let text = fs::read_to_string(&self.path).unwrap();
        env.add_output("a journal", text.as_bytes(), false);
        text
    }
}

fn stream(file: &File) -> String {
    let meta = file.metadata().unwrap();
    format!("{}:{}", meta.dev(), meta.ino())
}

/// Splits a line into its priority and the rest.
fn parted(line: &str) -> (u8, &str) {
    let parted = line.strip_prefix('<').and_then(|line| {
        let (number, rest) = line.split_once('>')?;
        Some((number.parse().ok()?, rest))
    });
    parted.unwrap_or_else(|| panic!("no priority: {line}"))
}

/// Runs a `jetond` whose standard error is the journal. Returns its exit code and the lines.
fn journal_lines(env: &TestEnv, args: &[&str]) -> (Option<i32>, Vec<(u8, String)>) {
    let journal = Journal::new(env);
    journal.file.set_len(0).unwrap();
    let mut command = env.jetond_command(args);
    let status = command
        .env("JOURNAL_STREAM", journal.stream())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(journal.end())
        .status();
    let text = journal.read(env);
    let lines = text.lines().map(|line| {
        let (priority, rest) = parted(line);
        (priority, rest.to_owned())
    });
    (status.unwrap().code(), lines.collect())
}

fn run(env: &TestEnv, format: &str) -> String {
    let journal = Journal::new(env);
    let mut command = env.jetond_command(&["run", "--log-format", format]);
    command.env("JOURNAL_STREAM", journal.stream());
    env.fault("status:503");
    let mut daemon = start_command(env, command, journal.end());
    crate::support::daemon::wait_until("a refresh to fail", || {
        fs::read_to_string(&journal.path)
            .unwrap()
            .contains("refresh failed")
    });
    daemon.stop();
    journal.read(env)
}

fn priority(level: &str) -> u8 {
    match level {
        "ERROR" => 3,
        "WARN" => 4,
        "INFO" => 6,
        "DEBUG" | "TRACE" => 7,
        other => panic!("no level: {other}"),
    }
}

#[test]
fn text_lines_in_the_journal_have_a_priority_and_no_time() {
    for format in ["auto", "text"] {
        let env = enrolled();
        let log = run(&env, format);
        let mut seen = vec![];
        for line in log.lines() {
            let (number, rest) = parted(line);
            let (level, rest) = rest.trim_start().split_once(' ').unwrap();
            assert_eq!(number, priority(level), "{line}");
            assert!(!rest.is_empty(), "{line}");
            seen.push(number);
        }
        for number in [4, 6, 7] {
            assert!(seen.contains(&number), "{number}: {log}");
        }
    }
}

#[test]
fn json_lines_in_the_journal_have_a_priority_and_all_fields() {
    let env = enrolled();
    let log = run(&env, "json");
    for line in log.lines() {
        let (number, rest) = parted(line);
        let json: Value = serde_json::from_str(rest).unwrap();
        assert_eq!(number, priority(json["level"].as_str().unwrap()), "{line}");
        for field in ["timestamp", "target", "message"] {
            assert!(json[field].is_string(), "{line}");
        }
    }
    assert!(log.contains("<4>{") && log.contains("<6>{") && log.contains("<7>{"));
}

#[test]
fn lines_get_no_priority_if_journal_stream_names_another_stream() {
    let env = enrolled();
    let other = File::create(env.path("out/other")).unwrap();
    let of_journal = Journal::new(&env);
    let meta = of_journal.file.metadata().unwrap();
    for variable in [
        stream(&other),
        format!("{}:{}", meta.dev() + 1, meta.ino()),
        format!("{}:{}", meta.dev(), meta.ino() + 1),
        meta.ino().to_string(),
        String::new(),
    ] {
        let mut command = env.jetond_command(&["run"]);
        command.env("JOURNAL_STREAM", &variable);
        of_journal.file.set_len(0).unwrap();
        let mut daemon = start_command(&env, command, of_journal.end());
        daemon.stop();
        for line in of_journal.read(&env).lines() {
            let (time, _) = line.split_once(' ').unwrap();
            assert!(time.ends_with('Z') && time.starts_with('2'), "{line}");
        }
    }
    // Standard output goes to the journal, and standard error was redirected.
    let mut command = env.jetond_command(&["check"]);
    command
        .env("JOURNAL_STREAM", of_journal.stream())
        .stdout(of_journal.end());
    fs::write(env.config(), "colour = 1\n").unwrap();
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    env.add_output("errors", errors.as_bytes(), false);
    assert!(errors.starts_with("jetond: "), "{errors}");
}

#[test]
fn a_commands_error_has_a_priority_on_each_line() {
    let env = enrolled();
    let (code, lines) = journal_lines(&env, &["run", "--colour", "red"]);
    assert_eq!(code, Some(64));
    assert!(lines.len() > 1, "{lines:?}");
    assert!(lines.iter().all(|(number, _)| *number == 3), "{lines:?}");
    fs::write(env.config(), "colour = 1\nshape = 2\n").unwrap();
    for args in [&["check"][..], &["run"]] {
        let (code, lines) = journal_lines(&env, args);
        assert_eq!(code, Some(78));
        let errors: Vec<_> = lines.iter().filter(|(number, _)| *number == 3).collect();
        assert_eq!(errors.len(), 2, "{lines:?}");
        for (_, line) in errors {
            assert!(line.starts_with("jetond: "), "{line}");
        }
    }
}

#[test]
fn a_warning_of_a_command_is_a_warning_in_the_journal() {
    let env = enrolled();
    let (code, lines) = journal_lines(&env, &["run", "--", "setpriv", "--reuid", "0", "true"]);
    assert_eq!(code, Some(0), "{lines:?}");
    let warning = |(number, line): &(u8, String)| *number == 4 && line.contains("warning: ");
    assert!(lines.iter().any(warning), "{lines:?}");
    // The daemon beside the command logs to the same place, here at TRACE.
    let of_daemon = |(number, line): &(u8, String)| *number == 6 && line.contains(" serving ");
    assert!(lines.iter().any(of_daemon), "{lines:?}");
}

#[test]
fn the_count_of_dropped_lines_is_a_warning_in_the_journal() {
    let env = enrolled();
    env.expect_dropped_lines();
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    fill(&writer);
    let mut command = env.jetond_command(&["run"]);
    command.env(
        "JOURNAL_STREAM",
        stream(&File::from(writer.try_clone().unwrap())),
    );
    let mut daemon = start_command(&env, command, writer);
    chatter_of_megabytes(&daemon);
    let log = Reader::of(reader);
    log.wait_for("log lines were dropped");
    daemon.stop();
    let log = log.end(&env);
    let gaps: Vec<_> = log
        .lines()
        .filter(|line| line.contains("log lines were dropped"))
        .collect();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert!(gaps[0].starts_with("<4> WARN "), "{gaps:?}");
    let whole = log.lines().filter(|line| !line.starts_with("--"));
    for line in whole.filter(|line| !line.is_empty()) {
        parted(line);
    }
}
