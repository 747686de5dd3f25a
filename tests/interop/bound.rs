//! Setup of helper protocols: a daemon with one profile whose tokens are for a server's address.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::support::TestEnv;
use crate::support::daemon::Daemon;

/// The companion.
pub(crate) const JETON: &str = env!("CARGO_BIN_EXE_jeton");

/// The name of the profile in these environments.
pub(crate) const PROFILE: &str = "research";

/// A test environment with a profile at a sandbox whose tokens last this many seconds.
pub(crate) fn set_up(token_life: u64) -> TestEnv {
    let env = TestEnv::with_sandbox(token_life);
    env.enrol(PROFILE);
    env
}

/// Binds the profile to an address, with these further lines in the entry.
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

/// Starts a daemon and returns it with the token that it holds.
pub(crate) fn daemon(env: &TestEnv) -> (Daemon, String) {
    let daemon = env.start();
    let token = env.token(&daemon, PROFILE);
    (daemon, token)
}

/// Links the companion under this name in a folder. Returns a PATH that begins with the folder.
pub(crate) fn named(env: &TestEnv, name: &str) -> String {
    let folder = env.path("bin");
    fs::create_dir_all(&folder).unwrap();
    symlink(JETON, folder.join(name)).unwrap();
    format!(
        "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        folder.display()
    )
}

/// Writes a file in the home folder of the test environment, and creates the folders above it.
pub(crate) fn home_file(env: &TestEnv, relative: &str, text: &str) -> PathBuf {
    let path = env.path("home").join(relative);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}
