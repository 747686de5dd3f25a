//! The issuer as a program, and its introspection of tokens.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded;

use crate::support::TestEnv;
use crate::tools::{MissingProgram, oidc_provider, program};

/// The issuer. It ends with the test.
pub(super) struct Issuer {
    child: Child,
    /// Kept open, because the issuer would end if it could not write.
    _output: BufReader<ChildStdout>,
    /// The issuer's identifier.
    pub(super) url: String,
    /// The file with the issuer's CA.
    pub(super) ca: String,
    /// The files with a client certificate of that CA and its key.
    pub(super) certificate: (String, String),
    /// A client that is registered for the `Authorization` header.
    pub(super) basic: Client,
    /// A client that is registered for the request body.
    pub(super) post: Client,
    http: reqwest::Client,
}

/// A client at the issuer.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Issuer {
    /// Starts an issuer with these settings (see `server.mjs`). Leaks of its secrets and tokens fail the test.
    pub(super) fn start(
        env: &mut TestEnv,
        settings: &[(&str, &str)],
    ) -> Result<Self, MissingProgram> {
        let script = oidc_provider()?;
        program("openssl")?;
        let folder = env.path("issuer");
        fs::create_dir(&folder).unwrap();
        let log = File::create(env.path("out/issuer")).unwrap();
        let mut child = env
            .command(program("node")?)
            .arg(script)
            .env("OUT", &folder)
            .envs(settings.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let told: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            let log = fs::read_to_string(env.path("out/issuer")).unwrap();
            panic!("the issuer did not start: {log}")
        });
        let text = |pointer: &str| told.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let mut client = |name: &str| {
            let id = text(&format!("/clients/{name}/id"));
            let secret = text(&format!("/clients/{name}/secret"));
            env.forbid_secret(&format!("the client secret {name}"), &secret);
            // The encoded form, which is sent as base64 in a header (RFC 6749, section 2.3.1).
            env.forbid(&format!("the encoded secret {name}"), &encoded(&secret));
            Client { id, secret }
        };
        let (basic, post) = (client("basic"), client("post"));
        let (ca, url) = (text("/ca"), text("/issuer"));
        let pem = fs::read(&ca).unwrap();
        let root = reqwest::Certificate::from_pem(&pem).unwrap();
        let builder = reqwest::Client::builder().no_proxy();
        Ok(Self {
            child,
            _output: output,
            url,
            ca,
            certificate: (text("/client/cert"), text("/client/key")),
            basic,
            post,
            http: builder.tls_certs_only([root]).build().unwrap(),
        })
    }

    /// Returns the arguments for `jetond add`: `--issuer` and its CA.
    pub(super) fn arguments(&self) -> [&str; 4] {
        ["--issuer", &self.url, "--ca-file", &self.ca]
    }

    /// Returns the port that it listens on.
    pub(super) fn port(&self) -> u16 {
        url::Url::parse(&self.url).unwrap().port().unwrap()
    }

    /// Returns the introspection of a token (RFC 7662).
    pub(super) fn introspect(&self, env: &TestEnv, token: &str) -> Value {
        let Client { id, secret } = &self.basic;
        let pair = STANDARD.encode(format!("{}:{}", encoded(id), encoded(secret)));
        let body = format!("token={}", encoded(token));
        let request = self
            .http
            .post(format!("{}/token/introspection", self.url))
            .header("authorization", format!("Basic {pair}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let answer = env.block_on(async { request.send().await?.bytes().await });
        serde_json::from_slice(&answer.unwrap()).unwrap()
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Encodes a value as in a form.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
