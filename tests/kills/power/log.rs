//! Extracts a command's changes of the disk from strace's log.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::disk::Change;

/// A call, with its unparsed arguments.
struct Call<'a> {
    name: &'a str,
    arguments: Vec<&'a str>,
    result: &'a str,
}

/// Returns the changes in these folders.
pub(super) fn operations(log: &str, roots: &[PathBuf]) -> Vec<Change> {
    let all = operations_at(log, roots).into_iter();
    all.map(|(_, change)| change).collect()
}

/// Returns the changes in these folders, each with its moment in seconds since 1970.
pub(super) fn operations_at(log: &str, roots: &[PathBuf]) -> Vec<(f64, Change)> {
    let mut files: HashMap<PathBuf, usize> = HashMap::new();
    let mut changes = vec![];
    let mut last = 0;
    let is_ours = |path: &Path| roots.iter().any(|root| path.starts_with(root));
    for (at, line) in whole_lines(log) {
        let Some(call) = parse(&line) else { continue };
        if call.result.starts_with('-') || call.result.starts_with('?') {
            continue;
        }
        let change = change(&call, &mut files, &mut last, &is_ours);
        changes.extend(change.map(|change| (at, change)));
    }
    changes
}

fn change(
    call: &Call<'_>,
    files: &mut HashMap<PathBuf, usize>,
    last: &mut usize,
    is_ours: &dyn Fn(&Path) -> bool,
) -> Option<Change> {
    let argument = |n: usize| call.arguments.get(n).copied();
    let at = |folder: usize, name: usize| -> Option<PathBuf> {
        let path = opened(argument(folder)?)?.join(text(argument(name)?)?);
        is_ours(&path).then_some(path)
    };
    let named = |n: usize| -> Option<PathBuf> {
        let path = PathBuf::from(text(argument(n)?)?);
        is_ours(&path).then_some(path)
    };
    let file_of = |n: usize| {
        let path = opened(argument(n)?)?;
        files.get(&path).copied()
    };
    match call.name {
        "openat" if argument(2)?.contains("O_CREAT") => {
            let path = opened(call.result)?;
            if !is_ours(&path) || files.contains_key(&path) {
                return None;
            }
            *last += 1;
            files.insert(path.clone(), *last);
            Some(Change::Name(path, *last))
        }
        "write" => {
            let file = file_of(0)?;
            Some(Change::Write(file, bytes(argument(1)?)?))
        }
        "fchmod" => {
            let file = file_of(0)?;
            Some(Change::Mode(
                file,
                u32::from_str_radix(argument(1)?, 8).ok()?,
            ))
        }
        "fsync" | "fdatasync" => {
            let path = opened(argument(0)?)?;
            match files.get(&path) {
                Some(file) => Some(Change::SyncFile(*file)),
                None => is_ours(&path).then_some(Change::SyncFolder(path)),
            }
        }
        "rename" => {
            let (from, to) = (named(0)?, named(1)?);
            renamed(files, &from, &to);
            Some(Change::Rename(from, to))
        }
        "renameat" | "renameat2" => {
            let (from, to) = (at(0, 1)?, at(2, 3)?);
            renamed(files, &from, &to);
            Some(Change::Rename(from, to))
        }
        "unlink" => {
            let path = named(0)?;
            files.remove(&path);
            Some(Change::Remove(path))
        }
        "unlinkat" => {
            let path = at(0, 1)?;
            files.remove(&path);
            Some(Change::Remove(path))
        }
        "mkdir" => named(0).map(Change::MakeFolder),
        "mkdirat" => at(0, 1).map(Change::MakeFolder),
        _ => None,
    }
}

fn renamed(files: &mut HashMap<PathBuf, usize>, from: &Path, to: &Path) {
    if let Some(file) = files.remove(from) {
        files.insert(to.to_owned(), file);
    }
}

/// Returns the lines of the log with their moments, one per call. A call that was interrupted by another thread's
/// line is joined again.
fn whole_lines(log: &str) -> Vec<(f64, String)> {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut lines = vec![];
    for line in log.lines() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let Some((at, rest)) = rest.trim_start().split_once(' ') else {
            continue;
        };
        let Ok(at) = at.parse() else { continue };
        if let Some(begin) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(thread, begin);
        } else if let Some((_, end)) = rest.split_once(" resumed>") {
            let begin = begun.remove(thread);
            lines.extend(begin.map(|begin| (at, format!("{begin}{end}"))));
        } else {
            lines.push((at, rest.to_owned()));
        }
    }
    lines
}

fn parse(line: &str) -> Option<Call<'_>> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ").or_else(|| {
        let (arguments, result) = rest.rsplit_once('=')?;
        Some((arguments.trim_end().strip_suffix(')')?, result.trim_start()))
    })?;
    Some(Call {
        name,
        arguments: arguments.split(", ").collect(),
        result: result.trim(),
    })
}

/// Returns the path of a descriptor: `5<\x2f\x74>`.
fn opened(descriptor: &str) -> Option<PathBuf> {
    let (_, path) = descriptor.split_once('<')?;
    let path = path.split_once('>')?.0;
    let path = String::from_utf8(unescaped(path)?).ok()?;
    Some(PathBuf::from(path))
}

/// Returns the text in quotes.
fn text(quoted: &str) -> Option<String> {
    String::from_utf8(bytes(quoted)?).ok()
}

fn bytes(quoted: &str) -> Option<Vec<u8>> {
    let quoted = quoted.strip_prefix('"')?;
    unescaped(quoted.strip_suffix('"')?)
}

/// Decodes hexadecimal bytes, each after `\x`. A path may be unencoded.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    if !text.starts_with("\\x") {
        return Some(text.as_bytes().to_vec());
    }
    let digits = text.split("\\x").skip(1);
    digits.map(|two| u8::from_str_radix(two, 16).ok()).collect()
}
