#![expect(
    clippy::disallowed_methods,
    reason = "a test without a thread may panic"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use zeroize::Zeroizing;

use super::*;
use crate::certificates::CaFile;
use crate::config::{BaseUrl, ClientCertificate};
use crate::provider::fake::{Fake, json};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
}

fn trusting(path: PathBuf) -> Settings {
    Settings {
        roots: Roots::File(CaSource::File { path, owner: uid() }),
        ..Settings::default()
    }
}

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn origin(address: &str) -> Origin {
    BaseUrl::parse(address).unwrap().origin()
}

async fn post(address: &str, settings: Settings) -> Result<IssuerResponse, Fault> {
    let origin = origin(address);
    let request = Request {
        url: origin.join("/token"),
        authorization: None,
        post: Some(("text/plain", Zeroizing::new(b"canary".to_vec()))),
    };
    Http::new(origin, settings).send(request, None).await
}

async fn refused(path: PathBuf) -> Fault {
    let fake = Fake::start(vec![json(200, "{}")]).await;
    let fault = post(&format!("https://{}", fake.address), trusting(path))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fake.connections(), 0);
    fault
}

#[tokio::test]
async fn an_unusable_ca_file_is_a_fault() {
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
        let fault = refused(path).await;
        assert_eq!(fault.kind, FaultKind::NoCa, "{fault:?}");
        assert!(
            fault.detail.contains(why) && fault.detail.contains(&shown),
            "{fault:?} / {why}"
        );
    }
    // It must be a regular file: opening a pipe, for example, would wait for ever.
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(refused(socket).await.kind, FaultKind::NoCa);
}

/// Makes a folder such as `/tmp`, in which users other than root can create files.
fn shared_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    folder
}

/// Returns the identity of this CA file's present content.
fn set_of(path: &Path) -> Ca {
    Ca::Set(CaFile::read(path, uid()).unwrap().content.set)
}

async fn client(http: &Http, ca: Option<&Ca>) -> Result<Client, Fault> {
    http.client(ca).await
}

#[tokio::test]
async fn a_secret_is_sent_only_under_the_certificates_of_its_enrolment() {
    let folder = shared_folder();
    let path = folder.path().join("ca.pem");
    fs::copy(fixture("ca.pem"), &path).unwrap();
    let (enrolled, other) = (set_of(&path), set_of(&fixture("self-signed.pem")));
    let http = Http::new(origin("https://127.0.0.1:1"), trusting(path.clone()));
    // The client is built for one set, and cannot send a secret that is bound to another one.
    client(&http, Some(&enrolled)).await.unwrap();
    for ca in [&other, &Ca::System, &Ca::Bytes("other".into())] {
        let fault = client(&http, Some(ca)).await.map(|_| ()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::BindingChanged, "{fault:?}");
        assert!(
            fault
                .detail
                .contains("other certificates than at enrolment"),
            "{fault:?}"
        );
    }
    // A client that was built for a request without a secret cannot send it either.
    let http = Http::new(origin("https://127.0.0.1:1"), trusting(path.clone()));
    client(&http, None).await.unwrap();
    assert!(client(&http, Some(&other)).await.is_err());
    // A change of the file does not affect the kept client, but prevents that another one is built.
    client(&http, Some(&enrolled)).await.unwrap();
    fs::copy(fixture("self-signed.pem"), &path).unwrap();
    client(&http, Some(&enrolled)).await.unwrap();
    http.kept.forget();
    let fault = client(&http, Some(&enrolled))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(fault.kind, FaultKind::BindingChanged, "{fault:?}");
    // A secret that is bound to the new certificates gets its own client.
    client(&http, Some(&other)).await.unwrap();
    // Comments and duplicates change nothing.
    let one = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("# a comment\n{one}{one}")).unwrap();
    http.kept.forget();
    client(&http, Some(&other)).await.unwrap();
}

#[tokio::test]
async fn a_secret_bound_to_a_ca_file_is_not_sent_with_system_roots() {
    let http = Http::new(origin("https://127.0.0.1:1"), Settings::default());
    let ca = set_of(&fixture("ca.pem"));
    let fault = client(&http, Some(&ca)).await.map(|_| ()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::BindingChanged, "{fault:?}");
}

#[tokio::test]
async fn a_ca_file_that_was_read_before_is_not_read_again() {
    let folder = shared_folder();
    let path = folder.path().join("ca.pem");
    fs::copy(fixture("ca.pem"), &path).unwrap();
    let read = Arc::new(CaFile::read(&path, uid()).unwrap());
    let ca = Ca::Set(read.content.set.clone());
    let settings = Settings {
        roots: Roots::File(CaSource::Read(read)),
        ..Settings::default()
    };
    fs::copy(fixture("self-signed.pem"), &path).unwrap();
    let http = Http::new(origin("https://127.0.0.1:1"), settings);
    client(&http, Some(&ca)).await.unwrap();
    assert!(client(&http, Some(&set_of(&path))).await.is_err());
}

#[tokio::test]
async fn a_client_that_could_not_be_built_is_built_at_the_next_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let http = Http::new(origin("https://127.0.0.1:1"), trusting(path.clone()));
    let fault = client(&http, None).await.map(|_| ()).unwrap_err();
    assert_eq!(fault.kind, FaultKind::NoCa);
    fs::copy(fixture("ca.pem"), &path).unwrap();
    client(&http, None).await.unwrap();
    fs::remove_file(&path).unwrap();
    client(&http, None).await.unwrap();
}

#[tokio::test]
async fn a_renewed_client_certificate_is_used_by_the_next_request() {
    let folder = tempfile::tempdir().unwrap();
    let files = ClientCertificate {
        cert: folder.path().join("us.pem"),
        key: private_key(folder.path()),
    };
    fs::copy(fixture("wrong-purpose.pem"), &files.cert).unwrap();
    let settings = Settings {
        client_certificate: Some(ClientSource {
            files: files.clone(),
            owner: uid(),
        }),
        ..trusting(fixture("ca.pem"))
    };
    let http = Http::new(origin("https://127.0.0.1:1"), settings);
    client(&http, None).await.unwrap();
    let before = http.kept.identity();
    client(&http, None).await.unwrap();
    assert_eq!(http.kept.identity(), before, "the client is kept");
    fs::copy(fixture("good.pem"), &files.cert).unwrap();
    client(&http, None).await.unwrap();
    assert_ne!(http.kept.identity(), before);
    fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
    let fault = client(&http, None).await.map(|_| ()).unwrap_err();
    assert!(fault.detail.contains("others can read it"), "{fault:?}");
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_a_client_certificate_being_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let files = ClientCertificate {
        cert: folder.path().join("us.pem"),
        key: private_key(folder.path()),
    };
    let settings = Settings {
        client_certificate: Some(ClientSource {
            files: files.clone(),
            owner: uid(),
        }),
        ..trusting(fixture("ca.pem"))
    };
    let http = Http::new(origin("https://127.0.0.1:1"), settings);
    let begun = tokio::time::Instant::now();
    let waited = || begun.elapsed();
    for half in [&b""[..], &fs::read(fixture("ca.pem")).unwrap()] {
        fs::write(&files.cert, half).unwrap();
        let before = waited();
        let fault = client(&http, None).await.map(|_| ()).unwrap_err();
        assert_eq!(fault.kind, FaultKind::TlsUntrusted, "{fault:?}");
        assert!(waited() - before >= std::time::Duration::from_secs(2));
    }
    let renewal = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        fs::copy(fixture("wrong-purpose.pem"), &files.cert).unwrap();
    };
    let (client, ()) = tokio::join!(client(&http, None), renewal);
    client.unwrap();
}

/// Makes a copy of the fixtures' key that other users cannot read.
fn private_key(folder: &Path) -> PathBuf {
    let path = folder.join("us.key");
    fs::copy(fixture("server.key"), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[tokio::test(start_paused = true)]
async fn an_unusable_client_certificate_is_a_fault_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let key = private_key(folder.path());
    let cert = file("us.pem", &fs::read(fixture("wrong-purpose.pem")).unwrap());
    let another = fixture("ca.pem");
    let absent = folder.path().join("absent");
    let large = file("large", &vec![b'\n'; 65_537]);
    let text = file("text", b"hello\n");
    for (cert, key, named, why) in [
        (&absent, &key, &absent, "cannot be read: No such file"),
        (&cert, &absent, &absent, "cannot be read: No such file"),
        (
            &cert,
            &folder.path().to_owned(),
            &folder.path().to_owned(),
            "is not a file",
        ),
        (&large, &key, &large, "is larger than"),
        (&cert, &large, &large, "is larger than"),
        (&text, &key, &text, "holds no certificate in PEM form"),
        (&cert, &text, &text, "holds no private key in PEM form"),
        (&cert, &cert, &cert, "holds no private key in PEM form"),
        (&another, &key, &another, "do not belong together"),
    ] {
        let fake = Fake::start(vec![json(200, "{}")]).await;
        let files = ClientCertificate {
            cert: cert.clone(),
            key: key.clone(),
        };
        let settings = Settings {
            client_certificate: Some(ClientSource {
                files,
                owner: uid(),
            }),
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
async fn a_client_connects_only_to_its_own_origin() {
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
    assert!(http.send(request, None).await.is_err());
    assert_eq!((own.connections(), other.connections()), (0, 0));
}

#[tokio::test]
async fn a_plain_http_address_needs_no_roots() {
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
async fn a_proxy_only_gets_a_connect_request_and_is_named_on_failure() {
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
            "the proxy {} opens no connection to https://issuer.invalid",
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

    // A loopback literal is reached directly, whatever proxy is configured.
    let fake = Fake::start(vec![json(200, "{}")]).await;
    assert_eq!(post(&fake.url(), settings()).await.unwrap().status, 200);
    assert_eq!((fake.connections(), proxy.connections()), (1, 1));
}

#[tokio::test]
async fn a_body_of_any_content_type_is_read_except_for_redirects() {
    for (play, status, body) in [
        (json(200, "{}"), 200, "{}"),
        (json(401, "{}"), 401, "{}"),
        (
            crate::provider::fake::answer(200, "text/html", "", "page"),
            200,
            "page",
        ),
        (
            crate::provider::fake::answer(502, "text/html", "", "page"),
            502,
            "page",
        ),
        (
            crate::provider::fake::answer(302, "text/html", "", "page"),
            302,
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

/// A process has one environment, so this test runs itself in another process.
#[test]
fn environment_variables_have_no_effect_unless_configured() {
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
        "provider::http::tests::hostile_environment_child_uses_a_proxy_only_if_configured",
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
#[ignore = "run by environment_variables_have_no_effect_unless_configured"]
async fn hostile_environment_child_uses_a_proxy_only_if_configured() {
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
    // The test cannot replace the system's roots, and a machine may have none.
    let kinds = [FaultKind::Connect, FaultKind::NoCa];
    assert!(kinds.contains(&fault.kind), "{fault:?}");
}
