//! Web pages in a browser on this machine, against the sandbox: they can send requests to its control address, also
//! under a host name that resolves to this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::TestEnv;

/// Sends one request with these headers. Returns the status and the body.
fn ask(address: &str, request_line: &str, headers: &[&str], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut request = format!("{request_line}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    request.push_str("Connection: close\r\n\r\n");
    request.push_str(body);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[test]
fn a_web_page_can_change_and_read_nothing() {
    let env = TestEnv::with_sandbox(60);
    let control = env.sandbox().control_url();
    let address = control.strip_prefix("http://").unwrap();
    let port = address.rsplit_once(':').unwrap().1;
    let right = format!("Host: {address}");
    let (local, rebound) = (
        format!("Host: localhost:{port}"),
        format!("Host: evil.example:{port}"),
    );
    for headers in [
        &[][..],
        &["Host: 127.0.0.1"],
        &[&local],
        &[&rebound],
        &[&right, &rebound],
        &[&right, "Origin: https://evil.example"],
        &[&right, "Origin: null"],
        &[&right, "Referer: https://evil.example/"],
        &[
            &right,
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Mode: no-cors",
        ],
        &[&right, "Sec-Fetch-Dest: image"],
    ] {
        for (line, body) in [
            ("PUT /fault HTTP/1.1", "refuse"),
            ("DELETE /fault HTTP/1.1", ""),
            ("PUT /script HTTP/1.1", "0 refuse"),
            ("PUT /old-tokens HTTP/1.1", "die"),
            ("PUT /secret HTTP/1.1", "a-secret-of-the-pages-choice"),
            ("POST /revoke HTTP/1.1", ""),
            ("GET /stats HTTP/1.1", ""),
            ("GET / HTTP/1.1", ""),
            ("GET /nowhere HTTP/1.1", ""),
        ] {
            let (status, said) = ask(address, line, headers, body);
            assert_eq!(status, 400, "{line} {headers:?}: {said}");
            assert!(!said.contains('{') && !said.contains("sandbox"), "{said}");
        }
    }
    assert_eq!(env.sandbox().fault(), None);

    // A tool that uses the printed address works.
    let (status, said) = ask(address, "PUT /fault HTTP/1.1", &[&right], "status:503");
    assert_eq!((status, said.as_str()), (200, "fault: status:503\n"));
    let absolute = format!("GET {control}/fault HTTP/1.1");
    assert_eq!(ask(address, &absolute, &[&right], "").0, 200);
}
