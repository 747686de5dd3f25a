//! The recorded fixtures of `tests/wire`: what is sent, byte for byte, and what is made of the answer.

use std::fs;
use std::path::{Path, PathBuf};

use super::daemon::{Asked, Daemon, Step, http};
use super::run::{feed, jeton_at};

/// A file of a fixture; an absent one is empty.
fn part(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap_or_default()
}

/// The lines of a file.
fn lines(folder: &Path, name: &str) -> Vec<String> {
    String::from_utf8(part(folder, name))
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// A frame with 30 s in its deadline field, since how much is left differs from run to run.
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

fn replay(folder: &Path) {
    let answers = ["answer.bin", "answer-2.bin"].map(|name| part(folder, name));
    let steps = answers
        .iter()
        .filter(|answer| !answer.is_empty())
        .map(|answer| Step::Answer(http(answer)));
    let scratch = tempfile::TempDir::new().unwrap();
    let argv = lines(folder, "argv");
    // A verb of the admin socket finds it beside the token socket, so the fixture need not say.
    let admin = ["reload", "rotate", "applications"].contains(&argv[1].as_str());
    let socket = scratch.path().join("jeton/jeton.sock");
    let listening = if admin {
        scratch.path().join("jeton-admin/admin.sock")
    } else {
        socket.clone()
    };
    let daemon = Daemon::at(&listening, steps.collect());

    let args: Vec<_> = argv[1..].iter().map(String::as_str).collect();
    let mut command = jeton_at(&socket, &args);
    for variable in lines(folder, "env") {
        let (name, value) = variable.split_once('=').unwrap();
        command.env(name, value);
    }
    let output = feed(&mut command, &part(folder, "stdin"));
    let asked: Vec<Asked> = daemon.asked();
    assert_eq!(
        asked.len(),
        answers.iter().filter(|answer| !answer.is_empty()).count()
    );

    let exit = format!("{}\n", output.status.code().unwrap()).into_bytes();
    let mut found = vec![
        ("stdout", output.stdout),
        ("stderr", output.stderr),
        ("exit", exit),
    ];
    found.extend(
        ["request.bin", "request-2.bin"]
            .into_iter()
            .zip(asked.iter().map(|asked| masked(&asked.frame))),
    );
    for (name, bytes) in found {
        if option_env!("JETON_RECORD").is_some() && !bytes.is_empty() {
            fs::write(folder.join(name), &bytes).unwrap();
        }
        assert_eq!(part(folder, name), bytes, "{} {name}", folder.display());
    }
}

#[test]
fn every_recorded_exchange_is_reproduced() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/wire")
        .join("0.1.0");
    let mut names = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let folder = entry.unwrap().path();
        names.push(folder.file_name().unwrap().to_str().unwrap().to_owned());
        replay(&folder);
    }
    names.sort();
    assert_eq!(
        names,
        [
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
            "watch"
        ]
    );
}
