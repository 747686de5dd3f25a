//! A daemon with one profile whose tokens are for the address of a server, as every helper protocol needs it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// The companion.
pub(crate) const JETON: &str = env!("CARGO_BIN_EXE_jeton");

/// The profile of every place here.
pub(crate) const PROFILE: &str = "research";

/// A place whose profile is enrolled at a sandbox with tokens of this many seconds.
pub(crate) fn place(token_life: u64) -> TestEnv {
    let env = TestEnv::with_sandbox(token_life);
    env.enrol(PROFILE);
    env
}

/// Binds the profile to an address, with more lines for its entry.
pub(crate) fn bind(env: &TestEnv, url: &str, more: &str) {
    append(
        env,
        &format!("[[profiles.{PROFILE}.hosts]]\nurl = \"{url}\"\n{more}"),
    );
}

/// Adds a table to the configuration.
pub(crate) fn append(env: &TestEnv, table: &str) {
    let mut config = OpenOptions::new().append(true).open(env.config()).unwrap();
    writeln!(config, "\n{table}").unwrap();
}

/// A daemon, and the token that it holds.
pub(crate) fn daemon(env: &TestEnv) -> (Daemon, String) {
    let daemon = env.start();
    let token = env.token(&daemon, PROFILE);
    (daemon, token)
}

/// A folder, first on the PATH that comes back with it, in which the companion has this name.
pub(crate) fn named(env: &TestEnv, name: &str) -> String {
    let folder = env.path("bin");
    fs::create_dir_all(&folder).unwrap();
    symlink(JETON, folder.join(name)).unwrap();
    format!(
        "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        folder.display()
    )
}

/// A file in the home of the place, with the folders above it.
pub(crate) fn home_file(env: &TestEnv, relative: &str, text: &str) -> PathBuf {
    let path = env.path("home").join(relative);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}
