//! Servers that accept our tokens: programs that obey commands on their standard input (`servers/common.py`).

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::Value;

use crate::support::TestEnv;
use crate::tools::{MissingProgram, program, python};

/// A TLS server at its own port. It ends with the test.
pub(crate) struct Server {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u64,
}

impl Server {
    /// Starts one of the scripts with these arguments. Its certificate is from the CA in the file that [`ca`] returns.
    pub(crate) fn start(
        env: &TestEnv,
        script: &str,
        args: &[&str],
    ) -> Result<Self, MissingProgram> {
        let python = python()?;
        certificates(env)?;
        let log = File::create(env.path("out").join(script)).unwrap();
        let mut child = env
            .command(python)
            .arg("-B")
            .arg(format!(
                "{}/tests/interop/servers/{script}",
                env!("CARGO_MANIFEST_DIR")
            ))
            .args(args)
            .env("CERT", env.path("tls/server.pem"))
            .env("KEY", env.path("tls/server.key"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
            port: 0,
        };
        let said = server.answer(|| fs::read_to_string(env.path("out").join(script)).unwrap());
        server.port = said["port"].as_u64().unwrap();
        Ok(server)
    }

    /// Returns its host and port.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Returns the address of a path, which begins with a slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.host())
    }

    /// Accepts this token from now on. Returns the token's number in the records.
    pub(crate) fn take(&mut self, token: &str) -> u64 {
        self.command(&format!("good {token}")).as_u64().unwrap()
    }

    /// Answers 401 to this token from now on. Returns the token's number in the records.
    pub(crate) fn refuse(&mut self, token: &str) -> u64 {
        self.command(&format!("bad {token}")).as_u64().unwrap()
    }

    /// Accepts every token from now on, except the refused ones.
    pub(crate) fn take_any(&mut self) {
        self.command("any");
    }

    /// Takes the requests since the last call, each as `METHOD PATH CREDENTIAL STATUS`.
    pub(crate) fn seen(&mut self) -> Vec<String> {
        serde_json::from_value(self.command("seen")).unwrap()
    }

    fn command(&mut self, line: &str) -> Value {
        writeln!(self.commands, "{line}").unwrap();
        self.answer(String::new)
    }

    fn answer(&mut self, log: impl FnOnce() -> String) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the server has ended: {}", log()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the file with the servers' CA.
pub(crate) fn ca(env: &TestEnv) -> PathBuf {
    env.path("tls/ca.pem")
}

/// Creates a CA and a certificate, once for each test environment. The certificate is for this machine's name and for
/// the hosts that `servers/openai.py` replaces.
pub(crate) fn certificates(env: &TestEnv) -> Result<(), MissingProgram> {
    let openssl = program("openssl")?;
    let folder = env.path("tls");
    if folder.exists() {
        return Ok(());
    }
    fs::create_dir(&folder).unwrap();
    // Does not use the machine's own openssl configuration.
    let config = "[req]\ndistinguished_name = name\n[name]\n\
        [ca]\nbasicConstraints = critical, CA:TRUE\nkeyUsage = critical, keyCertSign\nsubjectKeyIdentifier = hash\n\
        [server]\nbasicConstraints = critical, CA:FALSE\nextendedKeyUsage = serverAuth\n\
        subjectAltName = DNS:localhost, DNS:api.openai.com, DNS:auth.openai.com, IP:127.0.0.1\nauthorityKeyIdentifier = keyid\n";
    fs::write(folder.join("openssl.cnf"), config).unwrap();
    let make = |name: &str, more: &[&str]| {
        let mut command = env.command(&openssl);
        command
            .current_dir(&folder)
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ])
            .args(["-nodes", "-days", "2", "-config", "openssl.cnf"])
            .args([
                "-keyout",
                &format!("{name}.key"),
                "-out",
                &format!("{name}.pem"),
            ])
            .args(["-extensions", name, "-subj", &format!("/CN=interop {name}")])
            .args(more);
        let made = env.finish("openssl", command, b"", false);
        assert_eq!(made.code, 0, "{made:?}");
    };
    make("ca", &[]);
    make("server", &["-CA", "ca.pem", "-CAkey", "ca.key"]);
    Ok(())
}
