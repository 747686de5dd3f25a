//! Hostile addresses, user names and profile names, chosen by a repository, a registry or a page: no token goes to an
//! address that the entry does not have, and no refused text is printed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use jetond::address::Address;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;
use crate::support::env::Output;
use crate::support::tools::{self, FilledRequest, Request};

/// The address of the profile `research`.
const OURS: &str = "https://git.example:8443";

/// Addresses that resemble it, or that programs parse in different ways. Each one that differs from it contains `evil`,
/// which must not be printed.
const ATTACKS: &[&str] = &[
    // protocol lines inside a value (CVE-2020-5260, CVE-2024-52006)
    "https://git.example:8443\nhost=evil.example",
    "https://git.example:8443/\nhost=evil.example",
    "https://evil.example\nhost=git.example:8443",
    "https://git.example:8443\rhost=evil.example",
    "https://git.example:8443\r\nhost=evil.example\r\n",
    "https://evil.example\rhost=git.example:8443\r",
    "https://git.example:8443%0ahost=evil.example",
    "https://git.example%0ahost=evil.example:8443",
    "https://git.example:8443/%0ahost=evil.example",
    "https://git.example:8443/%0D%0Ahost=evil",
    "https://git.example:8443/%00evil",
    "https://git.example:8443\u{2028}host=evil.example",
    "https://git.example:8443\u{85}host=evil.example",
    "https://git.example:8443\0.evil.example",
    "https://git.example:8443\0",
    // terminal control sequences (CVE-2024-50349)
    "https://git.example:8443/\x1b]52;c;ZXZpbA==\x07evil",
    "https://git.example:8443/\x1b]8;;https://evil.example\x1b\\",
    "https://\x1b[2Jevil.example",
    "https://\u{202e}elpmaxe.tig.evil:8443",
    "https://git.example:8443/\u{9b}2Jevil",
    // no host, or no scheme (CVE-2020-11008)
    "",
    "https://",
    "https:///git.example:8443",
    "//git.example:8443",
    ":8443",
    "https://:8443",
    "https://?git.example:8443",
    // origins other than the entry's (GO-2024-3296, GO-2025-3390, GO-2026-5271)
    "http://git.example:8443",
    "https://git.example",
    "https://git.example:443",
    "https://git.example:84430",
    "https://git.example:08443",
    "https://git.example:8443.evil.example",
    "https://git.example:8443:443",
    "https://git.example:+8443",
    "https://git.example:\u{ff18}443",
    "https://git.example.:8443",
    "https://git.example..:8443",
    "https://.git.example:8443",
    "https://git.example.evil.example:8443",
    "https://evil.git.example:8443",
    "https://xgit.example:8443",
    "https://user@git.example:8443",
    "https://evil:evil@git.example:8443",
    "https://git.example:8443@evil.example",
    "https://git.example%40evil.example:8443",
    "https://git%2eexample:8443",
    "https://git.example%2f.evil.example:8443",
    "https://g\u{131}t.example:8443",
    "https://g\u{456}t.example:8443",
    "https://git\u{200b}.example:8443",
    "https://git\u{ad}.example:8443",
    "https://git.example\u{ff0f}.evil.example:8443",
    "https://git.example\\.evil.example:8443",
    "https://git.example:8443\\@evil.example",
    "https:\\\\git.example:8443",
    "https://git.example;evil.example:8443",
    "https://git.example,evil.example:8443",
    "https://xn--git-.example:8443",
    "https://xn--evil-.example:8443",
    "https://xn--example-.org",
    "https://xn--a",
    "https://*.example:8443",
    "https://*:8443",
    "https://[git.example]:8443",
    "https://2130706433:8443",
    "https://0x7f.1:8443",
    "http://127.1:8443",
    "http://0177.0.0.1:8443",
    "http://localhost:8443",
    "http://127.0.0.1.evil.example:8443",
    // paths outside the entry's, or with two readings
    "https://git.example:8443/team/../evil",
    "https://git.example:8443/team/%2e%2e/evil",
    "https://git.example:8443/team/.%2E/evil",
    "https://git.example:8443/team%2fevil",
    "https://git.example:8443/team%5cevil",
    "https://git.example:8443/team\\evil",
    "https://git.example:8443//evil",
    "https://git.example:8443/team;evil",
    "https://git.example:8443/team%3bevil",
    "https://git.example:8443/%252e%252e/evil",
    "https://git.example:8443/%c0%ae%c0%ae/evil",
    "https://git.example:8443#@evil.example",
    // files or commands in place of an address (CVE-2023-38408)
    "file:///etc/passwd",
    "file://git.example:8443/etc/evil",
    "exec:id",
    "ext::sh -c evil",
    "/etc/passwd",
    "../../evil",
    "-oProxyCommand=evil",
    "--help",
    "$(touch evil)",
    "`touch evil`",
    "|evil",
    "javascript:evil",
    "ssh://git@git.example:8443",
    "git@git.example:8443",
];

/// Standard input that git and docker do not write.
const INPUTS: &[(&str, &str)] = &[
    ("git", ""),
    ("git", "\n"),
    ("git", "host=git.example:8443\n\n"),
    ("git", "protocol=https\n\n"),
    ("git", "protocol=https\nhost=\n\n"),
    ("git", "protocol=\nhost=git.example:8443\n\n"),
    ("git", "protocol=https\r\nhost=git.example:8443\r\n\r\n"),
    ("git", "protocol=https\nhost=git.example:8443\r\n\n"),
    ("git", "protocol=https\nhost=git.example:8443\r\r\n\n"),
    (
        "git",
        "protocol=https\nhost=git.example:8443\rhost=evil.example\n\n",
    ),
    ("git", "protocol=https\nhost=git.example:8443\0\n\n"),
    ("git", "protocol=https\nhost=git.example:8443\x7f\n\n"),
    (
        "git",
        "protocol=https\nhost=git.example:8443\x1b[31mevil\n\n",
    ),
    (
        "git",
        "protocol=https\nhost=evil.example\nhost=git.example:8443\n\n",
    ),
    (
        "git",
        "protocol=https\nhost=git.example:8443\nhost=evil.example\n\n",
    ),
    ("git", "protocol=https\nhost=git.example:8443/x\n\n"),
    (
        "git",
        "protocol=https\nhost=git.example:8443\npath=../evil\n\n",
    ),
    (
        "git",
        "protocol=https\nhost=git.example:8443\npath=a\rb\n\n",
    ),
    (
        "git",
        "protocol=https://evil.example/\nhost=git.example:8443\n\n",
    ),
    ("git", "protocol=ssh\nhost=git.example:8443\n\n"),
    ("git", "protocol=https\n host=git.example:8443\n\n"),
    ("git", "protocol=https\nevil\nhost=git.example:8443\n\n"),
    ("git", "\nprotocol=https\nhost=git.example:8443\n\n"),
    ("git", "url=https://git.example:8443\n\n"),
    ("docker", ""),
    ("docker", "\n"),
    ("docker", "git.example:8443\n\n"),
    ("docker", "git.example:8443\r\n"),
    ("docker", "git.example:8443\0"),
    ("docker", " git.example:8443"),
    ("docker", "git.example:8443\nevil.example"),
    ("docker", "evil.example\ngit.example:8443"),
];

/// Invalid profile names that would affect a terminal, a path or a line.
const NAMES: &[&str] = &[
    "evil\x1b[2J",
    "\x1b]8;;https://evil.example\x07x",
    "\x1b]52;c;ZXZpbA==\x07evil",
    "\u{202e}evil",
    "a\nhost=evil",
    "a%0ahost=evil",
    "a\rhost=evil",
    "a\u{2028}evil",
    "a\u{85}evil",
    "../evil",
    "/etc/evil",
    "Evil",
    "research evil",
];

/// A test environment whose profile is for [`OURS`].
fn set_up() -> TestEnv {
    let env = TestEnv::with_sandbox(3_600);
    env.enrol("research");
    let mut config = fs::read_to_string(env.config()).unwrap();
    config.push_str(&format!("[[profiles.research.hosts]]\nurl = \"{OURS}\"\n"));
    fs::write(env.config(), config).unwrap();
    env
}

/// Starts a daemon with a token for [`OURS`].
fn serving() -> (TestEnv, Daemon) {
    let env = set_up();
    let daemon = env.start();
    env.token(&daemon, "research");
    (env, daemon)
}

/// Describes what is wrong with the result of an attack: a control character, the attacker's bytes, or success. Returns
/// `None` if nothing is.
fn fault(request: &Request, output: &Output, is_malformed: bool) -> Option<String> {
    let acts = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    let streams = [&output.stdout, &output.stderr];
    let why = if streams.iter().any(|text| text.contains(acts)) {
        "prints what acts on a terminal"
    } else if is_malformed && streams.iter().any(|text| text.contains("evil")) {
        "repeats what it refuses"
    } else if output.stderr.lines().count() > 1 {
        "prints more than a line"
    } else if request.gets_a_token() && output.code == 0 {
        "succeeds"
    } else {
        return None;
    };
    Some(format!(
        "{} {} {why}: {output:?}",
        request.tool, request.name
    ))
}

/// Returns whether a program can be started with these arguments and variables.
fn can_be_run(filled: &FilledRequest) -> bool {
    let values = filled.env.iter().map(|(_, value)| value);
    !filled
        .argv
        .iter()
        .chain(values)
        .any(|text| text.contains('\0'))
}

#[test]
fn only_an_entrys_own_address_gets_a_token() {
    let (env, mut daemon) = serving();
    let mut faults = vec![];
    let mut tried = 0;
    for request in tools::all().iter().filter(|request| request.has_address()) {
        let ours = request.filled(OURS, "research");
        for attack in ATTACKS {
            let filled = request.filled(attack, "research");
            // In a protocol without paths, an attack through the path changes nothing.
            if filled == ours || !can_be_run(&filled) {
                continue;
            }
            tried += 1;
            // If a token is printed, the environment finds it at the end of the test.
            let output = filled.run(&env, false);
            faults.extend(fault(request, &output, Address::parse(attack).is_err()));
        }
    }
    assert!(tried > 1_000, "{tried}");
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
    env.stop(&mut daemon);
}

#[test]
fn an_incomplete_input_line_gets_nothing() {
    let (env, mut daemon) = serving();
    let mut faults = vec![];
    for request in tools::all().iter().filter(|request| request.name == "get") {
        for (_, input) in INPUTS.iter().filter(|(tool, _)| *tool == request.tool) {
            let mut filled = request.filled(OURS, "research");
            filled.stdin = (*input).to_owned();
            let output = filled.run(&env, false);
            let found = fault(request, &output, true);
            faults.extend(found.map(|found| format!("{input:?}: {found}")));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    env.stop(&mut daemon);
}

#[test]
fn a_hostile_profile_name_is_never_printed_raw() {
    let (env, mut daemon) = serving();
    let mut faults = vec![];
    for request in tools::all().iter().filter(|request| request.has_profile()) {
        for name in NAMES {
            let output = request.filled(OURS, name).run(&env, false);
            faults.extend(fault(request, &output, true));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    env.stop(&mut daemon);
}

#[test]
fn programs_planted_in_path_or_the_current_folder_are_not_run() {
    let env = set_up();
    let planted = env.path("tmp/planted");
    fs::create_dir(&planted).unwrap();
    let mark = env.path("tmp/was-run");
    for name in [
        "jeton",
        "jetond",
        "git",
        "git-credential-jeton",
        "docker",
        "docker-credential-jeton",
        "docker-credential-pass",
        "kubectl",
        "keyring",
        "pip",
        "uv",
        "sh",
        "bash",
        "env",
        "cat",
        "id",
        "getent",
        "gpg",
        "pass",
        "op",
        "security",
        "secret-tool",
        "systemctl",
        "systemd-creds",
        "xdg-open",
    ] {
        let path = planted.join(name);
        let script = format!("#!/bin/sh\necho {name} >> '{}'\n", mark.display());
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let path = format!(".:{}", planted.display());
    let mut command = env.jetond_command(&["run"]);
    command.env("PATH", &path).current_dir(&planted);
    let mut daemon = env.start_command(command);
    for request in tools::all() {
        let filled = request.filled(OURS, "research");
        let mut command = filled.command(&env);
        command.env("PATH", &path).current_dir(&planted);
        let stdin = filled.stdin.as_bytes();
        let _ = env.finish("a tool's request", command, stdin, true);
    }
    env.stop(&mut daemon);
    let run = fs::read_to_string(&mark).unwrap_or_default();
    assert_eq!(run, "");
}
