use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

/// A folder for files, a state, and a daemon.
struct TestFolder {
    dir: TempDir,
    sinks: Sinks,
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn research() -> ProfileName {
    ProfileName::parse("research").unwrap()
}

impl TestFolder {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let sinks = Self::sinks_of(&dir, "/run/a/jeton.sock");
        std::fs::create_dir(dir.path().join("f")).unwrap();
        Self { dir, sinks }
    }

    fn sinks_of(dir: &TempDir, socket: &str) -> Sinks {
        Sinks::new(&dir.path().join("state"), Path::new(socket), uid())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join("f").join(name)
    }

    fn file(&self, name: &str) -> SinkFile {
        SinkFile {
            path: self.at(name),
            profile: research(),
            owner: None,
            group: None,
            mode: 0o600,
            replace: false,
            make_folders: false,
        }
    }

    fn write(&self, file: &SinkFile, text: &str) -> Result<bool, SinkError> {
        self.sinks.write(file, text.as_bytes(), Some(100))
    }

    fn names(&self) -> Vec<String> {
        names(&self.dir.path().join("f"))
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_file_is_written_with_its_mode_and_written_again_and_removed() {
    let place = TestFolder::new();
    for (mode, content) in [(0o600, "one"), (0o640, "two"), (0o600, "three")] {
        let file = SinkFile {
            mode,
            ..place.file("t")
        };
        place.write(&file, content).unwrap();
        assert_eq!(text(&file.path), content);
        let meta = file.path.metadata().unwrap();
        assert_eq!(meta.mode() & 0o7777, u32::from(mode));
        assert_eq!(place.names(), ["t"]);
    }
    let path = place.at("t");
    let there = place.sinks.take_up(&path, &research()).unwrap().unwrap();
    assert_eq!(there.until, Some(100));
    assert!(place.sinks.remove(&path, 0).unwrap());
    assert!(!place.sinks.remove(&path, 0).unwrap());
    assert!(place.names().is_empty());
    assert_eq!(place.sinks.take_up(&path, &research()).unwrap(), None);
    let records = names(&place.dir.path().join("state/sinks"));
    assert!(records.iter().all(|name| name.ends_with(".lock")));
}

#[test]
fn a_file_of_another_program_is_replaced_only_with_replace() {
    let place = TestFolder::new();
    let file = place.file("t");
    std::fs::write(&file.path, "another's").unwrap();
    let refused = place.write(&file, "T").unwrap_err();
    assert!(matches!(refused.kind, SinkErrorKind::NotOurs), "{refused}");
    assert_eq!(text(&file.path), "another's");
    assert!(!place.sinks.remove(&file.path, 0).unwrap());
    let replacing = SinkFile {
        replace: true,
        ..file.clone()
    };
    place.write(&replacing, "T").unwrap();
    assert_eq!(text(&file.path), "T");
    // From now on it is ours, until another program puts a file there.
    place.write(&file, "U").unwrap();
    std::fs::remove_file(&file.path).unwrap();
    std::fs::write(&file.path, "another's").unwrap();
    let refused = place.write(&file, "T").unwrap_err();
    assert!(matches!(refused.kind, SinkErrorKind::NotOurs), "{refused}");
    assert!(!place.sinks.remove(&file.path, 0).unwrap());
    assert_eq!(text(&file.path), "another's");
    assert_eq!(place.names(), ["t"]);
}

#[test]
fn a_link_is_not_followed_and_counts_as_a_file_of_another_program() {
    let place = TestFolder::new();
    let (file, target) = (place.file("t"), place.at("target"));
    std::fs::write(&target, "precious").unwrap();
    symlink(&target, &file.path).unwrap();
    assert!(place.write(&file, "T").is_err());
    let replacing = SinkFile {
        replace: true,
        ..file
    };
    place.write(&replacing, "T").unwrap();
    assert_eq!(text(&target), "precious");
    assert!(replacing.path.symlink_metadata().unwrap().is_file());
}

#[test]
fn a_file_of_another_program_in_a_sticky_folder_is_never_replaced() {
    let place = TestFolder::new();
    let folder = place.dir.path().join("f");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let file = SinkFile {
        replace: true,
        ..place.file("t")
    };
    std::fs::write(&file.path, "another's").unwrap();
    let refused = place.write(&file, "T").unwrap_err();
    assert!(
        matches!(refused.kind, SinkErrorKind::NotOursForAll),
        "{refused}"
    );
    std::fs::remove_file(&file.path).unwrap();
    place.write(&file, "T").unwrap();
    place.write(&file, "U").unwrap();
    assert_eq!(text(&file.path), "U");
}

#[test]
fn no_token_is_written_to_a_missing_or_untrusted_folder() {
    let place = TestFolder::new();
    let folder = place.dir.path().join("f");
    let file = place.file("t");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let refused = place.write(&file, "T").unwrap_err();
    assert!(
        matches!(refused.kind, SinkErrorKind::Untrusted(_)),
        "{refused}"
    );
    assert!(place.names().is_empty());
    std::fs::remove_dir(&folder).unwrap();
    let missing = place.write(&file, "T").unwrap_err().to_string();
    assert!(missing.contains("mkdir"), "{missing}");
    assert!(!folder.exists());
    let making = SinkFile {
        make_folders: true,
        path: place.at("a/b/t"),
        ..file
    };
    place.write(&making, "T").unwrap();
    let made = folder.join("a/b").metadata().unwrap();
    assert_eq!(made.mode() & 0o7777, 0o700);
}

#[test]
fn a_writer_killed_at_any_point_leaves_a_recognized_file() {
    let place = TestFolder::new();
    let file = place.file("t");
    place.write(&file, "one").unwrap();
    let records = &place.sinks.records;
    let before = records.read(&file.path).unwrap().unwrap();
    let parent = place.dir.path().join("f");
    let open = || Folder::open(&parent).unwrap();
    let attributes = Attributes {
        owner: uid(),
        group: None,
        mode: 0o600,
    };
    // Killed before the rename: there is the old file and a temporary one.
    let folder = open();
    let new = folder
        .create_temporary(&records.key(&file.path), attributes)
        .unwrap();
    let left = Record {
        current: new.identity().unwrap(),
        former: Some(before.current),
        temporary: new.name().to_str().unwrap().to_owned(),
        ..before
    };
    records.write(&left).unwrap();
    std::mem::forget(new);
    assert_eq!(place.names().len(), 2);
    assert!(
        place
            .sinks
            .take_up(&file.path, &research())
            .unwrap()
            .is_some()
    );
    assert_eq!(place.names(), ["t"]);
    place.write(&file, "two").unwrap();
    // Killed after the rename, with a temporary file of a later writer.
    let left = records.read(&file.path).unwrap().unwrap();
    let new = folder
        .create_temporary(&records.key(&file.path), attributes)
        .unwrap();
    let left = Record {
        current: new.identity().unwrap(),
        former: Some(left.current),
        temporary: new.name().to_str().unwrap().to_owned(),
        ..left
    };
    records.write(&left).unwrap();
    new.put(OsStr::new("t")).unwrap();
    place.write(&file, "three").unwrap();
    assert_eq!(text(&file.path), "three");
    assert!(place.sinks.remove(&file.path, 0).unwrap());
    assert!(place.names().is_empty());
}

#[test]
fn a_start_removes_files_that_are_unconfigured_or_expired() {
    let place = TestFolder::new();
    for name in ["kept", "gone"] {
        place.write(&place.file(name), "T").unwrap();
    }
    let other = TestFolder::sinks_of(&place.dir, "/run/b/jeton.sock");
    for (name, until) in [("expired", Some(99)), ("valid", Some(101)), ("stays", None)] {
        other.write(&place.file(name), b"T", until).unwrap();
    }
    let failed = place.sinks.sweep(&[place.at("kept")], 100);
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(place.names(), ["kept", "stays", "valid"]);
}

#[test]
fn only_root_may_set_an_owner_and_others_only_their_own_groups() {
    let place = TestFolder::new();
    let given = SinkFile {
        owner: Some(4_711),
        group: Some(4_712),
        mode: 0o640,
        ..place.file("t")
    };
    let written = place.write(&given, "T");
    if uid() != 0 {
        let refused = written.unwrap_err();
        assert!(matches!(refused.kind, SinkErrorKind::OwnerNeedsRoot(4_711)));
        let grouped = SinkFile {
            owner: None,
            ..given
        };
        let refused = place.write(&grouped, "T").unwrap_err();
        assert!(matches!(refused.kind, SinkErrorKind::NotOurGroup(4_712)));
        assert!(place.names().is_empty());
        return;
    }
    written.unwrap();
    let meta = given.path.metadata().unwrap();
    assert_eq!((meta.uid(), meta.gid()), (4_711, 4_712));
    assert_eq!(meta.mode() & 0o7777, 0o640);
    place.write(&given, "U").unwrap();
    assert!(place.sinks.remove(&given.path, 0).unwrap());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test may panic if it cannot start a thread"
)]
fn readers_never_see_a_partial_file_during_repeated_writes() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let place = TestFolder::new();
    let file = place.file("t");
    let whole = |n: usize| format!("{n:04}").repeat(2_000);
    place.write(&file, &whole(0)).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::SeqCst) {
                    let seen = text(&file.path);
                    let number = seen[..4].parse().unwrap();
                    assert_eq!(seen, whole(number));
                }
            });
        }
        for number in 1..50 {
            place.write(&file, &whole(number)).unwrap();
        }
        is_over.store(true, Ordering::SeqCst);
    });
}

#[test]
fn temporary_files_of_a_writer_killed_before_its_record_are_removed() {
    let place = TestFolder::new();
    let file = place.file("t");
    let records = &place.sinks.records;
    let folder = Folder::open(&place.dir.path().join("f")).unwrap();
    let attributes = Attributes {
        owner: uid(),
        group: None,
        mode: 0o600,
    };
    // Before the first record, and beside a record.
    for _ in 0..2 {
        for key in [records.key(&file.path), records.key(&place.at("other"))] {
            std::mem::forget(folder.create_temporary(&key, attributes).unwrap());
        }
        // A file with content is not such a left-over.
        let name = format!(".jeton-new-{}-abc", records.key(&file.path));
        std::fs::write(place.at(&name), "x").unwrap();
        place.sinks.take_up(&file.path, &research()).unwrap();
        let left = place.names();
        assert!(left.contains(&name), "{left:?}");
        let own = left
            .iter()
            .filter(|name| name.contains(&records.key(&file.path)));
        assert_eq!(own.count(), 1, "{left:?}");
        let other = records.key(&place.at("other"));
        assert!(left.iter().any(|name| name.contains(&other)), "{left:?}");
        std::fs::remove_file(place.at(&name)).unwrap();
        place.write(&file, "T").unwrap();
    }
    // The same beside the records, if no process holds the writer's lock.
    let state = place.dir.path().join("state/sinks");
    let [free, held] = ["t", "u"].map(|name| records.key(&place.at(name)));
    for key in [&free, &held] {
        std::fs::write(state.join(format!(".jeton-new-{key}-abc")), "x").unwrap();
    }
    let lock = records.lock(&place.at("u")).unwrap().unwrap();
    place.sinks.sweep(std::slice::from_ref(&file.path), 0);
    let temporary = |names: Vec<String>| -> Vec<String> {
        names
            .into_iter()
            .filter(|name| name.starts_with(".jeton"))
            .collect()
    };
    assert_eq!(temporary(names(&state)), [format!(".jeton-new-{held}-abc")]);
    drop(lock);
    place.sinks.sweep(std::slice::from_ref(&file.path), 0);
    assert!(temporary(names(&state)).is_empty());
}

#[test]
fn a_file_reached_by_two_paths_belongs_to_the_first_sink_despite_replace() {
    let place = TestFolder::new();
    symlink(place.at(""), place.dir.path().join("link")).unwrap();
    let file = place.file("t");
    place.write(&file, "one").unwrap();
    let by_the_link = SinkFile {
        path: place.dir.path().join("link/t"),
        replace: true,
        ..file.clone()
    };
    let refused = place.write(&by_the_link, "two").unwrap_err();
    assert!(
        matches!(refused.kind, SinkErrorKind::OfAnotherSink(_)),
        "{refused}"
    );
    assert!(
        refused.to_string().contains(file.path.to_str().unwrap()),
        "{refused}"
    );
    assert_eq!(text(&file.path), "one");
    place.sinks.remove(&file.path, 0).unwrap();
    place.write(&by_the_link, "two").unwrap();
    assert_eq!(text(&file.path), "two");
}

#[test]
fn a_folder_at_the_path_of_the_file_is_refused_with_a_remedy() {
    let place = TestFolder::new();
    let file = SinkFile {
        replace: true,
        ..place.file("t")
    };
    std::fs::create_dir(&file.path).unwrap();
    let refused = place.write(&file, "T").unwrap_err();
    assert!(matches!(refused.kind, SinkErrorKind::AFolder), "{refused}");
    assert_eq!(place.names(), ["t"]);
}

#[test]
fn a_file_of_another_profile_or_of_a_running_daemon_is_recognized() {
    let place = TestFolder::new();
    let file = place.file("t");
    let other = TestFolder::sinks_of(&place.dir, "/run/b/jeton.sock");
    other.write(&file, b"T", Some(100)).unwrap();
    let is_anothers = |name: &str| {
        let profile = ProfileName::parse(name).unwrap();
        let found = place.sinks.take_up(&file.path, &profile).unwrap();
        found.unwrap().is_anothers
    };
    assert!(!is_anothers("research") && is_anothers("ci"));
    // The file belongs to the other daemon until its token has expired.
    assert!(!place.sinks.remove(&file.path, 99).unwrap());
    assert_eq!(text(&file.path), "T");
    assert!(place.sinks.remove(&file.path, 100).unwrap());
    assert!(place.names().is_empty());
}
