#![expect(
    clippy::disallowed_methods,
    reason = "a test without a thread may panic"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::*;
use crate::config::{BaseUrl, ClientCertificate};
use crate::provider::fake::{Fake, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
}

fn trusting(path: PathBuf) -> Settings {
    Settings {
        roots: Roots::File { path, sha256: None },
        ..Settings::default()
    }
}

fn origin(address: &str) -> Origin {
    BaseUrl::parse(address).unwrap().origin()
}

async fn post(address: &str, settings: Settings) -> Result<Answer, Fault> {
    let origin = origin(address);
    let request = Request {
        url: origin.join("/token"),
        authorization: None,
        post: Some(("text/plain", Zeroizing::new(b"canary".to_vec()))),
    };
    Http::new(origin, settings).send(request).await
}

async fn refused(path: PathBuf, sha256: Option<[u8; 32]>) -> Fault {
    let fake = Fake::start(vec![json(200, "{}")]).await;
    let settings = Settings {
        roots: Roots::File { path, sha256 },
        ..Settings::default()
    };
    let fault = post(&format!("https://{}", fake.address), settings)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fake.connections(), 0);
    fault
}

#[tokio::test]
async fn a_ca_file_that_cannot_be_used_is_a_fault_and_not_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let pem = fs::read_to_string(fixture("ca.pem")).unwrap();
    let cut: String = pem
        .lines()
        .take(4)
        .chain(["-----END CERTIFICATE-----"])
        .map(|line| format!("{line}\n"))
        .collect();
    for (path, why) in [
        (folder.path().join("absent"), "cannot be read"),
        (folder.path().to_owned(), "is not a file"),
        (file("empty", b""), "holds no certificate"),
        (fixture("server.key"), "holds no certificate"),
        (
            file(
                "der",
                b"\x30\x82\x01\x8f\x30\x82\x01\x34\xa0\x03\x02\x01\x02",
            ),
            "holds no certificate",
        ),
        (file("text", b"hello\n"), "holds no certificate"),
        (
            file(
                "broken",
                b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
            ),
            "not in PEM form",
        ),
        (
            file("unfinished", &pem.as_bytes()[..200]),
            "not in PEM form",
        ),
        (file("cut", cut.as_bytes()), "cannot be used"),
        (file("large", &vec![b'\n'; 1_048_577]), "is larger than"),
    ] {
        let shown = path.display().to_string();
        let fault = refused(path, None).await;
        assert_eq!(fault.kind, FaultKind::NoCa, "{fault:?}");
        assert!(
            fault.detail.contains(why) && fault.detail.contains(&shown),
            "{fault:?} / {why}"
        );
    }
    // Nor anything else that is not a file: opening a pipe, for one, would wait for ever.
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(refused(socket, None).await.kind, FaultKind::NoCa);
}

#[tokio::test]
async fn a_ca_file_other_than_the_enrolled_one_is_not_used() {
    let fault = refused(fixture("ca.pem"), Some([0; 32])).await;
    assert_eq!(fault.kind, FaultKind::NoCa);
    assert!(
        fault.detail.contains("another one than at enrolment"),
        "{fault:?}"
    );
    let digest: [u8; 32] = Sha256::digest(fs::read(fixture("ca.pem")).unwrap()).into();
    let roots = Roots::File {
        path: fixture("ca.pem"),
        sha256: Some(digest),
    };
    assert!(roots.build(ClientBuilder::new(), true).is_ok());
}

#[tokio::test]
async fn a_client_that_could_not_be_built_is_built_at_the_next_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let http = Http::new(origin("https://127.0.0.1:1"), trusting(path.clone()));
    assert_eq!(
        http.client().await.map(|_| ()).unwrap_err().kind,
        FaultKind::NoCa
    );
    fs::copy(fixture("ca.pem"), &path).unwrap();
    http.client().await.unwrap();
    fs::remove_file(&path).unwrap();
    http.client().await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_that_cannot_be_used_is_a_fault_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let (cert, key) = (fixture("wrong-purpose.pem"), fixture("server.key"));
    let another = fixture("ca.pem");
    let absent = folder.path().join("absent");
    let large = file("large", &vec![b'\n'; 65_537]);
    let text = file("text", b"hello\n");
    for (cert, key, named, why) in [
        (&absent, &key, &absent, "cannot be used: No such file"),
        (&cert, &absent, &absent, "cannot be used: No such file"),
        (
            &cert,
            &folder.path().to_owned(),
            &folder.path().to_owned(),
            "is not a file",
        ),
        (&large, &key, &large, "is larger than"),
        (&cert, &large, &large, "is larger than"),
        (&text, &key, &text, "that can be used together"),
        (&cert, &text, &text, "that can be used together"),
        (&cert, &cert, &cert, "that can be used together"),
        (&another, &key, &another, "do not belong together"),
    ] {
        let fake = Fake::start(vec![json(200, "{}")]).await;
        let files = ClientCertificate {
            cert: cert.clone(),
            key: key.clone(),
        };
        let settings = Settings {
            client_certificate: Some(files),
            ..trusting(fixture("ca.pem"))
        };
        let fault = post(&format!("https://{}", fake.address), settings)
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(fault.kind, FaultKind::TlsUntrusted, "{fault:?}");
        let shown = named.display().to_string();
        assert!(
            fault.detail.contains(why) && fault.detail.contains(&shown),
            "{fault:?} / {why}"
        );
        assert_eq!(fake.connections(), 0);
    }
}

#[tokio::test]
async fn a_client_goes_to_no_other_origin_than_its_own() {
    let (own, other) = (
        Fake::start(vec![json(200, "{}")]).await,
        Fake::start(vec![json(200, "{}")]).await,
    );
    let http = Http::new(origin(&own.url()), Settings::default());
    let request = Request {
        url: other.url().parse().unwrap(),
        authorization: None,
        post: None,
    };
    assert!(http.send(request).await.is_err());
    assert_eq!((own.connections(), other.connections()), (0, 0));
}

#[tokio::test]
async fn an_address_in_the_clear_needs_no_roots() {
    let fake = Fake::start(vec![json(200, "{}")]).await;
    let answer = post(&fake.url(), trusting("/nonexistent".into()))
        .await
        .unwrap();
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, b"{}".as_slice())
    );
}

#[tokio::test]
async fn a_proxy_is_only_asked_for_a_tunnel_and_is_named_when_it_fails() {
    let proxy = Fake::start(vec![json(403, "canary")]).await;
    let url = format!("http://{}", proxy.address);
    let settings = || Settings {
        proxy: Proxy::parse(&url).unwrap(),
        ..trusting(fixture("ca.pem"))
    };

    let fault = post("https://issuer.invalid", settings())
        .await
        .map(|_| ())
        .unwrap_err();

    assert_eq!(fault.kind, FaultKind::Connect, "{fault:?}");
    assert!(
        fault.detail.contains(&format!(
            "the proxy {} does not let us through to https://issuer.invalid",
            proxy.url()
        )),
        "{fault:?}"
    );
    assert!(!format!("{fault:?}").contains("canary"), "{fault:?}");
    assert!(!format!("{:?}", settings()).contains("canary"));
    let requests = proxy.requests();
    assert_eq!(
        (requests.len(), requests[0].line()),
        (1, "CONNECT issuer.invalid:443 HTTP/1.1")
    );
    assert!(requests[0].body.is_empty());

    // A loopback literal is reached without it, whatever is configured.
    let fake = Fake::start(vec![json(200, "{}")]).await;
    assert_eq!(post(&fake.url(), settings()).await.unwrap().status, 200);
    assert_eq!((fake.connections(), proxy.connections()), (1, 1));
}

#[tokio::test]
async fn a_body_is_read_only_where_it_decides_something() {
    for (play, status, body) in [
        (json(200, "{}"), 200, "{}"),
        (json(401, "{}"), 401, "{}"),
        (
            crate::provider::fake::answer(200, "text/html", "", "page"),
            200,
            "",
        ),
        (
            crate::provider::fake::answer(502, "text/html", "", "page"),
            502,
            "",
        ),
    ] {
        let fake = Fake::start(vec![play]).await;
        let answer = post(&fake.url(), Settings::default()).await.unwrap();
        assert_eq!(
            (answer.status, answer.body.as_slice()),
            (status, body.as_bytes())
        );
        assert_eq!(fake.requests()[0].text(), "canary");
    }
}

/// A process has one environment, so this runs itself in another process.
#[test]
fn an_environment_changes_nothing_unasked() {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", proxy.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut socket, _) = proxy.accept().unwrap();
        let mut request = [0; 4_096];
        let n = socket.read(&mut request).unwrap();
        socket.write_all(b"HTTP/1.1 403 No\r\n\r\n").unwrap();
        proxy.set_nonblocking(true).unwrap();
        (String::from_utf8_lossy(&request[..n]).into_owned(), proxy)
    });

    let mut inner = Command::new(std::env::current_exe().unwrap());
    inner.args([
        "--exact",
        "--ignored",
        "provider::http::tests::in_a_hostile_environment",
    ]);
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ] {
        inner.env(name, &url);
    }
    inner
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .env_remove("REQUEST_METHOD");
    inner
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent");
    let output = inner.output().unwrap();

    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    let (request, proxy) = served.join().unwrap();
    assert!(
        request.starts_with("CONNECT localhost:2 HTTP/1.1\r\n") && !request.contains("canary"),
        "{request}"
    );
    assert!(proxy.accept().is_err(), "the proxy was used unasked");
}

#[tokio::test]
#[ignore = "run by an_environment_changes_nothing_unasked"]
async fn in_a_hostile_environment() {
    let fault = post("https://localhost:1", trusting(fixture("ca.pem")))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Connect, "{fault:?}");
    assert!(!fault.detail.contains("proxy"), "{fault:?}");

    let asked = Settings {
        proxy: Proxy::Environment,
        ..trusting(fixture("ca.pem"))
    };
    let fault = post("https://localhost:2", asked)
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::Connect, "{fault:?}");
    assert!(
        fault
            .detail
            .contains("the proxy that the environment names"),
        "{fault:?}"
    );

    let fault = post("https://localhost:1", Settings::default())
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::NoCa, "{fault:?}");
    assert!(fault.detail.contains("ca-certificates"), "{fault:?}");
}
