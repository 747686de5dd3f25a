#![expect(
    clippy::disallowed_methods,
    reason = "a test without a thread may panic"
)]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use zeroize::Zeroizing;

use super::*;
use crate::config::{BaseUrl, ClientCertificate, Proxy};
use crate::provider::http::{
    CaSource, Call, ClientSource, Http, Method, Request, Resolver, Roots, Settings,
};
use crate::token::AccessToken;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
}

/// Starts a server for one connection with this certificate. Joining it returns the decrypted bytes that it read.
fn serve(certificate: &str) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
    serve_to(certificate, Clients::Anybody)
}

/// The clients that a server accepts.
#[derive(Clone, Copy)]
enum Clients {
    Anybody,
    /// Clients with a certificate of the test's CA.
    OfOurCa,
}

fn serve_to(certificate: &str, clients: Clients) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
    let chain = vec![CertificateDer::from_pem_file(fixture(certificate)).unwrap()];
    let key = PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = match clients {
        Clients::Anybody => config.with_no_client_auth(),
        Clients::OfOurCa => {
            let mut roots = rustls::RootCertStore::empty();
            roots
                .add(CertificateDer::from_pem_file(fixture("ca.pem")).unwrap())
                .unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            config.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = config.with_single_cert(chain, key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = Stream::new(&mut tls, &mut socket);
        let mut read = Vec::new();
        let mut chunk = [0; 4_096];
        while !read.ends_with(b"canary") {
            match stream.read(&mut chunk) {
                Ok(n) if n > 0 => read.extend_from_slice(&chunk[..n]),
                _ => return read,
            }
        }
        let answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(answer).unwrap();
        stream.flush().unwrap();
        read
    });
    (address, server)
}

async fn post(address: SocketAddr, roots: &str) -> Result<u16, Fault> {
    let path = fixture(roots);
    post_trusting(
        address,
        Roots::File(CaSource::File {
            path,
            owner: rustix::process::geteuid().as_raw(),
        }),
    )
    .await
}

async fn post_trusting(address: SocketAddr, roots: Roots) -> Result<u16, Fault> {
    let settings = Settings {
        roots,
        ..Settings::default()
    };
    post_with(address, settings).await
}

async fn post_with(address: SocketAddr, settings: Settings) -> Result<u16, Fault> {
    let url = BaseUrl::parse(&format!("https://{address}")).unwrap();
    let body = Zeroizing::new(b"canary".to_vec());
    let request = Request {
        url: url.origin().join("/token"),
        authorization: None,
        post: Some(("text/plain", body)),
    };
    Http::new(url.origin(), settings)
        .send(request, None)
        .await
        .map(|answer| answer.status)
}

/// The system's roots are in fixed folders, so this test runs itself in its own mount namespace, where the test's CA
/// is the system's only one.
#[cfg(target_os = "linux")]
#[test]
fn a_ca_file_replaces_the_system_roots() {
    let in_mounts = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", script, "sh"]);
        command
    };
    let script = "mount -t tmpfs tmpfs /etc/ssl && mkdir /etc/ssl/certs";
    let can = in_mounts(script).output();
    if !can.is_ok_and(|output| output.status.success()) {
        println!("IGNORED: the system's roots: no mount namespaces here, or not root");
        return;
    }
    let script = "set -e
        mount -t tmpfs tmpfs /etc/ssl
        mkdir /etc/ssl/certs
        for d in /etc/pki /var/lib/ca-certificates /usr/local/share/certs /etc/ca-certificates; do
            if test -d $d; then mount -t tmpfs tmpfs $d; fi
        done
        cp \"$1\" /etc/ssl/certs/ca-certificates.crt
        shift
        exec \"$@\"";
    let mut inner = in_mounts(script);
    inner
        .arg(fixture("ca.pem"))
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--ignored",
            "provider::http::classify::tests::system_roots_are_used_where_they_include_our_ca",
        ]);
    let output = inner.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[tokio::test]
#[ignore = "run by a_ca_file_replaces_the_system_roots"]
async fn system_roots_are_used_where_they_include_our_ca() {
    let (address, server) = serve("good.pem");
    assert_eq!(post_trusting(address, Roots::System).await.unwrap(), 200);
    server.join().unwrap();
    // Clients with a client certificate trust the system's roots, too.
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("us.key");
    std::fs::copy(fixture("server.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let cert = fixture("good.pem");
    let settings = Settings {
        client_certificate: Some(ClientSource {
            files: ClientCertificate { cert, key },
            owner: rustix::process::geteuid().as_raw(),
        }),
        ..Settings::default()
    };
    let (address, server) = serve("good.pem");
    assert_eq!(post_with(address, settings).await.unwrap(), 200);
    server.join().unwrap();
    let (address, server) = serve("good.pem");
    assert_eq!(
        post(address, "self-signed.pem").await.unwrap_err().kind,
        FaultKind::TlsUntrusted
    );
    assert_eq!(server.join().unwrap(), b"");
}

#[tokio::test]
async fn the_configured_client_certificate_is_presented_on_request() {
    let owner = rustix::process::geteuid().as_raw();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("us.key");
    std::fs::copy(fixture("server.key"), &key).unwrap();
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let settings = |cert: Option<&str>| Settings {
        roots: Roots::File(CaSource::File {
            path: fixture("ca.pem"),
            owner,
        }),
        client_certificate: cert.map(|cert| ClientSource {
            files: ClientCertificate {
                cert: fixture(cert),
                key: key.clone(),
            },
            owner,
        }),
        ..Settings::default()
    };
    let (address, server) = serve_to("good.pem", Clients::OfOurCa);
    let certificate = settings(Some("wrong-purpose.pem"));
    assert_eq!(post_with(address, certificate).await.unwrap(), 200);
    assert!(server.join().unwrap().ends_with(b"canary"));
    // One is not for clients, one has an unknown issuer, and one is missing: the server ends the handshake.
    for cert in [Some("good.pem"), Some("self-signed.pem"), None] {
        let (address, server) = serve_to("good.pem", Clients::OfOurCa);
        let fault = post_with(address, settings(cert)).await.unwrap_err();
        // The server's reason may be lost: with TLS 1.3 it may end the connection while the client already sends.
        let why = "asks for a client certificate that it trusts";
        match fault.kind {
            FaultKind::TlsUntrusted => assert!(fault.detail.contains(why), "{cert:?} {fault:?}"),
            kind => assert_eq!(kind, FaultKind::Reset, "{cert:?} {fault:?}"),
        }
        assert_eq!(server.join().unwrap(), b"", "{cert:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_the_configured_ca_is_trusted() {
    let (address, server) = serve("good.pem");
    assert_eq!(post(address, "ca.pem").await.unwrap(), 200);
    assert!(
        server
            .join()
            .unwrap()
            .starts_with(b"POST /token HTTP/1.1\r\n")
    );
}

#[tokio::test]
async fn an_invalid_server_certificate_is_refused_before_sending() {
    for (certificate, roots, kind, why) in [
        (
            "wrong-name.pem",
            "ca.pem",
            FaultKind::TlsName,
            "another name",
        ),
        (
            "expired.pem",
            "ca.pem",
            FaultKind::TlsExpired,
            "has expired (on",
        ),
        (
            "not-yet-valid.pem",
            "ca.pem",
            FaultKind::TlsExpired,
            "is not valid yet (but from",
        ),
        (
            "self-signed.pem",
            "ca.pem",
            FaultKind::TlsUntrusted,
            "not trusted",
        ),
        (
            "wrong-purpose.pem",
            "ca.pem",
            FaultKind::TlsUntrusted,
            "not trusted",
        ),
        // A CA file replaces the system's roots.
        (
            "good.pem",
            "self-signed.pem",
            FaultKind::TlsUntrusted,
            "not trusted",
        ),
    ] {
        let (address, server) = serve(certificate);
        let fault = post(address, roots).await.unwrap_err();
        assert_eq!(fault.kind, kind, "{certificate}: {fault:?}");
        assert!(
            fault.detail.contains(why) && fault.detail.contains(&address.to_string()),
            "{fault:?}"
        );
        assert_eq!(server.join().unwrap(), b"", "{certificate}");
    }
}

#[tokio::test]
async fn a_server_without_tls_receives_no_request() {
    for (answer, kind) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            FaultKind::TlsUntrusted,
        ),
        (&b""[..], FaultKind::Reset),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut read = vec![0; 4_096];
            let n = socket.read(&mut read).unwrap();
            socket.write_all(answer).unwrap();
            read.truncate(n);
            read
        });
        let fault = post(address, "ca.pem").await.unwrap_err();
        assert_eq!(fault.kind, kind, "{fault:?}");
        assert!(!server.join().unwrap().windows(6).any(|w| w == b"canary"));
    }
}

/// Returns a resolver that finds no name.
fn nowhere() -> Resolver {
    let start = |work: Box<dyn FnOnce() + Send>| thread::Builder::new().spawn(work).map(drop);
    Resolver::new(|_| Err(io::Error::other("canary")), start)
}

#[tokio::test]
async fn a_failed_name_resolution_differs_from_a_failed_connection() {
    for (proxy, detail) in [
        (
            Proxy::Direct,
            "the name in https://issuer.invalid cannot be resolved",
        ),
        (
            Proxy::parse("http://p:3128").unwrap(),
            "the name of the proxy http://p:3128, or else that in https://issuer.invalid, cannot be resolved",
        ),
    ] {
        let settings = Settings {
            roots: Roots::File(CaSource::File {
                path: fixture("ca.pem"),
                owner: rustix::process::geteuid().as_raw(),
            }),
            proxy,
            resolver: nowhere(),
            ..Settings::default()
        };
        let url = BaseUrl::parse("https://issuer.invalid").unwrap();
        let http = Http::new(url.origin(), settings);
        let token = AccessToken::parse("canary").unwrap();
        let call = Call::new(Method::Get, url.origin().join("/x"), &token, 1);
        let exchange = http.reach(url.origin().join("/x")).await.map(|_| ());
        let call = http.call(call, None).await.map(|_| ());
        for fault in [exchange.unwrap_err(), call.unwrap_err()] {
            assert_eq!(
                (fault.kind, fault.detail.as_str()),
                (FaultKind::Dns, detail)
            );
        }
    }
}
