use std::io;

use super::super::GroupFault;
use super::*;

const CONFIG: Purpose = Purpose::Config;
const STATE: Purpose = Purpose::State;
const NAMED: Purpose = Purpose::Socket { named: true };
const USUAL: Purpose = Purpose::Socket { named: false };

const ELSEWHERE: &str = "choose another place with --socket or JETON_SOCKET";
const WAYS: &str = "set XDG_RUNTIME_DIR to a folder of yours, name a socket with --socket, or serve one command: jetond run -- CMD";

fn of(path: &str, why: &TrustFault, purpose: Purpose, reader: u32) -> String {
    remedy(Path::new(path), why, purpose, reader).unwrap_or_default()
}

fn writable(mode: u32, owner: u32) -> TrustFault {
    TrustFault::Writable {
        mode,
        owner,
        group: 50,
        doubt: None,
    }
}

fn open(mode: u32, folder: bool) -> TrustFault {
    TrustFault::Open { mode, folder }
}

fn not_ours(owner: u32, uid: u32) -> TrustFault {
    TrustFault::NotOurs { owner, uid }
}

fn owner(owner: u32, uid: u32, is_file: bool) -> TrustFault {
    TrustFault::Owner {
        owner,
        uid,
        is_file,
    }
}

fn denied() -> TrustFault {
    TrustFault::io("make", io::ErrorKind::PermissionDenied.into())
}

#[test]
fn the_remedy_for_a_writable_path_names_the_user_who_can_fix_it() {
    for (path, mode, owner, purpose, reader, expected) in [
        (
            "/home/u/c",
            0o664,
            1000,
            CONFIG,
            1000,
            "chmod go-w /home/u/c",
        ),
        ("/home/u", 0o777, 1000, CONFIG, 0, "chmod go-w /home/u"),
        (
            "/srv/app",
            0o775,
            0,
            CONFIG,
            1000,
            "chmod go-w /srv/app as root, or name another one with --config or JETON_CONFIG",
        ),
        (
            "/vol",
            0o777,
            0,
            NAMED,
            1000,
            "chmod go-w /vol as root, or choose another place with --socket or JETON_SOCKET",
        ),
        (
            "/home/v",
            0o777,
            1001,
            STATE,
            1000,
            "chmod go-w /home/v as uid 1001, or keep the state elsewhere with --state or XDG_STATE_HOME",
        ),
        // A folder for every user lacks only its sticky bit.
        ("/tmp", 0o777, 0, CONFIG, 0, "chmod +t /tmp"),
        (
            "/var/tmp",
            0o777,
            0,
            NAMED,
            1000,
            "chmod +t /var/tmp as root, or choose another place with --socket or JETON_SOCKET",
        ),
        ("/shared", 0o777, 0, USUAL, 1000, WAYS),
        (
            "/run/user/1000/jeton",
            0o777,
            1000,
            USUAL,
            1000,
            "chmod 700 /run/user/1000/jeton",
        ),
        ("/run", 0o777, 0, USUAL, 0, "chmod go-w /run"),
        // As the folder of a socket, it would not be trusted with the sticky bit either.
        (
            "/tmp",
            0o1777,
            0,
            NAMED,
            0,
            "give the socket a folder of its own: --socket /tmp/jeton/jeton.sock",
        ),
    ] {
        let is = of(path, &writable(mode, owner), purpose, reader);
        assert_eq!(is, expected, "{path} {mode:o} {owner} {purpose:?} {reader}");
    }
}

#[test]
fn the_remedy_for_a_private_path_removes_access_unless_it_is_shared() {
    let of_its_own = |path: &str| {
        format!("give the socket a folder of its own: --socket {path}/jeton/jeton.sock")
    };
    for (path, mode, folder, purpose, expected) in [
        (
            "/s/credentials/a.json",
            0o644,
            false,
            Purpose::Secret,
            "chmod 600 /s/credentials/a.json, and replace the secret if another user may have read it"
                .to_owned(),
        ),
        (
            "/s/bindings/a.json",
            0o644,
            false,
            Purpose::Notes,
            "chmod 600 /s/bindings/a.json".to_owned(),
        ),
        (
            "/s/credentials",
            0o755,
            true,
            STATE,
            "chmod 700 /s/credentials".to_owned(),
        ),
        (
            "/s/.lock",
            0o644,
            false,
            Purpose::Lock,
            "chmod 600 /s/.lock".to_owned(),
        ),
        (
            "/run/user/1/jeton",
            0o777,
            true,
            USUAL,
            "chmod 700 /run/user/1/jeton".to_owned(),
        ),
        (
            "/srv/u/tokens",
            0o755,
            true,
            NAMED,
            format!(
                "chmod 700 /srv/u/tokens, or {}",
                of_its_own("/srv/u/tokens")
            ),
        ),
        ("/tmp", 0o1777, true, NAMED, of_its_own("/tmp")),
        ("/tmp", 0o777, true, NAMED, of_its_own("/tmp")),
        ("/run", 0o755, true, NAMED, of_its_own("/run")),
        ("/var/lib", 0o755, true, NAMED, of_its_own("/var/lib")),
        ("/home/u", 0o755, true, NAMED, of_its_own("/home/u")),
        ("/a/b/c", 0o1777, true, NAMED, of_its_own("/a/b/c")),
    ] {
        for reader in [0, 1000] {
            let is = of(path, &open(mode, folder), purpose, reader);
            assert_eq!(is, expected, "{path} {mode:o} {purpose:?}");
            assert_eq!(is.contains("secret"), purpose == Purpose::Secret, "{is}");
        }
    }
    let group = TrustFault::Shared {
        mode: 0o755,
        right: 0o710,
        group: Some(50),
    };
    assert_eq!(
        of("/srv/t/j", &group, NAMED, 1000),
        "chgrp 50 /srv/t/j; chmod 710 /srv/t/j"
    );
    assert_eq!(of("/run", &group, NAMED, 0), of_its_own("/run"));
}

#[test]
fn the_remedy_for_a_file_of_another_user_is_left_to_that_user() {
    for (path, why, purpose, reader, expected) in [
        // Root hands over what it set up for another user, but never takes over what belongs to that user.
        (
            "/var/lib/jeton/credentials",
            not_ours(0, 900),
            STATE,
            0,
            "chown -R 900 /var/lib/jeton/credentials".to_owned(),
        ),
        (
            "/s/a.json",
            not_ours(7, 0),
            Purpose::Secret,
            0,
            "chown 0 /s/a.json".to_owned(),
        ),
        (
            "/home/u/.local/state/jeton/credentials",
            not_ours(1000, 0),
            STATE,
            0,
            "run this as uid 1000, or keep the state elsewhere with --state or XDG_STATE_HOME"
                .to_owned(),
        ),
        (
            "/home/u/s/credentials",
            not_ours(0, 1000),
            STATE,
            1000,
            "have root run: chown -R 1000 /home/u/s/credentials; or keep the state elsewhere with --state or XDG_STATE_HOME"
                .to_owned(),
        ),
        // The folder of a socket.
        (
            "/tmp",
            not_ours(0, 1000),
            NAMED,
            1000,
            "give the socket a folder of its own: --socket /tmp/jeton-1000/jeton.sock".to_owned(),
        ),
        ("/run", not_ours(0, 1000), NAMED, 1000, ELSEWHERE.to_owned()),
        ("/tmp/t", not_ours(1001, 1000), NAMED, 1000, ELSEWHERE.to_owned()),
        ("/run/jeton", not_ours(0, 1000), USUAL, 1000, WAYS.to_owned()),
        (
            "/run/user/1000/jeton",
            not_ours(1000, 0),
            USUAL,
            0,
            format!("run this as uid 1000, or {WAYS}"),
        ),
        ("/v/x.lock", not_ours(7, 1000), Purpose::Lock, 1000, "remove it".to_owned()),
        // The configuration, or a folder above it, belongs to a user that is not trusted.
        ("/etc/jeton/c", owner(1000, 0, true), CONFIG, 0, "chown 0 /etc/jeton/c".to_owned()),
        (
            "/home/u",
            owner(1000, 0, false),
            CONFIG,
            0,
            "run this as uid 1000, or name another one with --config or JETON_CONFIG".to_owned(),
        ),
        (
            "/etc/c",
            owner(1001, 1000, true),
            CONFIG,
            1000,
            "make a copy of your own, and name it with --config or JETON_CONFIG".to_owned(),
        ),
        (
            "/data",
            owner(OVERFLOW_UID, 1000, false),
            CONFIG,
            1000,
            "name another one with --config or JETON_CONFIG".to_owned(),
        ),
        // Root of a user namespace cannot give away what belongs to no user in it.
        (
            "/etc/c",
            owner(OVERFLOW_UID, 0, true),
            CONFIG,
            0,
            "make a copy of your own, and name it with --config or JETON_CONFIG".to_owned(),
        ),
        (
            "/s/a.json",
            not_ours(OVERFLOW_UID, 0),
            Purpose::Secret,
            0,
            "keep the state elsewhere with --state or XDG_STATE_HOME".to_owned(),
        ),
        ("/srv/x", owner(1001, 1000, false), NAMED, 1000, ELSEWHERE.to_owned()),
    ] {
        assert_eq!(of(path, &why, purpose, reader), expected, "{why:?}");
    }
}

#[test]
fn remedies_for_the_system_daemon_fix_its_own_paths() {
    const STATE_ALONE: &str =
        "fix it as root: the system's daemon has its state in /var/lib/jeton alone";
    for (path, why, purpose, reader, expected) in [
        // Root judges on behalf of the daemon's user, which must not become the owner of its configuration.
        (
            "/etc/jeton/c",
            owner(1000, 998, true),
            CONFIG,
            0,
            "chown 0 /etc/jeton/c",
        ),
        (
            "/etc/jeton",
            owner(1000, 998, false),
            CONFIG,
            0,
            "chown 0 /etc/jeton",
        ),
        (
            "/etc/ca.pem",
            owner(1000, 998, true),
            Purpose::CaFile,
            0,
            "chown 0 /etc/ca.pem",
        ),
        (
            "/etc/key",
            owner(1000, 998, true),
            Purpose::ClientKey,
            0,
            "chown 998 /etc/key",
        ),
        // The daemon itself prints it.
        (
            "/etc/jeton/c",
            owner(1000, 998, true),
            CONFIG,
            998,
            "have root run: chown 0 /etc/jeton/c",
        ),
        (
            "/etc",
            owner(1000, 998, false),
            CONFIG,
            998,
            "run this as uid 1000, or fix it as root: the system's daemon reads no other file",
        ),
        ("/var/lib/jeton", denied(), STATE, 998, STATE_ALONE),
    ] {
        let is = remedy_in(true, Path::new(path), &why, purpose, reader);
        assert_eq!(is.unwrap_or_default(), expected, "{why:?}");
    }
}

#[test]
fn a_default_path_that_cannot_be_made_has_three_remedies() {
    for why in [
        denied(),
        TrustFault::io("make", io::ErrorKind::ReadOnlyFilesystem.into()),
    ] {
        assert_eq!(of("/run/jeton", &why, USUAL, 1000), WAYS);
        assert_eq!(of("/srv/j", &why, NAMED, 1000), ELSEWHERE);
        assert!(remedy(Path::new("/c"), &why, CONFIG, 1000).is_none());
    }
    let read_only = TrustFault::io("make", io::ErrorKind::ReadOnlyFilesystem.into());
    assert!(of("/s", &read_only, STATE, 1000).contains("--state"));
    let closed = TrustFault::io("open", io::ErrorKind::PermissionDenied.into());
    assert!(remedy(Path::new("/s"), &closed, STATE, 1000).is_none());
    let broken = TrustFault::io("open", io::Error::other("the disk is on fire"));
    assert!(remedy(Path::new("/s"), &broken, STATE, 1000).is_none());
}

/// No remedy may ever ask for these changes.
#[test]
fn no_remedy_breaks_other_users_or_files() {
    let doubted = TrustFault::Writable {
        mode: 0o775,
        owner: 0,
        group: 50,
        doubt: Some(GroupFault::AccessList),
    };
    let shared = TrustFault::Shared {
        mode: 0o1777,
        right: 0o755,
        group: None,
    };
    let mut faults = vec![doubted, shared, denied()];
    for is_file in [false, true] {
        for whose in [0, 1000, 1001, OVERFLOW_UID] {
            faults.push(owner(whose, 0, false));
            faults.push(owner(whose, 1000, false));
            faults.push(not_ours(whose, 0));
            faults.push(not_ours(whose, 1000));
            faults.push(writable(0o777, whose));
            faults.push(writable(0o1777, whose));
        }
        faults.push(open(0o777, !is_file));
    }
    for path in [
        "/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/home", "/home/u", "/root", "/etc",
    ] {
        for why in &faults {
            for reader in [0, 1000] {
                let text = of(path, why, NAMED, reader);
                for never in [
                    "chmod 700",
                    "chmod 600",
                    "chmod go-w /tmp",
                    "chown",
                    "secret",
                ] {
                    // A file cannot be a home.
                    let is_file = matches!(why, TrustFault::Open { folder: false, .. });
                    assert!(is_file || !text.contains(never), "{path} {why:?}: {text}");
                }
                for purpose in [CONFIG, STATE, USUAL] {
                    let text = of(path, why, purpose, reader);
                    assert!(!text.contains("chown 0"), "{path} {why:?}: {text}");
                }
            }
        }
    }
}
