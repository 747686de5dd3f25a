//! A private session bus, with or without a gnome-keyring on it.
#![expect(
    clippy::unwrap_used,
    reason = "test helpers panic on an unexpected result, as tests do"
)]

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use zbus::blocking::connection::Builder;
use zbus::blocking::fdo::DBusProxy;
use zbus::blocking::{Connection, MessageIterator};
use zbus::fdo::RequestNameFlags;
use zbus::message::Type;
use zbus::zvariant::{ObjectPath, OwnedObjectPath, OwnedValue, Value};

use super::daemon::{accepts, wait_until};
use super::{TestEnv, ignored};

const SECRETS: &str = "org.freedesktop.secrets";
const SERVICE: Option<&str> = Some("org.freedesktop.Secret.Service");
const PATH: &str = "/org/freedesktop/secrets";

/// Every user may do everything, and no service is started by a call.
const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=BUS</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>"#;

/// The behaviour of a fake keyring from one of its methods on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FakeBehaviour {
    /// Refuses the call.
    Denies,
    /// Returns a number, which no method of a keyring does.
    ReturnsAnotherType,
}

/// A session bus at `$XDG_RUNTIME_DIR/bus`, where every program of the environment finds it.
pub(crate) struct Bus<'a> {
    env: &'a TestEnv,
    daemon: Child,
    keyring: Option<Child>,
}

impl<'a> Bus<'a> {
    /// Starts a bus. Prints the reason and returns `None` if the system lacks a program.
    pub(crate) fn start(env: &'a TestEnv) -> Option<Self> {
        for (program, package) in [
            ("dbus-daemon", "dbus-daemon"),
            ("gnome-keyring-daemon", "gnome-keyring"),
            ("secret-tool", "libsecret-tools"),
        ] {
            let places = ["/usr/local/bin", "/usr/bin", "/bin"];
            if !places.iter().any(|p| Path::new(p).join(program).exists()) {
                ignored(&format!(
                    "there is no {program} here; install the package {package}"
                ));
                return None;
            }
        }
        let (socket, config) = (env.path("run/bus"), env.path("bus.conf"));
        let text = CONFIG.replace("BUS", socket.to_str().unwrap());
        fs::write(&config, text).unwrap();
        let daemon = env
            .command("dbus-daemon")
            .arg("--nofork")
            .arg(format!("--config-file={}", config.display()))
            .stderr(File::create(env.path("tmp/dbus-daemon")).unwrap())
            .spawn()
            .unwrap();
        wait_until("the session bus", || accepts(&socket));
        let keyring = None;
        Some(Self {
            env,
            daemon,
            keyring,
        })
    }

    /// Starts a keyring, after stopping the running one. A password unlocks its default collection, which is created if
    /// necessary.
    pub(crate) fn keyring(&mut self, password: Option<&str>) {
        stop(self.keyring.take());
        let proxy = |bus: &Connection| DBusProxy::new(bus).unwrap();
        let bus = self.connect();
        let owned = || proxy(&bus).name_has_owner(SECRETS.try_into().unwrap());
        wait_until("the old keyring to end", || !owned().unwrap());
        let mut command = self.env.command("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]);
        command.args(password.map(|_| "--unlock"));
        let mut keyring = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = keyring.stdin.take().unwrap();
        stdin.write_all(password.unwrap_or("").as_bytes()).unwrap();
        drop(stdin);
        self.keyring = Some(keyring);
        wait_until("the keyring to start", || owned().unwrap());
    }

    /// Replaces the keyring with a fake for as long as the bus runs. The fake answers like a keyring without entries
    /// until the method `from` is called. From then on it follows `conduct`.
    pub(crate) fn stand_in(&mut self, from: &'static str, conduct: FakeBehaviour) {
        stop(self.keyring.take());
        let bus = self.connect();
        let calls = MessageIterator::from(&bus);
        let flags = RequestNameFlags::ReplaceExisting | RequestNameFlags::AllowReplacement;
        wait_until("the fake keyring to own the bus name", || {
            let got = bus.request_name_with_flags(SECRETS, flags | RequestNameFlags::DoNotQueue);
            got.is_ok()
        });
        std::thread::spawn(move || answer_calls(&bus, calls, from, conduct));
    }

    /// Stops the keyring's process, so that it hangs, or continues it.
    pub(crate) fn hang(&self, hangs: bool) {
        let id = self.keyring.as_ref().unwrap().id();
        let pid = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
        let signal = if hangs { Signal::STOP } else { Signal::CONT };
        kill_process(pid, signal).unwrap();
    }

    /// Locks the default collection.
    pub(crate) fn lock(&self) {
        let bus = self.connect();
        let reply = bus.call_method(Some(SECRETS), PATH, SERVICE, "ReadAlias", &"default");
        let default: OwnedObjectPath = reply.unwrap().body().deserialize().unwrap();
        bus.call_method(Some(SECRETS), PATH, SERVICE, "Lock", &vec![default])
            .unwrap();
    }

    /// Makes the collection that ends with the session the default.
    pub(crate) fn session_is_default(&self) {
        let session = ObjectPath::try_from("/org/freedesktop/secrets/collection/session").unwrap();
        let alias = ("default", session);
        self.connect()
            .call_method(Some(SECRETS), PATH, SERVICE, "SetAlias", &alias)
            .unwrap();
    }

    /// Sets the secret of an existing entry, as the keyring's own window does. gnome-keyring sends no signal for it.
    pub(crate) fn set_secret(&self, profile: &str, secret: &str) {
        let bus = self.connect();
        let plain = ("plain", Value::from(""));
        let opened = bus.call_method(Some(SECRETS), PATH, SERVICE, "OpenSession", &plain);
        let opened = opened.unwrap();
        let (_, session): (OwnedValue, OwnedObjectPath) = opened.body().deserialize().unwrap();
        let attributes = HashMap::from([("service", "jeton"), ("username", profile)]);
        let found = bus.call_method(Some(SECRETS), PATH, SERVICE, "SearchItems", &attributes);
        let found = found.unwrap();
        let (items, _): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) =
            found.body().deserialize().unwrap();
        let item = items.first().unwrap();
        let secret = (session, Vec::<u8>::new(), secret.as_bytes(), "text/plain");
        let interface = Some("org.freedesktop.Secret.Item");
        bus.call_method(Some(SECRETS), item, interface, "SetSecret", &(secret,))
            .unwrap();
    }

    /// Returns an entry's secret, as a foreign program finds it.
    pub(crate) fn lookup(&self, profile: &str) -> String {
        let mut command: Command = self.env.command("secret-tool");
        command.args(["lookup", "service", "jeton", "username", profile]);
        let output = command.output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn connect(&self) -> Connection {
        let address = format!("unix:path={}", self.env.path("run/bus").display());
        Builder::address(&*address).unwrap().build().unwrap()
    }
}

impl Drop for Bus<'_> {
    fn drop(&mut self) {
        stop(self.keyring.take());
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Answers calls until the bus ends.
fn answer_calls(bus: &Connection, calls: MessageIterator, from: &str, conduct: FakeBehaviour) {
    let default = ObjectPath::try_from("/org/freedesktop/secrets/collection/login").unwrap();
    let none: Vec<ObjectPath<'_>> = vec![];
    let mut is_itself = true;
    for call in calls.map_while(Result::ok) {
        let header = call.header();
        let Some(member) = header
            .member()
            .filter(|_| call.message_type() == Type::MethodCall)
        else {
            continue;
        };
        is_itself &= member.as_str() != from;
        let sent = match (member.as_str(), conduct) {
            ("ReadAlias", _) if is_itself => bus.reply(&header, &default),
            ("Get", _) if is_itself => bus.reply(&header, &Value::from(false)),
            ("SearchItems", _) if is_itself => bus.reply(&header, &(&none, &none)),
            (_, FakeBehaviour::ReturnsAnotherType) => bus.reply(&header, &7_u32),
            (_, FakeBehaviour::Denies) => {
                let denied = "org.freedesktop.DBus.Error.AccessDenied";
                bus.reply_error(&header, denied, &"canary of the keyring")
            }
        };
        // A caller that has disconnected needs no answer.
        drop(sent);
    }
}

fn stop(keyring: Option<Child>) {
    if let Some(mut keyring) = keyring {
        let _ = keyring.kill();
        let _ = keyring.wait();
    }
}
