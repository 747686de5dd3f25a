//! A forward proxy as companies use it: Debian's `tinyproxy`.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Stdio};

use super::issuer::Issuer;
use crate::support::TestEnv;
use crate::support::daemon::wait_until;
use crate::tools::{MissingProgram, program};

/// The number of connections of an enrolment: one for the discovery document, to show the user where the secret goes,
/// and those of a token.
pub(super) const ENROLMENT: usize = 1 + FETCH;

/// The number of connections for a daemon's first token: the discovery document, and the token.
pub(super) const FETCH: usize = 2;

/// Starts an issuer behind a proxy. It has a host name, because the client bypasses the proxy for a loopback IP
/// address.
pub(super) fn behind_a_proxy(env: &mut TestEnv) -> Result<(Issuer, Tinyproxy), MissingProgram> {
    let issuer = Issuer::start(env, &[("HOST", "localhost")])?;
    let proxy = Tinyproxy::start(env, issuer.port())?;
    Ok((issuer, proxy))
}

/// Asserts that the proxy only got this many requests for a tunnel to the issuer. What went through them was encrypted
/// for the issuer, because otherwise its CA would not have matched.
pub(super) fn saw_tunnels(proxy: &Tinyproxy, issuer: &Issuer, count: usize) {
    let tunnel = format!("CONNECT localhost:{} HTTP/1.1", issuer.port());
    assert_eq!(proxy.requests(), vec![tunnel; count]);
}

/// The proxy. It ends with the test at the latest.
pub(super) struct Tinyproxy {
    child: Child,
    port: u16,
    log: std::path::PathBuf,
}

impl Tinyproxy {
    /// Starts a proxy that lets clients on this machine connect to this port.
    pub(super) fn start(env: &TestEnv, to: u16) -> Result<Self, MissingProgram> {
        let tinyproxy = program("tinyproxy")?;
        let log = env.path("out/tinyproxy");
        let config = env.path("tinyproxy.conf");
        loop {
            // The proxy cannot choose a port, and another program may take the port before the proxy starts.
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = free.local_addr().unwrap().port();
            drop(free);
            let text = format!(
                "Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nConnectPort {to}\nLogFile \"{}\"\nLogLevel Info\n",
                log.display()
            );
            fs::write(&config, text).unwrap();
            fs::write(&log, "").unwrap();
            let mut child = env
                .command(&tinyproxy)
                .arg("-d")
                .arg("-c")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let said = |what: &str| fs::read_to_string(&log).unwrap().contains(what);
            let mut ended = false;
            wait_until("the proxy to start", || {
                ended = child.try_wait().unwrap().is_some();
                ended || said("Accepting connections")
            });
            if !ended {
                return Ok(Self { child, port, log });
            }
            let taken = said("bind") || said("listen");
            assert!(taken, "{}", fs::read_to_string(&log).unwrap());
        }
    }

    /// Returns its address.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Returns the requests that it got, from the method on.
    pub(super) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(&self.log).unwrap();
        let lines = log.lines().filter(|line| line.contains("): "));
        lines
            .filter_map(|line| line.split_once("Request (file descriptor "))
            .filter_map(|(_, rest)| rest.split_once("): "))
            .map(|(_, request)| request.to_owned())
            .collect()
    }

    /// Ends it.
    pub(super) fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Tinyproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
