//! Rules and socket groups by name, when the machine adds or removes a name, or cannot look it up.

use super::*;
use crate::support::mounts::can_mount_or_skip;

const NOBODY_ELSE: &str = "root:x:0:0::/root:/bin/sh\n";
const WITH_ALICE: &str = "root:x:0:0::/root:/bin/sh\nalice:x:60001:60001::/nonexistent:/bin/sh\n";
const TOKEN: &str = "/v1/profiles/research/token";

/// A shared environment with its own lists of users and groups. Its root cannot read files that their modes hide.
struct MachineWithNames {
    env: TestEnv,
    profiles: String,
}

impl MachineWithNames {
    fn new(passwd: &str) -> Self {
        let env = shared_place();
        let profiles = fs::read_to_string(env.config()).unwrap();
        let machine = Self { env, profiles };
        machine.list("passwd", passwd);
        machine.list("group", "root:x:0:\n");
        machine.list("nsswitch.conf", "passwd: files\ngroup: files\n");
        machine
    }

    /// Writes a list in place, because the bind mount shows the file, not its name.
    fn list(&self, name: &str, text: &str) {
        let path = self.env.path(&format!("out/{name}"));
        fs::write(&path, text).unwrap();
        chmod(&path, 0o644);
    }

    fn hide(&self, name: &str) {
        chmod(&self.env.path(&format!("out/{name}")), 0o000);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut prepare = "set -e\n".to_owned();
        for name in ["passwd", "group", "nsswitch.conf"] {
            let path = self.env.path(&format!("out/{name}"));
            prepare.push_str(&format!("mount --bind '{}' /etc/{name}\n", path.display()));
        }
        prepare.push_str(
            "exec setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all \"$@\"",
        );
        let mut command = self.env.command("unshare");
        command.args(["-m", "sh", "-c", &prepare, "sh"]);
        command.arg(env!("CARGO_BIN_EXE_jetond")).args(args);
        command
    }

    fn configure(&self, socket: &str, rules: &[(&str, &str)]) {
        configure(&self.env, self.profiles.trim(), socket, rules);
    }

    fn start(&self) -> Daemon {
        self.start_with(|_| ())
    }

    fn start_with(&self, change: impl FnOnce(&mut Command)) -> Daemon {
        let socket = shared_socket(&self.env);
        let mut command = self.command(&["run", "--socket", socket.to_str().unwrap()]);
        change(&mut command);
        start_at(&self.env, command, &socket)
    }

    fn reload(&self, daemon: &Daemon) {
        let answer = (self.env).request(&daemon.admin, "POST", "/v1/reload", &[], b"");
        assert_eq!(answer.status, 200, "{answer:?}");
    }

    /// Returns the status of a request for the token of `research`.
    fn asks(&self, daemon: &Daemon, user: User) -> u16 {
        user.ask(&self.env, &daemon.socket, "GET", TOKEN).0.status
    }

    fn finish(&self, args: &[&str]) -> crate::support::env::Output {
        (self.env).finish(args[0], self.command(args), b"", false)
    }
}

#[test]
fn a_rule_with_an_unknown_name_is_inactive_until_a_reload_finds_it() {
    let test = "a_rule_with_an_unknown_name_is_inactive_until_a_reload_finds_it";
    if !can_mount_or_skip(test) {
        return;
    }
    let machine = MachineWithNames::new(NOBODY_ELSE);
    let rules = [("research", "user = 'alice'"), ("research", "uid = 60002")];
    machine.configure("mode = 'all'", &rules);
    let mut daemon = machine.start();
    machine.env.token(&daemon, "research");
    assert_eq!(machine.asks(&daemon, BOB), 200);
    assert_eq!(machine.asks(&daemon, ALICE), 403);
    let said = ": profiles.research.allow.user: this machine knows no user";
    daemon.wait_for_log(said);
    assert!(daemon.log().contains("the rule is off"), "{}", daemon.log());

    let checked = machine.finish(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(checked.stdout.contains("research: ok"), "{checked:?}");
    assert!(checked.stderr.contains("warning: ") && checked.stderr.contains(said));
    let examined = machine.finish(&[
        "doctor",
        "--json",
        "--socket",
        daemon.socket.to_str().unwrap(),
    ]);
    let findings: serde_json::Value = serde_json::from_str(&examined.stdout).unwrap();
    let mut findings = findings.as_array().unwrap().iter();
    let doubt = findings.find(|f| f["check"] == "names").unwrap();
    assert_eq!(doubt["verdict"], "warn");
    assert!(doubt["found"].as_str().unwrap().contains(said), "{doubt}");

    machine.list("passwd", WITH_ALICE);
    let checked = machine.finish(&["check"]);
    assert_eq!(
        (checked.code, checked.stderr.contains("warning")),
        (0, false)
    );
    machine.reload(&daemon);
    assert_eq!(machine.asks(&daemon, ALICE), 200);
    machine.list("passwd", NOBODY_ELSE);
    machine.reload(&daemon);
    assert_eq!(machine.asks(&daemon, ALICE), 403);
    assert_eq!(machine.asks(&daemon, BOB), 200);
    machine.env.stop(&mut daemon);
}

#[test]
fn a_failed_lookup_keeps_the_current_id() {
    let test = "a_failed_lookup_keeps_the_current_id";
    if !can_mount_or_skip(test) {
        return;
    }
    let machine = MachineWithNames::new(WITH_ALICE);
    machine.configure("mode = 'all'", &[("research", "user = 'alice'")]);
    let mut daemon = machine.start();
    assert_eq!(machine.asks(&daemon, ALICE), 200);
    machine.hide("passwd");
    machine.reload(&daemon);
    daemon.wait_for_log("its number in force stays");
    assert_eq!(machine.asks(&daemon, ALICE), 200);
    // Now the lookup works and shows that the name does not exist.
    machine.list("passwd", NOBODY_ELSE);
    machine.reload(&daemon);
    assert_eq!(machine.asks(&daemon, ALICE), 403);
    machine.env.stop(&mut daemon);

    machine.list("passwd", WITH_ALICE);
    machine.hide("passwd");
    let mut daemon = machine.start();
    daemon.wait_for_log("the user cannot be looked up: Permission denied");
    machine.env.token(&daemon, "research");
    assert_eq!(machine.asks(&daemon, ALICE), 403);
    machine.list("passwd", WITH_ALICE);
    machine.reload(&daemon);
    assert_eq!(machine.asks(&daemon, ALICE), 200);
    machine.env.stop(&mut daemon);
}

#[test]
fn a_hanging_name_service_delays_no_start_and_no_reload() {
    let test = "a_hanging_name_service_delays_no_start_and_no_reload";
    if !can_mount_or_skip(test) {
        return;
    }
    let machine = MachineWithNames::new(NOBODY_ELSE);
    let rules = [("research", "user = 'alice'"), ("ci", "uid = 60002")];
    machine.configure("mode = 'all'", &rules);
    // Opening this FIFO blocks until there is a writer.
    let list = machine.env.path("out/passwd");
    fs::remove_file(&list).unwrap();
    let made = Command::new("mkfifo").arg(&list).status().unwrap();
    assert!(made.success());
    let mut daemon = machine.start();
    daemon.wait_for_log("the name service did not answer within 2s");
    for _ in 0..3 {
        machine.reload(&daemon);
        machine.env.token(&daemon, "research");
        assert_eq!(machine.asks(&daemon, ALICE), 403);
        let threads = daemon.threads();
        let names = threads.iter().filter(|name| *name == "names").count();
        assert_eq!(names, 1, "{threads:?}");
    }
    machine.env.stop(&mut daemon);
}

#[test]
fn a_socket_with_an_unknown_group_is_private() {
    let test = "a_socket_with_an_unknown_group_is_private";
    if !can_mount_or_skip(test) {
        return;
    }
    let machine = MachineWithNames::new(NOBODY_ELSE);
    let group = "mode = 'group'\ngroup = 'team'";
    machine.configure(group, &[("research", "gid = 60050")]);
    let checked = machine.finish(&["check"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.stderr.contains(
            "socket.group: this machine knows no group of this name; the socket is private until"
        ),
        "{checked:?}"
    );
    let mut daemon = machine.start();
    let folder = daemon.socket.parent().unwrap();
    let modes = || [folder, &daemon.socket].map(found);
    machine.env.token(&daemon, "research");
    assert_eq!(modes().map(|mode| mode.0), [0o700, 0o600]);
    machine.list("group", "root:x:0:\nteam:x:60050:\n");
    machine.reload(&daemon);
    assert_eq!(modes(), [(0o710, 0, TEAM), (0o660, 0, TEAM)]);
    assert_eq!(machine.asks(&daemon, ALICE), 200);
    // The name gets another group ID, and then disappears.
    machine.list("group", "root:x:0:\nteam:x:60060:\n");
    machine.reload(&daemon);
    assert_eq!(modes(), [(0o710, 0, 60_060), (0o660, 0, 60_060)]);
    machine.list("group", "root:x:0:\n");
    machine.reload(&daemon);
    assert_eq!(found(&daemon.socket).0, 0o600);
    machine.env.token(&daemon, "research");
    assert!(!daemon.log().contains("restart needed"));
    machine.env.stop(&mut daemon);
}

#[test]
fn a_socket_created_without_a_configuration_gets_its_mode_at_the_reload() {
    let test = "a_socket_created_without_a_configuration_gets_its_mode_at_the_reload";
    if !can_mount_or_skip(test) {
        return;
    }
    let machine = MachineWithNames::new(WITH_ALICE);
    let _heard = crate::support::manager::hear(&machine.env);
    machine.configure("mode = 'all'", &[("research", "user = 'alice'")]);
    chmod(&machine.env.config(), 0o000);
    let mut daemon = machine.start_with(|command| {
        command.env("NOTIFY_SOCKET", machine.env.path("notify"));
    });
    let refused = (machine.env).request(&daemon.socket, "GET", TOKEN, &[], b"");
    assert_eq!(refused.code(), "misconfigured");
    assert_eq!(found(&daemon.socket).0, 0o600);
    chmod(&machine.env.config(), 0o600);
    machine.reload(&daemon);
    assert_eq!(found(&daemon.socket).0, 0o666);
    assert_eq!(found(daemon.socket.parent().unwrap()).0, 0o755);
    assert_eq!(machine.asks(&daemon, ALICE), 200);
    assert!(!daemon.log().contains("restart needed"));
    machine.env.stop(&mut daemon);
}
