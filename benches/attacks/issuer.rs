//! The issuers: sandboxes, each a program of its own at the lowest priority.
//!
//! A real issuer runs on another machine, so the processor time of its flood must not affect the measurement. Under the
//! policy SCHED_IDLE (sched(7)) it runs only while nobody else wants the processor.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use jetond::credential::ClientSecret;
use jetond::sandbox::{Fault, Line, Options, Sandbox};

/// The client secret that every issuer knows.
pub(crate) const SECRET: &str = "not-a-secret";

/// The command that returns the number of token requests.
const COUNT: &str = "count";

/// An issuer that ends when this value is dropped.
pub(crate) struct Issuer {
    child: Child,
    pub(crate) url: String,
    commands: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Issuer {
    /// Starts an issuer whose tokens have this lifetime.
    pub(crate) fn start(life: Duration) -> Self {
        let mut child = Command::new("chrt")
            .args(["--idle", "0"])
            .arg(std::env::current_exe().unwrap())
            .arg("issuer")
            .arg(life.as_secs().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut issuer = Self {
            url: String::new(),
            commands: child.stdin.take().unwrap(),
            replies: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        issuer.url = issuer.reply();
        issuer
    }

    /// Sets a fault, or ends it (`none`).
    pub(crate) fn fault(&mut self, spelling: &str) {
        let reply = self.ask(spelling);
        assert_eq!(reply, "done", "{spelling}");
    }

    /// Returns the number of token requests since the start.
    pub(crate) fn requests(&mut self) -> u64 {
        self.ask(COUNT).parse().unwrap()
    }

    fn ask(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").unwrap();
        self.reply()
    }

    fn reply(&mut self) -> String {
        let mut line = String::new();
        let read = self.replies.read_line(&mut line).unwrap();
        assert!(read > 0, "the issuer has ended");
        line.trim_end().to_owned()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs an issuer until its standard input ends. Each line of input is a command, and has a line of output.
pub(crate) fn serve(life: Duration) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let options = Options {
        token_life: life,
        ..Options::new(Line::V2_24, "attacks", ClientSecret::parse(SECRET).unwrap())
    };
    let sandbox = runtime.block_on(Sandbox::start(options)).unwrap();
    println!("{}", sandbox.url());
    for command in std::io::stdin().lines() {
        let command = command.unwrap();
        if command == COUNT {
            println!("{}", sandbox.stats().token_requests);
            continue;
        }
        let fault = (command != "none").then(|| Fault::parse(&command).unwrap());
        runtime.block_on(sandbox.set_fault(fault)).unwrap();
        println!("done");
    }
}
