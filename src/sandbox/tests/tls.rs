//! TLS: the certificates, and answers that are written by hand through TLS.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;
use crate::sandbox::{Timeline, TlsFault};

async fn encrypted() -> Sandbox {
    let options = Options {
        tls: true,
        names: vec!["issuer.invalid".to_owned()],
        ..options(Line::V2_24)
    };
    Sandbox::start(options).await.unwrap()
}

/// Makes a TLS handshake under this name, trusting only these roots.
async fn hands(sandbox: &Sandbox, name: &str, ca: &str) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = sandbox.url().strip_prefix("https://").unwrap().to_owned();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, TcpStream::connect(address).await?)
        .await
}

async fn trusted(sandbox: &Sandbox) -> io::Result<TlsStream<TcpStream>> {
    hands(sandbox, "127.0.0.1", sandbox.ca().unwrap()).await
}

/// Sends a token request; returns the bytes, and how the connection ended.
async fn ask_for_token(sandbox: &Sandbox) -> (Vec<u8>, io::Result<usize>) {
    let mut stream = trusted(sandbox).await.unwrap();
    let headers = format!("Content-Type: {FORM}\r\nConnection: close\r\n");
    let request = request("POST", "/api/v2/token", &headers, GOOD_FORM);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut raw = Vec::new();
    let read = stream.read_to_end(&mut raw);
    let end = tokio::time::timeout(PATIENCE, read).await.unwrap();
    (raw, end)
}

fn refusal(error: &io::Error) -> &CertificateError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(why)) => why,
        _ => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn only_clients_that_trust_the_sandbox_ca_complete_a_tls_handshake() {
    let sandbox = encrypted().await;
    let (raw, end) = ask_for_token(&sandbox).await;
    end.unwrap();
    assert_eq!(Reply::parse(&raw).status, 200);
    let ca = sandbox.ca().unwrap();
    for name in ["localhost", "issuer.invalid"] {
        hands(&sandbox, name, ca).await.unwrap();
    }
    let other = encrypted().await;
    for (name, ca, unknown) in [
        ("127.0.0.1", other.ca().unwrap(), true),
        ("localhost.example", ca, false),
        ("127.0.0.2", ca, false),
    ] {
        let error = hands(&sandbox, name, ca).await.unwrap_err();
        // two authorities of the same name have different keys
        let is_unknown = matches!(
            refusal(&error),
            CertificateError::UnknownIssuer | CertificateError::BadSignature
        );
        assert_eq!(is_unknown, unknown, "{name}: {error}");
    }
    // a request without TLS gets no HTTP answer
    let address = sandbox.url().replacen("https", "http", 1);
    let mut clear = connect(&address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let (raw, _) = read_all(&mut clear).await;
    assert!(!raw.starts_with(b"HTTP"), "{raw:?}");
}

#[tokio::test]
async fn the_certificate_is_switched_for_new_connections() {
    let sandbox = encrypted().await;
    let set = async |fault| sandbox.set_fault(Some(Fault::Tls(fault))).await.unwrap();
    set(TlsFault::WrongName).await;
    let error = trusted(&sandbox).await.unwrap_err();
    assert!(
        matches!(refusal(&error), CertificateError::NotValidForNameContext { presented, .. } if format!("{presented:?}").contains("elsewhere.invalid")),
        "{error:?}"
    );
    set(TlsFault::Expired).await;
    let error = trusted(&sandbox).await.unwrap_err();
    assert!(
        matches!(refusal(&error), CertificateError::ExpiredContext { .. }),
        "{error:?}"
    );
    set(TlsFault::SelfSigned).await;
    let error = trusted(&sandbox).await.unwrap_err();
    assert_eq!(*refusal(&error), CertificateError::UnknownIssuer);
    set(TlsFault::Hang).await;
    let silent = tokio::time::timeout(Duration::from_millis(100), trusted(&sandbox)).await;
    assert!(silent.is_err(), "{silent:?}");
    sandbox.set_fault(None).await.unwrap();
    ask_for_token(&sandbox).await.1.unwrap();
    // a timeline can switch the certificate, too
    let steps = [(Duration::ZERO, Some(Fault::Tls(TlsFault::Expired)))];
    sandbox.run_script(Timeline::new(steps)).await.unwrap();
    trusted(&sandbox).await.unwrap_err();
}

#[tokio::test]
async fn tls_faults_that_would_have_no_effect_are_refused() {
    let (clear, sandbox) = (start(Line::V2_24).await, encrypted().await);
    let fault = Fault::Tls(TlsFault::Expired);
    let timeline = Timeline::new([(PATIENCE, Some(fault.clone()))]);
    for refused in [
        clear.set_fault(Some(fault.clone())).await,
        clear.run_script(timeline.clone()).await,
        sandbox.set_fault_for(fault, 1).await,
    ] {
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
    sandbox.run_script(timeline).await.unwrap();
    assert_eq!((clear.fault(), sandbox.fault()), (None, None));
}

#[tokio::test]
async fn raw_responses_are_the_same_with_tls_as_without() {
    let sandbox = encrypted().await;
    for (fault, ends_well) in [("drip:0", true), ("reset", false)] {
        let fault = Fault::parse(fault).unwrap();
        sandbox.set_fault(Some(fault.clone())).await.unwrap();
        let (raw, end) = ask_for_token(&sandbox).await;
        assert!(raw.starts_with(b"HTTP/1.1 200 OK\r\n"), "{fault}");
        assert_eq!(end.is_ok(), ends_well, "{fault}: {end:?}");
    }
    sandbox.set_fault(Some(Fault::HangBody)).await.unwrap();
    let mut stream = trusted(&sandbox).await.unwrap();
    let headers = format!("Content-Type: {FORM}\r\n");
    let request = request("POST", "/api/v2/token", &headers, GOOD_FORM);
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut begun = [0; 8];
    let read = stream.read_exact(&mut begun);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    assert_eq!(&begun, b"HTTP/1.1");
}
