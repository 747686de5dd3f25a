//! The recorded fixtures of `tests/wire`: the bytes that the companion sends, and what it does with the answer.

use std::fs;
use std::path::{Path, PathBuf};

use super::daemon::{ConnectionStep, RecordedRequest, ScriptedDaemon, http};
use super::run::{feed, jeton_at};

/// Returns a file of a fixture. A missing file counts as empty.
fn part(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap_or_default()
}

/// Returns the lines of a file.
fn lines(folder: &Path, name: &str) -> Vec<String> {
    String::from_utf8(part(folder, name))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Returns a frame with the deadline set to 30 s, because the time left differs from run to run.
fn masked(frame: &[u8]) -> Vec<u8> {
    let mut masked = frame.to_vec();
    let mut at = 1;
    while at < frame.len() {
        let length = u32::from_le_bytes(frame[at + 1..at + 5].try_into().unwrap()) as usize;
        if frame[at] == 5 {
            masked[at + 5..at + 9].copy_from_slice(&30_000_u32.to_le_bytes());
        }
        at += 5 + length;
    }
    masked
}

/// Returns the daemon's answers from these files, one for each connection.
fn steps(folder: &Path, names: [&str; 2]) -> Vec<ConnectionStep> {
    let answers = names.map(|name| part(folder, name)).into_iter();
    answers
        .filter(|answer| !answer.is_empty())
        .map(|answer| ConnectionStep::Answer(http(&answer)))
        .collect()
}

fn replay(folder: &Path) {
    let scratch = tempfile::TempDir::new().unwrap();
    let argv = lines(folder, "argv");
    let mut tokens = steps(folder, ["answer.bin", "answer-2.bin"]);
    let mut admin = steps(folder, ["answer-admin.bin", "answer-admin-2.bin"]);
    // A reload goes straight to the admin socket, so its first exchange is there.
    let straight = argv[1] == "reload";
    if straight {
        std::mem::swap(&mut tokens, &mut admin);
    }
    let expected = (tokens.len(), admin.len());
    let tokens = ScriptedDaemon::at(&scratch.path().join("jeton/jeton.sock"), tokens);
    let admin = ScriptedDaemon::at(&scratch.path().join("jeton-admin/admin.sock"), admin);

    let args: Vec<_> = argv[1..].iter().map(String::as_str).collect();
    let mut command = jeton_at(&tokens.socket, &args);
    for variable in lines(folder, "env") {
        let (name, value) = variable.split_once('=').unwrap();
        command.env(name, value);
    }
    let output = feed(&mut command, &part(folder, "stdin"));
    let mut asked: [Vec<RecordedRequest>; 2] = [tokens.asked(), admin.asked()];
    assert_eq!(
        (asked[0].len(), asked[1].len()),
        expected,
        "{}",
        folder.display()
    );
    if straight {
        asked.reverse();
    }

    let exit = format!("{}\n", output.status.code().unwrap()).into_bytes();
    let mut found = vec![
        ("stdout", output.stdout),
        ("stderr", output.stderr),
        ("exit", exit),
    ];
    for (names, asked) in [
        ["request.bin", "request-2.bin"],
        ["request-admin.bin", "request-admin-2.bin"],
    ]
    .into_iter()
    .zip(&asked)
    {
        let frames = asked.iter().map(|asked| masked(&asked.frame));
        found.extend(names.into_iter().zip(frames));
    }
    for (name, bytes) in found {
        if option_env!("JETON_RECORD").is_some() && !bytes.is_empty() {
            fs::write(folder.join(name), &bytes).unwrap();
        }
        assert_eq!(part(folder, name), bytes, "{} {name}", folder.display());
    }
}

#[test]
fn every_recorded_exchange_is_reproduced() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let released = [
        "header",
        "ready",
        "refresh",
        "reject",
        "reload",
        "status-json",
        "stdin-all",
        "stdin-line",
        "token",
        "token-refused",
        "watch",
    ];
    let next = [
        "admin",
        "admin-refused",
        "admin-stdin",
        "environment",
        "exec-file",
        "stdin-admin",
    ];
    for (release, expected) in [("0.1.0", &released[..]), ("next", &next)] {
        let mut names = Vec::new();
        for entry in fs::read_dir(root.join(release)).unwrap() {
            let folder = entry.unwrap().path();
            names.push(folder.file_name().unwrap().to_str().unwrap().to_owned());
            replay(&folder);
        }
        names.sort();
        assert_eq!(names, expected);
    }
}
