//! TLS with the sandbox's own certification authority, which is made at the start and never stored.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::fault::TlsFault;
use super::moment::Moment;

/// The validity of the certificates. Some systems accept none that is valid for more than 398 days.
const VALIDITY: Duration = Duration::from_secs(397 * 86_400);

/// How long before the start they become valid: clocks differ, and the expired one needs a time at which it was
/// valid.
const BACKDATED: Duration = Duration::from_secs(2 * 86_400);

/// How long ago the expired one has expired.
const EXPIRED_SINCE: Duration = Duration::from_secs(86_400);

/// The timeout of a handshake, so that a stalled client does not occupy a connection for ever.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// The certificates of the server, with their keys.
#[derive(Debug)]
pub(super) struct Tls {
    ca: String,
    right: Arc<ServerConfig>,
    wrong_name: Arc<ServerConfig>,
    expired: Arc<ServerConfig>,
    self_signed: Arc<ServerConfig>,
}

type Made<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

impl Tls {
    /// Makes a certification authority and its certificates for a server at this address, under the name `localhost`
    /// and these names.
    ///
    /// # Errors
    /// The keys cannot be made, or a name is invalid.
    pub(super) fn new(ip: IpAddr, names: &[String], now: Moment) -> io::Result<Self> {
        Self::make(ip, names, now).map_err(io::Error::other)
    }

    fn make(ip: IpAddr, names: &[String], now: Moment) -> Made<Self> {
        let mut params = params("the sandbox's CA", &[], now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;

        let mut here = vec![ip.to_string(), "localhost".to_owned()];
        here.extend_from_slice(names);
        let right = leaf(&here, now)?;
        let mut expired = right.clone();
        expired.not_after = expired.not_before + (BACKDATED - EXPIRED_SINCE);
        let elsewhere = leaf(&["elsewhere.invalid".to_owned()], now)?;

        let signed = |params: &CertificateParams| {
            let key = KeyPair::generate()?;
            server(&params.signed_by(&key, &ca)?, &key)
        };
        let key = KeyPair::generate()?;
        Ok(Self {
            right: signed(&right)?,
            wrong_name: signed(&elsewhere)?,
            expired: signed(&expired)?,
            self_signed: server(&right.self_signed(&key)?, &key)?,
            ca: ca.pem(),
        })
    }

    /// Returns the certification authority's certificate in PEM form. A client that trusts it and uses a right name
    /// can connect.
    pub(super) fn ca(&self) -> &str {
        &self.ca
    }

    /// Makes the handshake on a connection, with the certificate of the fault. With [`TlsFault::Hang`] it never
    /// answers.
    ///
    /// # Errors
    /// The client disconnected, or refused the certificate.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        fault: Option<TlsFault>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let config = match fault {
            None => &self.right,
            Some(TlsFault::WrongName) => &self.wrong_name,
            Some(TlsFault::Expired) => &self.expired,
            Some(TlsFault::SelfSigned) => &self.self_signed,
            Some(TlsFault::Hang) => {
                let mut stream = stream;
                super::script::drain(&mut stream).await?;
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        };
        let handshake = TlsAcceptor::from(Arc::clone(config)).accept(stream);
        tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await?
    }
}

fn params(name: &str, hosts: &[String], now: Moment) -> Made<CertificateParams> {
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(1970, 1, 1) + now.unix.saturating_sub(BACKDATED);
    params.not_after = params.not_before + VALIDITY;
    Ok(params)
}

fn leaf(hosts: &[String], now: Moment) -> Made<CertificateParams> {
    let mut params = params("the sandbox", hosts, now)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params)
}

fn server(certificate: &Certificate, key: &KeyPair) -> Made<Arc<ServerConfig>> {
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)?;
    Ok(Arc::new(config))
}
