use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::fs::FileType;

use super::*;

const CAP: u64 = 100;

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn facts(kind: FileType, owner: u32, mode: u32) -> FileFacts {
    FileFacts {
        kind,
        owner,
        group: 50,
        mode,
        links: 1,
        len: 0,
        read_only: false,
    }
}

#[test]
fn a_key_may_be_readable_by_its_owner_and_a_group_set_by_root() {
    for (owner, mode, good, in_volume) in [
        (1000, 0o600, true, true),
        (1000, 0o400, true, true),
        (1000, 0o640, false, false),
        (1000, 0o604, false, false),
        (1000, 0o644, false, false),
        (0, 0o600, true, true),
        (0, 0o640, true, true),
        (0, 0o440, true, true),
        // The usual mode in a Kubernetes volume, which only the pod has.
        (0, 0o644, false, true),
        (0, 0o444, false, true),
    ] {
        let key = facts(FileType::RegularFile, owner, mode);
        assert_eq!(key.judge_key(false).is_ok(), good, "{owner} {mode:o}");
        let verdict = key.judge_key(true);
        assert_eq!(verdict.is_ok(), in_volume, "{owner} {mode:o} in a volume");
    }
}

#[test]
fn only_root_can_change_a_root_owned_folder_without_write_bits_for_others() {
    for (owner, mode, good) in [
        (0, 0o755, true),
        (0, 0o644, true),
        (0, 0o775, false),
        (0, 0o757, false),
        // In a folder such as /tmp, others can create entries that are missing.
        (0, 0o1777, false),
        (1000, 0o755, false),
    ] {
        let folder = facts(FileType::Directory, owner, mode);
        assert_eq!(folder.only_root(), good, "{owner} {mode:o}");
    }
}

#[test]
fn a_file_that_others_can_write_to_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().canonicalize().unwrap();
    let inner = dir.join("inner");
    fs::create_dir(&inner).unwrap();
    let path = inner.join("ca.pem");
    fs::write(&path, "pem").unwrap();
    let read = |path: &Path| read_named(path, uid(), Purpose::CaFile, CAP);
    for (folder_mode, mode, fault) in [
        (0o755, 0o644, None),
        (0o755, 0o606, Some((&path, "others can write to it"))),
        (0o777, 0o644, Some((&inner, "others can write to it"))),
    ] {
        chmod(&inner, folder_mode);
        chmod(&path, mode);
        match (read(&path), fault) {
            (Ok(file), None) => assert_eq!(*file.bytes, b"pem"),
            (Err(error), Some((at, what))) => {
                assert_eq!(error.path, *at, "{error}");
                assert!(error.what().contains(what), "{error}");
                let remedy = format!("chmod go-w {}", at.display());
                assert_eq!(error.remedy(), Some(remedy));
            }
            (read, _) => panic!("{folder_mode:o} {mode:o}: {read:?}"),
        }
    }
    // A link is followed, and the folders that it leads through are judged as well.
    let link = dir.join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(read(&link).unwrap_err().path, inner);
    chmod(&inner, 0o755);
    assert!(read(&link).is_ok());
}

#[test]
fn a_key_readable_by_others_is_refused_but_a_certificate_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("us.key");
    fs::write(&path, "key").unwrap();
    chmod(&path, 0o644);
    let read = |purpose| read_named(&path, uid(), purpose, CAP);
    assert!(read(Purpose::ClientCertificate).is_ok());
    let error = read(Purpose::ClientKey).unwrap_err();
    assert_eq!(error.what(), "others can read it (mode 0644)");
    let remedy = error.remedy().unwrap();
    assert!(
        remedy.contains("chmod ") && remedy.contains("replace the key"),
        "{remedy}"
    );
    chmod(&path, 0o600);
    assert!(read(Purpose::ClientKey).is_ok());
}

#[test]
fn a_key_readable_by_others_through_an_access_list_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().canonicalize().unwrap().join("us.key");
    fs::write(&path, "key").unwrap();
    if uid() != 0 {
        println!("IGNORED: root is needed, whose key its group may read");
        return;
    }
    let list = |named: u32| {
        let entries = [
            (1, 6, !0),
            (2, 4, named),
            (4, 0, !0),
            (0x10, 4, !0),
            (0x20, 0, !0),
        ];
        let entries = entries
            .iter()
            .flat_map(|(tag, rights, id): &(u8, u8, u32)| {
                let id = id.to_le_bytes();
                [*tag, 0, *rights, 0, id[0], id[1], id[2], id[3]]
            });
        [2, 0, 0, 0].into_iter().chain(entries).collect::<Vec<u8>>()
    };
    let read = || read_named(&path, 0, Purpose::ClientKey, CAP);
    chmod(&path, 0o640);
    assert!(read().is_ok(), "root has chosen the group");
    let name = "system.posix_acl_access";
    for (named, good) in [(1_001, false), (0, true)] {
        let flags = rustix::fs::XattrFlags::empty();
        match rustix::fs::setxattr(&path, name, &list(named), flags) {
            Err(rustix::io::Errno::NOTSUP) => {
                println!("IGNORED: the file system has no access lists");
                return;
            }
            set => set.unwrap(),
        }
        let read = read();
        assert_eq!(read.is_ok(), good, "{named}");
        let Err(error) = read else { continue };
        assert!(
            error.what().contains("an access list grants others access"),
            "{error}"
        );
        let remedy = error.remedy().unwrap();
        assert!(remedy.starts_with("setfacl -b "), "{remedy}");
    }
}

#[test]
fn a_read_is_limited_in_size_and_does_not_block_on_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let read = |path: &Path| read_named(path, uid(), Purpose::CaFile, CAP);
    for (len, good) in [(CAP, true), (CAP + 1, false)] {
        fs::write(&path, vec![b'x'; len as usize]).unwrap();
        chmod(&path, 0o644);
        assert_eq!(read(&path).is_ok(), good, "{len}");
    }
    let pipe = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    for path in [pipe.as_path(), folder.path()] {
        assert!(matches!(read(path).unwrap_err().why, TrustFault::NotAFile));
    }
}
