//! The issuer as a program that runs, and what it says of a token.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded;

use crate::support::TestEnv;
use crate::tools::{Missing, oidc_provider, program};

/// The issuer; it ends with the test.
pub(super) struct Issuer {
    child: Child,
    /// Kept open: it would end when it says something that nobody can read.
    _output: BufReader<ChildStdout>,
    /// Its identifier.
    pub(super) url: String,
    /// The file with its CA.
    pub(super) ca: String,
    /// The files with a client certificate of that CA, and with its key.
    pub(super) certificate: (String, String),
    /// A client that is registered for the header.
    pub(super) basic: Client,
    /// A client that is registered for the body.
    pub(super) post: Client,
    http: reqwest::Client,
}

/// A client of the issuer's.
#[derive(Debug, Clone)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) secret: String,
}

impl Issuer {
    /// Starts one with these settings (see `server.mjs`), whose secrets and tokens must not come out.
    pub(super) fn start(env: &mut TestEnv, settings: &[(&str, &str)]) -> Result<Self, Missing> {
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
            env.watch_for_secret(&format!("the client secret {name}"), &secret);
            // As it is sent: in a header the base64 of this (RFC 6749 section 2.3.1).
            env.watch_for(&format!("the encoded secret {name}"), &encoded(&secret));
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

    /// `--issuer` with its CA.
    pub(super) fn arguments(&self) -> [&str; 4] {
        ["--issuer", &self.url, "--ca-file", &self.ca]
    }

    /// The port that it listens on.
    pub(super) fn port(&self) -> u16 {
        url::Url::parse(&self.url).unwrap().port().unwrap()
    }

    /// What it says of a token (RFC 7662).
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

/// As a form encodes a value.
fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
