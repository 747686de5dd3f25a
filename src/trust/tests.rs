use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use tempfile::TempDir;

use super::*;

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Creates a folder whose path contains no link, so that faults name the path that a test expects.
fn folder() -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().canonicalize().unwrap();
    (dir, path)
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    chmod(path, 0o644);
}

fn refused(path: &Path) -> UntrustedPath {
    open_config(path, uid()).unwrap_err()
}

const FILE: FileFacts = FileFacts {
    kind: FileType::RegularFile,
    owner: 1000,
    group: 1000,
    mode: 0o600,
    links: 1,
    len: 0,
    read_only: false,
};

const FOLDER: FileFacts = FileFacts {
    kind: FileType::Directory,
    mode: 0o700,
    ..FILE
};

#[test]
fn a_file_is_trusted_if_only_root_or_the_own_user_can_change_it() {
    for (mode, good) in [
        (0o600, true),
        (0o644, true),
        (0o444, true),
        (0o664, false),
        (0o646, false),
        (0o1666, false),
    ] {
        let verdict = FileFacts { mode, ..FILE }.judge_file(1000);
        assert_eq!(verdict.is_ok(), good, "{mode:o}");
    }
    for (owner, good) in [(0, true), (1000, true), (1001, false), (65_534, false)] {
        assert_eq!(
            FileFacts { owner, ..FILE }.judge_file(1000).is_ok(),
            good,
            "{owner}"
        );
        assert_eq!(
            FileFacts { owner, ..FOLDER }.judge_folder(1000).is_ok(),
            good,
            "{owner}"
        );
    }
    assert!(matches!(FOLDER.judge_file(1000), Err(TrustFault::NotAFile)));
    assert!(matches!(
        FILE.judge_folder(1000),
        Err(TrustFault::NotAFolder)
    ));
}

#[test]
fn a_folder_writable_by_others_needs_a_sticky_bit_or_a_read_only_mount() {
    for (mode, good) in [
        (0o755, true),
        (0o1777, true),
        (0o777, false),
        (0o770, false),
        (0o2775, false),
    ] {
        let facts = FileFacts { mode, ..FOLDER };
        assert_eq!(facts.judge_folder(1000).is_ok(), good, "{mode:o}");
        let mounted = FileFacts {
            read_only: true,
            ..facts
        };
        assert!(mounted.judge_folder(1000).is_ok(), "{mode:o}");
        let others = FileFacts {
            owner: 1001,
            ..mounted
        };
        assert!(others.judge_folder(1000).is_err(), "{mode:o}");
    }
}

#[test]
fn a_private_file_belongs_to_the_own_user_and_has_one_link() {
    assert!(FILE.judge_private_file(1000).is_ok());
    assert!(FOLDER.judge_private_folder(1000).is_ok());
    for bad in [
        FileFacts { owner: 0, ..FILE },
        FileFacts {
            mode: 0o640,
            ..FILE
        },
        FileFacts {
            mode: 0o601,
            ..FILE
        },
        FileFacts { links: 2, ..FILE },
        FileFacts { links: 0, ..FILE },
        FileFacts {
            mode: 0o640,
            read_only: true,
            ..FILE
        },
        FOLDER,
    ] {
        assert!(bad.judge_private_file(1000).is_err(), "{bad:?}");
    }
}

#[test]
fn a_trusted_file_is_read_through_links_and_dots() {
    let (_dir, path) = folder();
    fs::create_dir(path.join("real")).unwrap();
    write(&path.join("real/c.toml"), "x");
    symlink("real/../real", path.join("one")).unwrap();
    symlink(path.join("one/c.toml"), path.join("two")).unwrap();
    for good in ["real/c.toml", "one/c.toml", "two", "./one/../two"] {
        assert_eq!(
            open_config(&path.join(good), uid()).unwrap(),
            b"x",
            "{good}"
        );
    }
    assert_eq!(
        resolve(&path.join("two"), uid()).unwrap(),
        path.join("real/c.toml")
    );
}

#[test]
fn a_path_writable_by_others_is_refused_by_name_with_a_remedy() {
    let (_dir, path) = folder();
    let (open, file) = (path.join("open"), path.join("open/c.toml"));
    fs::create_dir(&open).unwrap();
    write(&file, "x");
    chmod(&file, 0o666);
    let text = refused(&file).to_string();
    assert!(
        text.contains(&format!("chmod go-w {}", file.display())),
        "{text}"
    );
    chmod(&file, 0o644);
    chmod(&open, 0o775);
    let text = refused(&file).to_string();
    assert!(
        text.ends_with(&format!("chmod go-w {}", open.display())),
        "{text}"
    );
    chmod(&open, 0o1777);
    assert!(open_config(&file, uid()).is_ok(), "sticky");
}

#[test]
fn the_folders_of_a_link_and_of_its_target_are_both_checked() {
    let (_dir, path) = folder();
    let (open, good) = (path.join("open"), path.join("good"));
    fs::create_dir(&open).unwrap();
    fs::create_dir(&good).unwrap();
    write(&good.join("c.toml"), "x");
    symlink("../good/c.toml", open.join("c.toml")).unwrap();
    assert!(open_config(&open.join("c.toml"), uid()).is_ok());
    chmod(&open, 0o777);
    let err = refused(&open.join("c.toml"));
    assert!(
        matches!(err.why, TrustFault::Writable { .. }) && err.path == open,
        "{err}"
    );
    chmod(&open, 0o755);
    chmod(&good, 0o777);
    assert_eq!(refused(&open.join("c.toml")).path, good);
}

#[test]
fn a_path_that_is_not_a_regular_file_is_refused_without_blocking() {
    let (_dir, path) = folder();
    let fifo = path.join("fifo");
    rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(path.join("sock")).unwrap();
    for name in ["fifo", "sock", "."] {
        let err = refused(&path.join(name));
        assert!(matches!(err.why, TrustFault::NotAFile), "{name}: {err}");
    }
    assert!(matches!(
        refused(Path::new("/dev/null")).why,
        TrustFault::NotAFile
    ));
    assert!(matches!(
        open_file(&fifo),
        Ok(_) | Err(TrustFault::NotAFile)
    ));
    write(&path.join("c.toml"), "");
    let below = refused(&path.join("c.toml/x"));
    assert!(matches!(below.why, TrustFault::NotAFolder), "{below}");
}

#[test]
fn missing_files_and_link_cycles_are_distinguished() {
    let (_dir, path) = folder();
    assert!(refused(&path.join("none")).is_missing());
    symlink("nowhere", path.join("dangling")).unwrap();
    assert!(refused(&path.join("dangling")).is_missing());
    symlink("ring", path.join("ring")).unwrap();
    assert!(matches!(
        refused(&path.join("ring")).why,
        TrustFault::TooManyLinks
    ));
    write(&path.join("f"), "");
    symlink("f", path.join("l")).unwrap();
    assert!(matches!(
        open_file(&path.join("l")),
        Err(TrustFault::IsALink)
    ));
}

#[test]
fn the_size_of_a_trusted_file_is_limited() {
    let (_dir, path) = folder();
    let file = path.join("c.toml");
    for (len, good) in [(MAX_CONFIG_LEN, true), (MAX_CONFIG_LEN + 1, false)] {
        fs::File::create(&file).unwrap().set_len(len).unwrap();
        chmod(&file, 0o644);
        let verdict = open_config(&file, uid());
        assert_eq!(verdict.is_ok(), good);
    }
    // A file whose length the system does not report is capped while it is read.
    #[cfg(target_os = "linux")]
    assert!(open_config(Path::new("/proc/self/status"), uid()).is_ok());
}

#[test]
fn a_private_folder_and_its_parents_are_created_with_mode_0700() {
    let (_dir, path) = folder();
    let deep = path.join("a/b/c");
    private_dir(&deep, uid()).unwrap();
    private_dir(&deep, uid()).unwrap();
    for made in ["a", "a/b", "a/b/c"] {
        let meta = path.join(made).metadata().unwrap();
        assert_eq!((meta.mode() & 0o777, meta.uid()), (0o700, uid()), "{made}");
    }
}

#[test]
fn an_open_or_linked_private_folder_is_refused_and_left_unchanged() {
    let (_dir, path) = folder();
    let open = path.join("open");
    fs::create_dir(&open).unwrap();
    chmod(&open, 0o750);
    let err = private_dir(&open, uid()).unwrap_err();
    assert!(matches!(err.why, TrustFault::Open { .. }), "{err}");
    assert_eq!(
        open.metadata().unwrap().mode() & 0o777,
        0o750,
        "left as it is"
    );
    chmod(&open, 0o700);
    symlink("open", path.join("link")).unwrap();
    for link in ["link", "link/"] {
        let err = private_dir(&path.join(link), uid()).unwrap_err();
        assert!(matches!(err.why, TrustFault::IsALink), "{link}: {err}");
    }
    symlink("nowhere", path.join("dangling")).unwrap();
    let err = private_dir(&path.join("dangling"), uid()).unwrap_err();
    assert!(matches!(err.why, TrustFault::IsALink), "{err}");
    write(&path.join("file"), "");
    let err = private_dir(&path.join("file"), uid()).unwrap_err();
    assert!(matches!(err.why, TrustFault::NotAFolder), "{err}");
    let err = private_dir(&path.join("open"), uid() + 1).unwrap_err();
    assert!(matches!(err.why, TrustFault::NotOurs { .. }), "{err}");
}

#[test]
fn an_untrusted_owner_is_named_and_root_is_not_named_twice() {
    let what = |uid| {
        let (owner, is_file) = (4_711, true);
        let why = TrustFault::Owner {
            owner,
            uid,
            is_file,
        };
        UntrustedPath::new(std::path::Path::new("/x"), why).what()
    };
    assert!(what(1_000).contains("4711, not to root or uid 1000, and"));
    let of_root = what(0);
    assert!(of_root.contains("4711, and that user could"), "{of_root}");
}
