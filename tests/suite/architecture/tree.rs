//! The source tree as the checks see it: files, their modules, and the paths that their code names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path as FilePath;
use std::slice;
use std::sync::Arc;

use super::source::{Path, Source};

/// The first file of each crate of the package.
pub(crate) const ROOTS: [&str; 14] = [
    "src/lib.rs",
    "src/bin/jetond.rs",
    "src/bin/jeton/main.rs",
    "benches/attacks/main.rs",
    "benches/companion.rs",
    "benches/faults/main.rs",
    "benches/fleet.rs",
    "benches/serve/main.rs",
    "tests/accents/main.rs",
    "tests/attacks/main.rs",
    "tests/interop/main.rs",
    "tests/kills/main.rs",
    "tests/simulation/main.rs",
    "tests/suite/main.rs",
];

/// The files of the package by path.
#[derive(Clone)]
pub(crate) struct Tree(pub(crate) BTreeMap<String, String>);

/// A file that can be reached from a root.
#[derive(Debug)]
pub(crate) struct Module {
    pub(crate) file: String,
    /// The path below the crate, such as `["daemon", "keeper"]`.
    pub(crate) path: Vec<String>,
    /// The folder that contains the modules that it declares.
    below: String,
    /// Whether only unit tests compile it.
    pub(crate) is_test: bool,
}

impl Tree {
    pub(crate) fn read() -> Self {
        let mut files = BTreeMap::new();
        for folder in ["src", "tests", "benches"] {
            collect(
                FilePath::new(env!("CARGO_MANIFEST_DIR")),
                folder,
                &mut files,
            );
        }
        // This is a separate package; half of it is a link to `src/daemon`.
        files.retain(|file, _| !file.starts_with("tests/interleavings/"));
        Self(files)
    }

    fn text(&self, file: &str) -> &str {
        self.0.get(file).map_or("", String::as_str)
    }

    pub(crate) fn source(&self, file: &str) -> Arc<Source> {
        Source::of(file, self.text(file))
    }

    /// Returns the tree with one more line in a file. A documentation line goes after the existing documentation, any
    /// other line to the end.
    pub(crate) fn with(&self, file: &str, line: &str) -> Self {
        let mut tree = self.clone();
        let text = tree.0.entry(file.to_owned()).or_default();
        let documentation = text.split_inclusive('\n');
        let documentation = documentation.take_while(|line| line.starts_with("//!"));
        let at = if line.starts_with("//!") {
            documentation.map(str::len).sum()
        } else {
            text.len()
        };
        text.insert_str(at, &format!("{line}\n"));
        tree
    }

    /// Returns the modules that can be reached from this file, including itself.
    pub(crate) fn modules(&self, root: &str) -> Vec<Module> {
        let mut modules = vec![Module {
            file: root.to_owned(),
            path: vec![],
            below: folder(root).to_owned(),
            is_test: false,
        }];
        let mut at = 0;
        while at < modules.len() {
            let children = self.children(&modules[at]);
            modules.extend(children);
            at += 1;
        }
        modules
    }

    fn children(&self, parent: &Module) -> Vec<Module> {
        let mut children = vec![];
        for scope in &self.source(&parent.file).scopes {
            for child in &scope.declared {
                let inside = [slice::from_ref(&parent.below), scope.path.as_slice()].concat();
                let inside = inside.join("/");
                let (file, below) = match &child.elsewhere {
                    Some(path) => {
                        let file = normal(&format!("{}/{path}", folder(&parent.file)));
                        let below = folder(&file).to_owned();
                        (file, below)
                    }
                    None => {
                        let below = format!("{inside}/{}", child.name);
                        (format!("{below}.rs"), below)
                    }
                };
                let names = [scope.path.as_slice(), slice::from_ref(&child.name)].concat();
                children.push(Module {
                    file,
                    path: [parent.path.as_slice(), &names].concat(),
                    below,
                    is_test: parent.is_test || child.is_test,
                });
            }
        }
        children
    }

    /// Returns the library's modules without those for tests.
    pub(crate) fn library(&self) -> Vec<Module> {
        let mut modules = self.modules("src/lib.rs");
        modules.retain(|module| !module.is_test);
        modules
    }

    /// Returns a file's code without comments, contents of strings and tests.
    pub(crate) fn code(&self, file: &str) -> String {
        code(&self.source(file).text)
    }

    /// Returns the paths in a module's code that begin with `crate`, `self` or `super`, made absolute from the crate's
    /// root.
    pub(crate) fn named(&self, module: &Module) -> BTreeSet<Path> {
        let mut named = BTreeSet::new();
        for scope in &self.source(&module.file).scopes {
            let here = [module.path.as_slice(), &scope.path].concat();
            let imports = scope.imports.iter().map(|import| &import.path);
            named.extend(
                imports
                    .chain(&scope.paths)
                    .filter_map(|path| absolute(path, &here)),
            );
        }
        named
    }

    /// Returns the tables in a file's documentation.
    pub(crate) fn tables(&self, file: &str) -> Vec<Table> {
        let mut tables: Vec<Table> = vec![];
        let mut is_inside = false;
        for line in self.text(file).lines() {
            let Some(row) = line.strip_prefix("//! |") else {
                is_inside = false;
                continue;
            };
            let cells: Vec<String> = row
                .trim()
                .trim_end_matches('|')
                .split('|')
                .map(|cell| cell.trim().trim_matches(['[', ']', '`']).to_owned())
                .collect();
            match tables.last_mut().filter(|_| is_inside) {
                None => tables.push(Table {
                    head: cells,
                    rows: vec![],
                }),
                Some(_) if cells[0].starts_with("---") => {}
                Some(table) => table.rows.push(cells),
            }
            is_inside = true;
        }
        tables
    }
}

/// A table in a file's documentation.
pub(crate) struct Table {
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// Returns the words in this column of a row, or `None` if the table has no such column.
    pub(crate) fn words(&self, row: &[String], column: &str) -> Option<BTreeSet<String>> {
        let at = self.head.iter().position(|head| head == column)?;
        let words = row.get(at).map_or("", String::as_str).split_whitespace();
        Some(words.map(str::to_owned).collect())
    }
}

fn collect(root: &FilePath, folder: &str, files: &mut BTreeMap<String, String>) {
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

/// Returns the folder of a file.
fn folder(file: &str) -> &str {
    file.rsplit_once('/').unwrap().0
}

/// Returns the path with `..` resolved.
fn normal(path: &str) -> String {
    let mut parts = vec![];
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Makes a path that begins with `crate`, `self` or `super` absolute from the crate's root.
fn absolute(path: &[String], module: &[String]) -> Option<Path> {
    let mut base = module.to_vec();
    let words = path
        .iter()
        .take_while(|word| ["crate", "self", "super"].contains(&word.as_str()));
    let words = words.collect::<Vec<_>>();
    for word in &words {
        match word.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()?),
            _ => {}
        }
    }
    base.extend_from_slice(&path[words.len()..]);
    (!words.is_empty()).then_some(base)
}

/// Removes comments and the contents of strings and characters.
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

/// Returns the length of a quoted text, including both quotes.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    let end = text.char_indices().skip(1).find(|(_, c)| {
        let end = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        end
    });
    end.map(|(at, _)| at + 1)
}

/// Returns the length of a character literal, or `None` for a lifetime.
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

#[test]
fn comments_and_strings_are_removed_from_code() {
    let text = "a // b \"\n\"c // d\" e 'f' '\\'' &'g /* h */ r#\"i \" j\"# k";
    assert_eq!(code(text), "a \n\"\" e ' ' ' ' &'g  \"\" k");
}
