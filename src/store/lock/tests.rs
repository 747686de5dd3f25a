use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn locks() -> (TempDir, Locks) {
    let dir = TempDir::new().unwrap();
    let locks = Locks::new(dir.path(), uid()).with_tries(1);
    (dir, locks)
}

fn name(text: &str) -> ProfileName {
    ProfileName::parse(text).unwrap()
}

fn is_busy(locks: &Locks, profile: &str) -> bool {
    match locks.take(&name(profile)) {
        Ok(lock) => {
            lock.exclusive().unwrap();
            false
        }
        Err(error) => {
            assert!(matches!(error.kind, StoreErrorKind::Busy), "{error}");
            true
        }
    }
}

#[test]
fn a_lock_excludes_only_its_own_profile_and_leaves_no_file() {
    let (dir, locks) = locks();
    let held = locks.take(&name("a")).unwrap();
    let file = dir.path().join("locks/a.lock");
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    assert!(is_busy(&locks, "a"));
    assert!(!is_busy(&locks, "a.b") && !is_busy(&locks, "b"));
    assert!(held.has_ended(&name("a")) && held.has_ended(&name("b")));
    let other = locks.take(&name("b")).unwrap();
    assert!(!held.has_ended(&name("b")));
    drop((held, other));
    assert!(!is_busy(&locks, "a"));
    let left = fs::read_dir(dir.path().join("locks")).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn a_waiting_writer_reports_the_wait_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static TOLD: AtomicUsize = AtomicUsize::new(0);
    let (_dir, locks) = locks();
    let locks = locks.telling(|profile, _| {
        assert_eq!(*profile, name("a"));
        TOLD.fetch_add(1, Ordering::SeqCst);
    });
    let _held = locks.take(&name("a")).unwrap();
    let longer = |tries| locks.clone().with_tries(tries);
    assert!(is_busy(&longer(MOMENT - 1), "a"));
    assert_eq!(TOLD.load(Ordering::SeqCst), 0, "after less than a moment");
    assert!(is_busy(&longer(MOMENT + 2), "a"));
    assert!(!is_busy(&longer(MOMENT + 2), "b"));
    assert_eq!(TOLD.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lock_is_released_when_its_process_ends() {
    let (dir, locks) = locks();
    drop(locks.take(&name("a")).unwrap());
    let file = dir.path().join("locks/a.lock");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut holder = Command::new("flock")
        .args([
            "--no-fork",
            file.to_str().unwrap(),
            "sh",
            "-c",
            "echo; exec cat",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0];
    io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut line).unwrap();
    assert!(is_busy(&locks, "a"));
    holder.kill().unwrap();
    holder.wait().unwrap();
    // The file was left behind, and the next holder removes it.
    assert!(file.exists());
    assert!(!is_busy(&locks, "a"));
    assert!(!file.exists());
}

#[test]
fn a_lock_file_accessible_to_another_user_is_refused() {
    let (dir, locks) = locks();
    drop(locks.take(&name("a")).unwrap());
    let (folder, elsewhere) = (dir.path().join("locks"), dir.path().join("elsewhere"));
    let file = folder.join("a.lock");
    fs::write(&elsewhere, "").unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = |what: &str| {
        let error = locks.take(&name("a")).unwrap_err();
        let told = error.to_string();
        assert!(matches!(error.kind, StoreErrorKind::Untrusted(_)), "{what}");
        assert!(told.contains("a.lock: "), "{told}");
        fs::remove_file(&file).unwrap();
    };
    symlink(&elsewhere, &file).unwrap();
    refused("a link");
    fs::hard_link(&elsewhere, &file).unwrap();
    refused("a hard link");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    refused("open to others");
    if uid() == 0 {
        fs::write(&file, "").unwrap();
        std::os::unix::fs::chown(&file, Some(12_345), None).unwrap();
        refused("another user's");
    }
    assert_eq!(fs::read(&elsewhere).unwrap(), b"");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(locks.take(&name("a")).is_err());
}

#[test]
fn root_does_not_give_away_a_lock_file_of_another_process() {
    if uid() != 0 {
        return; // Only root can give files away.
    }
    let dir = TempDir::new().unwrap();
    let locks = Locks::new(dir.path(), 12_345).with_tries(GIVING + 1);
    drop(locks.take(&name("a")).unwrap());
    let file = dir.path().join("locks/a.lock");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let error = locks.take(&name("a")).unwrap_err();
    assert!(
        matches!(error.kind, StoreErrorKind::Untrusted(_)),
        "{error}"
    );
    assert_eq!(file.metadata().unwrap().uid(), 0);
    // The error names the file that is in the way, and the remedy.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let told = as_user(12_345, || locks.take(&name("a")).unwrap_err().to_string());
    let says = format!("{}: it belongs to uid 0 and must", file.display());
    assert!(
        told.starts_with(&says) && told.ends_with(": remove it"),
        "{told}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn root_removes_a_lock_file_that_it_cannot_give_away() {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    if uid() != 0 {
        return; // Only root can give files away.
    }
    let dir = TempDir::new().unwrap();
    let locks = Locks::new(dir.path(), 12_345).with_tries(1);
    drop(locks.take(&name("a")).unwrap());
    as_user(0, || {
        let mut sets = capabilities(None).unwrap();
        sets.effective.remove(CapabilitySet::CHOWN);
        set_capabilities(None, sets).unwrap();
        let lock = locks.take(&name("a")).unwrap();
        assert!(lock.exclusive().is_err());
    });
    assert!(!dir.path().join("locks/a.lock").exists());
}

/// Runs this as another user, in a thread of that user.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that gets no thread fails, and may"
)]
fn as_user<T: Send>(uid: u32, what: impl FnOnce() -> T + Send) -> T {
    let become_and_do = || {
        let uid = rustix::process::Uid::from_raw(uid);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        what()
    };
    std::thread::scope(|scope| scope.spawn(become_and_do).join().unwrap())
}

#[test]
fn without_a_state_folder_the_keyring_still_works_without_a_lock() {
    let removal = |state: &Path, lock: &ProfileLock| {
        crate::store::Removals::new(state, lock.locks.owner).end(lock)
    };
    let without = |state: &Path, owner: u32| {
        let lock = Locks::new(state, owner).take(&name("a")).unwrap();
        let refused = lock.exclusive().unwrap_err().to_string();
        assert!(
            refused.starts_with(&state.display().to_string()),
            "{refused}"
        );
        removal(state, &lock).unwrap();
        refused
    };
    let dir = TempDir::new().unwrap();
    // The system allows no new folder here.
    without(Path::new("/proc/jeton"), uid());
    if uid() != 0 {
        return; // Only root can be another user.
    }
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let parent = dir.path().join("parent");
    let state = parent.join("state");
    fs::create_dir_all(state.join("removals")).unwrap();
    let set = |path: &Path, mode| {
        std::os::unix::fs::chown(path, Some(12_345), None).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    set(&state.join("removals"), 0o700);
    set(&state, 0o500);
    let refused = as_user(12_345, || without(&state, 12_345));
    assert!(refused.contains("cannot make"), "{refused}");
    // A recorded removal is not ignored.
    fs::write(state.join("removals/a.json"), "{}").unwrap();
    as_user(12_345, || {
        let lock = Locks::new(&state, 12_345).take(&name("a")).unwrap();
        removal(&state, &lock).unwrap_err();
    });
    fs::remove_dir_all(&state).unwrap();
    set(&parent, 0o500);
    let refused = as_user(12_345, || without(&state, 12_345));
    assert!(refused.contains("cannot make"), "{refused}");
    // The folder exists, but a lock cannot be made in it.
    fs::create_dir_all(state.join("locks")).unwrap();
    set(&state.join("locks"), 0o500);
    let refused = as_user(12_345, || without(&state, 12_345));
    assert!(
        refused.contains("a.lock: cannot make the lock"),
        "{refused}"
    );
    // An existing folder is checked.
    set(&state.join("locks"), 0o000);
    as_user(12_345, || {
        Locks::new(&state, 12_345).take(&name("a")).unwrap_err()
    });
    set(&state.join("locks"), 0o755);
    as_user(12_345, || {
        Locks::new(&state, 12_345).take(&name("a")).unwrap_err()
    });
}

#[test]
fn a_lock_file_not_yet_given_away_by_root_is_retried_a_few_times() {
    let (met, other) = (true, false);
    for (tries, stays) in [
        (vec![met; 3], false),
        (vec![met; 4], true),
        // After a long wait for another holder.
        (vec![other, other, other, other, other, met], false),
        (vec![met, met, met, other, met, met, met], false),
        (vec![other, met, met, met, met], true),
    ] {
        let mut not_given = ForeignOwnerTries::default();
        let last = tries.iter().map(|&met| not_given.stays(met)).last();
        assert_eq!(last, Some(stays), "{tries:?}");
    }
}

#[test]
fn without_lock_support_only_a_newly_made_lock_file_is_removed() {
    let (dir, locks) = locks();
    let held = locks.take(&name("a")).unwrap();
    let without = Locks {
        try_lock: |_| Err(NotLocked::Unsupported(Errno::NOLCK.into())),
        ..locks.clone()
    };
    let is_there = |profile: &str| dir.path().join(format!("locks/{profile}.lock")).exists();
    for profile in ["a", "b"] {
        let lock = without.take(&name(profile)).unwrap();
        let refused = lock.exclusive().unwrap_err();
        assert!(matches!(refused.kind, StoreErrorKind::NoLocks), "{refused}");
    }
    assert!(is_there("a") && !is_there("b"));
    assert!(is_busy(&locks, "a"));
    drop(held);
}
