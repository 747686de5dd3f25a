//! `jeton exec`: the command that it runs, and its environment.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tempfile::TempDir;

use super::daemon::{ConnectionStep, ScriptedDaemon, ok};
use super::run::{assert_refusal, install, jeton, jeton_at, outcome, program};

const TOKEN: &str = "an-example-of-a-token";

/// A daemon that gets connections without a request.
fn idle() -> ScriptedDaemon {
    ScriptedDaemon::new(vec![ConnectionStep::Close, ConnectionStep::Close])
}

fn token() -> ScriptedDaemon {
    ScriptedDaemon::new(vec![
        ConnectionStep::Answer(ok(&[
            (1, b"an-example-of-a-"),
            (2, b"expires in 7 min\n"),
            (1, b"token\n"),
            (3, &[0]),
        ])),
        ConnectionStep::Close,
    ])
}

/// Returns the lines that `env` prints, sorted.
fn variables(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn exec_sets_jeton_socket_for_the_command() {
    let daemon = idle();
    let output = jeton_at(&daemon.socket, &["exec", "--", "/usr/bin/env"])
        .env("A", "b")
        .env("PATH", "/usr/bin")
        .output()
        .unwrap();
    let (code, stdout, stderr) = outcome(&output);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let socket = format!("JETON_SOCKET={}", daemon.socket.display());
    assert_eq!(variables(&stdout), ["A=b", &socket, "PATH=/usr/bin"]);
    assert_eq!(
        daemon.asked().len(),
        0,
        "without --env, there is no request"
    );
}

#[test]
fn exec_makes_the_socket_path_absolute() {
    let daemon = idle();
    let mut command = jeton_at(Path::new("jeton.sock"), &["exec", "--", "/usr/bin/env"]);
    let (_, stdout, _) = outcome(
        &command
            .current_dir(daemon.socket.parent().unwrap())
            .output()
            .unwrap(),
    );
    assert_eq!(
        stdout,
        format!("JETON_SOCKET={}\n", daemon.socket.display())
    );
}

#[test]
fn exec_passes_on_the_socket_that_was_used() {
    let folder = TempDir::new().unwrap();
    let daemon = ScriptedDaemon::at(
        &folder.path().join("jeton/jeton.sock"),
        vec![ConnectionStep::Close],
    );
    let output = jeton()
        .env("XDG_RUNTIME_DIR", folder.path())
        .args(["exec", "--", "/usr/bin/env"])
        .output()
        .unwrap();
    let socket = format!("JETON_SOCKET={}", daemon.socket.display());
    assert_eq!(
        variables(&outcome(&output).1),
        [
            &socket,
            &format!("XDG_RUNTIME_DIR={}", folder.path().display())
        ]
    );
}

#[test]
fn the_profile_is_the_argument_or_else_the_variable() {
    for (args, variable, expected) in [
        (&["exec", "p", "--", "/usr/bin/env"][..], None, Some("p")),
        (&["exec", "p", "--", "/usr/bin/env"], Some("q"), Some("p")),
        (&["exec", "--", "/usr/bin/env"], Some("q"), Some("q")),
        (&["exec", "--", "/usr/bin/env"], None, None),
    ] {
        let daemon = idle();
        let mut command = jeton_at(&daemon.socket, args);
        command.envs(variable.map(|value| ("JETON_PROFILE", value)));
        let (code, stdout, _) = outcome(&command.output().unwrap());
        let found: Vec<_> = stdout
            .lines()
            .filter_map(|line| line.strip_prefix("JETON_PROFILE="))
            .collect();
        assert_eq!(
            (code, found),
            (0, expected.into_iter().collect()),
            "{args:?} {variable:?}"
        );
    }
}

#[test]
fn exec_passes_all_arguments_and_returns_the_commands_exit_code() {
    let daemon = idle();
    let script = "printf '<%s>' \"$0\" \"$@\"; exit 9";
    let args = [
        "exec", "--", "/bin/sh", "-c", script, "zero", "--socket", "/x", "", "--",
    ];
    assert_eq!(
        outcome(&jeton_at(&daemon.socket, &args).output().unwrap()),
        (9, "<zero><--socket></x><><-->".into(), String::new())
    );
}

#[test]
fn the_command_does_not_inherit_the_connection() {
    let daemon = idle();
    let output = jeton_at(&daemon.socket, &["exec", "--", "/bin/ls", "/proc/self/fd"])
        .output()
        .unwrap();
    // Descriptors that the test process inherited are open in both.
    let without = program("/bin/ls").arg("/proc/self/fd").output().unwrap();
    assert_eq!(outcome(&output), outcome(&without));
}

#[test]
fn exec_puts_the_token_into_the_variable_given_with_env() {
    for args in [
        &["exec", "--env", "MY_T0KEN", "p", "--"][..],
        &["exec", "p", "--env=MY_T0KEN", "--timeout", "9", "--"],
        &["--timeout=9", "exec", "--env", "MY_T0KEN", "p", "--"],
    ] {
        let daemon = token();
        let mut command = jeton_at(&daemon.socket, args);
        let (code, stdout, stderr) = outcome(
            &command
                .arg("/usr/bin/env")
                .env("MY_T0KEN", "old")
                .output()
                .unwrap(),
        );
        assert_eq!((code, stderr.as_str()), (0, "expires in 7 min\n"));
        let socket = format!("JETON_SOCKET={}", daemon.socket.display());
        assert_eq!(
            variables(&stdout),
            ["JETON_PROFILE=p", &socket, &format!("MY_T0KEN={TOKEN}")]
        );
        assert_eq!(
            daemon.asked_once().words(),
            ["jeton", "exec", "--env", "MY_T0KEN", "p"]
        );
    }
    let daemon = token();
    assert_eq!(
        outcome(
            &jeton_at(&daemon.socket, &["exec", "--env", "T", "--", "/bin/true"])
                .output()
                .unwrap()
        )
        .0,
        0
    );
    assert_eq!(daemon.asked_once().words(), ["jeton", "exec", "--env", "T"]);
}

#[test]
fn the_token_is_in_no_argument_and_not_printed() {
    let daemon = token();
    let script = "tr '\\0' ' ' < /proc/$$/cmdline; test \"$T\" = an-example-of-a-token";
    let (code, stdout, stderr) = outcome(
        &jeton_at(
            &daemon.socket,
            &["exec", "--env", "T", "--", "/bin/sh", "-c", script],
        )
        .env("PATH", "/bin:/usr/bin")
        .output()
        .unwrap(),
    );
    assert_eq!(code, 0, "the command has the token");
    assert!(stdout.starts_with("/bin/sh -c tr"), "{stdout}");
    assert_eq!(
        stdout.matches(TOKEN).count(),
        script.matches(TOKEN).count(),
        "only the script itself contains the token"
    );
    assert!(!stderr.contains(TOKEN));
}

#[test]
fn without_a_token_the_command_is_not_run() {
    for (step, code, line) in [
        (
            ConnectionStep::Answer(ok(&[(2, b"jeton: no such profile\n"), (3, &[78])])),
            78,
            "no such profile",
        ),
        (
            ConnectionStep::Answer(ok(&[
                (1, TOKEN.as_bytes()),
                (2, b"jeton: but no\n"),
                (3, &[1]),
            ])),
            1,
            "but no",
        ),
        (
            ConnectionStep::Answer(ok(&[(1, b"an-exam")])),
            75,
            "broke off",
        ),
        (
            ConnectionStep::Answer(ok(&[(3, &[0])])),
            1,
            "holds no token",
        ),
        (
            ConnectionStep::Answer(ok(&[(1, b"\n"), (3, &[0])])),
            1,
            "holds no token",
        ),
        (
            ConnectionStep::Answer(ok(&[(1, b"a\0b"), (3, &[0])])),
            1,
            "holds no token",
        ),
        (
            ConnectionStep::Answer(ok(&[(1, &[b'x'; 200_000]), (3, &[0])])),
            1,
            "too long",
        ),
        (
            ConnectionStep::Answer(
                b"HTTP/1.1 403 x\r\n\r\n{\"code\":\"forbidden\",\"detail\":\"not you\"}".to_vec(),
            ),
            77,
            "not you",
        ),
    ] {
        let daemon = ScriptedDaemon::new(vec![step]);
        let output = jeton_at(
            &daemon.socket,
            &["exec", "--env", "T", "--", "/bin/echo", "ran"],
        )
        .output()
        .unwrap();
        assert_refusal(&output, code, line);
    }
}

#[test]
fn without_a_daemon_the_command_is_not_run() {
    let output = jeton_at(Path::new("/nowhere"), &["exec", "--", "/bin/echo", "ran"])
        .output()
        .unwrap();
    assert_refusal(&output, 69, "jetond is not running");
}

#[test]
fn exec_without_a_command_is_a_usage_error() {
    for args in [
        &["exec"][..],
        &["exec", "--"],
        &["exec", "p"],
        &["exec", "p", "/bin/echo"],
        &["exec", "p", "q", "--", "/bin/echo"],
        &["exec", "--env", "--", "/bin/echo"],
        &["exec", "--env", "A", "--env", "B", "--", "/bin/echo"],
        &["exec", "--unknown", "--", "/bin/echo"],
    ] {
        let (code, stdout, stderr) =
            outcome(&jeton_at(Path::new("/nowhere"), args).output().unwrap());
        assert_eq!((code, stdout.as_str()), (64, ""), "{args:?}: {stderr}");
        assert!(stderr.contains("--env"), "{stderr}");
    }
}

#[test]
fn exec_refuses_an_invalid_or_reserved_variable_name() {
    for name in [
        "",
        "1A",
        "A-B",
        "A B",
        "\u{e9}",
        "A=B",
        "JETON_SOCKET",
        "JETON_PROFILE",
    ] {
        let output = jeton_at(
            Path::new("/nowhere"),
            &["exec", "--env", name, "--", "/bin/echo"],
        )
        .output()
        .unwrap();
        assert_refusal(&output, 64, "--env wants the name of a variable");
    }
}

#[test]
fn exec_help_prints_the_help() {
    let (code, stdout, _) = outcome(&jeton().args(["exec", "--help"]).output().unwrap());
    assert_eq!((code, stdout.starts_with("jeton - ")), (0, true));
}

/// Runs `name` through the search path. `files` lists files with their mode and content.
fn searched(files: &[(&str, &str, &str)], path: Option<&str>, name: &str) -> (i32, String, String) {
    let daemon = idle();
    let folder = TempDir::new().unwrap();
    let source = folder.path().join("source");
    for (file, mode, content) in files {
        fs::write(&source, content).unwrap();
        install(&source, &folder.path().join(file), mode);
    }
    let mut command = jeton_at(&daemon.socket, &["exec", "--", name, "one", "two"]);
    command.current_dir(folder.path());
    if let Some(path) = path {
        let here = folder.path().as_os_str();
        command.env(
            "PATH",
            std::ffi::OsStr::from_bytes(&path.replace('@', here.to_str().unwrap()).into_bytes()),
        );
    }
    outcome(&command.output().unwrap())
}

#[test]
fn exec_searches_path_in_order() {
    let files = [
        ("a/run", "755", "#!/bin/sh\necho a $*"),
        ("b/run", "755", "#!/bin/sh\necho b $*"),
        ("run", "755", "#!/bin/sh\necho here $*"),
    ];
    let ran = |what: &str| (0, format!("{what} one two\n"), String::new());
    assert_eq!(searched(&files, Some("@/absent:@/a:@/b"), "run"), ran("a"));
    assert_eq!(
        searched(&files, Some("@/run:@/b:@/a"), "run"),
        ran("b"),
        "a file is not a folder"
    );
    assert_eq!(
        searched(&files, Some("@/absent::@/a"), "run"),
        ran("here"),
        "an empty element is the current folder"
    );
    assert_eq!(
        searched(&files, Some("@/a"), "./run"),
        ran("here"),
        "a slash means no search"
    );
    assert_eq!(
        searched(&[], None, "echo").1,
        "one two\n",
        "without PATH there is a default"
    );
    let closed = [("a/run", "644", ""), files[1]];
    assert_eq!(
        searched(&closed, Some("@/a:@/b"), "run"),
        ran("b"),
        "a file that is not executable is skipped"
    );
}

#[test]
fn a_script_without_a_shebang_runs_in_the_shell() {
    assert_eq!(
        searched(&[("run", "755", "echo sh $0 $*")], Some("@"), "./run"),
        (0, "sh ./run one two\n".into(), String::new())
    );
}

#[test]
fn a_missing_command_exits_127_and_an_unusable_one_126() {
    let line = |text: &str| format!("jeton: exec: {text}\n");
    assert_eq!(
        searched(&[], Some("@"), "run"),
        (127, String::new(), line("run: not found"))
    );
    assert_eq!(
        searched(&[], Some("@"), "./run"),
        (127, String::new(), line("./run: not found"))
    );
    assert_eq!(
        searched(&[], Some("@"), ""),
        (127, String::new(), line(": not found"))
    );
    assert_eq!(
        searched(&[("run", "644", "")], Some("@"), "run"),
        (126, String::new(), line("run: permission denied"))
    );
    assert_eq!(
        searched(&[("d/x", "644", "")], Some("@"), "./d"),
        (126, String::new(), line("./d: permission denied"))
    );
    let loops = searched(
        &[("run", "755", "#!/absent/interpreter\n")],
        Some("@"),
        "./run",
    );
    assert_eq!(loops, (127, String::new(), line("./run: not found")));
}

#[test]
fn a_large_environment_is_passed_on() {
    let daemon = idle();
    let mut command = jeton_at(&daemon.socket, &["exec", "p", "--", "/usr/bin/env"]);
    command.envs((0..20_000).map(|n| (format!("V{n}"), "x")));
    let (code, stdout, _) = outcome(&command.output().unwrap());
    assert_eq!((code, stdout.lines().count()), (0, 20_002));
}

/// A daemon that answers `exec --file` with this content.
fn file(answer: &[u8]) -> ScriptedDaemon {
    ScriptedDaemon::new(vec![ConnectionStep::Answer(ok(&[(1, answer), (3, &[0])]))])
}

#[test]
fn the_token_file_is_below_the_folder_of_the_answering_socket() {
    for args in [
        &["exec", "--file", "F", "p", "--"][..],
        &["exec", "p", "--file=F", "--"],
    ] {
        let daemon = file(b"jeton.sock.exec-x/token\n");
        let output = jeton_at(&daemon.socket, args).arg("/usr/bin/env").output();
        let (code, stdout, stderr) = outcome(&output.unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""));
        let folder = daemon.socket.parent().unwrap().display().to_string();
        assert_eq!(
            variables(&stdout),
            [
                &format!("F={folder}/jeton.sock.exec-x/token"),
                "JETON_PROFILE=p",
                &format!("JETON_SOCKET={}", daemon.socket.display())
            ]
        );
        assert_eq!(
            daemon.asked_once().words(),
            ["jeton", "exec", "--file", "F", "p"]
        );
    }
}

#[test]
fn a_file_path_outside_that_folder_is_refused() {
    for answer in [
        &b""[..],
        b"\n",
        b"/etc/passwd\n",
        b"a\nb",
        b"a\0b",
        b"\x1b[2Jtoken",
        &[b'x'; 600],
    ] {
        let daemon = file(answer);
        let args = ["exec", "--file", "F", "--", "/bin/echo", "run"];
        let output = jeton_at(&daemon.socket, &args).output().unwrap();
        let (code, stdout, stderr) = outcome(&output);
        assert_eq!((code, stdout.as_str()), (1, ""), "{answer:?}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
