//! Facts in a certificate that the TLS library does not expose: who may use it, and whether it is its own issuer (RFC
//! 5280 section 4.1). No signature is checked, so these facts alone never create trust.

/// Tags of ASN.1 (X.690 section 8).
mod tag {
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const OID: u8 = 0x06;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const VERSION: u8 = 0xa0;
    pub(super) const EXTENSIONS: u8 = 0xa3;
}

/// The object identifiers of extensions and of a usage.
mod oid {
    pub(super) const KEY_USAGE: &[u8] = b"\x55\x1d\x0f";
    pub(super) const BASIC_CONSTRAINTS: &[u8] = b"\x55\x1d\x13";
    pub(super) const EXTENDED_KEY_USAGE: &[u8] = b"\x55\x1d\x25";
    /// `id-kp-serverAuth`.
    pub(super) const SERVER: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x01";
}

/// `keyCertSign` in the first byte of a key usage.
const SIGNS_CERTIFICATES: u8 = 0x04;

/// The facts in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFacts<'a> {
    /// Its version, from 1 to 3.
    pub version: u8,
    /// Its issuer's name, as DER.
    pub issuer: &'a [u8],
    /// Its own name, as DER.
    pub subject: &'a [u8],
    /// `cA` of its basic constraints, if it has them.
    states_ca: Option<bool>,
    /// Whether the key usage allows it to sign certificates, if it has a key usage.
    states_signing: Option<bool>,
    /// Whether the extended key usage includes servers, if it has an extended key usage.
    states_server: Option<bool>,
}

// === impl Facts ===

impl<'a> CertificateFacts<'a> {
    /// Parses a certificate; `None` if the bytes are not one.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let (certificate, _) = expect(tag::SEQUENCE, der)?;
        let (tbs, _) = expect(tag::SEQUENCE, certificate)?;
        let (version, rest) = match take(tbs)? {
            (tag::VERSION, version, rest) => (expect(tag::INTEGER, version)?.0, rest),
            _ => (&b"\x00"[..], tbs),
        };
        let &[version @ 0..=2] = version else {
            return None;
        };
        let (_serial, rest) = expect(tag::INTEGER, rest)?;
        let (_algorithm, rest) = expect(tag::SEQUENCE, rest)?;
        let (issuer, rest) = expect(tag::SEQUENCE, rest)?;
        let (_validity, rest) = expect(tag::SEQUENCE, rest)?;
        let (subject, rest) = expect(tag::SEQUENCE, rest)?;
        let (_key, mut rest) = expect(tag::SEQUENCE, rest)?;
        let mut facts = Self {
            version: version + 1,
            issuer,
            subject,
            states_ca: None,
            states_signing: None,
            states_server: None,
        };
        while !rest.is_empty() {
            let (tag, content, after) = take(rest)?;
            if tag == tag::EXTENSIONS {
                facts.take_extensions(expect(tag::SEQUENCE, content)?.0)?;
            }
            rest = after;
        }
        Some(facts)
    }

    /// Reports whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Reports whether it may vouch for other certificates. Version 1 has no way to deny it.
    pub fn is_ca(&self) -> bool {
        let without_constraints = self.version < 3 || self.states_signing == Some(true);
        self.states_ca.unwrap_or(without_constraints)
    }

    /// Reports whether a server may use it. Without a stated usage, it may be used for everything.
    pub fn is_for_servers(&self) -> bool {
        self.states_server.unwrap_or(true)
    }

    fn take_extensions(&mut self, mut extensions: &'a [u8]) -> Option<()> {
        while !extensions.is_empty() {
            let (extension, after) = expect(tag::SEQUENCE, extensions)?;
            extensions = after;
            let (id, rest) = expect(tag::OID, extension)?;
            let value = match take(rest)? {
                (tag::BOOLEAN, _critical, rest) => expect(tag::OCTET_STRING, rest)?.0,
                (tag::OCTET_STRING, value, _) => value,
                _ => return None,
            };
            match id {
                oid::BASIC_CONSTRAINTS => self.states_ca = Some(is_ca(value)?),
                oid::KEY_USAGE => self.states_signing = Some(may_sign(value)?),
                oid::EXTENDED_KEY_USAGE => self.states_server = Some(is_for_servers(value)?),
                _ => {}
            }
        }
        Some(())
    }
}

/// Parses `BasicConstraints`, whose `cA` is false by default.
fn is_ca(value: &[u8]) -> Option<bool> {
    let (constraints, _) = expect(tag::SEQUENCE, value)?;
    let stated = expect(tag::BOOLEAN, constraints);
    Some(stated.is_some_and(|(ca, _)| ca != b"\x00"))
}

/// Parses `KeyUsage`: a byte with the number of unused bits, then the bits.
fn may_sign(value: &[u8]) -> Option<bool> {
    let (bits, _) = expect(tag::BIT_STRING, value)?;
    let first = bits.get(1).copied().unwrap_or_default();
    Some(first & SIGNS_CERTIFICATES != 0)
}

/// Parses `ExtKeyUsageSyntax`.
fn is_for_servers(value: &[u8]) -> Option<bool> {
    let (mut usages, _) = expect(tag::SEQUENCE, value)?;
    let mut is_for_servers = false;
    while !usages.is_empty() {
        let (usage, rest) = expect(tag::OID, usages)?;
        is_for_servers |= usage == oid::SERVER;
        usages = rest;
    }
    Some(is_for_servers)
}

/// Returns the content of an element with this tag, and the rest of the input.
fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = take(input)?;
    (found == tag).then_some((content, rest))
}

/// Returns the tag and the content of the first element, and the rest of the input. Lengths have at most three bytes: a
/// certificate is shorter than 16 MiB.
fn take(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = input.split_first_chunk()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len = bytes
                .iter()
                .fold(0, |len, byte| len << 8 | usize::from(*byte));
            (len, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose as Purpose, IsCa, KeyPair,
        KeyUsagePurpose,
    };

    use super::*;

    fn der(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_ca_and_server_purpose_flags_are_read_from_a_certificate() {
        let of_ca = |params: &mut CertificateParams| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            params.extended_key_usages = vec![Purpose::ClientAuth, Purpose::ServerAuth];
        };
        let plain = |_: &mut CertificateParams| {};
        let explicit = |params: &mut CertificateParams| {
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![Purpose::ClientAuth];
        };
        let signing = |params: &mut CertificateParams| {
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        };
        for (der, is_ca, is_for_servers) in [
            (der(of_ca), true, true),
            (der(plain), false, true),
            (der(explicit), false, false),
            (der(signing), true, true),
        ] {
            let facts = CertificateFacts::read(&der).unwrap();
            assert_eq!(facts.version, 3);
            assert!(facts.is_self_issued());
            assert_eq!(
                (facts.is_ca(), facts.is_for_servers()),
                (is_ca, is_for_servers)
            );
        }
    }

    #[test]
    fn the_certificate_version_is_read_from_the_first_field() {
        let tbs = |version: &[u8]| {
            let rest = b"\x02\x01\x01\x30\x00\x30\x00\x30\x00\x30\x01\x05\x30\x00";
            let tbs = [version, rest].concat();
            let tbs = [&[0x30, u8::try_from(tbs.len()).unwrap()], tbs.as_slice()].concat();
            [&[0x30, u8::try_from(tbs.len()).unwrap()], tbs.as_slice()].concat()
        };
        for (version, is) in [
            (&b""[..], Some(1)),
            (b"\xa0\x03\x02\x01\x00", Some(1)),
            (b"\xa0\x03\x02\x01\x01", Some(2)),
            (b"\xa0\x03\x02\x01\x02", Some(3)),
            (b"\xa0\x03\x02\x01\x03", None),
            (b"\xa0\x02\x02\x00", None),
        ] {
            let der = tbs(version);
            let facts = CertificateFacts::read(&der);
            assert_eq!(facts.map(|facts| facts.version), is, "{version:?}");
            assert!(facts.is_none_or(|facts| !facts.is_self_issued()));
        }
    }

    #[test]
    fn a_truncated_or_corrupted_certificate_does_not_panic() {
        let der = der(|params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params.extended_key_usages = vec![Purpose::ServerAuth];
        });
        for at in 0..der.len() {
            assert_eq!(CertificateFacts::read(&der[..at]), None, "{at}");
            for byte in [0, 1, 0x7f, 0x80, 0x83, 0x84, 0xff] {
                let mut changed = der.clone();
                changed[at] = byte;
                let _ = CertificateFacts::read(&changed);
            }
        }
    }
}
