//! `jetond install-helpers` and `jetond uninstall-helpers`: links to the companion that replace no file and are not
//! created in a folder that other users can change.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use crate::support::TestEnv;
use crate::support::env::Output;

/// The companion beside `jetond`.
const JETON: &str = env!("CARGO_BIN_EXE_jeton");

const DOCKER: &str = "docker-credential-jeton";

fn folder(env: &TestEnv, name: &str) -> PathBuf {
    let path = env.path(name);
    fs::create_dir(&path).unwrap();
    path
}

/// Runs one of the two commands on a folder, which is on `PATH`.
fn run(env: &TestEnv, command: &str, dir: &Path, more: &[&str]) -> Output {
    let mut jetond = env.jetond_command(&[command]);
    jetond.arg(dir).args(more);
    jetond.env("PATH", format!("{}:/usr/bin:/bin", dir.display()));
    env.finish(command, jetond, b"", false)
}

fn install(env: &TestEnv, dir: &Path, more: &[&str]) -> Output {
    run(env, "install-helpers", dir, more)
}

fn uninstall(env: &TestEnv, dir: &Path, more: &[&str]) -> Output {
    run(env, "uninstall-helpers", dir, more)
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn helpers_are_links_that_can_be_removed() {
    let env = TestEnv::new();
    let dir = folder(&env, "home/bin");
    for _ in 0..2 {
        let made = install(&env, &dir, &[]);
        assert_eq!((made.code, made.stderr.as_str()), (0, ""), "{made:?}");
        assert!(made.stdout.contains(DOCKER), "{made:?}");
    }
    let made = names(&dir);
    assert!(made.iter().any(|name| name == DOCKER), "{made:?}");
    assert!(!made.iter().any(|name| name == "keyring"), "{made:?}");
    for name in &made {
        let to = fs::read_link(dir.join(name)).unwrap();
        assert_eq!(to.to_str(), Some(JETON), "{name}");
    }
    // The link's name selects the helper: without a daemon, the error has the form of that dialect or of the companion.
    let helper = env.command(dir.join(DOCKER)).arg("list").output().unwrap();
    assert!(!helper.status.success(), "{helper:?}");
    fs::write(dir.join("mine"), "").unwrap();
    let one = uninstall(&env, &dir, &["docker"]);
    assert_eq!(one.code, 0, "{one:?}");
    assert!(!names(&dir).iter().any(|name| name == DOCKER));
    assert_eq!(uninstall(&env, &dir, &[]).code, 0);
    assert_eq!(names(&dir), ["mine"]);
    let again = uninstall(&env, &dir, &[DOCKER]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("is not there"), "{again:?}");
}

#[test]
fn existing_files_are_neither_replaced_nor_removed() {
    let env = TestEnv::new();
    let dir = folder(&env, "home/bin");
    let at = dir.join(DOCKER);
    let other = env.path("home/jeton");
    fs::copy(JETON, &other).unwrap();
    for what in ["file", "link", "dangling", "other companion", "folder"] {
        match what {
            "file" => fs::write(&at, "#!/bin/sh\n").unwrap(),
            "link" => symlink("/usr/bin/true", &at).unwrap(),
            "dangling" => symlink("/nowhere", &at).unwrap(),
            "other companion" => symlink(&other, &at).unwrap(),
            _ => fs::create_dir(&at).unwrap(),
        }
        let before = at.symlink_metadata().unwrap();
        for more in [&[][..], &[DOCKER]] {
            let refused = install(&env, &dir, more);
            assert_eq!(
                (refused.code, refused.stdout.as_str()),
                (78, ""),
                "{refused:?}"
            );
            assert!(refused.stderr.contains("nothing is made"), "{refused:?}");
        }
        assert_eq!(uninstall(&env, &dir, &[]).code, 0, "{what}");
        let refused = uninstall(&env, &dir, &[DOCKER]);
        assert_eq!(refused.code, 78, "{what}: {refused:?}");
        assert!(refused.stderr.contains("it stays as it is"), "{refused:?}");
        let after = at.symlink_metadata().unwrap();
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(
            (after.ino(), after.mtime()),
            (before.ino(), before.mtime()),
            "{what}"
        );
        assert_eq!(names(&dir), [DOCKER], "{what}");
        if what == "other companion" {
            // The link belongs to the other companion.
            let removed = uninstall(&env, &dir, &["--jeton", other.to_str().unwrap()]);
            assert_eq!(removed.code, 0, "{removed:?}");
            assert!(names(&dir).is_empty());
        } else if what == "folder" {
            fs::remove_dir(&at).unwrap();
        } else {
            fs::remove_file(&at).unwrap();
        }
    }
}

#[test]
fn a_folder_that_others_can_change_gets_no_links() {
    let env = TestEnv::new();
    let above = folder(&env, "home/above");
    let dir = folder(&env, "home/above/bin");
    let refused = |dir: &Path, part: &str| {
        for command in ["install-helpers", "uninstall-helpers"] {
            let refused = run(&env, command, dir, &[DOCKER]);
            assert_eq!(
                (refused.code, refused.stdout.as_str()),
                (78, ""),
                "{refused:?}"
            );
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
    };
    for open in [&above, &dir] {
        fs::set_permissions(open, Permissions::from_mode(0o777)).unwrap();
        refused(&dir, "others can write to it (mode 0777): chmod go-w");
        fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
    }
    // A symbolic link in the path is followed, and the permissions of its target are checked.
    let link = env.path("home/link");
    symlink(&dir, &link).unwrap();
    assert_eq!(install(&env, &link, &[DOCKER]).code, 0);
    assert_eq!(names(&dir), [DOCKER]);
    assert_eq!(uninstall(&env, &link, &[DOCKER]).code, 0);
    fs::set_permissions(&dir, Permissions::from_mode(0o777)).unwrap();
    refused(&link, "others can write to it");
    fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
    refused(&dir.join("absent"), "mkdir -p");
    let file = env.path("home/file");
    fs::write(&file, "").unwrap();
    refused(&file, "it is not a folder");
    if rustix_is_root() {
        chown(&dir, Some(4_242), None).unwrap();
        refused(&dir, "it belongs to uid 4242");
        chown(&dir, Some(0), None).unwrap();
        chown(&above, Some(4_242), None).unwrap();
        refused(&dir, "it belongs to uid 4242");
    } else {
        println!("IGNORED: only root can give a folder to another user");
    }
    assert!(names(&dir).is_empty());
}

fn rustix_is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn the_keyring_helper_is_created_only_on_request_and_in_its_own_folder() {
    let env = TestEnv::new();
    let (dir, own, other) = (
        folder(&env, "home/bin"),
        folder(&env, "home/keyring"),
        folder(&env, "home/other"),
    );
    assert_eq!(install(&env, &dir, &[]).code, 0);
    for more in [&["keyring"][..], &["keyring", DOCKER]] {
        let refused = install(&env, &dir, more);
        assert_eq!(refused.code, 78, "{refused:?}");
        assert!(
            refused.stderr.contains("a folder of its own"),
            "{refused:?}"
        );
    }
    let beside = install(&env, &own, &["keyring", DOCKER]);
    assert_eq!(beside.code, 78, "{beside:?}");
    assert!(names(&own).is_empty() && !names(&dir).iter().any(|name| name == "keyring"));
    for _ in 0..2 {
        let made = install(&env, &own, &["keyring"]);
        assert_eq!(made.code, 0, "{made:?}");
        assert_eq!(names(&own), ["keyring"]);
    }
    // No other link is created beside it either.
    let refused = install(&env, &own, &[]);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert_eq!(names(&own), ["keyring"]);
    // A file of the same name elsewhere on PATH is reported, whether it comes first or last.
    fs::write(other.join("keyring"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(other.join("keyring"), Permissions::from_mode(0o755)).unwrap();
    for path in [[&own, &other], [&other, &own]] {
        let path = path.map(|folder| folder.display().to_string()).join(":");
        let mut command = env.jetond_command(&["install-helpers"]);
        command.arg(&own).arg("keyring").env("PATH", path);
        let made = env.finish("install-helpers", command, b"", false);
        assert_eq!(made.code, 0, "{made:?}");
        assert!(made.stderr.contains("PATH has another keyring"), "{made:?}");
    }
    // Without names, `uninstall-helpers` removes all links, including this one.
    assert_eq!(uninstall(&env, &own, &[]).code, 0);
    assert!(names(&own).is_empty());
}

#[test]
fn a_folder_outside_path_is_reported() {
    let env = TestEnv::new();
    let dir = folder(&env, "home/bin");
    let shadow = folder(&env, "home/shadow");
    let with_path = |path: &str| {
        let mut command = env.jetond_command(&["install-helpers"]);
        command.arg(&dir).arg(DOCKER).env("PATH", path);
        env.finish("install-helpers", command, b"", false)
    };
    let made = with_path("/usr/bin:home/bin:.");
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stderr.contains("is not on PATH"), "{made:?}");
    fs::write(shadow.join(DOCKER), "#!/bin/sh\n").unwrap();
    fs::set_permissions(shadow.join(DOCKER), Permissions::from_mode(0o755)).unwrap();
    let made = with_path(&format!("{}:{}", shadow.display(), dir.display()));
    assert_eq!(made.code, 0, "{made:?}");
    assert!(
        made.stderr.contains("so the tools start that one"),
        "{made:?}"
    );
}

#[test]
fn install_helpers_with_invalid_arguments_changes_nothing() {
    let env = TestEnv::new();
    let dir = folder(&env, "home/bin");
    for (args, code) in [
        (&["no-such-helper"][..], 64),
        (&["../docker-credential-jeton"], 64),
        (&["--jeton", "jeton"], 64),
        (&["--jeton", "/nowhere/jeton"], 78),
        (&["--jeton", "/etc/passwd"], 78),
    ] {
        let refused = install(&env, &dir, args);
        assert_eq!(
            (refused.code, refused.stdout.as_str()),
            (code, ""),
            "{refused:?}"
        );
    }
    assert_eq!(env.jetond(&["install-helpers"]).code, 64);
    assert_eq!(
        env.jetond(&["--config", "/x", "install-helpers", "/y"])
            .code,
        64
    );
    assert!(names(&dir).is_empty());
    // Links to a companion that no longer exists can be removed.
    let gone = env.path("home/jeton");
    symlink(&gone, dir.join(DOCKER)).unwrap();
    let removed = uninstall(&env, &dir, &["--jeton", gone.to_str().unwrap()]);
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(names(&dir).is_empty());
}

#[test]
fn concurrent_installs_and_uninstalls_leave_no_partial_state() {
    let env = TestEnv::new();
    let dir = folder(&env, "home/bin");
    let start = |command: &str| {
        let mut jetond = env.jetond_command(&[command]);
        jetond
            .arg(&dir)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        jetond.spawn().unwrap()
    };
    for _ in 0..5 {
        let commands = ["install-helpers", "uninstall-helpers"];
        let children: Vec<_> = (0..8).map(|n| start(commands[n % 2])).collect();
        for mut child in children {
            child.wait().unwrap();
        }
        for name in names(&dir) {
            assert!(!name.starts_with('.'), "{name}");
            assert_eq!(
                fs::read_link(dir.join(&name)).unwrap().to_str(),
                Some(JETON)
            );
        }
    }
    assert_eq!(uninstall(&env, &dir, &[]).code, 0);
    assert!(names(&dir).is_empty());
}
