//! Findings about a profile's issuer: its answer, or the reason why there was none.

use std::path::Path;

use super::super::facts::IssuerFacts;
use super::super::finding::Finding;
use crate::config::{Profile, Proxy};
use crate::fault::{Fault, FaultKind};
use crate::instant::UnixTime;

/// The accepted difference between the issuer's clock and ours, in seconds. `Date` has a resolution of a second, and an
/// answer takes time; a short token tolerates a minute.
const SKEW: u64 = 60;

/// Findings about the issuer, the route to it, and its clock.
pub(in crate::cli::doctor) fn issuer(
    profile: &Profile,
    facts: &IssuerFacts,
    proxy_set: bool,
) -> Vec<Finding> {
    const CHECK: &str = "issuer";
    let url = profile.url();
    let mut findings = vec![];
    let unreached = facts.reached.is_err();
    match &facts.reached {
        Err(fault) => findings.push(unreachable(CHECK, fault, profile)),
        Ok(reached) if reached.status >= 500 => findings.push(
            Finding::warn(
                CHECK,
                format!("{url} answers with status {}", reached.status),
            )
            .remedy("it has a fault: ask its operator".to_owned()),
        ),
        Ok(_) => match &facts.discovered {
            Some(Err(fault)) => findings.push(unreachable(CHECK, fault, profile)),
            _ => findings.push(Finding::ok(CHECK, format!("{url} answers"))),
        },
    }
    findings.extend(proxy(profile, proxy_set, unreached));
    let date = facts
        .reached
        .as_ref()
        .ok()
        .and_then(|reached| reached.server_date);
    findings.extend(date.map(|date| clock(date, facts.now)));
    findings
}

fn unreachable(check: &'static str, fault: &Fault, profile: &Profile) -> Finding {
    Finding::fail(check, fault.detail.clone()).remedy(remedy(fault.kind, Some(profile)))
}

/// The remedy for a fault of this kind, for a profile with this configuration.
pub(in crate::cli::doctor) fn remedy(kind: FaultKind, profile: Option<&Profile>) -> String {
    let ca_file = profile.and_then(|profile| profile.ca_file.as_deref());
    match (kind, ca_file.map(Path::display)) {
        (FaultKind::TlsUntrusted, path) => {
            let shows_one = profile.is_some_and(|profile| profile.client_certificate.is_some());
            let ours = if shows_one {
                "if the client certificate is the cause, correct the files of client-certificate"
            } else {
                "if it asks for a client certificate, name one: client-certificate"
            };
            match path {
                Some(path) => format!(
                    "{ours}; else compare what it shows with {path}: openssl s_client -showcerts -connect HOST:PORT"
                ),
                None => format!("{}; {ours}", general(kind)),
            }
        }
        (FaultKind::NoCa, Some(path)) => {
            format!("put the certificates to trust into {path}, in PEM form")
        }
        _ => general(kind).to_owned(),
    }
}

const fn general(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Dns => {
            "check the name in the configuration, and that this machine has a network and its resolver"
        }
        FaultKind::Connect => "check its port, and whether a firewall or a proxy is between",
        FaultKind::TlsName => {
            "write the name that its certificate is for; if the name is right, something else answers there"
        }
        FaultKind::TlsExpired => {
            "set this machine's clock (timedatectl), or have the certificate renewed"
        }
        FaultKind::TlsUntrusted => {
            "if its CA is one of your organisation's, name its file: ca-file = \"…\""
        }
        FaultKind::NoCa => {
            "install the system's certificates (ca-certificates), or name a file: ca-file = \"…\""
        }
        FaultKind::Timeout => "a firewall may drop what is sent; does it need a proxy?",
        FaultKind::Reset => "something on the way cuts connections; does it need a proxy?",
        FaultKind::Malformed
        | FaultKind::InterimAnswers
        | FaultKind::TooLarge
        | FaultKind::Redirect
        | FaultKind::Rejected => "check the address in the configuration",
        FaultKind::NoEndpoint => {
            "check the address in the configuration; if it is right, something in front of the issuer answers in its place"
        }
        _ => "try again, or ask its operator",
    }
}

/// Compares the environment's proxy with the configured one. Quotes no value, since it may contain a password.
pub(super) fn proxy(profile: &Profile, set: bool, unreached: bool) -> Option<Finding> {
    const CHECK: &str = "proxy";
    match (profile.proxy_in_use(), set) {
        // A loopback address is never reached through a proxy.
        (Proxy::Direct, true)
            if profile.proxy == Proxy::Direct && !profile.provider.origin().is_loopback() =>
        {
            let found =
                "HTTPS_PROXY is set here and not used, since the configuration names no proxy";
            if unreached {
                let before = "proxy = \"environment\" or its address in the profile, then: ";
                Some(Finding::warn(CHECK, found).command(before, "add NAME --rebind"))
            } else {
                Some(Finding::ok(CHECK, found))
            }
        }
        (Proxy::Environment, false) => {
            let found = "the configuration says \"environment\", and HTTPS_PROXY is not set here";
            let remedy = "set it for the daemon too, or write the proxy's address into the profile";
            Some(Finding::warn(CHECK, found).remedy(remedy.to_owned()))
        }
        (Proxy::Environment, true) => Some(Finding::ok(
            CHECK,
            "the environment's; the daemon needs the same environment",
        )),
        (Proxy::Direct | Proxy::Http(_), _) => None,
    }
}

fn clock(date: UnixTime, now: UnixTime) -> Finding {
    const CHECK: &str = "clock";
    let (theirs, ours) = (date.seconds_down(), now.seconds_down());
    let off = theirs.abs_diff(ours);
    if off <= SKEW {
        return Finding::ok(CHECK, format!("within {SKEW} s of the issuer's"));
    }
    let side = if ours < theirs { "behind" } else { "ahead of" };
    Finding::warn(
        CHECK,
        format!("this machine's is {off} s {side} the issuer's"),
    )
    .remedy(
        "set it by NTP: timedatectl set-ntp true; if it is right, the issuer's is wrong".to_owned(),
    )
}
