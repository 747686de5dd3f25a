//! TLS with a certification authority of the sandbox's own: it is made at the start, and its key is gone with it.

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

/// How long the certificates hold. Some systems take none that holds for more than 398 days.
const VALIDITY: Duration = Duration::from_secs(397 * 86_400);

/// How long before the start they begin: clocks differ, and the one that has expired needs a time in which it was valid.
const BACKDATED: Duration = Duration::from_secs(2 * 86_400);

/// When the expired one did.
const EXPIRED_SINCE: Duration = Duration::from_secs(86_400);

/// How long a client may take to shake hands: a connection must not be held for ever by one that stopped.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);

/// The certificates that can be shown, each with what it takes to show it.
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
    /// Makes a certification authority and its certificates for a server at this address, which is also `localhost`
    /// and has these names.
    ///
    /// # Errors
    /// No keys can be made here, or a name is none.
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

    /// The certification authority's certificate in PEM form: who trusts it, and the right name, gets through.
    pub(super) fn ca(&self) -> &str {
        &self.ca
    }

    /// Shakes hands over a connection, with the certificate that the fault takes; without an answer there is none.
    ///
    /// # Errors
    /// The client went away, or did not like what it saw.
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
