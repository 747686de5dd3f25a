//! Notes that the CA variables of other programs, such as `SSL_CERT_FILE`, have no effect here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::output::print_note;
use super::target::lines::quoted;
use crate::config::{Config, Profile};
use crate::fault::{Fault, FaultKind};
use crate::offload;
use crate::paths::Env;
use crate::provider::configured::{self, ProviderFiles};

/// Time limit for an issuer to show its certificate.
const LIMIT: Duration = Duration::from_secs(3);

/// The system's own certificates, which a variable often names, as in container images. They are trusted already.
const OF_THE_SYSTEM: [&str; 7] = [
    "/etc/ssl/certs",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// The note to print if one of these variables is set and the system's certificates do not vouch for the profile's
/// issuer.
pub(super) fn note(profile: &Profile, fault: &Fault, env: &Env) -> Option<String> {
    let is_of_roots = matches!(fault.kind, FaultKind::TlsUntrusted | FaultKind::NoCa);
    if profile.ca_file.is_some() || !is_of_roots {
        return None;
    }
    said(env, |path| path.is_dir())
}

/// Prints the note for the issuers of a configuration. Only if one of these variables is set does it connect to the
/// issuers, without a credential.
pub(super) fn note_issuers(config: &Config, owner: u32, env: &Env) {
    if others(env).next().is_none() {
        return;
    }
    let profiles = config.profiles.values();
    let by_system = profiles.filter(|profile| profile.ca_file.is_none());
    let sites: BTreeMap<_, _> = by_system.map(|profile| (profile.site(), profile)).collect();
    // Without an event loop the check is skipped: it is only a hint, not a fault of the configuration.
    let Ok(runtime) = offload::event_loop() else {
        return;
    };
    let notes = runtime.block_on(async {
        let files = ProviderFiles::of(owner);
        let mut reaching = tokio::task::JoinSet::new();
        for (site, profile) in sites {
            let (profile, files, env) = (profile.clone(), files.clone(), env.clone());
            reaching.spawn(async move {
                let fault = configured::reach(&profile, &files, LIMIT).await.err()?;
                let note = note(&profile, &fault, &env)?;
                Some(format!("warning: {site}: {}; {note}", fault.detail))
            });
        }
        reaching.join_all().await
    });
    for note in notes.into_iter().flatten() {
        print_note(note);
    }
}

/// The variables that are set and name other certificates than the system's.
fn others(env: &Env) -> impl Iterator<Item = &(&'static str, PathBuf)> {
    let is_other = |path: &Path| !OF_THE_SYSTEM.iter().any(|known| path == Path::new(known));
    let all = env.ca_variables.iter();
    all.filter(move |(_, path)| is_other(path))
}

/// The note, if one of the variables is set.
fn said(env: &Env, is_folder: impl Fn(&Path) -> bool) -> Option<String> {
    let names: Vec<_> = others(env).map(|(name, _)| *name).collect();
    let set = match names.as_slice() {
        [] => return None,
        [name] => format!("{name} is set and decides nothing here"),
        [all @ .., last] => {
            format!(
                "{} and {last} are set and decide nothing here",
                all.join(", ")
            )
        }
    };
    let is_file = |name: &str, path: &_| name != "SSL_CERT_DIR" && !is_folder(path);
    let mut files: Vec<_> = others(env)
        .filter(|(name, path)| is_file(name, path))
        .collect();
    files.dedup_by_key(|(_, path)| path.as_path());
    let offers: Vec<_> = files
        .iter()
        .map(|(_, path)| format!("--ca-file {}", quoted(path)))
        .collect();
    let offer = match offers.is_empty() {
        true => "put the certificates into one file and name that by --ca-file".to_owned(),
        false => offers.join(" or "),
    };
    Some(format!(
        "{set}: only the system's certificates are trusted, or those of a CA file and no others; to trust what it names: {offer} (jetond add), or ca-file in the profile"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_ca_variables_are_named_and_their_files_offered() {
        let env = |vars: &[(&str, &str)]| {
            let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
            Env::from_vars(vars, 1_000)
        };
        let said = |vars: &[(&str, &str)]| said(&env(vars), |path| path.ends_with("dir"));
        assert_eq!(said(&[("SSL_CERT", "/x"), ("SSL_CERT_FILE", "")]), None);
        let of_the_system = "/etc/ssl/certs/ca-certificates.crt";
        assert_eq!(
            said(&[
                ("REQUESTS_CA_BUNDLE", of_the_system),
                ("SSL_CERT_DIR", "/etc/ssl/certs/")
            ]),
            None
        );
        for (vars, names, offer) in [
            (
                &[("SSL_CERT_FILE", "/a b.pem")][..],
                "SSL_CERT_FILE is set and decides nothing here",
                ": --ca-file '/a b.pem' (",
            ),
            (
                &[("CURL_CA_BUNDLE", "/c"), ("REQUESTS_CA_BUNDLE", "/r")],
                "REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE are set",
                ": --ca-file /r or --ca-file /c (",
            ),
            (
                &[
                    ("REQUESTS_CA_BUNDLE", "/x"),
                    ("SSL_CERT_FILE", "/x"),
                    ("SSL_CERT_DIR", "/d"),
                ],
                "SSL_CERT_FILE, SSL_CERT_DIR and REQUESTS_CA_BUNDLE are set",
                ": --ca-file /x (",
            ),
            (
                &[("SSL_CERT_DIR", "/d:/e")],
                "SSL_CERT_DIR is set",
                ": put the certificates into one file and name that by --ca-file (",
            ),
            (
                &[("REQUESTS_CA_BUNDLE", "/dir")],
                "REQUESTS_CA_BUNDLE is set",
                ": put the certificates into one file",
            ),
        ] {
            let said = said(vars).unwrap();
            assert!(said.starts_with(names) && said.contains(offer), "{said}");
        }
    }
}
