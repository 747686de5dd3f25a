use std::sync::Arc;

use rustls::{InvalidMessage, PeerIncompatible};

use super::*;

fn route(has_ca_file: bool, shows_certificate: bool) -> Route {
    Route {
        at: "https://a.example".to_owned(),
        proxy: None,
        has_ca_file,
        shows_certificate,
    }
}

#[test]
fn a_certificate_date_out_of_range_is_omitted() {
    let time = UnixTime::since_unix_epoch(Duration::ZERO);
    for (seconds, written) in [
        (0, "has expired (on Thu, 01 Jan 1970 00:00:00 GMT);"),
        (
            END_OF_DATES - 1,
            "has expired (on Fri, 31 Dec 9999 23:59:59 GMT);",
        ),
        (END_OF_DATES, "has expired;"),
        (u64::MAX, "has expired;"),
    ] {
        let not_after = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let error = CertificateError::ExpiredContext { time, not_after };
        let words = words(&error.into(), &route(false, false));
        assert!(words.contains(written), "{words}");
    }
}

#[test]
fn a_handshake_alert_names_our_certificate_or_the_tls_version() {
    let asks = "https://a.example asks for a client certificate that it trusts";
    for (alert, without, with) in [
        (
            Alert::CertificateRequired,
            "none is configured (client-certificate)",
            "it trusts",
        ),
        (
            Alert::UnknownCA,
            asks,
            "and refuses the configured one: it does not know its CA",
        ),
        (
            Alert::CertificateExpired,
            asks,
            "and refuses the configured one: it has expired",
        ),
        (
            Alert::HandshakeFailure,
            "or it asks for a client certificate",
            "does not take the client certificate",
        ),
        (
            Alert::ProtocolVersion,
            "neither TLS 1.2 nor 1.3",
            "neither TLS 1.2 nor 1.3",
        ),
        (
            Alert::UnrecognisedName,
            "does not know the name",
            "does not know the name",
        ),
        (
            Alert::InternalError,
            "the TLS handshake with https://a.example failed",
            "failed",
        ),
    ] {
        let said = |shows| words(&TlsError::AlertReceived(alert), &route(false, shows));
        assert!(said(false).contains(without), "{}", said(false));
        assert!(said(true).contains(with), "{}", said(true));
        assert!(!said(true).contains("none is configured"), "{}", said(true));
    }
    for (error, why) in [
        (
            TlsError::InvalidMessage(InvalidMessage::InvalidContentType),
            "speaks no TLS; is it another port?",
        ),
        (
            TlsError::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
            "neither TLS 1.2 nor 1.3",
        ),
    ] {
        let words = words(&error, &route(false, false));
        assert!(words.contains(why), "{words}");
    }
}

#[test]
fn a_ca_file_is_advised_only_if_none_is_configured() {
    use CertificateProblem as Is;
    for error in [
        Is::SelfSigned.error(),
        Is::UnknownIssuer.error(),
        Is::UnknownAbove.error(),
        Is::UnknownRoot.error(),
        CertificateError::Other(OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity))).into(),
        CertificateError::UnknownIssuer.into(),
        CertificateError::Revoked.into(),
    ] {
        assert_eq!(kind(&error), FaultKind::TlsUntrusted);
        let with = words(&error, &route(true, false));
        assert!(
            with.contains("is not trusted") && !with.contains("ca-file"),
            "{with}"
        );
        let without = words(&error, &route(false, false));
        assert!(
            without.contains("is not trusted") && !without.contains("CA file"),
            "{without}"
        );
    }
}
