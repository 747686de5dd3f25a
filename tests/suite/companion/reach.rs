//! How the companion finds its socket, and what it reports if there is none.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::daemon::{ConnectionStep, ScriptedDaemon, ok};
use super::run::{assert_refusal, install, jeton, jeton_at, outcome, program};
use crate::support::daemon::leave_stale;

fn daemon_at(socket: &Path) -> ScriptedDaemon {
    ScriptedDaemon::at(
        socket,
        vec![ConnectionStep::Answer(ok(&[(1, b"tok\n"), (3, &[0])]))],
    )
}

/// Creates a socket at which no daemon listens any more.
fn stale(socket: &Path) {
    fs::create_dir_all(socket.parent().unwrap()).unwrap();
    leave_stale(socket);
}

#[test]
fn the_runtime_folder_is_tried_first() {
    let folder = TempDir::new().unwrap();
    let daemon = daemon_at(&folder.path().join("jeton/jeton.sock"));
    let output = jeton()
        .env("XDG_RUNTIME_DIR", folder.path())
        .arg("token")
        .output()
        .unwrap();
    assert_eq!(outcome(&output), (0, "tok\n".into(), String::new()));
    daemon.asked_once();
}

#[test]
fn an_empty_variable_counts_as_absent() {
    let folder = TempDir::new().unwrap();
    let daemon = daemon_at(&folder.path().join("jeton/jeton.sock"));
    let mut command = jeton();
    command
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("JETON_SOCKET", "")
        .arg("token");
    assert_eq!(outcome(&command.output().unwrap()).0, 0);
    daemon.asked_once();
}

#[test]
fn the_error_names_every_place_tried() {
    let folder = TempDir::new().unwrap();
    let uid = fs::metadata("/proc/self")
        .map(|m| std::os::unix::fs::MetadataExt::uid(&m))
        .unwrap();
    // A missing folder, one with a stale socket, and a file in its place: the companion skips all of them.
    for prepare in [
        (|_: &Path| {}) as fn(&Path),
        |folder| stale(&folder.join("jeton/jeton.sock")),
        |folder| {
            fs::remove_dir_all(folder.join("jeton")).unwrap();
            fs::write(folder.join("jeton"), "").unwrap();
        },
    ] {
        prepare(folder.path());
        let output = jeton()
            .env("XDG_RUNTIME_DIR", folder.path())
            .arg("token")
            .output()
            .unwrap();
        let expected = format!(
            "jetond is not running: nothing listens at {}/jeton/jeton.sock or /run/user/{uid}/jeton/jeton.sock or /run/jeton/jeton.sock \
             (start it with 'jetond run', or name its socket with --socket or JETON_SOCKET); \
             the system's daemon is started by 'systemctl start jetond'",
            folder.path().display()
        );
        assert_refusal(&output, 69, &expected);
    }
}

#[test]
fn the_error_lists_no_place_twice_and_no_relative_path() {
    let uid = fs::metadata("/proc/self")
        .map(|m| std::os::unix::fs::MetadataExt::uid(&m))
        .unwrap();
    for runtime in [format!("/run/user/{uid}"), "relative".into()] {
        let output = jeton()
            .env("XDG_RUNTIME_DIR", runtime)
            .arg("token")
            .output()
            .unwrap();
        assert_refusal(
            &output,
            69,
            &format!(
                "nothing listens at /run/user/{uid}/jeton/jeton.sock or /run/jeton/jeton.sock ("
            ),
        );
    }
}

#[test]
fn a_named_socket_is_the_only_place_tried() {
    let folder = TempDir::new().unwrap();
    let daemon = daemon_at(&folder.path().join("jeton/jeton.sock"));
    let named = folder.path().join("other.sock");
    for command in [
        jeton().args(["token", "--socket"]).arg(&named),
        jeton().arg("token").env("JETON_SOCKET", &named),
    ] {
        let output = command
            .env("XDG_RUNTIME_DIR", folder.path())
            .output()
            .unwrap();
        assert_refusal(
            &output,
            69,
            &format!("nothing listens at {} (start", named.display()),
        );
    }
    assert_eq!(daemon.asked().len(), 0);
}

#[test]
fn a_path_is_shown_without_its_control_characters() {
    assert_refusal(
        &jeton()
            .args(["token", "--socket", "/x\x1b[2J\n"])
            .output()
            .unwrap(),
        69,
        "/x\\x1b[2J\\x0a (start",
    );
}

#[test]
fn a_socket_path_that_is_too_long_has_its_own_error() {
    let folder = TempDir::new().unwrap();
    let length = 107 - folder.path().as_os_str().len() - 1;
    let longest = folder.path().join("s".repeat(length));
    let daemon = daemon_at(&longest);
    assert_eq!(
        outcome(&jeton_at(&longest, &["token"]).output().unwrap()).0,
        0
    );
    daemon.asked_once();

    let longer = folder.path().join("s".repeat(length + 1));
    let expected = format!(
        "the socket's path is longer than 107 bytes: {}",
        longer.display()
    );
    assert_refusal(
        &jeton_at(&longer, &["token"]).output().unwrap(),
        64,
        &expected,
    );
}

#[test]
fn other_connect_errors_are_reported() {
    let folder = TempDir::new().unwrap();
    let link = folder.path().join("loop");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    assert_refusal(
        &jeton_at(&link, &["token"]).output().unwrap(),
        69,
        &format!("cannot connect to {}: error ", link.display()),
    );
}

#[test]
fn a_socket_folder_without_access_is_a_refusal() {
    // Root can enter every folder. So as root, the test runs a copy of the companion as another user.
    let (closed, open) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let copy = open.path().join("jeton");
    install(Path::new(env!("CARGO_BIN_EXE_jeton")), &copy, "755");
    fs::set_permissions(open.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let daemon = ScriptedDaemon::at(&closed.path().join("jeton/jeton.sock"), vec![]);
    let root = rustix::process::geteuid().is_root();
    fs::set_permissions(
        closed.path(),
        PermissionsExt::from_mode(if root { 0o700 } else { 0 }),
    )
    .unwrap();
    let run = |name: &str, value: &Path| {
        let mut command = program(&copy);
        command.arg("token").env(name, value);
        if root {
            command.uid(65_533).gid(65_533);
        }
        command.output().unwrap()
    };
    let named = run("JETON_SOCKET", &daemon.socket);
    // The other usual places are missing, so the error names this one.
    let usual = run("XDG_RUNTIME_DIR", closed.path());
    fs::set_permissions(closed.path(), PermissionsExt::from_mode(0o700)).unwrap();
    for output in [named, usual] {
        assert_refusal(
            &output,
            77,
            &format!(
                "you may not connect to {}: permission denied",
                daemon.socket.display()
            ),
        );
    }
    assert_eq!(daemon.asked().len(), 0);
}

#[test]
fn reload_finds_the_admin_socket_beside_the_token_socket() {
    let ways: [fn(&Path) -> Command; 5] = [
        |folder| {
            let mut command = jeton();
            command.env("XDG_RUNTIME_DIR", folder);
            command
        },
        |folder| jeton_at(&folder.join("jeton/jeton.sock"), &[]),
        |folder| {
            let mut command = jeton_at(Path::new("jeton/jeton.sock"), &[]);
            command.current_dir(folder);
            command
        },
        |folder| {
            let mut command = jeton_at(Path::new("jeton.sock"), &[]);
            command.current_dir(folder.join("jeton"));
            command
        },
        |folder| {
            let mut command = jeton_at(Path::new("./jeton.sock"), &[]);
            command.current_dir(folder.join("jeton"));
            command
        },
    ];
    for way in ways {
        let folder = TempDir::new().unwrap();
        let tokens = daemon_at(&folder.path().join("jeton/jeton.sock"));
        let admin = daemon_at(&folder.path().join("jeton-admin/admin.sock"));
        let mut command = way(folder.path());
        let output = command.args(["reload", "p"]).output().unwrap();
        assert_eq!(outcome(&output).0, 0);
        assert_eq!(admin.asked_once().words(), ["jeton", "reload", "p"]);
        assert_eq!(tokens.asked().len(), 0);
    }
}

#[test]
fn the_admin_socket_can_be_named() {
    let folder = TempDir::new().unwrap();
    let (path, other) = (folder.path().join("a.sock"), folder.path().join("b.sock"));
    for (args, value) in [
        (
            vec![
                "reload".as_ref(),
                "--admin-socket".as_ref(),
                path.as_os_str(),
            ],
            &other,
        ),
        (vec!["reload".as_ref()], &path),
    ] {
        let daemon = daemon_at(&path);
        let output = jeton_at(Path::new("/nowhere"), &[])
            .args(args)
            .env("JETON_ADMIN_SOCKET", value)
            .output()
            .unwrap();
        assert_eq!(outcome(&output).0, 0);
        assert_eq!(daemon.asked_once().words(), ["jeton", "reload"]);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn other_verbs_do_not_go_to_the_admin_socket() {
    let daemon = ScriptedDaemon::answering(&[(3, &[0])]);
    let mut command = jeton_at(&daemon.socket, &["token", "reload"]);
    assert_eq!(
        outcome(
            &command
                .env("JETON_ADMIN_SOCKET", "/nowhere")
                .output()
                .unwrap()
        )
        .0,
        0
    );
    daemon.asked_once();
}

#[test]
fn the_error_for_a_missing_admin_socket_names_its_option() {
    let output = jeton_at(Path::new("/nowhere/jeton.sock"), &["reload"])
        .output()
        .unwrap();
    assert_refusal(
        &output,
        69,
        "nothing listens at /nowhere-admin/admin.sock (start it with 'jetond run', or name its socket with --admin-socket",
    );
    let output = jeton_at(Path::new("../jeton.sock"), &["reload"])
        .output()
        .unwrap();
    assert_refusal(&output, 64, "name it with --admin-socket: ../jeton.sock");
}

#[test]
fn ready_waits_for_a_daemon_that_is_not_there_yet() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("d/jeton.sock");
    let child = jeton_at(&socket, &["ready", "--wait", "60"])
        .spawn()
        .unwrap();
    // Start the daemon once the companion was refused and sleeps, or has ended.
    let stat = format!("/proc/{}/stat", child.id());
    while !fs::read_to_string(&stat).unwrap().contains(") S ")
        && !fs::read_to_string(&stat).unwrap().contains(") Z ")
    {
        std::thread::yield_now();
    }
    let daemon = daemon_at(&socket);
    assert_eq!(
        outcome(&child.wait_with_output().unwrap()),
        (0, "tok\n".into(), String::new())
    );
    assert_eq!(
        daemon.asked_once().words(),
        ["jeton", "ready", "--wait", "60"]
    );
}

#[test]
fn ready_gives_up_after_its_wait() {
    for args in [
        &["ready", "--wait", "0.2"][..],
        &["ready", "--wait=0"],
        &["ready"],
    ] {
        let output = jeton_at(Path::new("/nowhere/jeton.sock"), args)
            .output()
            .unwrap();
        assert_refusal(&output, 69, "nothing listens at /nowhere/jeton.sock");
    }
}

#[test]
fn a_full_backlog_means_a_busy_daemon() {
    let folder = TempDir::new().unwrap();
    let socket = folder.path().join("jeton.sock");
    let listener = rustix::net::socket(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    rustix::net::bind(
        &listener,
        &rustix::net::SocketAddrUnix::new(&socket).unwrap(),
    )
    .unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    // Takes the only place in the backlog.
    let _first = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    assert_refusal(
        &jeton_at(&socket, &["token", "--timeout", "0.3"])
            .output()
            .unwrap(),
        75,
        "no answer in time",
    );
}
