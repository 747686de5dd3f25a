//! Listeners of other users: the companion and the Python package send requests only to daemons of the caller, of root,
//! or at a path that the caller named. They print no control sequences from any daemon.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, thread};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;
use serde_json::json;

use crate::support::env::Output;
use crate::support::mounts::{can_mount_or_skip, in_mounts};
use crate::support::users::{Installed, User, install, is_root_or_skip};
use crate::support::{TestEnv, ignored};

const ROOT: User = User {
    uid: 0,
    gid: 0,
    groups: &[],
};
const OWN: User = User {
    uid: 60_020,
    gid: 60_020,
    groups: &[],
};
const MALLORY: u32 = 60_011;
const DAEMON: u32 = 60_010;

/// Text that would act on the caller's terminal, and be injected into a header.
const HOSTILE: &[u8] = b"\x1b]0;pwned\x07";

/// A socket on which another user's process listens. It records what it receives and answers each request.
struct Listener {
    socket: PathBuf,
    over: Arc<AtomicBool>,
    received: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Root binds the socket, so the folder can belong to any user. This user listens on it, and the kernel reports
    /// that user to clients.
    fn new(uid: u32, socket: &Path) -> Self {
        Self::answering(uid, socket, format!("token-of-{uid}\n").into_bytes())
    }

    fn answering(uid: u32, socket: &Path, stdout: Vec<u8>) -> Self {
        let fd = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        rustix::net::bind(&fd, &SocketAddrUnix::new(socket).unwrap()).unwrap();
        set_mode(socket, 0o777);
        let uid = Uid::from_raw(uid);
        thread::scope(|scope| {
            scope.spawn(|| {
                set_thread_res_uid(uid, uid, uid).unwrap();
                rustix::net::listen(&fd, 16).unwrap();
            });
        });
        let listener = UnixListener::from(fd);
        let (over, received) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let thread = thread::spawn({
            let (over, received) = (Arc::clone(&over), Arc::clone(&received));
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    serve(stream, &stdout, &received);
                }
            }
        });
        Self {
            socket: socket.to_owned(),
            over,
            received,
            thread: Some(thread),
        }
    }

    /// Returns everything received so far.
    fn received(&self) -> Vec<u8> {
        self.received.lock().unwrap().clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(UnixStream::connect(&self.socket));
        let _ = self.thread.take().unwrap().join();
        let _ = fs::remove_file(&self.socket);
    }
}

fn serve(mut stream: UnixStream, stdout: &[u8], received: &Mutex<Vec<u8>>) {
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut request = vec![];
    let mut chunk = [0; 4096];
    let complete = |request: &[u8]| {
        let text = String::from_utf8_lossy(request).into_owned();
        let head = text.find("\r\n\r\n")?;
        let length = text.split("Content-Length: ").nth(1)?.lines().next()?;
        (request.len() >= head + 4 + length.parse::<usize>().ok()?).then_some(())
    };
    while complete(&request).is_none() {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(length) => request.extend(&chunk[..length]),
        }
    }
    received.lock().unwrap().extend(&request);
    if request.starts_with(b"GET ") || request.starts_with(b"POST /v1/profiles/") {
        let token = String::from_utf8_lossy(stdout);
        let body = json!({
            "profiles": [{"profile": "p"}],
            "profile": "p",
            "access_token": token.strip_suffix('\n').unwrap_or(&token),
            "expires_in": 9,
            "expires_at": 9,
            "generation": 1,
            "stale": false,
        });
        let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\n{body}");
    } else if !request.is_empty() {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n\x01".to_vec();
        for (tag, payload) in [(2_u8, HOSTILE), (1, stdout), (3, b"\0")] {
            answer.push(tag);
            answer.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
            answer.extend(payload);
        }
        let _ = stream.write_all(&answer);
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// Creates a folder with this mode and owner that every user can reach.
fn folder(env: &TestEnv, relative: &str, mode: u32, owner: u32) -> PathBuf {
    let path = env.path(relative);
    fs::create_dir_all(&path).unwrap();
    let mut above = path.parent().unwrap();
    while above.starts_with(env.path("")) {
        set_mode(above, 0o755);
        above = above.parent().unwrap();
    }
    chown(&path, Some(owner), Some(owner)).unwrap();
    set_mode(&path, mode);
    path
}

/// The companion, or the package in its place.
struct Companion {
    program: Installed,
    /// Whether it is a script around the Python package, which has fewer verbs.
    is_package: bool,
}

/// Returns the companion and, if there is a Python that every user can run, the package in its place.
fn companions() -> Vec<Companion> {
    let companion = Companion {
        program: install(env!("CARGO_BIN_EXE_jeton")),
        is_package: false,
    };
    if !Path::new("/usr/bin/python3").exists() {
        ignored("impostor: there is no /usr/bin/python3 for the Python package");
        return vec![companion];
    }
    let program = install(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/attacks/package.py"
    ));
    let package = program.program.with_file_name("jeton");
    fs::create_dir(&package).unwrap();
    set_mode(&package, 0o755);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/src/jeton");
    for file in fs::read_dir(source).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            let copy = package.join(file.file_name());
            fs::copy(file.path(), &copy).unwrap();
            set_mode(&copy, 0o644);
        }
    }
    vec![
        companion,
        Companion {
            program,
            is_package: true,
        },
    ]
}

impl Companion {
    fn knows(&self, args: &[&str]) -> bool {
        let is_of_package = |arg| ["token", "reject"].contains(arg);
        !self.is_package || args.iter().any(is_of_package) && !args.contains(&"exec")
    }

    /// Returns a shell command that requests tokens this many times, and prints those that it gets.
    fn looks(&self, times: usize) -> String {
        let program = self.program.program.display();
        if self.is_package {
            return format!("{program} looks {times}");
        }
        format!(
            "i=0; while [ $i -lt {times} ]; do {program} token 2>/dev/null; i=$((i+1)); done; true"
        )
    }

    fn command(
        &self,
        env: &TestEnv,
        user: User,
        mounts: &str,
        variables: &[(&str, &Path)],
        args: &[&str],
    ) -> Command {
        let mut command = if mounts.is_empty() {
            user.command(env, &self.program.program, args)
        } else {
            in_mounts(env, mounts, user, &self.program.program, args)
        };
        command
            .current_dir("/")
            .env_remove("XDG_RUNTIME_DIR")
            .envs(variables.iter().copied());
        command
    }

    fn run(
        &self,
        env: &TestEnv,
        user: User,
        mounts: &str,
        variables: &[(&str, &Path)],
        args: &[&str],
    ) -> Output {
        let command = self.command(env, user, mounts, variables, args);
        env.finish("jeton", command, b"T0KEN-OF-ROOT\n", true)
    }
}

/// Asserts that nothing was sent or printed, and that the message names the path.
#[track_caller]
fn assert_not_asked(output: &Output, listener: &Listener, names: &Path) {
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (77, ""),
        "{output:?}"
    );
    let names = names.display().to_string();
    assert!(output.stderr.contains(&names), "{names}: {output:?}");
    assert!(output.stderr.contains("so it was not asked"), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(!output.stderr.contains('\x1b'), "{output:?}");
    let received = listener.received();
    assert_eq!(String::from_utf8_lossy(&received), "");
}

#[track_caller]
fn assert_token_of(output: &Output, uid: u32) {
    let token = format!("token-of-{uid}\n");
    assert_eq!((output.code, &output.stdout), (0, &token), "{output:?}");
    assert!(!output.stderr.contains('\x1b'), "{output:?}");
}

#[test]
fn roots_companion_ignores_listeners_from_a_users_variable() {
    if !is_root_or_skip("impostor") {
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let runtime = folder(&env, "home/mallory", 0o755, MALLORY);
        let tokens = folder(&env, "home/mallory/jeton", 0o755, MALLORY).join("jeton.sock");
        let admin = folder(&env, "home/mallory/jeton-admin", 0o755, MALLORY).join("admin.sock");
        let (token_listener, admin_listener) = (
            Listener::new(MALLORY, &tokens),
            Listener::new(MALLORY, &admin),
        );
        for (variable, value, args, asked) in [
            ("XDG_RUNTIME_DIR", &runtime, &["token"][..], &token_listener),
            ("XDG_RUNTIME_DIR", &runtime, &["header"], &token_listener),
            ("XDG_RUNTIME_DIR", &runtime, &["reject"], &token_listener),
            ("XDG_RUNTIME_DIR", &runtime, &["status"], &token_listener),
            (
                "XDG_RUNTIME_DIR",
                &runtime,
                &["exec", "--env", "T", "--", "/bin/echo", "ran"],
                &token_listener,
            ),
            (
                "XDG_RUNTIME_DIR",
                &runtime,
                &["exec", "--", "/bin/echo", "ran"],
                &token_listener,
            ),
            ("XDG_RUNTIME_DIR", &runtime, &["reload"], &admin_listener),
            ("JETON_SOCKET", &tokens, &["token"], &token_listener),
            ("JETON_SOCKET", &tokens, &["reject"], &token_listener),
            ("JETON_SOCKET", &tokens, &["reload"], &admin_listener),
            ("JETON_ADMIN_SOCKET", &admin, &["reload"], &admin_listener),
        ] {
            if !companion.knows(args) {
                continue;
            }
            let output = companion.run(&env, ROOT, "", &[(variable, value)], args);
            assert_not_asked(&output, asked, &asked.socket);
        }
        // Then help is the companion's own text.
        if companion.knows(&["help"]) {
            let output = companion.run(&env, ROOT, "", &[("JETON_SOCKET", &tokens)], &["help"]);
            assert!(
                output.code == 0 && output.stdout.contains("usage"),
                "{output:?}"
            );
        }
        assert_eq!(token_listener.received(), b"");
    }
}

#[test]
fn an_explicitly_named_listener_is_used() {
    if !is_root_or_skip("impostor") {
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let tokens = folder(&env, "home/mallory/jeton", 0o755, MALLORY).join("jeton.sock");
        let admin = folder(&env, "home/mallory/jeton-admin", 0o755, MALLORY).join("admin.sock");
        let _listeners = [
            Listener::new(MALLORY, &tokens),
            Listener::new(MALLORY, &admin),
        ];
        let (socket, door) = (tokens.to_str().unwrap(), admin.to_str().unwrap());
        for (user, variables, args) in [
            (ROOT, &[][..], &["token", "--socket", socket][..]),
            (OWN, &[], &["token", "--socket", socket]),
            (OWN, &[("JETON_SOCKET", tokens.as_path())], &["token"]),
            (ROOT, &[], &["reload", "--admin-socket", door]),
            (ROOT, &[], &["reload", "--socket", socket]),
            (OWN, &[("JETON_ADMIN_SOCKET", &admin)], &["reload"]),
        ] {
            if !companion.knows(args) {
                continue;
            }
            let output = companion.run(&env, user, "", variables, args);
            assert_token_of(&output, MALLORY);
        }
    }
}

#[test]
fn a_named_listener_injects_nothing_into_a_token() {
    if !is_root_or_skip("impostor") {
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let folder = folder(&env, "home/mallory/jeton", 0o755, MALLORY);
        let socket = folder.join("jeton.sock");
        for stdout in [&b"TOKEN\r\nX-Injected: 1\n"[..], HOSTILE] {
            let _listener = Listener::answering(MALLORY, &socket, stdout.to_vec());
            for args in [
                &["token"][..],
                &["header"],
                &["reject"],
                &["exec", "--env", "T", "--", "/bin/sh", "-c", "echo \"$T\""],
            ] {
                if !companion.knows(args) {
                    continue;
                }
                let args = [&["--socket", socket.to_str().unwrap()], args].concat();
                let output = companion.run(&env, ROOT, "", &[], &args);
                assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
                assert!(!output.stderr.contains('\x1b'), "{output:?}");
            }
        }
    }
}

#[test]
fn a_folders_owner_is_trusted_only_at_the_systems_place() {
    if !can_mount_or_skip("impostor") {
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let run = folder(&env, "system", 0o755, 0);
        let mounts = format!("mount --bind '{}' /run", run.display());
        let jeton = folder(&env, "system/jeton", 0o755, DAEMON);
        let admin = folder(&env, "system/jeton-admin", 0o755, DAEMON);
        let user = folder(&env, "system/user/60020", 0o755, MALLORY);
        let users = folder(&env, "system/user/60020/jeton", 0o755, MALLORY);
        folder(&env, "system/user/0/jeton", 0o755, MALLORY);
        let link = env.path("system/link");
        symlink("/run/jeton", &link).unwrap();

        // The system's daemon runs as the owner of its folder.
        let listener = Listener::new(DAEMON, &jeton.join("jeton.sock"));
        let reloads = Listener::new(DAEMON, &admin.join("admin.sock"));
        for (caller, variables, args) in [
            (ROOT, &[][..], &["token"][..]),
            (OWN, &[], &["token"]),
            (ROOT, &[], &["reload"]),
            (
                ROOT,
                &[("JETON_SOCKET", Path::new("/run/jeton/jeton.sock"))],
                &["token"],
            ),
            (
                ROOT,
                &[("JETON_SOCKET", Path::new("/run//jeton/../jeton/jeton.sock"))],
                &["token"],
            ),
            (
                ROOT,
                &[("JETON_SOCKET", Path::new("/run/link/jeton.sock"))],
                &["token"],
            ),
            (
                ROOT,
                &[("JETON_SOCKET", Path::new("/run/jeton/jeton.sock"))],
                &["reload"],
            ),
            (ROOT, &[("XDG_RUNTIME_DIR", Path::new("/run"))], &["token"]),
        ] {
            if !companion.knows(args) {
                continue;
            }
            let output = companion.run(&env, caller, &mounts, variables, args);
            assert_token_of(&output, DAEMON);
        }
        // A companion that `exec` starts beside the system's daemon also finds that daemon.
        let again = [
            "exec",
            "--",
            companion.program.program.to_str().unwrap(),
            "token",
        ];
        if companion.knows(&again) {
            assert_token_of(&companion.run(&env, ROOT, &mounts, &[], &again), DAEMON);
        }

        // A place with a listener of another user is skipped.
        let impostor = Listener::new(MALLORY, &users.join("jeton.sock"));
        for variables in [
            &[][..],
            &[("XDG_RUNTIME_DIR", Path::new("/run/user/60020"))],
        ] {
            for caller in [ROOT, OWN] {
                let output = companion.run(&env, caller, &mounts, variables, &["token"]);
                assert_token_of(&output, DAEMON);
            }
        }
        assert_eq!(impostor.received(), b"");

        // Without another place, the message names this one. Root has created the folder of /run/user too.
        drop(listener);
        let named = Path::new("/run/user/60020/jeton/jeton.sock");
        let output = companion.run(&env, OWN, &mounts, &[], &["token"]);
        assert_not_asked(&output, &impostor, named);
        let variables = [("XDG_RUNTIME_DIR", Path::new("/run/user/60020"))];
        let output = companion.run(&env, ROOT, &mounts, &variables, &["token"]);
        assert_not_asked(&output, &impostor, named);
        drop((impostor, reloads));
        drop(user);

        // At the system's place, a listener of a third user does not count.
        let impostor = Listener::new(MALLORY, &jeton.join("jeton.sock"));
        let named = Path::new("/run/jeton/jeton.sock");
        for caller in [ROOT, OWN] {
            let output = companion.run(&env, caller, &mounts, &[], &["token"]);
            assert_not_asked(&output, &impostor, named);
        }
        drop(impostor);

        // If every user can create the folder, as in containers with a /run of their own, the folder's owner is not
        // trusted.
        for mode in [0o1777, 0o777, 0o775] {
            set_mode(&run, mode);
            let impostor = Listener::new(DAEMON, &jeton.join("jeton.sock"));
            let output = companion.run(&env, OWN, &mounts, &[], &["token"]);
            if mode == 0o777 {
                // This is a volume mounted at /run.
                assert_token_of(&output, DAEMON);
            } else {
                assert_not_asked(&output, &impostor, named);
            }
        }
    }
}

#[test]
fn any_listener_in_a_pods_volume_is_used() {
    if !can_mount_or_skip("impostor") {
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let at = folder(&env, "volume", 0o755, 0);
        for (mode, owner, mounted, depth, asked) in [
            (0o777, 0, true, "", true),
            (0o2777, 0, true, "", true),
            (0o777, 0, true, "below/", true),
            (0o2777, 0, true, "below/", true),
            (0o777, 0, true, "two/below/", false),
            (0o1777, 0, true, "", false),
            (0o1777, 0, true, "below/", false),
            (0o3777, 0, true, "", false),
            (0o775, 0, true, "", false),
            (0o755, 0, true, "below/", false),
            (0o777, MALLORY, true, "", false),
            (0o777, MALLORY, true, "below/", false),
            (0o777, 0, false, "", false),
            (0o777, 0, false, "below/", false),
        ] {
            let source = folder(&env, "source", mode, owner);
            let inside = format!("source/{depth}");
            let bound = folder(
                &env,
                &inside,
                if depth.is_empty() { mode } else { 0o755 },
                owner,
            );
            set_mode(&source, mode);
            let listener = Listener::new(DAEMON, &bound.join("jeton.sock"));
            let (mounts, seen) = if mounted {
                let mounts = format!("mount --bind '{}' '{}'", source.display(), at.display());
                (mounts, at.join(depth).join("jeton.sock"))
            } else {
                (String::new(), bound.join("jeton.sock"))
            };
            let variables = [("JETON_SOCKET", seen.as_path())];
            let output = companion.run(&env, ROOT, &mounts, &variables, &["token"]);
            let case = format!("{mode:o} of {owner}, mounted: {mounted}, {depth:?}: {output:?}");
            assert_eq!(output.code == 0, asked, "{case}");
            if asked {
                assert_token_of(&output, DAEMON);
            } else {
                assert_not_asked(&output, &listener, &seen);
            }
            drop(listener);
            fs::remove_dir_all(&source).unwrap();
        }
    }
}

#[test]
fn in_a_volume_roots_variables_may_name_both_sockets() {
    if !can_mount_or_skip("impostor") {
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let volume = folder(&env, "volume", 0o777, 0);
        let tokens = folder(&env, "volume/jeton", 0o755, DAEMON).join("jeton.sock");
        let admin = folder(&env, "volume/jeton-admin", 0o755, DAEMON).join("admin.sock");
        set_mode(&volume, 0o777);
        let direct = volume.join("jeton.sock");
        let _listeners = [&tokens, &admin, &direct].map(|socket| Listener::new(DAEMON, socket));
        // Mounted over itself, so that the mount has the same listeners.
        let mounts = format!("mount --bind '{0}' '{0}'", volume.display());
        for (variable, value, verb) in [
            ("XDG_RUNTIME_DIR", &volume, "token"),
            ("XDG_RUNTIME_DIR", &volume, "reload"),
            ("JETON_SOCKET", &tokens, "token"),
            ("JETON_SOCKET", &tokens, "reload"),
            ("JETON_SOCKET", &direct, "token"),
            ("JETON_SOCKET", &direct, "reload"),
            ("JETON_ADMIN_SOCKET", &admin, "reload"),
        ] {
            if !companion.knows(&[verb]) {
                continue;
            }
            let output = companion.run(&env, ROOT, &mounts, &[(variable, value)], &[verb]);
            assert_token_of(&output, DAEMON);
        }
    }
}

#[test]
fn a_changing_link_never_leads_to_an_impostor() {
    if !can_mount_or_skip("impostor") {
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let volume = folder(&env, "volume", 0o777, 0);
        let theirs = folder(&env, "home/mallory", 0o755, MALLORY);
        let _honest = Listener::new(DAEMON, &volume.join("jeton.sock"));
        let impostor = Listener::new(MALLORY, &theirs.join("jeton.sock"));
        let mounts = format!("mount --bind '{0}' '{0}'", volume.display());
        let links = folder(&env, "links", 0o755, MALLORY);
        let link = links.join("link");
        symlink(&volume, &link).unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let next = links.join("next");
                let mut targets = [&theirs, &volume].into_iter().cycle();
                while !over.load(Ordering::SeqCst) {
                    symlink(targets.next().unwrap(), &next).unwrap();
                    fs::rename(&next, &link).unwrap();
                }
            });
            let socket = link.join("jeton.sock");
            // Many requests in one mount namespace.
            let script = companion.looks(300);
            let mut command = in_mounts(&env, &mounts, ROOT, "/bin/sh", &["-c", &script]);
            command.current_dir("/").env("JETON_SOCKET", &socket);
            let output = env.finish("jeton", command, b"", true);
            over.store(true, Ordering::SeqCst);
            let honest = format!("token-of-{DAEMON}");
            assert!(
                output.stdout.lines().all(|line| line == honest),
                "{output:?}"
            );
        });
        assert_eq!(impostor.received(), b"");
    }
}

#[test]
fn unmapped_users_are_trusted_only_at_the_systems_places() {
    if !can_mount_or_skip("impostor") {
        return;
    }
    let made = Command::new("unshare").args(["-U", "true"]).output();
    if !made.is_ok_and(|made| made.status.success()) {
        ignored("impostor: no user namespaces here");
        return;
    }
    for companion in companions() {
        let env = TestEnv::new();
        let run = folder(&env, "system", 0o755, 0);
        let jeton = folder(&env, "system/jeton", 0o755, DAEMON);
        let volume = folder(&env, "volume", 0o777, 0);
        let other = folder(&env, "home/mallory/jeton", 0o755, MALLORY);
        let mounts = format!(
            "mount --bind '{}' /run; mount --bind '{1}' '{1}'",
            run.display(),
            volume.display()
        );
        let program = companion.program.program.to_str().unwrap();
        let ask = |flags: &[&str], variables: &[(&str, &Path)], args: &[&str]| {
            let words = [flags, &[program], args].concat();
            let mut command = in_mounts(&env, &mounts, OWN, "/usr/bin/unshare", &words);
            command
                .current_dir("/")
                .env_remove("XDG_RUNTIME_DIR")
                .envs(variables.iter().copied());
            env.finish("jeton", command, b"", true)
        };
        let theirs = Listener::new(MALLORY, &other.join("jeton.sock"));
        let shared = Listener::new(DAEMON, &volume.join("jeton.sock"));
        let runtime = other.parent().unwrap();
        // As the namespace's root, and as a user without an ID there.
        for flags in [&["-U", "-r"][..], &["-U"]] {
            let system = Listener::new(DAEMON, &jeton.join("jeton.sock"));
            assert_token_of(&ask(flags, &[], &["token"]), DAEMON);
            let in_volume = [("JETON_SOCKET", shared.socket.as_path())];
            assert_token_of(&ask(flags, &in_volume, &["token"]), DAEMON);
            drop(system);
            let elsewhere = [("XDG_RUNTIME_DIR", runtime)];
            let output = ask(flags, &elsewhere, &["token"]);
            assert_not_asked(&output, &theirs, &theirs.socket);
        }
        // The user's own daemon has the user's ID there.
        let own = folder(&env, "home/own/jeton", 0o755, OWN.uid);
        let _own = Listener::new(OWN.uid, &own.join("jeton.sock"));
        let own = [("XDG_RUNTIME_DIR", own.parent().unwrap())];
        assert_token_of(&ask(&["-U", "-r"], &own, &["token"]), OWN.uid);
    }
}
