//! The certificate of an accent's issuer, and the CA file of the profile.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio_rustls::TlsAcceptor;

/// A server's certificate, and the roots that its clients trust.
pub(crate) struct Certificate {
    pub(crate) acceptor: TlsAcceptor,
    /// The content of the CA file.
    pub(crate) ca_file: String,
}

type Ca = CertifiedIssuer<'static, KeyPair>;

impl Certificate {
    /// Makes a certificate and a CA file from the space-separated words in `shows` and `trusts`.
    pub(crate) fn make(shows: &str, trusts: &str) -> Result<Self, String> {
        let root = ca("a root", None);
        let between = ca("an intermediate", Some(&root));
        let mut params = params("a server");
        let (mut by, mut sent) = (None, vec![]);
        for word in shows.split(' ') {
            match word {
                "self-signed" => {}
                "of-root" => by = Some(&root),
                "of-intermediate" => by = Some(&between),
                "with-intermediate" => sent.push(&between),
                "with-root" => sent.push(&root),
                "ca" => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
                "for-clients" => {
                    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                }
                "for-another" => params.subject_alt_names = names("elsewhere.example"),
                "nameless" => params.subject_alt_names.clear(),
                "expired" => params.not_after = date_time_ymd(2020, 1, 1),
                "not-yet-valid" => params.not_before = date_time_ymd(2190, 1, 1),
                _ => return Err(format!("unknown certificate: {word}")),
            }
        }
        let key = KeyPair::generate().unwrap();
        let own = match by {
            Some(ca) => params.signed_by(&key, ca),
            None => params.self_signed(&key),
        };
        let own = own.unwrap();
        let mut parts: Vec<String> = vec![];
        for word in trusts.split(' ') {
            match word {
                "itself" => parts.push(own.pem()),
                "root" => parts.push(root.as_ref().pem()),
                "another" => parts.push(ca("another root", None).as_ref().pem()),
                "namesake" => parts.push(ca("a root", None).as_ref().pem()),
                // These two words change the certificate before them.
                "windows" => {
                    let part = parts.pop().unwrap_or_default();
                    parts.push(format!("\u{feff}{}", part.replace('\n', "\r\n")));
                }
                "openssl" => {
                    let part = parts.pop().unwrap_or_default();
                    parts.push(part.replace(" CERTIFICATE", " TRUSTED CERTIFICATE"));
                }
                _ => return Err(format!("unknown CA file: {word}")),
            }
        }
        let mut chain = vec![own.der().clone()];
        chain.extend(sent.iter().map(|ca| ca.as_ref().der().clone()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()));
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config.unwrap())),
            ca_file: parts.concat(),
        })
    }
}

fn names(name: &str) -> Vec<rcgen::SanType> {
    let params = CertificateParams::new(vec![name.to_owned()]);
    params.unwrap().subject_alt_names
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names("127.0.0.1");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn ca(name: &str, above: Option<&Ca>) -> Ca {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    match above {
        Some(above) => Ca::signed_by(params, key, above).unwrap(),
        None => Ca::self_signed(params, key).unwrap(),
    }
}
