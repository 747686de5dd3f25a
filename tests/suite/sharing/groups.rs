//! Group-writable paths, judged by the machine's current lists of users and groups.

use std::os::unix::fs::chown;

use super::*;
use crate::enrol::write_config;
use crate::support::mounts::{can_mount_or_skip, in_mounts};
use crate::support::users::{Installed, install};

/// A user in root's group that no list has. `OpenShift` creates one for each project.
const RANDOM: User = User {
    uid: 1_000_680_000,
    gid: 0,
    groups: &[],
};

const ALONE: User = User {
    groups: &[],
    ..ALICE
};

/// The accounts of Alice and Bob, each with a private group.
const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nalice:x:60001:60001::/home/alice:/bin/sh\nbob:x:60002:60002::/home/bob:/bin/sh\n";
const GROUP: &str = "root:x:0:\nalice:x:60001:\nbob:x:60002:\n";
const FILES: &str = "passwd: files\ngroup: files\n";

/// The lists of users and groups, and the configuration of the name service.
#[derive(Clone, Copy)]
struct NameLists<'a> {
    passwd: &'a str,
    group: &'a str,
    nsswitch: &'a str,
}

const LISTS: NameLists<'_> = NameLists {
    passwd: PASSWD,
    group: GROUP,
    nsswitch: FILES,
};

/// A test environment in which `home` is this user's home, with everything in it.
struct GroupEnv {
    env: TestEnv,
    user: User,
    jetond: Installed,
}

impl GroupEnv {
    /// Creates `home`, `home/.config`, `home/.config/jeton` and the configuration in it, with this owner and group, and
    /// with these modes of the folders and of the file.
    fn new(user: User, owner: (u32, u32), folders: u32, file: u32) -> Self {
        let env = TestEnv::with_sandbox(3_600);
        env.enrol("research");
        let text = fs::read(env.config()).unwrap();
        chmod(&env.path(""), 0o711);
        let place = Self {
            env,
            user,
            jetond: install(env!("CARGO_BIN_EXE_jetond")),
        };
        fs::create_dir_all(place.config().parent().unwrap()).unwrap();
        fs::write(place.config(), text).unwrap();
        place.set("home", owner, folders);
        place.set("home/.config", owner, folders);
        place.set("home/.config/jeton", owner, folders);
        place.set("home/.config/jeton/config.toml", owner, file);
        // The credentials belong to this user alone, whatever the modes of the folders above.
        for path in ["state", "state/jeton", "state/jeton/credentials", "run"] {
            chown(place.env.path(path), Some(user.uid), Some(user.gid)).unwrap();
        }
        chown(place.env.record("research"), Some(user.uid), Some(user.gid)).unwrap();
        let locks = place.env.path("state/jeton/locks");
        chown(locks, Some(user.uid), Some(user.gid)).unwrap();
        place
    }

    fn config(&self) -> PathBuf {
        self.env.path("home/.config/jeton/config.toml")
    }

    fn set(&self, path: &str, (uid, gid): (u32, u32), mode: u32) {
        let path = self.env.path(path);
        chown(&path, Some(uid), Some(gid)).unwrap();
        chmod(&path, mode);
    }

    /// Returns a command that the user runs with these lists.
    fn command(&self, lists: NameLists<'_>, args: &[&str]) -> Command {
        let mut prepare = String::new();
        for (name, text) in [
            ("passwd", lists.passwd),
            ("group", lists.group),
            ("nsswitch.conf", lists.nsswitch),
        ] {
            let path = self.env.path(&format!("out/{name}"));
            fs::write(&path, text).unwrap();
            chmod(&path, 0o644);
            prepare.push_str(&format!("mount --bind '{}' /etc/{name}\n", path.display()));
        }
        chmod(&self.env.path("out"), 0o755);
        let mut command = in_mounts(&self.env, &prepare, self.user, &self.jetond.program, args);
        command
            .env_remove("XDG_CONFIG_HOME")
            .env("HOME", self.env.path("home"));
        command
    }

    /// Checks the configuration. If it is not trusted, returns the one line that says why.
    fn check(&self, lists: NameLists<'_>) -> Result<(), String> {
        let checked = self
            .env
            .finish("check", self.command(lists, &["check"]), b"", false);
        match checked.code {
            0 => Ok(()),
            78 if checked.stderr.lines().count() == 1 => Err(checked.stderr),
            _ => panic!("{checked:?}"),
        }
    }
}

#[track_caller]
fn assert_says(verdict: &Result<(), String>, says: Option<&str>) {
    match (verdict, says) {
        (Ok(()), None) => {}
        (Err(text), Some(says)) => assert!(text.contains(says), "{says}: {text}"),
        _ => panic!("{says:?}: {verdict:?}"),
    }
}

#[test]
fn a_private_groups_write_access_is_trusted() {
    let test = "a_private_groups_write_access_is_trusted";
    if !can_mount_or_skip(test) {
        return;
    }
    // The modes that umask 0002 produces.
    let place = GroupEnv::new(ALONE, (ALICE.uid, ALICE.gid), 0o775, 0o664);
    let more = |text: &str, line: &str| format!("{text}{line}\n");
    let other_group = GROUP.replace("alice:x:60001:", "staff:x:60001:");
    let member = GROUP.replace("alice:x:60001:", "alice:x:60001:alice,bob");
    let own_member = GROUP.replace("alice:x:60001:", "alice:x:60001:alice");
    let account = more(PASSWD, "eve:x:60004:60001::/home/eve:/bin/sh");
    let unknown = PASSWD.replace("alice:x:60001:60001", "alice:x:60009:60001");
    let users = PASSWD.replace("alice:x:60001:60001", "alice:x:60001:100");
    for (lists, says) in [
        (LISTS, None),
        (
            NameLists {
                group: &own_member,
                ..LISTS
            },
            None,
        ),
        (
            NameLists {
                nsswitch: "",
                ..LISTS
            },
            None,
        ),
        (
            NameLists {
                nsswitch: "passwd: files systemd\ngroup: files systemd\n",
                ..LISTS
            },
            None,
        ),
        (
            NameLists {
                group: &member,
                ..LISTS
            },
            Some("bob is in it too"),
        ),
        (
            NameLists {
                passwd: &account,
                ..LISTS
            },
            Some("eve is in it too"),
        ),
        (
            NameLists {
                group: &other_group,
                ..LISTS
            },
            Some("by its group 60001: it is not a group of this user alone"),
        ),
        (
            NameLists {
                passwd: &users,
                ..LISTS
            },
            Some("by its group 60001: it is not a group of this user alone"),
        ),
        (
            NameLists {
                passwd: &unknown,
                ..LISTS
            },
            Some("/etc/passwd does not list uid 60001"),
        ),
        (
            NameLists {
                passwd: "",
                group: "",
                ..LISTS
            },
            Some("/etc/passwd does not list uid"),
        ),
        (
            NameLists {
                nsswitch: "passwd: files sss\ngroup: files\n",
                ..LISTS
            },
            Some("sss may list further members"),
        ),
        (
            NameLists {
                nsswitch: "passwd: files\ngroup: files ldap\n",
                ..LISTS
            },
            Some("ldap may list further members"),
        ),
        (
            NameLists {
                nsswitch: "passwd: winbind files\n",
                ..LISTS
            },
            Some("winbind may list further members"),
        ),
        (
            NameLists {
                passwd: &more(PASSWD, "+::::::"),
                nsswitch: "passwd: compat\n",
                ..LISTS
            },
            Some("NIS may list further members"),
        ),
        // Each check reads the lists again.
        (LISTS, None),
    ] {
        let verdict = place.check(lists);
        assert_says(&verdict, says);
        if let Err(text) = verdict {
            let home = place.env.path("home");
            let remedy = format!("chmod go-w {}\n", home.display());
            assert!(text.ends_with(&remedy), "{text}");
        }
    }
}

#[test]
fn a_daemon_with_umask_0002_accepts_its_own_files() {
    if !can_mount_or_skip("a_daemon_with_umask_0002_accepts_its_own_files") {
        return;
    }
    let place = GroupEnv::new(ALONE, (ALICE.uid, ALICE.gid), 0o2775, 0o664);
    // Also for the folders above the state and the socket.
    for path in ["state", "state/jeton", "run"] {
        place.set(path, (ALICE.uid, ALICE.gid), 0o775);
    }
    let mut daemon = place.env.start_command(place.command(LISTS, &["run"]));
    assert!(!place.env.token(&daemon, "research").is_empty());
    assert_eq!(found(&place.env.path("run/jeton")).0, 0o700);
    place.env.stop(&mut daemon);
    // A socket folder with such a mode is closed, because it is at the usual place.
    place.set("run/jeton", (ALICE.uid, ALICE.gid), 0o775);
    let mut daemon = place.env.start_command(place.command(LISTS, &["run"]));
    assert_eq!(found(&place.env.path("run/jeton")).0, 0o700);
    place.env.stop(&mut daemon);
    // Files and folders with secrets must be accessible to their owner only.
    for (path, mode, says) in [
        ("state/jeton/credentials", 0o770, "chmod 700"),
        ("state/jeton/credentials/research.json", 0o660, "chmod 600"),
    ] {
        let before = found(&place.env.path(path)).0;
        place.set(path, (ALICE.uid, ALICE.gid), mode);
        assert_says(&place.check(LISTS), Some(says));
        place.set(path, (ALICE.uid, ALICE.gid), before);
    }
    assert_says(&place.check(LISTS), None);
}

#[test]
fn world_writable_paths_and_access_lists_are_not_private() {
    if !can_mount_or_skip("world_writable_paths_and_access_lists_are_not_private") {
        return;
    }
    let place = GroupEnv::new(ALONE, (ALICE.uid, ALICE.gid), 0o775, 0o664);
    let ours = (ALICE.uid, ALICE.gid);
    for (path, mode) in [
        ("home", 0o777),
        ("home/.config", 0o757),
        ("home/.config/jeton/config.toml", 0o666),
    ] {
        let before = found(&place.env.path(path)).0;
        place.set(path, ours, mode);
        assert_says(&place.check(LISTS), Some("others can write to it (mode 0"));
        place.set(path, ours, before);
    }
    // The file belongs to another group, or to root and our group.
    place.set("home/.config/jeton/config.toml", (ALICE.uid, TEAM), 0o664);
    assert_says(
        &place.check(LISTS),
        Some("by its group 60050: it is not a group of this user alone"),
    );
    place.set("home/.config/jeton/config.toml", (0, ALICE.gid), 0o664);
    assert_says(&place.check(LISTS), None);
    // An access list gives Bob access, with the same mode bits.
    for path in ["home/.config", "home/.config/jeton/config.toml"] {
        let path = place.env.path(path);
        let name = "system.posix_acl_access";
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::setxattr(&path, name, &access_list(BOB.uid), flags).is_err() {
            crate::support::ignored("an access list: this file system has none");
            continue;
        }
        assert_eq!(found(&path).0 & 0o020, 0o020);
        assert_says(
            &place.check(LISTS),
            Some("an access list grants others access"),
        );
        rustix::fs::removexattr(&path, name).unwrap();
        chmod(&path, 0o775);
        assert_says(&place.check(LISTS), None);
    }
}

/// Returns an access list that allows this user to write (acl(5), `linux/posix_acl_xattr.h`).
fn access_list(uid: u32) -> Vec<u8> {
    const NOBODY: u32 = u32::MAX;
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, rights, id) in [
        (0x01_u16, 7_u16, NOBODY),
        (0x02, 7, uid),
        (0x04, 5, NOBODY),
        (0x10, 7, NOBODY),
        (0x20, 5, NOBODY),
    ] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

#[test]
fn group_root_is_trusted_for_a_container_user_with_a_random_id() {
    let test = "group_root_is_trusted_for_a_container_user_with_a_random_id";
    if !can_mount_or_skip(test) {
        return;
    }
    let place = GroupEnv::new(RANDOM, (0, 0), 0o775, 0o664);
    // The accounts and the name service of images of the RHEL family.
    let family = "root:x:0:0:root:/root:/bin/bash\nsync:x:5:0:sync:/sbin:/bin/sync\nshutdown:x:6:0:shutdown:/sbin:/sbin/shutdown\nhalt:x:7:0:halt:/sbin:/sbin/halt\noperator:x:11:0:operator:/root:/sbin/nologin\ndefault:x:1001:0:Default Application User:/opt/app-root/src:/sbin/nologin\n";
    let person = format!("{PASSWD}eve:x:60004:0::/home/eve:/bin/bash\n");
    let known = format!("{PASSWD}1000680000:x:1000680000:0:user:/:/sbin/nologin\n");
    for (lists, says) in [
        (LISTS, None),
        (
            NameLists {
                passwd: "",
                group: "",
                nsswitch: "",
            },
            None,
        ),
        (
            NameLists {
                passwd: &known,
                ..LISTS
            },
            None,
        ),
        (
            NameLists {
                passwd: family,
                group: "root:x:0:\n",
                nsswitch: "passwd: sss files systemd\ngroup: sss files systemd\n",
            },
            None,
        ),
        (
            NameLists {
                passwd: &person,
                ..LISTS
            },
            Some("eve is in it too"),
        ),
        (
            NameLists {
                group: "root:x:0:alice\nalice:x:60001:\n",
                ..LISTS
            },
            Some("alice is in it too"),
        ),
    ] {
        assert_says(&place.check(lists), says);
    }
    let mut daemon = place.env.start_command(place.command(LISTS, &["run"]));
    assert!(!place.env.token(&daemon, "research").is_empty());
    place.env.stop(&mut daemon);

    for (path, owner, mode, says) in [
        ("home", (0, 0), 0o777, "others can write to it (mode 0777)"),
        (
            "home",
            (0, TEAM),
            0o775,
            "by its group 60050: /etc/passwd does not list uid 1000680000",
        ),
        ("home", (BOB.uid, 0), 0o775, "it belongs to uid 60002"),
        (
            "home/.config/jeton/config.toml",
            (0, 0),
            0o666,
            "others can write",
        ),
        (
            "home/.config/jeton/config.toml",
            (BOB.uid, 0),
            0o664,
            "it belongs to uid 60002",
        ),
    ] {
        let before = found(&place.env.path(path)).0;
        place.set(path, owner, mode);
        assert_says(&place.check(LISTS), Some(says));
        place.set(path, (0, 0), before);
    }
    // A user with another primary group. Group 0 is then not the user's own, whether or not the user is a member.
    let place = GroupEnv {
        user: User {
            gid: 60_009,
            groups: &[0],
            ..RANDOM
        },
        ..place
    };
    assert_says(&place.check(LISTS), Some("/etc/passwd does not list uid"));
}

/// Runs in a root folder with this mode, below which Alice is alone in a user namespace.
fn alone_below(env: &TestEnv, jetond: &Installed, mode: &str) -> crate::support::env::Output {
    let root = env.path("root");
    let shown = root.display();
    let program = jetond.program.display();
    let prepare = format!(
        "mkdir -p '{shown}'; mount -t tmpfs -o mode={mode} tmpfs '{shown}'; cd '{shown}'
         for f in usr proc; do mkdir $f; mount --rbind /$f $f; done
         for f in bin sbin lib lib64; do [ -e /$f ] && ln -s usr/$f $f; done
         mkdir -m 755 our; cp '{program}' our/jetond; echo '# fine' >our/c.toml; chown -R 60001:60001 our
         exec setpriv {} unshare -U -r chroot '{shown}' /our/jetond check --config /our/c.toml --state /our",
        ALONE.setpriv().join(" "),
    );
    let mut command = env.command("unshare");
    command.args(["-m", "sh", "-c", &format!("set -e\n{prepare}")]);
    env.finish("jetond below a root of its own", command, b"", false)
}

/// Runs in a user namespace in which Alice is alone. Its file systems are below a root whose owner the namespace does
/// not know.
fn alone(
    env: &TestEnv,
    jetond: &Installed,
    as_whom: &[&str],
    prepare: &str,
    args: &str,
) -> crate::support::env::Output {
    let script = format!(
        "set -e; mount -t tmpfs -o mode=755 tmpfs /mnt; mkdir -p /mnt/c/jeton /mnt/s /mnt/r
         echo '# fine' >/mnt/c/jeton/config.toml; chmod -R go-w /mnt; {prepare}
         export HOME=/mnt XDG_CONFIG_HOME=/mnt/c XDG_STATE_HOME=/mnt/s XDG_RUNTIME_DIR=/mnt/r
         exec {} {args}",
        jetond.program.display()
    );
    let args = [&["-U", "-m"], as_whom, &["sh", "-c", &script]].concat();
    let mut command = ALONE.command(env, "unshare", &args);
    command.current_dir("/");
    env.finish("jetond alone", command, b"", false)
}

#[test]
fn only_the_root_folder_may_be_unowned_in_a_single_user_namespace() {
    let test = "only_the_root_folder_may_be_unowned_in_a_single_user_namespace";
    if !can_mount_or_skip(test) {
        return;
    }
    let env = TestEnv::new();
    chmod(&env.path(""), 0o711);
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    // Alice as the namespace's root, and with the user ID that she has outside.
    for as_whom in [
        &["-r"][..],
        &["--keep-caps", "--map-user=60001", "--map-group=60001"],
    ] {
        let run = |prepare: &str, args: &str| alone(&env, &jetond, as_whom, prepare, args);
        let probe = run("stat -c %u / >&2", "--version");
        if probe.code != 0 {
            crate::support::ignored(&format!("{test}: {as_whom:?}: {probe:?}"));
            continue;
        }
        assert!(probe.stderr.contains("65534"), "{probe:?}");
        let checked = run("", "check");
        assert_eq!(checked.code, 0, "{checked:?}");
        let served = run("", "run -- sh -c 'test -S \"$JETON_SOCKET\"'");
        assert_eq!(served.code, 0, "{served:?}");
        // Every other folder of that unknown owner may belong to any user. Also, `/` must be closed to other users.
        let checked = run("", "check --config /etc/passwd");
        assert_eq!(checked.code, 78, "{checked:?}");
        let says = "/etc: it belongs to uid 65534 (nobody, or a user that this container";
        assert!(checked.stderr.contains(says), "{checked:?}");
        assert!(!checked.stderr.contains("chown"), "{checked:?}");
    }
}

#[test]
fn an_unowned_root_folder_that_others_can_write_to_is_refused() {
    if !can_mount_or_skip("an_unowned_root_folder_that_others_can_write_to_is_refused") {
        return;
    }
    let env = TestEnv::new();
    chmod(&env.path(""), 0o711);
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let closed = alone_below(&env, &jetond, "755");
    if closed.code != 0 && !closed.stderr.starts_with("jetond: ") {
        crate::support::ignored(&format!(
            "a root of its own in a user namespace: {closed:?}"
        ));
        return;
    }
    assert_eq!(closed.code, 0, "{closed:?}");
    for mode in ["777", "775"] {
        let open = alone_below(&env, &jetond, mode);
        assert_eq!(open.code, 78, "{open:?}");
        let says = format!("jetond: /: others can write to it (mode 0{mode})");
        assert!(open.stderr.contains(&says), "{open:?}");
    }
}

#[test]
fn an_unowned_root_is_refused_in_a_namespace_with_more_users() {
    let test = "an_unowned_root_is_refused_in_a_namespace_with_more_users";
    if !can_mount_or_skip(test) {
        return;
    }
    let env = TestEnv::new();
    write_config(&env, "# fine");
    // Root may map a range of IDs that does not contain the host's root.
    let script = format!(
        "unshare -U sleep 60 & child=$!; while [ \"$(readlink /proc/$child/ns/user)\" = \"$(readlink /proc/self/ns/user)\" ]; do :; done
         echo '0 60001 2' >/proc/$child/uid_map; echo '0 60001 2' >/proc/$child/gid_map
         nsenter -U -t $child {} check --config '{}'; code=$?; kill $child; exit $code",
        env!("CARGO_BIN_EXE_jetond"),
        env.config().display(),
    );
    let mut command = env.command("sh");
    command.args(["-c", &script]);
    let checked = env.finish("jetond in a namespace", command, b"", false);
    assert_eq!(checked.code, 78, "{checked:?}");
    assert!(
        checked
            .stderr
            .contains("jetond: /: it belongs to uid 65534"),
        "{checked:?}"
    );
}
