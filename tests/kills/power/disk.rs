//! A disk in the states that a power loss may leave.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// A change of the disk by a command. A file has a number, which it keeps when it is renamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    MakeFolder(PathBuf),
    /// A new file gets a name.
    Name(PathBuf, usize),
    /// A file is renamed within its folder.
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
    Write(usize, Vec<u8>),
    Mode(usize, u32),
    SyncFile(usize),
    SyncFolder(PathBuf),
}

/// The files and folders, with their modes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Tree {
    files: BTreeMap<PathBuf, (Vec<u8>, u32)>,
    folders: BTreeMap<PathBuf, u32>,
}

/// A disk and a command's changes of it.
pub(super) struct Disk {
    before: Tree,
    changes: Vec<Change>,
}

/// A power loss.
pub(super) struct PowerLoss {
    /// The content of the disk after it.
    pub(super) tree: Tree,
    /// The number of changes before it.
    pub(super) end: usize,
    /// A description for people.
    pub(super) label: String,
}

// === impl Tree ===

impl Tree {
    /// Reads what is in these folders now, without locks, which end with their process.
    pub(super) fn read(roots: &[PathBuf]) -> Self {
        let mut tree = Self::default();
        roots.iter().for_each(|root| tree.add(root));
        tree
    }

    fn add(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let mode = meta.permissions().mode() & 0o7777;
            if meta.is_dir() {
                self.folders.insert(path.clone(), mode);
                self.add(&path);
            } else if !is_lock(&path) {
                self.files
                    .insert(path.clone(), (fs::read(&path).unwrap(), mode));
            }
        }
    }

    /// Returns the content of a file, if it exists.
    pub(super) fn file(&self, path: &Path) -> Option<&[u8]> {
        self.files.get(path).map(|(bytes, _)| bytes.as_slice())
    }

    /// Puts the disk into this state.
    pub(super) fn restore(&self, roots: &[PathBuf]) {
        for root in roots {
            for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => fs::remove_dir_all(entry.path()).unwrap(),
                    false => fs::remove_file(entry.path()).unwrap(),
                }
            }
        }
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
        for (path, mode) in &self.folders {
            fs::create_dir(path).unwrap();
            set(path, *mode).unwrap();
        }
        for (path, (bytes, mode)) in &self.files {
            fs::write(path, bytes).unwrap();
            set(path, *mode).unwrap();
        }
    }
}

// === impl Disk ===

impl Disk {
    pub(super) const fn new(before: Tree, changes: Vec<Change>) -> Self {
        Self { before, changes }
    }

    /// Returns the disk with all changes.
    pub(super) fn whole(&self) -> Tree {
        self.with(&|_| true, &|_, bytes| bytes.len())
    }

    /// Returns the disk after a power loss at a random call.
    pub(super) fn after_power_loss(&self, random: &mut fastrand::Rng) -> PowerLoss {
        let end = random.usize(..=self.changes.len());
        let kept: Vec<(bool, f64)> = (0..end).map(|_| (random.bool(), random.f64())).collect();
        let tree = self.with(
            &|n| n < end && (self.is_durable(n, end) || kept[n].0),
            &|n, bytes| match self.is_durable(n, end) {
                true => bytes.len(),
                // A part of the write, or all.
                false => bytes
                    .len()
                    .min((kept[n].1 * 2.0 * bytes.len() as f64) as usize),
            },
        );
        let dropped: Vec<usize> = (0..end)
            .filter(|n| !self.is_durable(*n, end) && !kept[*n].0)
            .collect();
        let label = format!(
            "after {end} of {} changes without {dropped:?}",
            self.changes.len()
        );
        PowerLoss { tree, end, label }
    }

    /// Returns whether a change is surely on the disk after all changes before `end`.
    fn is_durable(&self, n: usize, end: usize) -> bool {
        let later = &self.changes[n..end];
        let folder_of = |path: &PathBuf| path.parent().unwrap().to_owned();
        match &self.changes[n] {
            Change::Write(file, _) | Change::Mode(file, _) => {
                later.contains(&Change::SyncFile(*file))
            }
            Change::MakeFolder(path) | Change::Name(path, _) | Change::Remove(path) => {
                later.contains(&Change::SyncFolder(folder_of(path)))
            }
            Change::Rename(_, to) => later.contains(&Change::SyncFolder(folder_of(to))),
            Change::SyncFile(_) | Change::SyncFolder(_) => true,
        }
    }

    /// Returns the disk with the changes that are `there`, and with `length` bytes of each write.
    fn with(&self, there: &dyn Fn(usize) -> bool, length: &dyn Fn(usize, &[u8]) -> usize) -> Tree {
        let mut contents: BTreeMap<usize, (Vec<u8>, u32)> = BTreeMap::new();
        let mut names: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut folders = self.before.folders.clone();
        // The earlier files have numbers from the other end.
        for (n, (path, file)) in self.before.files.iter().enumerate() {
            names.insert(path.clone(), usize::MAX - n);
            contents.insert(usize::MAX - n, file.clone());
        }
        // The meaning of a name follows from all changes: a rename may be on the disk, but its first name not.
        let mut meant = names.clone();
        for (n, change) in self.changes.iter().enumerate() {
            let is_there = there(n);
            match change {
                Change::MakeFolder(path) if is_there => {
                    folders.insert(path.clone(), 0o700);
                }
                Change::Name(path, file) => {
                    meant.insert(path.clone(), *file);
                    contents.entry(*file).or_insert((vec![], 0o600));
                    if is_there {
                        names.insert(path.clone(), *file);
                    }
                }
                Change::Rename(from, to) => {
                    let Some(file) = meant.remove(from) else {
                        continue;
                    };
                    meant.insert(to.clone(), file);
                    if is_there {
                        names.retain(|path, other| path != from || *other != file);
                        names.insert(to.clone(), file);
                    }
                }
                Change::Remove(path) => {
                    let file = meant.remove(path);
                    if is_there && names.get(path) == file.as_ref() {
                        names.remove(path);
                    }
                }
                Change::Write(file, bytes) if is_there => {
                    let part = &bytes[..length(n, bytes)];
                    contents
                        .entry(*file)
                        .or_insert((vec![], 0o600))
                        .0
                        .extend(part);
                }
                Change::Mode(file, mode) if is_there => {
                    contents.entry(*file).or_insert((vec![], 0o600)).1 = *mode;
                }
                _ => {}
            }
        }
        // The content of a missing folder is missing, too.
        let all = folders.clone();
        let is_reached = |path: &Path| {
            let mut above = path.ancestors().skip(1);
            let first = all.keys().next().map(|first| first.components().count());
            above.all(|folder| {
                all.contains_key(folder) || folder.components().count() < first.unwrap_or(0)
            })
        };
        folders.retain(|path, _| is_reached(path));
        let files = names
            .into_iter()
            .filter(|(path, _)| !is_lock(path) && is_reached(path));
        let files = files.filter_map(|(path, file)| Some((path, contents.get(&file)?.clone())));
        Tree {
            files: files.collect(),
            folders,
        }
    }
}

fn is_lock(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "lock")
}
