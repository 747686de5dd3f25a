//! A session bus with an unlocked keyring, which lives as long as a place.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Stdio};

use crate::support::TestEnv;
use crate::support::daemon::{accepts, wait_until};

/// A bus on which every client may do everything, and which starts no services.
const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=BUS</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"#;

/// The processes of the bus and the keyring.
pub(crate) struct Keyring([Child; 2]);

impl Keyring {
    /// Returns whether the system has the necessary programs.
    pub(crate) fn is_possible() -> bool {
        let is_there = |program: &&str| {
            let places = ["/usr/local/bin", "/usr/bin", "/bin"];
            places.iter().any(|p| Path::new(p).join(program).exists())
        };
        ["dbus-daemon", "gnome-keyring-daemon", "secret-tool"]
            .iter()
            .all(is_there)
    }

    /// Starts both where every program of the place finds them.
    pub(crate) fn start(env: &TestEnv) -> Self {
        let (socket, config) = (env.path("run/bus"), env.path("bus.conf"));
        fs::write(&config, CONFIG.replace("BUS", socket.to_str().unwrap())).unwrap();
        let bus = env
            .command("dbus-daemon")
            .arg("--nofork")
            .arg(format!("--config-file={}", config.display()))
            .stderr(File::create(env.path("tmp/dbus-daemon")).unwrap())
            .spawn()
            .unwrap();
        wait_until("the session bus", || accepts(&socket));
        let mut keyring = env
            .command("gnome-keyring-daemon")
            .args(["--foreground", "--components=secrets", "--unlock"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = keyring.stdin.take().unwrap();
        stdin.write_all(b"a password of the keyring").unwrap();
        drop(stdin);
        wait_until("the keyring", || {
            let mut store = env.command("secret-tool");
            store.args(["store", "--label=probe", "probe", "probe"]);
            env.finish("secret-tool", store, b"probe", false).code == 0
        });
        Self([bus, keyring])
    }

    /// Reads the secret of a profile's entry with another program.
    pub(crate) fn lookup(env: &TestEnv, profile: &str) -> Vec<u8> {
        let mut lookup = env.command("secret-tool");
        lookup.args(["lookup", "service", "jeton", "username", profile]);
        lookup.output().unwrap().stdout
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
