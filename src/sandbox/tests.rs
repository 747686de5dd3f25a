//! Tests of the sandbox over real sockets, with a client that sees every byte.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Fault, Line, Options, Sandbox};
use crate::credential::ClientSecret;

mod connections;
mod control;
mod documents;
mod executions;
mod faults;
mod keys;
mod lines;
mod settings;
mod tables;
mod tls;

const SECRET: &str = "s3cret & +";
const FORM: &str = "application/x-www-form-urlencoded";
const GOOD_FORM: &str = "grant_type=client_credentials&client_id=app&client_secret=s3cret+%26+%2B";
const GOOD_JSON: &str =
    r#"{"grantType":"client_credentials","clientID":"app","clientSecret":"s3cret & +"}"#;

/// A timeout against tests that hang. No test asserts anything about time with it.
const PATIENCE: Duration = Duration::from_secs(30);

fn options(line: Line) -> Options {
    Options::new(line, "app", ClientSecret::parse(SECRET).unwrap())
}

async fn start(line: Line) -> Sandbox {
    Sandbox::start(options(line)).await.unwrap()
}

async fn broken(line: Line, fault: &str) -> Sandbox {
    let sandbox = start(line).await;
    let fault = Fault::parse(fault).unwrap();
    sandbox.set_fault(Some(fault)).await.unwrap();
    sandbox
}

#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn parse(raw: &[u8]) -> Self {
        let end = raw.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(raw[..end].to_vec()).unwrap();
        Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: raw[end + 4..].to_vec(),
            head,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }

    fn token(&self) -> String {
        let body = self.json();
        let token = body.get("access_token").or(body.get("accessToken"));
        token.unwrap().as_str().unwrap().to_owned()
    }
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> String {
    request_to("sandbox", method, path, headers, body)
}

fn request_to(host: &str, method: &str, path: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Connects and sends the request. The caller reads the answer.
async fn connect(url: &str, request: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await?;
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Reads to the end of the connection; returns the bytes, and how it ended.
async fn read_all(stream: &mut TcpStream) -> (Vec<u8>, io::Result<usize>) {
    let mut raw = Vec::new();
    let read = stream.read_to_end(&mut raw);
    let end = tokio::time::timeout(PATIENCE, read).await.unwrap();
    (raw, end)
}

async fn ask(url: &str, method: &str, path: &str, headers: &str, body: &str) -> Reply {
    let headers = format!("{headers}Connection: close\r\n");
    let host = url.strip_prefix("http://").unwrap();
    let mut stream = connect(url, &request_to(host, method, path, &headers, body))
        .await
        .unwrap();
    let (raw, end) = read_all(&mut stream).await;
    end.unwrap();
    Reply::parse(&raw)
}

async fn post(sandbox: &Sandbox, path: &str, content_type: &str, body: &str) -> Reply {
    let content_type = format!("Content-Type: {content_type}\r\n");
    ask(&sandbox.url(), "POST", path, &content_type, body).await
}

async fn v2(sandbox: &Sandbox) -> Reply {
    post(sandbox, "/api/v2/token", FORM, GOOD_FORM).await
}

async fn v1(sandbox: &Sandbox) -> Reply {
    post(sandbox, "/api/v1/token", "application/json", GOOD_JSON).await
}

async fn probe(sandbox: &Sandbox, token: &str) -> Reply {
    let bearer = format!("Authorization: Bearer {token}\r\n");
    ask(
        &sandbox.url(),
        "GET",
        "/api/v1/authorization/permissions",
        &bearer,
        "",
    )
    .await
}

/// Sends a good token request without reading the answer.
async fn open_v2(sandbox: &Sandbox) -> TcpStream {
    let content_type = format!("Content-Type: {FORM}\r\n");
    let request = request("POST", "/api/v2/token", &content_type, GOOD_FORM);
    connect(&sandbox.url(), &request).await.unwrap()
}

/// Returns a token of the initial key, by the grant that the line has.
async fn token(sandbox: &Sandbox) -> String {
    credential(sandbox, "app", SECRET).await.token()
}

/// Sends a credential to the first form of the token endpoint, by the grant that the line has.
async fn credential(sandbox: &Sandbox, id: &str, secret: &str) -> Reply {
    let [grant, id_name, secret_name] = if sandbox.panel.issuer().tenant.line == Line::V2_18 {
        ["app_token", "appID", "appSecret"]
    } else {
        ["client_credentials", "clientID", "clientSecret"]
    };
    let body = serde_json::json!({"grantType": grant, id_name: id, secret_name: secret});
    post(
        sandbox,
        "/api/v1/token",
        "application/json",
        &body.to_string(),
    )
    .await
}

/// Sends a request with a token and a JSON body.
async fn managed(sandbox: &Sandbox, token: &str, method: &str, path: &str, body: &str) -> Reply {
    let headers = format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n");
    ask(&sandbox.url(), method, path, &headers, body).await
}
