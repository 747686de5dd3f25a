//! The files for service managers.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::TestEnv;
use crate::support::ignored;

/// Returns the path of a file of this repository.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns the lines of the unit `name` that set something.
fn settings(name: &str) -> Vec<String> {
    let text = fs::read_to_string(source(name)).unwrap();
    let lines = text.lines().filter(|line| line.contains('='));
    lines
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

/// Runs a system program that prints nothing if all is well. Returns its output, or `None` if the program is missing.
fn says(env: &TestEnv, program: &str, args: &[&str]) -> Option<String> {
    let found = ["/usr/bin", "/bin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).exists());
    if !found {
        ignored(&format!("there is no {program}"));
        return None;
    }
    let mut command: Command = env.command(program);
    command.args(args);
    let out = env.finish(program, command, b"", false);
    Some(format!("{}{}", out.stdout, out.stderr))
}

#[test]
fn systemd_analyze_reports_no_warnings() {
    let env = TestEnv::new();
    let bin = Path::new(env!("CARGO_BIN_EXE_jetond")).parent().unwrap();
    for (kind, scope) in [("system", "--system"), ("user", "--user")] {
        let folder = env.path(&format!("units-{kind}"));
        fs::create_dir(&folder).unwrap();
        let mut args = vec!["verify".to_owned(), scope.to_owned()];
        for name in ["jetond.service", "jetond.socket", "jetond-admin.socket"] {
            let text = fs::read_to_string(source(&format!("systemd/{kind}/{name}"))).unwrap();
            // systemd-analyze looks for the programs, but not in ExecSearchPath=.
            let text = text
                .replace(
                    "ExecStart=jetond",
                    &format!("ExecStart={}/jetond", bin.display()),
                )
                .replace(
                    "ExecReload=jeton",
                    &format!("ExecReload={}/jeton", bin.display()),
                )
                .replace(
                    "ExecReload=+jeton",
                    &format!("ExecReload=+{}/jeton", bin.display()),
                );
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            args.push(path.display().to_string());
        }
        let mut line: Vec<&str> = args.iter().map(String::as_str).collect();
        let Some(said) = says(&env, "systemd-analyze", &line) else {
            return;
        };
        assert_eq!(said, "", "{kind}");
        // The program does warn of unknown settings.
        let bad = folder.join("bad.service");
        fs::write(
            &bad,
            "[Service]\nType=notify-reload-9\nExecStart=/bin/true\n",
        )
        .unwrap();
        line.truncate(2);
        line.push(bad.to_str().unwrap());
        let said = says(&env, "systemd-analyze", &line).unwrap();
        assert!(said.contains("notify-reload-9"), "{said}");
    }
}

#[test]
fn the_units_use_no_setting_newer_than_systemd_252() {
    // Debian 12 ignores a setting that it does not know with a warning, or takes it for another one.
    for unit in [
        "systemd/system/jetond.service",
        "systemd/user/jetond.service",
    ] {
        let settings = settings(unit);
        for line in ["Type=notify", "WatchdogSec=60", "Restart=on-failure"] {
            assert!(settings.contains(&line.to_owned()), "{unit}: {line}");
        }
        // The daemon slows down a crash loop itself. Its record is lost unless systemd restarts the service.
        for line in [
            "StartLimitIntervalSec=0",
            "RestartSec=100ms",
            "RuntimeDirectory=jetond",
            "RuntimeDirectoryPreserve=restart",
        ] {
            assert!(settings.contains(&line.to_owned()), "{unit}: {line}");
        }
        let is_there = |name: &str| settings.iter().any(|line| line.starts_with(name));
        assert!(!is_there("RestartPreventExitStatus=") && !is_there("PartOf="));
        for later in [
            "ImportCredential=",
            "FileDescriptorStorePreserve=",
            "RestartSteps=",
            "RestartMaxDelaySec=",
            "OpenFile=",
        ] {
            assert!(
                !settings.iter().any(|line| line.starts_with(later)),
                "{later}"
            );
        }
    }
}

#[test]
fn only_the_system_service_waits_for_the_name_service() {
    const TARGET: &str = "nss-user-lookup.target";
    for kind in ["system", "user"] {
        for name in ["jetond.service", "jetond.socket", "jetond-admin.socket"] {
            let settings = settings(&format!("systemd/{kind}/{name}"));
            let named: Vec<_> = settings
                .iter()
                .filter(|line| line.contains(TARGET))
                .collect();
            let waits = (kind, name) == ("system", "jetond.service");
            assert_eq!(named.len(), usize::from(waits), "{kind}/{name}: {named:?}");
            assert!(named.iter().all(|line| line.starts_with("After=")));
        }
    }
}

#[test]
fn the_units_sockets_have_the_expected_paths_and_names() {
    for (kind, run) in [("system", "/run"), ("user", "%t")] {
        for (unit, path, name, mode) in [
            ("jetond.socket", "jeton/jeton.sock", "jeton", "0600"),
            (
                "jetond-admin.socket",
                "jeton-admin/admin.sock",
                "admin",
                "0600",
            ),
        ] {
            let settings = settings(&format!("systemd/{kind}/{unit}"));
            for line in [
                format!("ListenStream={run}/{path}"),
                format!("FileDescriptorName={name}"),
                format!("SocketMode={mode}"),
                "RemoveOnStop=yes".to_owned(),
                "Service=jetond.service".to_owned(),
            ] {
                assert!(settings.contains(&line), "{kind}/{unit}: {line}");
            }
        }
    }
}

#[test]
fn systemd_sysusers_accepts_the_file_for_the_jeton_user() {
    let env = TestEnv::new();
    let conf = source("systemd/sysusers.d/jeton.conf");
    let root = format!("--root={}", env.path("tmp").display());
    let args = ["--dry-run", &root, conf.to_str().unwrap()];
    if let Some(said) = says(&env, "systemd-sysusers", &args) {
        assert!(said.contains("Creating user 'jeton'"), "{said}");
    }
}

#[test]
fn the_launch_agent_is_a_property_list_with_absolute_paths() {
    let env = TestEnv::new();
    let text = fs::read_to_string(source("launchd/jetond.plist")).unwrap();
    let installed = text
        .replace("@BIN@", "/usr/local/bin")
        .replace("@HOME@", "/Users/u");
    assert!(!installed.contains('@'), "nothing is left to replace");
    let path = env.path("tmp/jetond.plist");
    fs::write(&path, installed).unwrap();
    let script =
        "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
    let Some(json) = says(&env, "python3", &["-c", script, path.to_str().unwrap()]) else {
        return;
    };
    let plist: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        plist,
        serde_json::json!({
            "Label": "jetond",
            "ProgramArguments": ["/usr/local/bin/jetond", "run"],
            "RunAtLoad": true,
            "KeepAlive": { "SuccessfulExit": false },
            "ThrottleInterval": 10,
            "Umask": 0o077,
            "ProcessType": "Background",
            "StandardErrorPath": "/Users/u/Library/Logs/jetond.log",
        })
    );
}
