//! HTTP requests, mutated in their structure and in their bytes.

use std::time::Duration;

use super::canary::CALLERS_SECRET;
use super::dice::RandomChoices;
use super::wait;

/// A request before it is encoded.
#[derive(Clone)]
struct Request {
    method: Vec<u8>,
    target: Vec<u8>,
    version: Vec<u8>,
    headers: Vec<(Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
    line_end: &'static [u8],
}

/// Valid requests: method, target, body.
const SEEDS: [(&str, &str, &str); 19] = [
    ("GET", "/v1/profiles/research/token", ""),
    (
        "GET",
        "/v1/profiles/research/token?min_valid=60&max_wait=0.2",
        "",
    ),
    ("GET", "/v1/profiles/empty/token?max_wait=0.2", ""),
    ("GET", "/v1/profiles/nobody/token", ""),
    (
        "POST",
        "/v1/profiles/research/token/reject?max_wait=0.2",
        r#"{"generation":1}"#,
    ),
    (
        "POST",
        "/v1/profiles/empty/token/reject?max_wait=0",
        r#"{"token_sha256":"00"}"#,
    ),
    ("GET", "/v1/profiles/research/watch", ""),
    (
        "POST",
        "/oauth2/token",
        "grant_type=client_credentials&client_id=research&client_secret=CANARY",
    ),
    (
        "POST",
        "/oauth2/token",
        "grant_type=client_credentials&client_id=nobody&scope=a+b&client_secret=CANARY",
    ),
    ("GET", "/v1/profiles", ""),
    ("GET", "/v1/profiles/research", ""),
    ("POST", "/v1/profiles/research/refresh", ""),
    (
        "POST",
        "/v1/helper",
        "\x01\x01\x05\0\0\0jeton\x01\x05\0\0\0token\x01\x08\0\0\0research",
    ),
    ("GET", "/healthz", ""),
    ("GET", "/readyz", ""),
    ("GET", "/readyz/empty", ""),
    ("GET", "/v1/openapi.json", ""),
    ("POST", "/v1/reload", "{}"),
    ("OPTIONS", "*", ""),
];

const METHODS: [&str; 14] = [
    "GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PRI", "get",
    "", "G\tT", "\u{e9}",
];

const TARGETS: [&str; 22] = [
    "http://localhost/healthz",
    "http://evil.example/healthz",
    "http://localhost:80/v1/profiles/research/token",
    "https://user:pw@localhost/healthz",
    "localhost:80",
    "*",
    "/",
    "//",
    "",
    "/v1//profiles",
    "/v1/./profiles",
    "/v1/profiles/../profiles",
    "/v1/profiles/research%2ftoken",
    "/v1/profiles/%72esearch/token",
    "/v1/profiles/a%0ahost=evil/token",
    "/v1/profiles/\u{202e}/token",
    "/healthz#fragment",
    "/healthz?",
    "/v1/profiles/research/token?max_wait=0&max_wait=1",
    "/v1/profiles/research/token?min_valid=",
    "/oauth2/token?client_id=research",
    "http://[::1/",
];

const NUMBERS: [&str; 18] = [
    "",
    "0",
    "-0",
    "-1",
    "+1",
    "0.2",
    ".5",
    "1.",
    "00000000000000000001",
    "3",
    "60.000000001",
    "86400",
    "1e309",
    "0x10",
    "NaN",
    "18446744073709551616",
    "99999999999999999999999999999999999999999999",
    "\u{661}",
];

const VERSIONS: [&str; 9] = [
    "HTTP/1.0",
    "HTTP/1.1",
    "HTTP/0.9",
    "HTTP/1.2",
    "HTTP/2.0",
    "http/1.1",
    "HTTP/1.1 ",
    "HTTP/11",
    "",
];

const HEADERS: [(&str, &str); 44] = [
    ("Host", "localhost"),
    ("Host", "evil.example"),
    ("Host", "localhost:80"),
    ("Host", ""),
    ("hOST", "localhost"),
    ("Transfer-Encoding", "chunked"),
    ("Transfer-Encoding", "identity"),
    ("Transfer-Encoding", "chunked, chunked"),
    ("Transfer-Encoding", "\u{b}chunked"),
    ("Content-Length", "0"),
    ("Content-Length", "1"),
    ("Content-Length", "-1"),
    ("Content-Length", "+5"),
    ("Content-Length", "5, 5"),
    ("Content-Length", "5, 6"),
    ("Content-Length", "262145"),
    ("Content-Length", "2147483648"),
    ("Content-Length", "9223372036854775807"),
    ("Content-Length", "18446744073709551616"),
    ("Content-Length", "0x10"),
    ("Content-Length", ""),
    ("Origin", "https://evil.example"),
    ("Referer", "http://localhost/"),
    ("Sec-Fetch-Site", "none"),
    ("Expect", "100-continue"),
    ("Expect", "200-ok"),
    ("Upgrade", "h2c"),
    ("Upgrade", "websocket"),
    ("Connection", "close"),
    ("Connection", "keep-alive"),
    ("Connection", "upgrade, host"),
    ("Connection", ","),
    ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA"),
    ("Accept", "text/plain"),
    ("Accept", "text/plain;q=0"),
    ("Accept", "*/*;q=1e9,,,"),
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Content-Type", "multipart/form-data; boundary=\""),
    ("Content-Encoding", "gzip"),
    ("Authorization", "Basic "),
    ("Authorization", "Basic /////w=="),
    ("Last-Event-ID", "18446744073709551616"),
    ("Trailer", "Host"),
    ("TE", "trailers"),
];

const BODIES: [&str; 12] = [
    "{}",
    "[]",
    "null",
    "{\"generation\":",
    "{\"generation\":1,\"generation\":2}",
    "{\"generation\":-1}",
    "{\"generation\":1e309}",
    "{\"token_sha256\":\"zz\"}",
    "grant_type=&grant_type=",
    "client_id=%zz&client_id=",
    "grant_type=client_credentials&client_id=research&scope=%00",
    "0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n",
];

/// Returns a mutated request, or several together, and how long the daemon may wait before it answers.
pub(super) fn mutant(dice: &mut RandomChoices) -> (Vec<u8>, Duration) {
    let mut bytes = vec![];
    let together = if dice.once_in(8) {
        1 + dice.below(6)
    } else {
        1
    };
    for _ in 0..together {
        let mut request = Request::seed(dice);
        for _ in 0..dice.below(3) {
            request.mutate(dice);
        }
        let mut one = request.to_bytes(dice);
        if dice.once_in(6) {
            dice.corrupt(&mut one);
        }
        bytes.extend(one);
    }
    if dice.once_in(50) {
        let ends = dice
            .one::<&[u8]>(&[b"\r\n", b"\n", b"\r"])
            .repeat(dice.below(20_000));
        bytes.splice(0..0, ends);
    }
    let wait = own_wait(&bytes);
    (bytes, wait)
}

/// Returns how long a daemon may wait for the tokens that these bytes request.
fn own_wait(bytes: &[u8]) -> Duration {
    let text = String::from_utf8_lossy(bytes);
    let mut waits = Duration::ZERO;
    // Each mention counts, as in a request that is repeated.
    for said in text.split("max_wait=").skip(1) {
        let end = said.find(|c: char| !c.is_ascii_digit() && c != '.');
        let said = &said[..end.unwrap_or(said.len())];
        waits += jetond::wire::seconds(said, wait::MOST).unwrap_or(wait::UNSAID);
    }
    let unsaid = [
        "/reject",
        "oauth2",
        "min_valid",
        "/empty",
        "helper",
        "/refresh",
    ];
    let unsaid: usize = unsaid.iter().map(|word| text.matches(word).count()).sum();
    waits + wait::UNSAID * u32::try_from(unsaid).unwrap()
}

impl Request {
    fn seed(dice: &mut RandomChoices) -> Self {
        let (method, target, body) = dice.one(&SEEDS);
        let body = body.replace("CANARY", CALLERS_SECRET).into_bytes();
        let mut headers = vec![(b"Host".to_vec(), b"localhost".to_vec())];
        if !body.is_empty() || *method == "POST" {
            headers.push((
                b"Content-Length".to_vec(),
                body.len().to_string().into_bytes(),
            ));
        }
        if dice.once_in(4) {
            let secret = format!("Bearer {CALLERS_SECRET}").into_bytes();
            headers.push((b"Authorization".to_vec(), secret));
        }
        Self {
            method: method.as_bytes().to_vec(),
            target: target.as_bytes().to_vec(),
            version: b"HTTP/1.1".to_vec(),
            headers,
            body,
            line_end: b"\r\n",
        }
    }

    fn mutate(&mut self, dice: &mut RandomChoices) {
        let at = dice.below(self.headers.len() + 1);
        match dice.below(20) {
            0 => self.method = dice.one(&METHODS).as_bytes().to_vec(),
            1 => self.method = b"A".repeat(*dice.one(&[100, 20_000])),
            2 | 3 => self.target = dice.one(&TARGETS).as_bytes().to_vec(),
            4 => {
                let name = *dice.one(&["min_valid", "max_wait", "x", ""]);
                let separator = if self.target.contains(&b'?') {
                    "&"
                } else {
                    "?"
                };
                let number = dice.one(&NUMBERS);
                self.target
                    .extend(format!("{separator}{name}={number}").into_bytes());
            }
            5 => self
                .target
                .extend(b"a".repeat(*dice.one(&[100, 16_384, 65_536]))),
            6 => self.target.extend(dice.nasty(40)),
            7 => self.version = dice.one(&VERSIONS).as_bytes().to_vec(),
            8 if at < self.headers.len() => drop(self.headers.remove(at)),
            9 if at < self.headers.len() => {
                let again = self.headers[at].clone();
                for _ in 0..*dice.one(&[1, 1, 40, 101]) {
                    self.headers.insert(at, again.clone());
                }
            }
            10 => {
                let value = dice.nasty(60);
                self.headers.insert(at, (b"X-Nasty".to_vec(), value));
            }
            11 => {
                let name = dice.nasty(20);
                self.headers.insert(at, (name, b"x".to_vec()));
            }
            12 => {
                let value = b"v".repeat(*dice.one(&[1_000, 16_384, 70_000]));
                self.headers.insert(at, (b"X-Long".to_vec(), value));
            }
            13 => self.line_end = dice.one::<&[u8]>(&[b"\n", b"\r", b"\r\r\n", b"\r\n "]),
            14 => self.body = dice.one(&BODIES).as_bytes().to_vec(),
            15 => dice.corrupt(&mut self.body),
            16 => self.body = b"[".repeat(*dice.one(&[100, 16_000, 16_385, 262_144])),
            17 => self.stated_length(),
            _ => {
                let (name, value) = dice.one(&HEADERS);
                self.headers
                    .insert(at, (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            }
        }
    }

    /// Sets the stated length to that of the body.
    fn stated_length(&mut self) {
        self.headers.retain(|(name, _)| name != b"Content-Length");
        let length = self.body.len().to_string().into_bytes();
        self.headers.push((b"Content-Length".to_vec(), length));
    }

    fn to_bytes(&self, dice: &mut RandomChoices) -> Vec<u8> {
        let colon: &[u8] = if dice.once_in(12) {
            dice.one::<&[u8]>(&[b":", b" : ", b":\t", b""])
        } else {
            b": "
        };
        let mut lines = vec![[&self.method[..], &self.target, &self.version].join(&b' ')];
        lines.extend(
            self.headers
                .iter()
                .map(|(name, value)| [&name[..], value].join(colon)),
        );
        lines.extend([vec![], vec![]]);
        [lines.join(self.line_end), self.body.clone()].concat()
    }
}
