//! Volumes shared by the containers of a pod: where a socket may be in one, and where not.

use super::places::Home;
use super::*;
use std::path::Path;

use crate::support::mounts::{can_mount_or_skip, in_mounts, seen_from_outside, volume};
use crate::support::users::{Installed, install};

/// The warning that the log has once.
const WARNING: &str = "every user of this volume is trusted";

struct Pod<'a> {
    env: &'a TestEnv,
    home: Home<'a>,
    jetond: Installed,
    volume: PathBuf,
}

impl<'a> Pod<'a> {
    fn new(env: &'a TestEnv) -> Self {
        chmod(&env.path(""), 0o711);
        let jetond = install(env!("CARGO_BIN_EXE_jetond"));
        let home = Home::new(env, "a", ALICE);
        home.enrol(&jetond);
        Self {
            env,
            home,
            jetond,
            volume: env.path("volume"),
        }
    }

    /// Returns a command that runs Alice's daemon with a volume that these commands prepare.
    fn run(&self, made: &str, args: &[&str]) -> Command {
        let prepare = volume(&self.volume, made);
        let args = [&["run"], args].concat();
        let mut command = in_mounts(self.env, &prepare, ALICE, &self.jetond.program, &args);
        self.home.surround(&mut command);
        command.env_remove("XDG_RUNTIME_DIR");
        command
    }

    /// Starts the daemon. The sockets are at these paths in its mount namespace.
    fn start(&self, command: Command, socket: &Path, admin: &Path) -> Daemon {
        let mut daemon = self.env.spawn_command(command);
        let pid = daemon.child.id();
        daemon.socket = seen_from_outside(pid, socket);
        daemon.admin = seen_from_outside(pid, admin);
        wait_until("the daemon to serve", || {
            let ended = daemon.child.try_wait().unwrap();
            assert!(
                ended.is_none(),
                "the daemon ended with {ended:?}: {}",
                daemon.log()
            );
            accepts(&daemon.socket) && accepts(&daemon.admin)
        });
        daemon.record_proc();
        daemon
    }

    #[track_caller]
    fn refused(&self, command: Command, says: &str) {
        let mut daemon = self.env.spawn_command(command);
        let status = daemon.wait();
        let log = daemon.log();
        assert_eq!(status.code(), Some(78), "{says}: {log}");
        assert!(log.contains(says), "{says}: {log}");
        assert!(!log.contains(WARNING), "{log}");
    }
}

#[test]
fn a_socket_in_a_pods_volume_is_served_with_a_warning() {
    if !can_mount_or_skip("a_socket_in_a_pods_volume_is_served_with_a_warning") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    let pod = Pod::new(&env);
    let jeton = install(env!("CARGO_BIN_EXE_jeton"));
    let own = "mkdir \"$v/tokens\"; chmod 700 \"$v/tokens\"; chown 60001:60001 \"$v/tokens\"";
    for (made, socket, admin) in [
        // Directly in the volume, where the admin socket cannot be beside it.
        ("chmod 777 \"$v\"", "jeton.sock", "jeton-admin/admin.sock"),
        // The mode and group that an fsGroup sets.
        (
            "chgrp 60050 \"$v\"; chmod 2777 \"$v\"",
            "jeton.sock",
            "jeton-admin/admin.sock",
        ),
        (
            "chmod 777 \"$v\"",
            "tokens/jeton.sock",
            "tokens-admin/admin.sock",
        ),
        (
            &format!("chmod 2777 \"$v\"; {own}"),
            "tokens/jeton.sock",
            "tokens-admin/admin.sock",
        ),
    ] {
        let (socket, admin) = (pod.volume.join(socket), pod.volume.join(admin));
        for by_variable in [false, true] {
            let mut command = if by_variable {
                pod.run(made, &[])
            } else {
                pod.run(made, &["--socket", socket.to_str().unwrap()])
            };
            command.envs(by_variable.then_some(("JETON_SOCKET", &socket)));
            let mut daemon = pod.start(command, &socket, &admin);
            assert!(!env.token(&daemon, "mine").is_empty());
            assert_eq!(found(&daemon.socket).0, 0o600, "{made}");
            assert_eq!(found(daemon.admin.parent().unwrap()).0, 0o700, "{made}");
            let reloaded = env.request(&daemon.admin, "POST", "/v1/reload", &[], b"");
            assert_eq!(reloaded.status, 200, "{reloaded:?}");
            // The companion of a container with the volume, with an explicit option.
            for args in [&["token", "mine"][..], &["reload"]] {
                let mut command = env.command("nsenter");
                let pid = daemon.child.id().to_string();
                command.args(["-m", "-t", &pid, "setpriv"]);
                command.args(ALICE.setpriv()).arg(&jeton.program);
                command.arg("--socket").arg(&socket).args(args);
                let output = env.finish("jeton", command, b"", true);
                assert_eq!(output.code, 0, "{made} {args:?} {output:?}");
            }
            assert_eq!(daemon.log().matches(WARNING).count(), 1, "{}", daemon.log());
            env.stop(&mut daemon);
        }
    }
}

#[test]
fn similar_but_unsafe_volumes_are_refused() {
    if !can_mount_or_skip("similar_but_unsafe_volumes_are_refused") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    let pod = Pod::new(&env);
    let shown = pod.volume.display();
    let path = |name: &str| pod.volume.join(name).to_str().unwrap().to_owned();
    let (direct, below) = (path("jeton.sock"), path("tokens/jeton.sock"));
    let writable = |mode| format!("{shown}: others can write to it (mode {mode})");
    for (made, socket, says) in [
        // Owned by another user, or not writable by all users.
        (
            "chmod 777 \"$v\"; chown 60002 \"$v\"",
            &below,
            "it belongs to uid 60002".to_owned(),
        ),
        (
            "chgrp 60050 \"$v\"; chmod 775 \"$v\"",
            &below,
            writable("0775"),
        ),
        ("chmod 757 \"$v\"", &below, writable("0757")),
        (
            "chmod 770 \"$v\"; chgrp 60050 \"$v\"",
            &path("jeton.sock"),
            "it belongs to uid 0".to_owned(),
        ),
        // A folder below the mount point, which the kernel reports not to be the mount point.
        (
            "chmod 755 \"$v\"; v=\"$v/inner\"; mkdir \"$v\"; chmod 777 \"$v\"",
            &path("inner/jeton.sock"),
            "it belongs to uid 0".to_owned(),
        ),
        (
            "chmod 755 \"$v\"; v=\"$v/inner\"; mkdir \"$v\"; chmod 777 \"$v\"",
            &path("inner/tokens/jeton.sock"),
            format!("{shown}/inner: others can write to it (mode 0777)"),
        ),
        // More than one folder deep.
        (
            "chmod 777 \"$v\"",
            &path("a/tokens/jeton.sock"),
            writable("0777"),
        ),
        (
            "chmod 777 \"$v\"; mkdir -p -m 700 \"$v/a/tokens\"; chown -R 60001 \"$v/a\"; chmod 700 \"$v/a\"",
            &path("a/tokens/jeton.sock"),
            writable("0777"),
        ),
        // A folder inside the volume that does not belong to us alone.
        (
            "chmod 777 \"$v\"; mkdir \"$v/tokens\"",
            &below,
            "it belongs to uid 0 and must belong to uid 60001".to_owned(),
        ),
        (
            "chmod 777 \"$v\"; mkdir \"$v/tokens\"; chown 60001 \"$v/tokens\"; chmod 770 \"$v/tokens\"",
            &below,
            format!("chmod 700 {shown}/tokens"),
        ),
        (
            "chmod 777 \"$v\"; ln -s /tmp \"$v/tokens\"",
            &below,
            "it is a symbolic link".to_owned(),
        ),
        // A lock file that another user could hold forever.
        (
            "chmod 777 \"$v\"; (umask 0; touch \"$v/jeton.sock.lock\"); chmod 666 \"$v/jeton.sock.lock\"; chown 60002 \"$v/jeton.sock.lock\"",
            &direct,
            format!(
                "{direct}.lock: it belongs to uid 60002 and must belong to uid 60001: remove it"
            ),
        ),
        // With the sticky bit, the volume is like any sticky folder: the socket may be in a folder of ours below it,
        // but not directly in it.
        (
            "chmod 1777 \"$v\"",
            &direct,
            "it belongs to uid 0 and must belong to uid 60001".to_owned(),
        ),
    ] {
        pod.refused(pod.run(made, &["--socket", socket]), &says);
    }
    // A place that the user did not name.
    let mut command = pod.run("chmod 777 \"$v\"", &[]);
    command.env("XDG_RUNTIME_DIR", &pod.volume);
    pod.refused(command, &writable("0777"));
    // Folders above the mount point are checked as usual.
    let outer = env.path("outer");
    fs::create_dir(&outer).unwrap();
    chmod(&outer, 0o777);
    let inner = Pod {
        volume: outer.join("volume"),
        ..Pod { ..pod }
    };
    let socket = inner.volume.join("jeton.sock");
    let command = inner.run("chmod 777 \"$v\"", &["--socket", socket.to_str().unwrap()]);
    inner.refused(
        command,
        &format!("{}: others can write to it", outer.display()),
    );
    chmod(&outer, 0o755);
    // Files other than sockets are not accepted in a volume.
    let made = "chmod 777 \"$v\"; touch \"$v/c.toml\"; chown 60001 \"$v/c.toml\"";
    let config = inner.volume.join("c.toml");
    let socket = inner.volume.join("jeton.sock");
    let args = [
        "--config",
        config.to_str().unwrap(),
        "--socket",
        socket.to_str().unwrap(),
    ];
    inner.refused(
        inner.run(made, &args),
        &format!("{}: others can write to it", inner.volume.display()),
    );
}

#[test]
fn a_command_is_served_with_a_volume_as_the_only_temporary_folder() {
    if !can_mount_or_skip("a_command_is_served_with_a_volume_as_the_only_temporary_folder") {
        return;
    }
    // As in a pod with a read-only root file system.
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let place = env.path("");
    let place = place.to_str().unwrap().trim_end_matches('/');
    // The source checkout may be in that folder as well.
    let programs = Path::new(env!("CARGO_BIN_EXE_jetond")).parent().unwrap();
    let programs = programs.to_str().unwrap();
    let prepare = format!(
        "mount -t tmpfs tmpfs /mnt; mkdir /mnt/place /mnt/programs
         mount --bind '{place}' /mnt/place; mount --bind '{programs}' /mnt/programs
         mount -t tmpfs -o mode=777 tmpfs /tmp"
    );
    let root = User {
        uid: 0,
        gid: 0,
        groups: &[],
    };
    let script =
        "stat -c %a /tmp ${JETON_SOCKET%/*}; echo $JETON_SOCKET; /mnt/programs/jeton token";
    let args = ["run", "--", "sh", "-c", script];
    let mut command = in_mounts(&env, &prepare, root, "/mnt/programs/jetond", &args);
    for (variable, folder) in [
        ("HOME", "home"),
        ("XDG_STATE_HOME", "state"),
        ("XDG_CONFIG_HOME", "config"),
    ] {
        command.env(variable, format!("/mnt/place/{folder}"));
    }
    command.env_remove("XDG_RUNTIME_DIR").env("TMPDIR", "/tmp");
    let output = env.finish("run", command, b"", true);
    assert_eq!(output.code, 0, "{output:?}");
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines[..2], ["777", "700"], "{output:?}");
    assert!(lines[2].starts_with("/tmp/jeton-run-"), "{output:?}");
    assert_eq!(output.stderr.matches(WARNING).count(), 1, "{output:?}");
}
