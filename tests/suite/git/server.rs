//! A git server with one empty repository at every path. It accepts a token in one scheme only.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// An authentication scheme that a server accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Bearer,
    Basic,
}

/// The server. Its thread ends with the test process.
pub(super) struct Server {
    /// The address, without a trailing slash.
    pub(super) url: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// The token that it accepts. Any other one is answered with 401.
    takes: String,
    /// The `Authorization` header of each request, empty for a request without one.
    sent: Vec<String>,
}

impl Server {
    pub(super) fn start(scheme: Scheme) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let state = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // If a client closes its connection early, its test has failed already.
                let _ = answer(&stream, scheme, &state);
            }
        });
        Self { url, seen }
    }

    /// Accepts this token from now on.
    pub(super) fn take(&self, token: &str) {
        token.clone_into(&mut self.seen.lock().unwrap().takes);
    }

    /// Takes what clients have sent since the last call: the scheme, and whether it was the accepted token.
    pub(super) fn sent(&self) -> Vec<String> {
        let mut seen = self.seen.lock().unwrap();
        let sent = std::mem::take(&mut seen.sent);
        let shown = sent.iter().map(|line| match line.split_once(' ') {
            None => String::new(),
            Some((scheme, _)) if *line == seen.header(Scheme::Basic, "oauth2") => {
                format!("{scheme} oauth2")
            }
            Some((scheme, _)) if *line == seen.header(Scheme::Bearer, "") => scheme.to_owned(),
            Some((scheme, _)) => format!("{scheme} of another token"),
        });
        shown.collect()
    }
}

impl Seen {
    fn header(&self, scheme: Scheme, user: &str) -> String {
        match scheme {
            Scheme::Bearer => format!("Bearer {}", self.takes),
            Scheme::Basic => format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{}", self.takes))
            ),
        }
    }
}

fn answer(mut stream: &TcpStream, scheme: Scheme, state: &Mutex<Seen>) -> std::io::Result<()> {
    let mut authorization = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("authorization")
        {
            value.clone_into(&mut authorization);
        }
    }
    let is_taken = {
        let mut seen = state.lock().unwrap();
        seen.sent.push(authorization.clone());
        authorization == seen.header(scheme, "oauth2")
    };
    // The answer of a smart server to `GET info/refs?service=git-upload-pack` for a repository without commits.
    let refs = format!("{} capabilities^{{}}\0 agent=test\n", "0".repeat(40));
    let refs = format!(
        "001e# service=git-upload-pack\n0000{:04x}{refs}0000",
        refs.len() + 4
    );
    let (status, header, body) = match is_taken {
        true => (
            "200 OK",
            "Content-Type: application/x-git-upload-pack-advertisement".to_owned(),
            refs,
        ),
        false => (
            "401 Unauthorized",
            format!("WWW-Authenticate: {scheme:?} realm=\"git\""),
            String::new(),
        ),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{header}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes())
}
