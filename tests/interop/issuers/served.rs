//! Issuers as programs that obey commands on their standard input.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::TestEnv;
use crate::tools::{self, MissingProgram, program};

/// An issuer with one client. It ends with the test.
pub(super) struct RunningIssuer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// The client's ID.
    pub(super) client_id: &'static str,
    /// The arguments that give its address to `jetond add`.
    pub(super) arguments: Vec<String>,
    /// The line that enrolment writes to the configuration for it.
    pub(super) client_auth: Option<&'static str>,
    /// The arguments that the user must add, because the first enrolment is refused without a reason.
    pub(super) by_hand: &'static [&'static str],
}

/// The lifetime of the issuers' tokens: longer than the outage, and short enough to observe three refreshes.
pub(super) const LIFETIME: Duration = Duration::from_secs(30);

/// The line in the configuration for an issuer that does not decode.
const RAW: &str = "client-auth = \"basic-raw\"";

impl RunningIssuer {
    /// Starts an Authlib issuer. It undoes percent-encoding, and leaves a plus as it is.
    pub(super) fn authlib(env: &mut TestEnv, secret: &str) -> Result<Self, MissingProgram> {
        let mut command = env.command(tools::python()?);
        command.arg(script("authlib_issuer.py"));
        let client = ("basic:client", None);
        Ok(Self::start(env, command, client, secret, |told| {
            at_token(&told["token_url"])
        }))
    }

    /// Starts a Glewlwyd issuer. It compares ID and secret without decoding, and answers an unknown client with an
    /// empty 403.
    pub(super) fn glewlwyd(env: &mut TestEnv, secret: &str) -> Result<Self, MissingProgram> {
        let glewlwyd = program("glewlwyd")?;
        let folder = env.path("issuer");
        fs::create_dir(&folder).unwrap();
        let mut command = env.command(tools::python()?);
        command
            .arg(script("glewlwyd_issuer.py"))
            .env("GLEWLWYD", glewlwyd)
            .env("OUT", folder);
        let client = ("basic client", Some(RAW));
        let mut issuer = Self::start(env, command, client, secret, |told| {
            let scope = ["--scope", "api"].map(str::to_owned);
            [at_token(&told["token_url"]), scope.to_vec()].concat()
        });
        issuer.by_hand = &["--client-auth", "basic-raw"];
        Ok(issuer)
    }

    /// Starts a node-oauth2-server issuer. It compares ID and secret without decoding.
    pub(super) fn node_oauth2_server(
        env: &mut TestEnv,
        secret: &str,
    ) -> Result<Self, MissingProgram> {
        let script = tools::node_oauth2_server()?;
        let mut command = env.command(program("node")?);
        command.arg(script);
        let client = ("basic client", Some(RAW));
        Ok(Self::start(env, command, client, secret, |told| {
            at_token(&told["token_url"])
        }))
    }

    /// Starts an oidc-provider issuer. It decodes ID and secret as RFC 6749 requires.
    pub(super) fn oidc_provider(env: &mut TestEnv, secret: &str) -> Result<Self, MissingProgram> {
        let script = tools::oidc_provider()?;
        let mut command = env.command(program("node")?);
        program("openssl")?;
        let folder = env.path("issuer");
        fs::create_dir(&folder).unwrap();
        command.arg(script).env("OUT", folder);
        let client = ("basic:client", None);
        let mut issuer = Self::start(env, command, client, secret, |told| {
            let text = |name: &str| told[name].as_str().unwrap().to_owned();
            vec![
                "--issuer".into(),
                text("issuer"),
                "--ca-file".into(),
                text("ca"),
            ]
        });
        issuer.tell(&format!("secret {secret}"));
        Ok(issuer)
    }

    fn start(
        env: &TestEnv,
        mut command: Command,
        (client_id, client_auth): (&'static str, Option<&'static str>),
        secret: &str,
        arguments: impl FnOnce(&Value) -> Vec<String>,
    ) -> Self {
        let log = File::create(env.path("out/issuer")).unwrap();
        let mut child = command
            .env("LIFETIME", LIFETIME.as_secs().to_string())
            .env("CLIENT_ID", client_id)
            .env("CLIENT_SECRET", secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut answers = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        answers.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            let log = fs::read_to_string(env.path("out/issuer")).unwrap();
            panic!("the issuer did not start: {log}")
        });
        Self {
            commands: child.stdin.take().unwrap(),
            child,
            answers,
            client_id,
            arguments: arguments(&told),
            client_auth,
            by_hand: &[],
        }
    }

    /// Sends a command, and waits until it is done.
    pub(super) fn tell(&mut self, command: &str) {
        writeln!(self.commands, "{command}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        assert_eq!(line, "\n", "{command}");
    }
}

impl Drop for RunningIssuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn script(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/issuers");
    format!("{folder}/{name}")
}

fn at_token(url: &Value) -> Vec<String> {
    vec!["--token-url".into(), url.as_str().unwrap().into()]
}
