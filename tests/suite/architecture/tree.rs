//! The source as it is read here: files, the modules that they are, and the paths that their code names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Files of the package by their paths.
#[derive(Clone)]
pub(crate) struct Tree(pub(crate) BTreeMap<String, String>);

/// A file that a root reaches.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: String,
    /// Below the crate: `["daemon", "keeper"]`.
    pub(crate) path: Vec<String>,
    /// Whether it is compiled for unit tests alone.
    pub(crate) is_test: bool,
}

impl Tree {
    pub(crate) fn read() -> Self {
        let mut files = BTreeMap::new();
        for folder in ["src", "tests/suite"] {
            collect(Path::new(env!("CARGO_MANIFEST_DIR")), folder, &mut files);
        }
        Self(files)
    }

    fn text(&self, file: &str) -> &str {
        self.0.get(file).map_or("", String::as_str)
    }

    /// The tree with one more line at the beginning of a file.
    pub(crate) fn with(&self, file: &str, line: &str) -> Self {
        let mut tree = self.clone();
        let text = tree.0.entry(file.to_owned()).or_default();
        // Behind the documentation, which must come first.
        let doc: usize = text
            .split_inclusive('\n')
            .take_while(|line| line.starts_with("//!"))
            .map(str::len)
            .sum();
        text.insert_str(doc, &format!("{line}\n"));
        tree
    }

    /// The modules that are reached from this file, itself included.
    pub(crate) fn modules(&self, root: &str) -> Vec<Module> {
        let mut modules = vec![Module {
            file: root.to_owned(),
            path: vec![],
            is_test: false,
        }];
        let mut at = 0;
        while at < modules.len() {
            let children = self.children(&modules[at], at == 0);
            modules.extend(children);
            at += 1;
        }
        modules
    }

    fn children(&self, parent: &Module, is_root: bool) -> Vec<Module> {
        let (folder, name) = parent.file.rsplit_once('/').unwrap();
        let below = if is_root {
            folder.to_owned()
        } else {
            format!("{folder}/{}", name.trim_end_matches(".rs"))
        };
        let mut children = vec![];
        let (mut is_test, mut elsewhere) = (false, None);
        for line in self.text(&parent.file).lines().map(str::trim) {
            if line.starts_with("#[cfg(test)]") {
                is_test = true;
            } else if let Some(path) = line.strip_prefix("#[path = \"") {
                elsewhere = path.strip_suffix("\"]");
            } else if let Some(name) = declared(line) {
                let file = match elsewhere {
                    Some(path) => format!("{folder}/{path}"),
                    None => format!("{below}/{name}.rs"),
                };
                children.push(Module {
                    file,
                    path: [parent.path.as_slice(), &[name.to_owned()]].concat(),
                    is_test: parent.is_test || is_test,
                });
                (is_test, elsewhere) = (false, None);
            } else if !line.starts_with("#[") {
                (is_test, elsewhere) = (false, None);
            }
        }
        children
    }

    /// The library's modules without those for tests.
    pub(crate) fn library(&self) -> Vec<Module> {
        let mut modules = self.modules("src/lib.rs");
        modules.retain(|module| !module.is_test);
        modules
    }

    /// A file's code: no comments, no contents of strings, no tests.
    pub(crate) fn code(&self, file: &str) -> String {
        code(without_tests(self.text(file)))
    }

    /// The rows of the tables in a file's documentation, each with the title of its table.
    pub(crate) fn tables(&self, file: &str) -> Vec<(String, Vec<String>)> {
        let mut rows = vec![];
        let mut title = None;
        for line in self.text(file).lines() {
            let Some(row) = line.strip_prefix("//! |") else {
                title = None;
                continue;
            };
            let cells: Vec<String> = row
                .trim()
                .trim_end_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches(['[', ']', '`']).to_owned())
                .collect();
            match &title {
                None => title = Some(cells[0].clone()),
                Some(_) if cells[0].starts_with("---") => {}
                Some(title) => rows.push((title.clone(), cells)),
            }
        }
        rows
    }
}

fn collect(root: &Path, folder: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(root, &path, files);
        } else if path.ends_with(".rs") {
            files.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

/// The module that a line such as `pub(super) mod name;` declares.
fn declared(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.trim_start(),
        None => line,
    };
    rest.strip_prefix("mod ")?.strip_suffix(';')
}

/// A file's text up to its module of tests, which is its end.
pub(crate) fn without_tests(text: &str) -> &str {
    const ATTRIBUTE: &str = "\n#[cfg(test)]\n";
    let tests = text.match_indices(ATTRIBUTE).find(|(at, _)| {
        let line = text[at + ATTRIBUTE.len()..].lines().next().unwrap_or("");
        line.contains("mod ") && line.ends_with('{')
    });
    tests.map_or(text, |(at, _)| &text[..=at])
}

/// The text with comments and the contents of strings and characters left out.
fn code(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(c) = rest.chars().next() {
        let in_word = before.is_alphanumeric() || before == '_';
        let (length, kept) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), "")
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |end| end + 2), "")
        } else if !in_word && let Some(length) = raw_string(rest) {
            (length, "\"\"")
        } else if c == '"' {
            (quoted(rest, '"').unwrap(), "\"\"")
        } else if c == '\''
            && let Some(length) = character(rest)
        {
            (length, "' '")
        } else {
            (c.len_utf8(), &rest[..c.len_utf8()])
        };
        code.push_str(kept);
        before = c;
        rest = &rest[length..];
    }
    code
}

/// The length of what stands between two of `quote`, both included.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let end = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        end
    });
    end.map(|(at, _)| at + 1)
}

/// A character's length, and none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let mut characters = text.chars().skip(1);
    match (characters.next()?, characters.next()?) {
        ('\\', _) | (_, '\'') => quoted(text, '\''),
        _ => None,
    }
}

fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let inner = rest[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", &rest[..hashes]);
    let end = inner.find(&close)? + close.len();
    Some(text.len() - inner.len() + end)
}

/// The paths in a module's code that begin with `crate`, `self` or `super`, from the crate's root on, groups spelt out.
pub(crate) fn named(code: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    let mut paths = BTreeSet::new();
    for start in ["crate::", "self::", "super::"] {
        for (at, _) in code.match_indices(start) {
            let before = code[..at].chars().next_back().unwrap_or(' ');
            if before == ':' || before == '_' || before.is_alphanumeric() {
                continue;
            }
            spell(&code[at..], &mut vec![], &mut |path| {
                paths.extend(resolve(path, module));
            });
        }
    }
    paths
}

/// Reads one path, or each path of a group; the result is what stands behind it.
fn spell<'a>(text: &'a str, path: &mut Vec<&'a str>, found: &mut impl FnMut(&[&str])) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            if rest.is_empty() {
                return rest;
            }
            if let Some(rest) = rest.strip_prefix('}') {
                return rest;
            }
            let depth = path.len();
            let behind = spell(rest, path, found);
            path.truncate(depth);
            // Up to the next member: `as` and its name, or something that is no path at all.
            let skip = behind.find([',', '}']).unwrap_or(behind.len());
            rest = &behind[skip..];
        }
    }
    let word = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    path.push(&text[..word]);
    match text[word..].strip_prefix("::") {
        Some(rest) if rest.starts_with(|c: char| c.is_alphabetic() || "_{".contains(c)) => {
            spell(rest, path, found)
        }
        _ => {
            found(path);
            &text[word..]
        }
    }
}

fn resolve(path: &[&str], module: &[String]) -> Option<Vec<String>> {
    let mut base = module.to_vec();
    let mut rest = path;
    while let Some((first, behind)) = rest.split_first() {
        match *first {
            "crate" => base.clear(),
            "super" => drop(base.pop()?),
            "self" => {}
            _ => break,
        }
        rest = behind;
    }
    base.extend(rest.iter().map(|part| (*part).to_owned()));
    Some(base)
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    let text = "a // b \"\n\"c // d\" e 'f' '\\'' &'g /* h */ r#\"i \" j\"# k\n#[cfg(test)]\nmod tests {\n l }";
    assert_eq!(
        code(without_tests(text)),
        "a \n\"\" e ' ' ' ' &'g  \"\" k\n"
    );
}

#[test]
fn every_path_of_a_group_is_spelt_out() {
    let module = ["daemon", "handle"].map(str::to_owned);
    let code =
        "use crate::{a::{B, c::D as E}, f}; use super::g; x(super::super::h::I::<u8>::new());";
    let found: Vec<String> = named(code, &module)
        .iter()
        .map(|path| path.join("::"))
        .collect();
    assert_eq!(found, ["a::B", "a::c::D", "daemon::g", "f", "h::I"]);
}
