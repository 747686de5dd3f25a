//! The processes of the demo: the sandbox in this process, our own programs as children. All their files are in one
//! folder, which is removed with them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;
use zeroize::Zeroizing;

use super::home::{Home, finish};
use crate::credential::ClientSecret;
use crate::sandbox::{Line, Options, Sandbox};

/// The client ID that the sandbox knows.
const CLIENT_ID: &str = "demo-app";

/// Time limit for the daemon to stop: longer than it takes to drain its connections.
const STOPPING: Duration = Duration::from_secs(8);

/// The number of log lines that are shown if the daemon has ended unexpectedly.
const LAST_LINES: usize = 5;

/// The processes of the demo.
pub(super) struct DemoProcesses {
    home: Home,
    jetond: PathBuf,
    sandbox: Option<Sandbox>,
    daemon: Option<Child>,
}

impl DemoProcesses {
    /// Prepares the folder and starts nothing.
    pub(super) fn new() -> Result<Self, String> {
        let jetond = std::env::current_exe()
            .map_err(|e| format!("the path of this program is not known: {e}"))?;
        let home = Home::new().map_err(|e| format!("no folder for the demo could be made: {e}"))?;
        Ok(Self {
            home,
            jetond,
            sandbox: None,
            daemon: None,
        })
    }

    /// Starts the sandbox, with a random secret.
    pub(super) async fn open_sandbox(&mut self, token_life: Duration) -> Result<&Sandbox, String> {
        let mut random = [0_u8; 24];
        getrandom::fill(&mut random).map_err(|e| format!("no random numbers: {e}"))?;
        let secret: Zeroizing<String> =
            Zeroizing::new(random.iter().map(|byte| format!("{byte:02x}")).collect());
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.secret())
            .and_then(|mut file| file.write_all(secret.as_bytes()))
            .map_err(|e| format!("no file for the secret could be made: {e}"))?;
        let secret = ClientSecret::parse(&secret).map_err(|why| why.to_string())?;
        let options = Options {
            token_life,
            ..Options::new(Line::V2_24, CLIENT_ID, secret)
        };
        let sandbox = Sandbox::start(options)
            .await
            .map_err(|e| format!("the sandbox cannot listen: {e}"))?;
        Ok(self.sandbox.insert(sandbox))
    }

    /// The sandbox.
    pub(super) fn sandbox(&self) -> Result<&Sandbox, String> {
        self.sandbox
            .as_ref()
            .ok_or_else(|| "there is no sandbox yet".to_owned())
    }

    /// Runs `jetond add`, and removes the file of the secret.
    pub(super) async fn enrol(&self, profile: &str, url: &str) -> Result<(), String> {
        let mut add = self.home.command(&self.jetond);
        add.args(["add", profile, "--provider", "runai", "--url", url])
            .args(["--client-id", CLIENT_ID, "--client-secret-file"])
            .arg(self.secret());
        finish("jetond add", add).await?;
        std::fs::remove_file(self.secret())
            .map_err(|e| format!("the file of the secret could not be removed: {e}"))
    }

    /// Runs `jetond app create` with the token of `profile`. The new application's secret goes straight into the store of the
    /// new profile.
    pub(super) async fn create_application(
        &self,
        name: &str,
        profile: &str,
        new: &str,
    ) -> Result<(), String> {
        let mut create = self.home.command(&self.jetond);
        create.args(["app", "create", name, profile, "--enrol", new]);
        finish("jetond app create", create).await.map(drop)
    }

    /// Starts `jetond run`. It may not serve yet when this returns.
    pub(super) fn start_daemon(&mut self) -> Result<(), String> {
        let failed = |e: io::Error| format!("jetond run could not be started: {e}");
        let log = File::create(self.log()).map_err(failed)?;
        let mut run = self.home.command(&self.jetond);
        run.arg("run")
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            // Ctrl-C must reach only us, so that we stop the daemon in order.
            .process_group(0);
        self.daemon = Some(run.spawn().map_err(failed)?);
        Ok(())
    }

    /// The daemon's token socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.home.path().join("jeton/jeton.sock")
    }

    /// Reports why the daemon has ended unexpectedly, if it has.
    pub(super) fn check(&mut self) -> Result<(), String> {
        match self.daemon.as_mut().map(Child::try_wait) {
            Some(Ok(Some(status))) => Err(self.obituary(status)),
            _ => Ok(()),
        }
    }

    /// Runs the companion and returns its output; `None` if it is not beside our own program.
    pub(super) async fn companion(&self, args: &[&str]) -> Result<Option<String>, String> {
        let jeton = self.jetond.with_file_name("jeton");
        if !jeton.is_file() {
            return Ok(None);
        }
        let mut command = self.home.command(&jeton);
        command.args(args);
        finish("jeton", command).await.map(Some)
    }

    /// Stops the processes, waits for their end, and removes the folder.
    pub(super) async fn clear(mut self) -> Result<(), String> {
        let stopped = match self.daemon.take() {
            Some(daemon) => self.stop(daemon).await,
            None => Ok(()),
        };
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.stop().await;
        }
        stopped.and(self.home.remove())
    }

    async fn stop(&self, mut daemon: Child) -> Result<(), String> {
        let pid = daemon.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            // The daemon may have ended already; its exit status is waited for nevertheless.
            let _: rustix::io::Result<()> = kill_process(pid, Signal::TERM);
        }
        match tokio::time::timeout(STOPPING, daemon.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.obituary(status)),
            Ok(Err(e)) => Err(format!("the daemon cannot be waited for: {e}")),
            Err(_) => {
                let _: io::Result<()> = daemon.kill().await;
                Err("the daemon did not stop in time, and was killed".to_owned())
            }
        }
    }

    fn obituary(&self, status: ExitStatus) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.len().saturating_sub(LAST_LINES);
        let last = lines.get(last..).unwrap_or_default().join("; ");
        format!("the daemon ended ({status}); the end of its log: {last}")
    }

    fn secret(&self) -> PathBuf {
        self.home.path().join("secret")
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }
}
