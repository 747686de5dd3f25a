//! Peer check of `unlock`: which user's daemon gets an identity.

use super::*;
use crate::support::users::{User, install, is_root_or_skip};

const OTHER: User = User {
    uid: 41_777,
    gid: 41_777,
    groups: &[],
};

#[test]
fn another_users_daemon_gets_the_identity_only_after_confirmation() {
    if !is_root_or_skip("another user's daemon") {
        return;
    }
    let env = set_up(60);
    enrol(&env, "research");
    // A daemon of the other user, with sockets of its own.
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o711)).unwrap();
    let home = folder.join("home");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(OTHER.uid), Some(OTHER.gid)).unwrap();
    let config = home.join("config.toml");
    fs::copy(env.config(), &config).unwrap();
    std::os::unix::fs::chown(&config, Some(OTHER.uid), Some(OTHER.gid)).unwrap();
    let jetond = install(env!("CARGO_BIN_EXE_jetond"));
    let (socket, admin) = (home.join("run/jeton.sock"), home.join("adm/admin.sock"));
    let mut command = env.command("setpriv");
    command
        .args(OTHER.setpriv())
        .arg(&jetond.program)
        .arg("run");
    command.arg("--config").arg(&config);
    command.arg("--state").arg(home.join("state"));
    command.arg("--socket").arg(&socket);
    command.arg("--admin-socket").arg(&admin);
    command.current_dir(&home).env("HOME", &home);
    let mut daemon = env.spawn_command(command);
    daemon.socket = socket;
    daemon.admin = admin.clone();
    crate::support::daemon::wait_until("the daemon to serve", || {
        crate::support::daemon::accepts(&admin)
    });
    let named = ["unlock", "--admin-socket", admin.to_str().unwrap()];
    let refused = with_passphrase(&env, &named);
    assert_eq!(refused.code, 64, "{refused:?}");
    assert!(
        refused.stderr.contains("is another user's (uid 41777)"),
        "{refused:?}"
    );
    let mut command = env.jetond_command(&["unlock"]);
    let file = passphrase_file(PASSPHRASE);
    command.arg("--passphrase-file").arg(file.path());
    command.env("JETON_ADMIN_SOCKET", &admin);
    let refused = env.finish("jetond", command, b"", false);
    assert_eq!(refused.code, 78, "{refused:?}");
    assert!(
        refused.stderr.contains("a process of another user"),
        "{refused:?}"
    );
    for (said, code) in [("n\n", 1), ("y\n", 0)] {
        let mut terminal = Terminal::start(&env, &named, &[]);
        terminal.wait_for("Go on with that daemon?");
        terminal.type_in(said);
        if code == 0 {
            terminal.wait_for("Passphrase (not shown): ");
            terminal.wait_for_no_echo();
            terminal.type_in(&format!("{PASSPHRASE}\n"));
        }
        let (status, shown) = terminal.end(&env);
        assert_eq!(status.code(), Some(code), "{shown}");
    }
    env.stop(&mut daemon);
}
