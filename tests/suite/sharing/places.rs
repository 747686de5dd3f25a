//! Sockets of daemons of users other than root.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Stdio;

use super::*;
use crate::support::ignored;
use crate::support::users::{Installed, install, is_root_or_skip};

/// A home folder of this user in the test environment, with all the user's folders.
pub(super) struct Home<'a> {
    env: &'a TestEnv,
    user: User,
    pub(super) root: PathBuf,
    state: PathBuf,
}

impl<'a> Home<'a> {
    pub(super) fn new(env: &'a TestEnv, name: &str, user: User) -> Self {
        let root = env.path(name);
        // The credentials are in the folder in which the search for leaks allows secrets.
        let state = env.path(&format!("state/jeton/credentials/{name}"));
        for folder in ["state", "state/jeton", "state/jeton/credentials"] {
            let path = env.path(folder);
            fs::create_dir_all(&path).unwrap();
            chmod(&path, 0o711);
        }
        for path in [
            root.clone(),
            root.join("run"),
            root.join("config"),
            state.clone(),
        ] {
            fs::create_dir(&path).unwrap();
            chmod(&path, 0o700);
            chown(&path, Some(user.uid), Some(user.gid)).unwrap();
        }
        Self {
            env,
            user,
            root,
            state,
        }
    }

    fn command(&self, program: &Installed, args: &[&str]) -> Command {
        let mut command = self.user.command(self.env, &program.program, args);
        self.surround(&mut command);
        command
    }

    /// Sets the environment variables of this home for a program.
    pub(super) fn surround(&self, command: &mut Command) {
        command
            .env("HOME", &self.root)
            .env("XDG_RUNTIME_DIR", self.root.join("run"))
            .env("XDG_STATE_HOME", &self.state)
            .env("XDG_CONFIG_HOME", self.root.join("config"))
            .current_dir(&self.root);
    }

    pub(super) fn enrol(&self, jetond: &Installed) {
        let secret = self.env.secret_file();
        chown(&secret, Some(self.user.uid), None).unwrap();
        let url = self.env.sandbox().url();
        let args = ["add", "mine", "--provider", "runai", "--url", &url];
        let mut command = self.command(jetond, &args);
        command.args(["--client-id", "test-client", "--client-secret-file"]);
        command.arg(&secret);
        let added = self.env.finish("jetond add", command, b"", false);
        assert_eq!(added.code, 0, "{added:?}");
    }
}

#[test]
fn on_a_login_node_each_user_has_a_separate_daemon() {
    if !is_root_or_skip("on_a_login_node_each_user_has_a_separate_daemon") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    chmod(&env.path(""), 0o711);
    let (jetond, jeton) = (
        install(env!("CARGO_BIN_EXE_jetond")),
        install(env!("CARGO_BIN_EXE_jeton")),
    );
    let homes = [Home::new(&env, "a", ALICE), Home::new(&env, "b", BOB)];
    let mut daemons: Vec<_> = homes
        .iter()
        .map(|home| {
            home.enrol(&jetond);
            let socket = home.root.join("run/jeton/jeton.sock");
            start_at(&env, home.command(&jetond, &["run"]), &socket)
        })
        .collect();
    let token = |home: &Home<'_>, args: &[&str]| {
        let command = home.command(&jeton, &[&["token", "mine"], args].concat());
        env.finish("jeton token", command, b"", true)
    };
    let [alices, bobs] = homes.each_ref().map(|home| token(home, &[]));
    assert_eq!((alices.code, bobs.code), (0, 0), "{alices:?} {bobs:?}");
    assert_ne!(alices.stdout, bobs.stdout, "each daemon has its own token");
    // By default, another user's socket cannot be reached. Where its folders allow that, its daemon refuses the peer.
    for opened in [false, true] {
        for (home, other) in [(&homes[0], &daemons[1]), (&homes[1], &daemons[0])] {
            let socket = other.socket.to_str().unwrap();
            let refused = token(home, &["--socket", socket]);
            assert_eq!(
                (refused.code, refused.stdout.as_str()),
                (77, ""),
                "{refused:?}"
            );
            let says = if opened {
                "no rule allows it"
            } else {
                "you may not connect"
            };
            assert!(refused.stderr.contains(says), "{refused:?}");
        }
        for (home, daemon) in homes.iter().zip(&daemons) {
            chmod(&daemon.socket, 0o666);
            for folder in ["run/jeton", "run", ""] {
                chmod(&home.root.join(folder), 0o755);
            }
        }
    }
    for daemon in &mut daemons {
        env.stop(daemon);
    }
}

#[test]
fn a_private_folder_below_a_sticky_one_is_accepted() {
    if !is_root_or_skip("a_private_folder_below_a_sticky_one_is_accepted") {
        return;
    }
    let env = TestEnv::with_sandbox(3_600);
    chmod(&env.path(""), 0o711);
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let home = Home::new(&env, "a", ALICE);
    home.enrol(&jetond);
    let volume = env.path("volume");
    fs::create_dir(&volume).unwrap();
    chmod(&volume, 0o1777);
    let socket = volume.join("tokens/jeton.sock");
    let run = || {
        let mut command = home.command(&jetond, &["run"]);
        command
            .env_remove("XDG_RUNTIME_DIR")
            .env("JETON_SOCKET", &socket);
        command
    };
    // Created if missing, and used again.
    for _ in 0..2 {
        let mut daemon = start_at(&env, run(), &socket);
        assert!(!env.token(&daemon, "mine").is_empty());
        assert_eq!(
            found(socket.parent().unwrap()),
            (0o700, ALICE.uid, ALICE.gid)
        );
        assert_eq!(
            ALICE.ask(&env, &socket, "GET", "/v1/profiles").0.status,
            200
        );
        env.stop(&mut daemon);
    }
    // The message names another user that owns the path or can write to a folder, with what to do.
    let folder = socket.parent().unwrap();
    let refused = |says: &str| {
        let output = env.finish("jetond", run(), b"", false);
        assert_eq!(output.code, 78, "{output:?}");
        assert!(output.stderr.contains(says), "{says}: {output:?}");
        assert!(!socket.exists());
    };
    chown(folder, Some(BOB.uid), None).unwrap();
    refused("it belongs to uid 60002 and must belong to uid 60001");
    chown(folder, Some(ALICE.uid), None).unwrap();
    chmod(folder, 0o770);
    refused(&format!("chmod 700 {}", folder.display()));
    chmod(folder, 0o700);
    chmod(&volume, 0o777);
    refused(&format!(
        "others can write to it (mode 0777): chmod go-w {}",
        volume.display()
    ));
}

#[test]
fn a_socket_path_that_is_too_long_is_reported_with_its_remedy() {
    let env = TestEnv::new();
    let runtime = env.path(&"long/".repeat(20));
    let mut command = env.jetond_command(&["run"]);
    command.env("XDG_RUNTIME_DIR", &runtime);
    let output = env.finish("jetond", command, b"", false);
    assert_eq!(output.code, 78, "{output:?}");
    for says in ["can have 107 bytes", "--socket or JETON_SOCKET"] {
        assert!(output.stderr.contains(says), "{output:?}");
    }
    assert!(!env.path("long").exists());
}

/// Runs a daemon and its companion as Alice with a `/run` of their own. Returns the socket that was used.
fn taken_in_a_run_with(env: &TestEnv, prepare: &str) -> Option<String> {
    let possible = Command::new("unshare")
        .args(["-m", "mount", "-t", "tmpfs", "tmpfs", "/run"])
        .stderr(Stdio::null())
        .status();
    if !possible.is_ok_and(|status| status.success()) {
        ignored("the usual places: no mount namespaces here");
        return None;
    }
    let (jetond, jeton) = (
        install(env!("CARGO_BIN_EXE_jetond")),
        install(env!("CARGO_BIN_EXE_jeton")),
    );
    let alice = format!("setpriv {}", ALICE.setpriv().join(" "));
    let script = format!(
        "set -e; mount -t tmpfs -o mode=755 tmpfs /run; {prepare}
         {alice} {jetond} run >&2 & daemon=$!
         {alice} {jeton} ready --wait 60 && {alice} {jeton} status --json; code=$?
         kill $daemon; wait $daemon; exit $code",
        jetond = jetond.program.display(),
        jeton = jeton.program.display(),
    );
    let mut command = env.command("unshare");
    command.args(["-m", "sh", "-c", &script]).current_dir("/");
    command
        .env_remove("XDG_RUNTIME_DIR")
        .env("JETON_LOG", "info");
    let output = env.finish("a run of their own", command, b"", false);
    assert_eq!(output.code, 0, "{output:?}");
    let status: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    Some(status["socket"].as_str().unwrap().to_owned())
}

#[test]
fn without_xdg_runtime_dir_the_users_and_then_the_systems_folder_is_used() {
    if !is_root_or_skip("without_xdg_runtime_dir_the_users_and_then_the_systems_folder_is_used") {
        return;
    }
    let env = TestEnv::new();
    chmod(&env.path(""), 0o711);
    for folder in ["home", "state", "config"] {
        chown(env.path(folder), Some(ALICE.uid), Some(ALICE.gid)).unwrap();
    }
    let make =
        |folders: &str| format!("mkdir -p {folders}; chmod 700 {folders}; chown 60001 {folders}");
    let system = make("/run/jeton /run/jeton-admin");
    let user = format!("{system}; mkdir -p /run/user; {}", make("/run/user/60001"));
    for (prepare, socket) in [
        (&user, "/run/user/60001/jeton/jeton.sock"),
        (&system, "/run/jeton/jeton.sock"),
    ] {
        let taken = taken_in_a_run_with(&env, prepare);
        assert!(taken.is_none_or(|taken| taken == socket), "{socket}");
    }
}
