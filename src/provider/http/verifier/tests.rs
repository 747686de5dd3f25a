#![expect(
    clippy::disallowed_methods,
    reason = "a test without a thread may panic"
)]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::thread;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
    date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, ServerConnection, Stream};
use zeroize::Zeroizing;

use super::*;
use crate::config::BaseUrl;
use crate::fault::{Fault, FaultKind};
use crate::provider::http::{CaSource, Http, Request, Roots, Settings};

type Ca = CertifiedIssuer<'static, KeyPair>;

/// The certificates and the key of a server.
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/tls")
        .join(name)
}

/// Returns parameters for this address, with this common name.
fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn of_ca(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn ca(name: &str) -> Ca {
    Ca::self_signed(of_ca(name), KeyPair::generate().unwrap()).unwrap()
}

fn sub_ca(params: CertificateParams, above: &Ca) -> Ca {
    Ca::signed_by(params, KeyPair::generate().unwrap(), above).unwrap()
}

fn der(ca: &Ca) -> CertificateDer<'static> {
    ca.as_ref().der().clone()
}

fn private(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(key.serialize_der().into())
}

/// Makes a self-signed certificate.
fn self_signed(params: &CertificateParams) -> Shown {
    let key = KeyPair::generate().unwrap();
    let chain = vec![params.self_signed(&key).unwrap().der().clone()];
    let key = private(&key);
    Shown { chain, key }
}

/// Makes a certificate of this CA, with the CAs that are sent with it.
fn signed(params: &CertificateParams, by: &Ca, sent: &[&Ca]) -> Shown {
    let key = KeyPair::generate().unwrap();
    let mut chain = vec![params.signed_by(&key, by).unwrap().der().clone()];
    chain.extend(sent.iter().map(|ca| der(ca)));
    let key = private(&key);
    Shown { chain, key }
}

/// Starts a server for one connection. Joining it returns the decrypted bytes that it read.
fn serve(
    shown: &Shown,
    version: &'static rustls::SupportedProtocolVersion,
) -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = provider
        .key_provider
        .load_private_key(shown.key.clone_key());
    // This does not check whether the key belongs to the certificate.
    let certified = CertifiedKey::new(shown.chain.clone(), key.unwrap());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = Stream::new(&mut tls, &mut socket);
        let mut read = Vec::new();
        let mut chunk = [0; 4_096];
        let is_whole = |read: &[u8]| {
            read.ends_with(b"canary") || read.starts_with(b"GET") && read.ends_with(b"\r\n\r\n")
        };
        while !is_whole(&read) {
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

/// Formats a CA file with these certificates.
fn pem(certificates: &[CertificateDer<'static>]) -> String {
    let block = |der: &CertificateDer<'_>| {
        let config = base64::engine::general_purpose::STANDARD;
        let text = base64::Engine::encode(&config, der);
        let lines: Vec<_> = text
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line))
            .collect();
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            lines.join("\n")
        )
    };
    certificates.iter().map(block).collect()
}

/// Sends a request with a secret. Asserts that nothing was sent if there is no answer.
async fn ask(
    shown: &Shown,
    ca_file: &str,
    version: &'static rustls::SupportedProtocolVersion,
) -> Result<u16, Fault> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, ca_file).unwrap();
    let owner = rustix::process::geteuid().as_raw();
    let settings = Settings {
        roots: Roots::File(CaSource::File { path, owner }),
        ..Settings::default()
    };
    let (address, server) = serve(shown, version);
    let url = BaseUrl::parse(&format!("https://{address}")).unwrap();
    let request = Request {
        url: url.origin().join("/token"),
        authorization: None,
        post: Some(("text/plain", Zeroizing::new(b"canary".to_vec()))),
    };
    let answer = Http::new(url.origin(), settings).send(request, None).await;
    let read = server.join().unwrap();
    assert_eq!(answer.is_ok(), read.ends_with(b"canary"));
    assert!(answer.is_ok() || read.is_empty());
    answer.map(|answer| answer.status)
}

/// Returns whether curl accepts the same server; `None` if it is not installed.
fn curl_takes(shown: &Shown, ca_file: &str) -> Option<bool> {
    let has_openssl = Command::new("curl").arg("--version").output().ok()?;
    if !String::from_utf8_lossy(&has_openssl.stdout).contains("OpenSSL") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    fs::write(&path, ca_file).unwrap();
    let (address, server) = serve(shown, &rustls::version::TLS13);
    let mut curl = Command::new("curl");
    curl.args([
        "-q",
        "-sS",
        "--noproxy",
        "*",
        "--max-time",
        "60",
        "--cacert",
    ]);
    let output = curl
        .arg(&path)
        .arg(format!("https://{address}/"))
        .output()
        .unwrap();
    server.join().unwrap();
    Some(output.status.success())
}

/// Asserts that the client refuses the server, with this kind and message.
async fn refused(shown: &Shown, trusted: &[CertificateDer<'static>], kind: FaultKind, why: &str) {
    let fault = ask(shown, &pem(trusted), &rustls::version::TLS13).await;
    let fault = fault.unwrap_err();
    assert_eq!(fault.kind, kind, "{fault:?} / {why}");
    let detail = &fault.detail;
    let at = "the certificate of https://127.0.0.1:";
    assert!(
        detail.starts_with(at) && detail.contains(why),
        "{detail} / {why}"
    );
}

#[tokio::test]
async fn a_self_signed_certificate_in_the_ca_file_is_trusted_as_curl_does() {
    let with = |change: fn(&mut CertificateParams)| {
        let mut params = of_ca("self-signed");
        change(&mut params);
        params
    };
    let usages = |params: &mut CertificateParams| {
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyCertSign,
        ];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
    };
    let mut curl_was_asked = false;
    for (name, params, curl_agrees) in [
        ("CA", with(|_| {}), true),
        (
            "path",
            with(|p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
            true,
        ),
        ("usages", with(usages), true),
        // The library ignores the key usage; OpenSSL checks it.
        (
            "signs",
            with(|p| p.key_usages = vec![KeyUsagePurpose::KeyCertSign]),
            false,
        ),
        ("none", with(|p| p.is_ca = IsCa::NoCa), true),
        ("no CA", with(|p| p.is_ca = IsCa::ExplicitNoCa), true),
    ] {
        let shown = self_signed(&params);
        let other = der(&ca("other"));
        let alone = pem(&shown.chain);
        let among = pem(&[other.clone(), shown.chain[0].clone(), other]);
        for file in [
            &alone,
            &among,
            &format!("\u{feff}{}", alone.replace('\n', "\r\n")),
        ] {
            for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
                let status = ask(&shown, file, version).await;
                assert_eq!(status.unwrap(), 200, "{name} {version:?}");
            }
        }
        if let Some(takes) = curl_takes(&shown, &alone) {
            curl_was_asked = true;
            assert_eq!(takes, curl_agrees, "{name}");
        }
    }
    if !curl_was_asked {
        println!("IGNORED: a comparison with curl: no curl with OpenSSL here");
    }
}

#[tokio::test]
async fn a_ca_certificate_not_in_the_ca_file_is_refused_as_a_server() {
    let key = KeyPair::generate().unwrap();
    let made = |serial: u64| {
        let mut params = of_ca("the same");
        params.serial_number = Some(serial.into());
        params.self_signed(&key).unwrap().der().clone()
    };
    let (trusted, shown) = (made(1), made(2));
    let shown = Shown {
        chain: vec![shown],
        key: private(&key),
    };
    let why = "it is the certificate of a CA itself, and not one of those in the CA file";
    let kind = FaultKind::TlsUntrusted;
    let self_signed = "it is self-signed, and not the one in the CA file";
    refused(&shown, std::slice::from_ref(&trusted), kind, self_signed).await;
    assert_ne!(curl_takes(&shown, &pem(&[trusted])), Some(true));
    // A CA below one in the file cannot vouch either.
    let root = ca("root");
    let below = sub_ca(of_ca("below"), &root);
    let shown = signed(&of_ca("server"), &below, &[&below]);
    refused(&shown, &[der(&root)], kind, why).await;
}

#[tokio::test]
async fn a_trusted_self_signed_certificate_must_pass_all_other_checks() {
    let of = |change: fn(&mut CertificateParams), is_ca: bool| {
        let mut params = if is_ca { of_ca("it") } else { params("it") };
        change(&mut params);
        self_signed(&params)
    };
    let name = |p: &mut CertificateParams| {
        p.subject_alt_names = CertificateParams::new(vec!["other.example".to_owned()])
            .unwrap()
            .subject_alt_names;
    };
    let address = |p: &mut CertificateParams| {
        p.subject_alt_names = CertificateParams::new(vec!["127.0.0.2".to_owned()])
            .unwrap()
            .subject_alt_names;
    };
    let past = |p: &mut CertificateParams| p.not_after = date_time_ymd(2020, 1, 1);
    let future = |p: &mut CertificateParams| p.not_before = date_time_ymd(2190, 1, 1);
    let client = |p: &mut CertificateParams| {
        p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    for is_ca in [true, false] {
        for (shown, kind, why, curl_agrees) in [
            (
                of(name, is_ca),
                FaultKind::TlsName,
                "is for another name, and for no IP address",
                true,
            ),
            (
                of(address, is_ca),
                FaultKind::TlsName,
                "is for another name",
                true,
            ),
            (
                of(|p| p.subject_alt_names.clear(), is_ca),
                FaultKind::TlsName,
                "has no subject alternative name",
                true,
            ),
            (
                of(past, is_ca),
                FaultKind::TlsExpired,
                "has expired (on Wed, 01 Jan 2020 00:00:00 GMT); is this machine's clock right?",
                true,
            ),
            (
                of(future, is_ca),
                FaultKind::TlsExpired,
                "is not valid yet (but from Fri, 01 Jan 2190 00:00:00 GMT)",
                true,
            ),
            (
                of(client, is_ca),
                FaultKind::TlsUntrusted,
                "it is not for servers",
                true,
            ),
        ] {
            let trusted = shown.chain.clone();
            refused(&shown, &trusted, kind, why).await;
            if let Some(takes) = curl_takes(&shown, &pem(&trusted)) {
                assert_eq!(!takes, curl_agrees, "{why}");
            }
        }
        // A server whose key does not belong to its certificate.
        let shown = Shown {
            key: private(&KeyPair::generate().unwrap()),
            ..of(|_| {}, is_ca)
        };
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let fault = ask(&shown, &pem(&shown.chain), version).await.unwrap_err();
            assert_eq!(fault.kind, FaultKind::TlsUntrusted, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_self_signed_certificate_without_ca_flag_signs_no_other() {
    let (untrusted, why) = (
        FaultKind::TlsUntrusted,
        "the certificate in the CA file that signed it is not a CA's",
    );
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let mut params_of_it = params("no CA");
        params_of_it.is_ca = is_ca;
        let issuer = Ca::self_signed(params_of_it, KeyPair::generate().unwrap()).unwrap();
        let shown = signed(&params("server"), &issuer, &[]);
        refused(&shown, &[der(&issuer)], untrusted, why).await;
        refused(&shown, &[der(&issuer), der(&ca("other"))], untrusted, why).await;
        assert_ne!(curl_takes(&shown, &pem(&[der(&issuer)])), Some(true));
    }
    // A certificate that may sign others counts as a CA, even if it does not say so.
    let mut signs = params("signs");
    signs.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = Ca::self_signed(signs, KeyPair::generate().unwrap()).unwrap();
    let shown = signed(&params("server"), &issuer, &[]);
    let status = ask(&shown, &pem(&[der(&issuer)]), &rustls::version::TLS13).await;
    assert_eq!(status.unwrap(), 200);
}

#[tokio::test]
async fn each_reason_for_an_untrusted_issuer_is_reported() {
    let (root, other) = (ca("root"), ca("other"));
    let between = sub_ca(of_ca("between"), &root);
    let server = params("server");
    let own = signed(&server, &root, &[]);
    let expired = {
        let mut params = of_ca("expired");
        params.not_after = date_time_ymd(2020, 1, 1);
        sub_ca(params, &root)
    };
    let future = {
        let mut params = of_ca("future");
        params.not_before = date_time_ymd(2190, 1, 1);
        sub_ca(params, &root)
    };
    let elsewhere = {
        let mut params = of_ca("elsewhere");
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::IpAddress(CidrSubnet::V4(
                [10, 0, 0, 0],
                [255, 0, 0, 0],
            ))],
            excluded_subtrees: vec![],
        });
        sub_ca(params, &root)
    };
    let no_ca = sub_ca(params("no CA"), &root);
    let one = Shown {
        chain: vec![CertificateDer::from_pem_file(fixture("client-v1.pem")).unwrap()],
        key: PrivateKeyDer::from_pem_file(fixture("server.key")).unwrap(),
    };
    let untrusted = FaultKind::TlsUntrusted;
    let dates = FaultKind::TlsExpired;
    let it = own.chain[0].clone();
    for (shown, trusted, kind, why) in [
        (
            &signed(&server, &between, &[]),
            der(&root),
            untrusted,
            "does not send an intermediate certificate",
        ),
        (
            &own,
            der(&other),
            untrusted,
            "unknown issuer; either its CA is missing in the CA file",
        ),
        (
            &signed(&server, &between, &[&other]),
            der(&root),
            untrusted,
            "does not send an intermediate certificate",
        ),
        (
            &signed(&server, &between, &[&between]),
            der(&other),
            untrusted,
            "the CA above the chain that the server sent",
        ),
        (
            &signed(&server, &between, &[&between, &root]),
            der(&other),
            untrusted,
            "the root of its chain is not in the CA file",
        ),
        (
            &signed(&server, &between, &[&root, &between]),
            der(&other),
            untrusted,
            "the root of its chain is not in the CA file",
        ),
        (
            &self_signed(&server),
            der(&root),
            untrusted,
            "it is self-signed, and not the one in the CA file",
        ),
        (
            &own,
            it,
            untrusted,
            "the CA file has this certificate, which is not self-signed",
        ),
        (
            &own,
            der(&ca("root")),
            untrusted,
            "has another key; was that CA made again?",
        ),
        (
            &signed(&server, &expired, &[&expired]),
            der(&root),
            dates,
            "is right, but a certificate of its chain has expired",
        ),
        (
            &signed(&server, &future, &[&future]),
            der(&root),
            dates,
            "is right, but a certificate of its chain is not valid yet",
        ),
        (
            &signed(&server, &elsewhere, &[&elsewhere]),
            der(&root),
            untrusted,
            "its CA may not vouch for this name",
        ),
        (
            &signed(&server, &no_ca, &[&no_ca]),
            der(&root),
            untrusted,
            "the certificate that signed it is not a CA's",
        ),
        (
            &one,
            der(&root),
            untrusted,
            "it is of version 1 (X.509v1), and so without a subject alternative name",
        ),
        (
            &one,
            one.chain[0].clone(),
            untrusted,
            "it is of version 1 (X.509v1)",
        ),
    ] {
        refused(shown, &[trusted], kind, why).await;
    }
}
