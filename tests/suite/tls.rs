//! Invalid issuer certificates and unusable roots: `jetond add` reports them, writes nothing and sends nothing.

use std::fs::{self, Permissions};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::thread;

use jetond::offload;
use jetond::sandbox::Line;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::doctor::doctor;
use crate::support::TestEnv;
use crate::support::daemon::wait_until;

/// A test environment with a TLS sandbox, and the file with the sandbox's CA.
fn encrypted() -> (TestEnv, String) {
    let mut env = TestEnv::new();
    env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
    let ca = env.ca_file(0).unwrap();
    (env, ca)
}

/// Starts a TLS proxy with this certificate in front of a server. Returns its address, and the certificate in PEM form.
/// The proxy ends with the process.
fn front(params: &CertificateParams, to: SocketAddr) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        );
    let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        offload::event_loop().unwrap().block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // The client may end a handshake.
                    let mut client = acceptor.accept(client).await?;
                    let mut server = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
    });
    (url, certificate.pem())
}

/// Asserts that the enrolment is refused with this message, before anything was sent or written.
fn refused(env: &TestEnv, more: &[&str], code: i32, why: &str) {
    let added = env.try_enrol_with("research", &env.sandbox().url(), more);
    assert_eq!((added.code, added.stdout.as_str()), (code, ""), "{added:?}");
    assert!(added.stderr.contains(why), "{why}: {added:?}");
    assert!(!env.record("research").exists() && !env.config().exists());
    assert_eq!(env.sandbox().stats().token_requests, 0, "{why}");
}

#[test]
fn each_certificate_error_is_distinguished_and_no_secret_is_sent() {
    let (env, ca) = encrypted();
    let trust = ["--ca-file", ca.as_str()];
    for (fault, code, why) in [
        ("tls:wrong-name", 78, "is for another name"),
        ("tls:expired", 78, "has expired (on "),
        ("tls:self-signed", 78, "is not trusted"),
        ("tls:hang", 75, "no connection to https://127.0.0.1:"),
    ] {
        env.fault(fault);
        refused(&env, &trust, code, why);
    }
    env.fault("none");
    let added = env.try_enrol_with("research", &env.sandbox().url(), &trust);
    assert_eq!(added.code, 0, "{added:?}");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    assert_eq!(env.sandbox().issued().last(), Some(&token));
    env.stop(&mut daemon);
}

#[test]
fn without_its_ca_the_sandbox_is_not_trusted() {
    let (mut env, _) = encrypted();
    let other = env.add_sandbox_that(Line::V2_24, 600, |options| options.tls = true);
    let other = env.ca_file(other).unwrap();
    refused(&env, &["--ca-file", &other], 78, "is not trusted");
    assert_eq!(env.sandbox().stats().token_requests, 0);
}

#[test]
fn an_unusable_ca_file_is_reported_with_its_path() {
    let (env, ca) = encrypted();
    let pem = fs::read_to_string(&ca).unwrap();
    let key = include_str!("../fixtures/tls/server.key");
    let der = b"\x30\x82\x01\x8f\x30\x82\x01\x34";
    let files: [(&str, &[u8], &str); 4] = [
        ("empty", b"", "holds no certificate in PEM form"),
        ("key", key.as_bytes(), "holds no certificate in PEM form"),
        ("der", der, "holds no certificate in PEM form"),
        ("cut", &pem.as_bytes()[..100], "is not in PEM form"),
    ];
    for (name, content, why) in files {
        let path = env.path(name);
        fs::write(&path, content).unwrap();
        let path = path.to_str().unwrap();
        refused(&env, &["--ca-file", path], 78, &format!("{path} {why}"));
    }
    // A credential cannot be bound to a file that cannot be read.
    let folder = env.path("tmp");
    refused(
        &env,
        &["--ca-file", folder.to_str().unwrap()],
        78,
        "not a file",
    );
    let absent = env.path("absent");
    refused(
        &env,
        &["--ca-file", absent.to_str().unwrap()],
        78,
        "No such",
    );
    // Root can read every file.
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(&ca, Permissions::from_mode(0o000)).unwrap();
        refused(&env, &["--ca-file", &ca], 78, "Permission denied");
    }
}

/// Returns a certificate as `openssl req -x509` makes it: a CA's certificate for this address.
fn of_ca() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn address(env: &TestEnv) -> SocketAddr {
    let url = env.sandbox().url();
    url.strip_prefix("http://").unwrap().parse().unwrap()
}

#[test]
fn a_self_signed_certificate_is_trusted_if_it_is_the_ca_file() {
    let mut env = TestEnv::new();
    env.add_sandbox(Line::V2_24, 600);
    let (url, pem) = front(&of_ca(), address(&env));
    let (_, another) = front(&of_ca(), address(&env));
    let path = env.path("issuer.pem");
    let ca = path.to_str().unwrap();
    let add = || env.try_enrol_with("research", &url, &["--ca-file", ca]);
    fs::write(&path, &another).unwrap();
    let refused = add();
    assert_eq!(refused.code, 78, "{refused:?}");
    let why = "it is self-signed, and not the one in the CA file";
    assert!(refused.stderr.contains(why), "{refused:?}");
    assert_eq!(env.sandbox().stats().token_requests, 0);

    // The file as Notepad saves it.
    fs::write(&path, format!("\u{feff}{}", pem.replace('\n', "\r\n"))).unwrap();
    let added = add();
    assert_eq!(added.code, 0, "{added:?}");
    let mut daemon = env.start();
    let token = env.token(&daemon, "research");
    assert_eq!(env.sandbox().issued().last(), Some(&token));

    // The credential is bound to the set of certificates, not to the text of the file.
    env.stop(&mut daemon);
    fs::write(&path, &pem).unwrap();
    let mut daemon = env.start();
    env.token(&daemon, "research");
    env.stop(&mut daemon);
    let bound = env.jetond(&["check"]);
    assert_eq!(bound.code, 0, "{bound:?}");
}

#[test]
fn a_self_signed_client_or_nameless_certificate_is_refused() {
    let mut env = TestEnv::new();
    env.add_sandbox(Line::V2_24, 600);
    let for_clients = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    };
    let nameless = |params: &mut CertificateParams| params.subject_alt_names.clear();
    for (change, why) in [
        (&for_clients as &dyn Fn(&mut _), "it is not for servers"),
        (&nameless, "has no subject alternative name"),
    ] {
        let mut params = of_ca();
        change(&mut params);
        let (url, pem) = front(&params, address(&env));
        let path = env.path("issuer.pem");
        fs::write(&path, pem).unwrap();
        let ca = path.to_str().unwrap();
        let refused = env.try_enrol_with("research", &url, &["--ca-file", ca]);
        assert_eq!(refused.code, 78, "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
    assert_eq!(env.sandbox().stats().token_requests, 0);
}

#[test]
fn an_unsupported_certificate_format_is_reported_with_a_converter() {
    let (env, ca) = encrypted();
    let pem = fs::read_to_string(&ca).unwrap();
    let trusted = pem.replace(" CERTIFICATE", " TRUSTED CERTIFICATE");
    fs::write(&ca, format!("{trusted}{pem}")).unwrap();
    let why = format!("openssl crl2pkcs7 -nocrl -certfile {ca} | openssl pkcs7 -print_certs");
    refused(&env, &["--ca-file", &ca], 78, &why);
    fs::write(&ca, trusted).unwrap();
    let why = format!("openssl x509 -in {ca} -out NEW.pem");
    refused(&env, &["--ca-file", &ca], 78, &why);
}

#[test]
fn a_mismatched_client_certificate_and_key_are_reported() {
    let (env, ca) = encrypted();
    let file = |name: &str, content: &str| {
        let path = env.path(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = file("us.key", include_str!("../fixtures/tls/server.key"));
    let another = file("ca.pem", include_str!("../fixtures/tls/ca.pem"));
    let old = file("v1.pem", include_str!("../fixtures/tls/client-v1.pem"));
    for (cert, why) in [
        (&another, "do not belong together"),
        (&old, "has version 1 (X.509v1)"),
    ] {
        let shown = [
            "--ca-file",
            &ca,
            "--client-certificate",
            cert,
            "--client-key",
            &key,
        ];
        refused(&env, &shown, 78, why);
    }
}

#[test]
fn doctor_does_not_propose_the_ca_file_that_is_already_set() {
    let (env, ca) = encrypted();
    let url = env.sandbox().url();
    let added = env.try_enrol_with("research", &url, &["--ca-file", &ca]);
    assert_eq!(added.code, 0, "{added:?}");
    env.fault("tls:self-signed");
    let mut daemon = env.start();
    let failed = || {
        env.get(&daemon, "/v1/profiles/research").json()["last_fault"]["kind"] == "tls_untrusted"
    };
    wait_until("the fault", failed);
    let (_, findings) = doctor(&env, &[]);
    let about: Vec<_> = findings
        .iter()
        .filter(|finding| {
            finding["found"]
                .as_str()
                .is_some_and(|found| found.contains("self-signed"))
        })
        .collect();
    // One finding about the issuer, and one about the daemon's attempt.
    assert!(about.len() >= 2, "{findings:#?}");
    for finding in about {
        let remedy = finding["remedy"].as_str().unwrap();
        assert!(
            remedy.contains(&ca) && !remedy.contains("ca-file"),
            "{finding:#}"
        );
    }
    env.stop(&mut daemon);
}
