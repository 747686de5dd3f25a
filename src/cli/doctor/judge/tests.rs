use url::Url;

use std::path::PathBuf;
use std::time::Duration;

use super::issuer::proxy;
use super::*;
use crate::cli::doctor::facts::{IssuerFacts, Listener, SocketState, Traversal};
use crate::cli::doctor::finding::Verdict::{self, Fail, Ok as Good, Warn};
use crate::config::Profile;
use crate::fault::{Fault, FaultKind};
use crate::instant::UnixTime;
use crate::offload::NotStarted;
use crate::process::manager::SystemdManager;
use crate::provider::configured::ProbeAnswer;
use crate::store::BoundTarget;
use crate::store::KeyringFault;

fn name() -> ProfileName {
    ProfileName::parse("research").unwrap()
}

fn profile(extra: &str) -> Profile {
    profile_at("https://acme.run.ai", extra)
}

fn profile_at(url: &str, extra: &str) -> Profile {
    let text = format!("[profiles.research]\nprovider = 'runai'\nurl = '{url}'\n{extra}");
    let config = crate::config::parse(&text, &crate::testing::FewNames).unwrap();
    config.profiles.into_values().next().unwrap()
}

fn unix(seconds: u64) -> UnixTime {
    UnixTime::from_epoch(Duration::from_secs(seconds))
}

/// The verdicts and subjects. Checks that each bad finding has a remedy.
fn verdicts(findings: &[Finding]) -> Vec<(Verdict, &'static str)> {
    for finding in findings {
        assert!(!finding.found.is_empty());
        let needs = finding.verdict != Good;
        assert!(!needs || finding.remedy.is_some(), "{finding:?}");
    }
    findings.iter().map(|f| (f.verdict, f.check)).collect()
}

#[test]
fn a_configuration_is_good_empty_missing_or_broken() {
    let path = Path::new("/c.toml");
    let parse = |text: &str| {
        crate::config::parse(text, &crate::testing::FewNames).map_err(|faults| {
            ConfigError::Faults {
                path: path.to_owned(),
                faults,
            }
        })
    };
    let good = "[profiles.a]\nprovider = 'runai'\nurl = 'https://acme.run.ai'\n";
    let rule_off = &format!("{good}allow = [{{ user = 'canary' }}, {{ user = 'alice' }}]\n");
    for (named, missing, text, expected) in [
        (false, false, good, vec![Good]),
        (false, false, rule_off, vec![Good, Warn]),
        (false, true, "", vec![Warn]),
        (true, true, "", vec![Fail]),
        (true, false, "", vec![Warn]),
        (false, false, "x = 1\ny = 2\n", vec![Fail, Fail]),
    ] {
        let findings = configuration(path, named, missing, &parse(text));
        let found: Vec<_> = verdicts(&findings).into_iter().map(|(v, _)| v).collect();
        assert_eq!(found, expected, "{findings:?}");
    }
}

#[test]
fn a_folder_is_judged_by_its_use() {
    let facts = |why: Option<TrustFault>, kind: Option<&str>| FolderFacts {
        path: "/f".into(),
        judged: why.map_or(Ok(()), |why| Err(UntrustedPath::new(Path::new("/f"), why))),
        kind: kind.map(str::to_owned),
        passage: Traversal::Owner,
        shared: kind == Some("nfs4"),
    };
    let open = || {
        Some(TrustFault::Open {
            mode: 0o755,
            folder: true,
        })
    };
    let foreign = || Some(TrustFault::NotOurs { owner: 1, uid: 2 });
    let denied = || Some(TrustFault::io("open", ErrorKind::PermissionDenied.into()));
    for (what, why, kind, expected) in [
        (FolderUse::State, None, Some("ext4"), vec![(Good, "state")]),
        (
            FolderUse::State,
            Some(TrustFault::Missing),
            None,
            vec![(Good, "state")],
        ),
        (FolderUse::State, open(), None, vec![(Fail, "state")]),
        (FolderUse::State, foreign(), None, vec![(Fail, "state")]),
        (FolderUse::Sockets, foreign(), None, vec![(Warn, "sockets")]),
        (FolderUse::State, denied(), None, vec![(Warn, "state")]),
        (
            FolderUse::State,
            None,
            Some("nfs4"),
            vec![(Good, "state"), (Warn, "file system")],
        ),
        (
            FolderUse::Sockets,
            None,
            Some("nfs4"),
            vec![(Good, "sockets"), (Fail, "file system")],
        ),
    ] {
        let findings = folder(what, &facts(why, kind));
        assert_eq!(verdicts(&findings), expected, "{findings:?}");
    }
}

#[test]
fn the_socket_folder_finding_reports_who_can_pass_through_it() {
    for (passage, verdict, says) in [
        (Traversal::Owner, Good, "/f is private to its owner"),
        (
            Traversal::Others(0o755),
            Good,
            "/f lets others pass through (mode 0755), and only its owner can change it",
        ),
        (Traversal::NotEvenOwner(997, 0o700), Fail, "uid 997"),
    ] {
        let facts = FolderFacts {
            path: "/f".into(),
            judged: Ok(()),
            kind: None,
            shared: false,
            passage,
        };
        let found = sockets(&facts, None, true).remove(0);
        assert_eq!(found.verdict, verdict, "{found:?}");
        assert!(found.found.contains(says), "{found:?}");
        let remedy = (verdict == Fail).then_some("chmod 755 /f");
        assert_eq!(found.remedy.as_deref(), remedy);
    }
}

#[test]
fn the_daemon_finding_says_why_no_daemon_answers() {
    let at = |states: &[SocketState]| {
        let places = states.iter().enumerate();
        daemons(
            places
                .map(|(n, s)| (format!("/{n}").into(), s.clone()))
                .collect(),
        )
    };
    let process = Listener::Process { uid: 1000, pid: 7 };
    let answers = SocketState::Answers(200, Some(process));
    for (states, expected) in [
        (vec![], vec![Warn]),
        (vec![SocketState::Missing, SocketState::Missing], vec![Warn]),
        (vec![SocketState::Missing, answers.clone()], vec![Good]),
        (
            vec![answers.clone(), answers.clone()],
            vec![Good, Good, Warn],
        ),
        (vec![SocketState::Stale, answers.clone()], vec![Warn, Good]),
        (vec![SocketState::Stale], vec![Warn]),
        (vec![SocketState::NotASocket], vec![Fail]),
        (vec![SocketState::Denied], vec![Fail]),
        (vec![SocketState::Silent], vec![Fail]),
        (vec![SocketState::Unlinked], vec![Fail]),
        (vec![SocketState::Answers(403, None)], vec![Fail]),
        (vec![SocketState::Answers(500, None)], vec![Fail]),
        // A healthy daemon comes first, and the companion does not look at the places after it.
        (vec![answers.clone(), SocketState::Missing], vec![Good]),
        (vec![answers.clone(), SocketState::Denied], vec![Good; 2]),
        (vec![answers.clone(), SocketState::Stale], vec![Good; 2]),
        (vec![answers.clone(), SocketState::Silent], vec![Good; 2]),
        (vec![answers.clone(), SocketState::Unlinked], vec![Good; 2]),
        (
            vec![answers.clone(), SocketState::NotASocket],
            vec![Good; 2],
        ),
        (
            vec![answers.clone(), SocketState::Answers(403, None)],
            vec![Good; 2],
        ),
        // The companion tries a place before the healthy daemon.
        (vec![SocketState::Denied, answers.clone()], vec![Fail, Good]),
    ] {
        let findings = at(&states);
        let found: Vec<_> = verdicts(&findings).into_iter().map(|(v, _)| v).collect();
        assert_eq!(found, expected, "{findings:?}");
    }
    let [finding] = &at(&[answers])[..] else {
        panic!("one finding")
    };
    assert_eq!(
        finding.found,
        "a daemon answers at /0 (uid 1000, process 7)"
    );
    for (manager, says) in [
        (SystemdManager::System, "(the system's jetond.service)"),
        (SystemdManager::User, "(this user's jetond.service)"),
    ] {
        let service = Some(Listener::Service(manager));
        let found = at(&[SocketState::Answers(200, service)]).remove(0).found;
        assert_eq!(found, format!("a daemon answers at /0 {says}"));
    }
}

#[test]
fn the_remedy_for_a_missing_service_socket_restarts_its_unit() {
    for (folder, restart) in [
        ("/run", "systemctl restart"),
        ("/run/user/1000", "systemctl --user restart"),
    ] {
        let tokens = PathBuf::from(format!("{folder}/jeton/jeton.sock"));
        let found = daemons(vec![(tokens, SocketState::Unlinked)]).remove(0);
        let remedy = found.remedy.unwrap();
        assert!(
            remedy.ends_with(&format!(": {restart} jetond.socket")),
            "{remedy}"
        );
        let path = PathBuf::from(format!("{folder}/jeton-admin/admin.sock"));
        for (state, is_told) in [
            (SocketState::Missing, true),
            (SocketState::Stale, true),
            (SocketState::Unlinked, true),
            // The socket may be there, for other users.
            (SocketState::Denied, false),
            (SocketState::Answers(200, None), false),
            (SocketState::Silent, false),
        ] {
            let found = admin(&path, &state);
            assert_eq!(found.is_some(), is_told, "{state:?}");
            let Some(found) = found else { continue };
            let remedy = found.remedy.unwrap();
            assert!(
                remedy.ends_with(&format!("{restart} jetond-admin.socket")),
                "{remedy}"
            );
        }
    }
}

#[test]
fn the_credential_finding_checks_presence_and_binding() {
    let of = |facts: Result<&CredentialFacts, &NoResult>| {
        let findings = credential("is in a file", &name(), facts);
        findings.into_iter().next().unwrap()
    };
    let at = |url: &str| BoundTarget::Endpoint {
        provider: "oauth2".to_owned(),
        endpoint: Url::parse(url).unwrap(),
    };
    let moved =
        at("https://acme.run.ai/u/victim").differences(&at("https://acme.run.ai/u/mallory"));
    let at = || at("https://acme.run.ai");
    let keyring = |fault| {
        CredentialFacts::Unreadable(StoreError {
            place: "research".into(),
            kind: StoreErrorKind::Unavailable(Box::new(fault)),
            changed: false,
        })
    };
    for (facts, verdict, text) in [
        (
            CredentialFacts::Bound(at(), vec![]),
            Good,
            "acme.run.ai is in a file",
        ),
        (
            CredentialFacts::Bound(at(), moved),
            Fail,
            "was https://acme.run.ai/u/victim at enrolment and is https://acme.run.ai/u/mallory now",
        ),
        (CredentialFacts::Absent, Fail, "none is stored"),
        (CredentialFacts::Uncompared("no CA".into()), Fail, "no CA"),
        (keyring(KeyringFault::Locked), Fail, "it is locked"),
        (keyring(KeyringFault::NoBus), Fail, "no session bus"),
    ] {
        let finding = of(Ok(&facts));
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.found.contains(text), "{finding:?}");
        assert!(verdict == Good || finding.remedy.is_some(), "{finding:?}");
    }
    assert_eq!(of(Err(&NoResult::Late)).verdict, Fail);
}

#[test]
fn a_check_that_got_no_thread_fails_with_the_reason() {
    let refused = NoResult::Refused(NotStarted::NoThread(ErrorKind::WouldBlock.into()));
    let findings = [
        missed("state", Path::new("/s"), &refused),
        credential("is in a file", &name(), Err(&refused)).remove(0),
    ];
    for finding in findings {
        assert_eq!(finding.verdict, Fail, "{finding:?}");
        assert!(
            finding.found.contains("refuses another thread"),
            "{finding:?}"
        );
    }
}

#[test]
fn a_changed_token_endpoint_is_reported_with_the_rebind_command() {
    let at = |url: &str| BoundTarget::Endpoint {
        provider: "oauth2".to_owned(),
        endpoint: Url::parse(url).unwrap(),
    };
    let bound = at("https://a/t");
    assert_eq!(moved(&name(), &bound, &bound), None);
    let finding = moved(&name(), &bound, &at("https://a/u")).unwrap();
    assert_eq!(finding.verdict, Fail);
    assert!(
        finding
            .remedy
            .unwrap()
            .contains("jetond add research --rebind")
    );
}

fn reached(status: u16, date: Option<u64>) -> IssuerFacts {
    IssuerFacts {
        reached: Ok(ProbeAnswer {
            status,
            server_date: date.map(unix),
        }),
        now: unix(1_000_000),
        discovered: None,
    }
}

#[test]
fn every_fault_kind_has_a_remedy_and_tls_remedies_differ() {
    let mut remedies = vec![];
    for kind in [
        FaultKind::Dns,
        FaultKind::Connect,
        FaultKind::TlsName,
        FaultKind::TlsExpired,
        FaultKind::TlsUntrusted,
        FaultKind::NoCa,
        FaultKind::Timeout,
        FaultKind::Reset,
        FaultKind::Malformed,
        FaultKind::ServerError,
    ] {
        let facts = IssuerFacts {
            reached: Err(Fault::new(kind, "why")),
            ..reached(200, None)
        };
        let findings = issuer(&profile(""), &facts, false);
        assert_eq!(verdicts(&findings), [(Fail, "issuer")]);
        remedies.extend(findings.into_iter().filter_map(|f| f.remedy));
    }
    let different: std::collections::BTreeSet<_> = remedies.iter().collect();
    assert_eq!(different.len(), remedies.len());
}

#[test]
fn remedies_do_not_advise_settings_that_are_already_set() {
    let ca_file = "ca-file = '/ca.pem'\n";
    let certificate = "client-certificate = { cert = '/us.pem', key = '/us.key' }\n";
    let name_ours = "if it asks for a client certificate, name one: client-certificate";
    let mend_ours =
        "if the client certificate is the cause, correct the files of client-certificate";
    let untrusted = FaultKind::TlsUntrusted;
    for (kind, extra, is, is_not) in [
        (untrusted, "", "name its file: ca-file", mend_ours),
        (untrusted, "", name_ours, mend_ours),
        (untrusted, certificate, "name its file: ca-file", name_ours),
        (untrusted, certificate, mend_ours, name_ours),
        (untrusted, ca_file, name_ours, "ca-file"),
        (
            untrusted,
            ca_file,
            "compare what it shows with /ca.pem",
            mend_ours,
        ),
        (
            untrusted,
            &format!("{ca_file}{certificate}"),
            "compare what it shows with /ca.pem",
            "ca-file",
        ),
        (FaultKind::NoCa, "", "name a file: ca-file", "/ca.pem"),
        (FaultKind::NoCa, ca_file, "to trust into /ca.pem", "ca-file"),
    ] {
        let facts = IssuerFacts {
            reached: Err(Fault::new(kind, "why")),
            ..reached(200, None)
        };
        let remedy = issuer(&profile(extra), &facts, false).remove(0).remedy;
        let remedy = remedy.unwrap();
        assert!(
            remedy.contains(is) && !remedy.contains(is_not),
            "{extra}: {remedy} / {is} / {is_not}"
        );
    }
}

#[test]
fn an_issuer_passes_unless_it_fails_or_names_no_token_endpoint() {
    let bad = Fault::new(FaultKind::Malformed, "names no token endpoint");
    let undiscovered = IssuerFacts {
        discovered: Some(Err(bad)),
        ..reached(200, None)
    };
    for (facts, expected) in [
        (reached(200, None), Good),
        (reached(404, None), Good),
        (reached(302, None), Good),
        (reached(503, None), Warn),
        (undiscovered, Fail),
    ] {
        let findings = issuer(&profile(""), &facts, false);
        assert_eq!(verdicts(&findings), [(expected, "issuer")], "{facts:?}");
    }
}

#[test]
fn a_clock_may_be_a_minute_off() {
    for (date, verdict, text) in [
        (1_000_000, Good, ""),
        (1_000_060, Good, ""),
        (999_940, Good, ""),
        (1_000_061, Warn, "61 s behind"),
        (999_939, Warn, "61 s ahead of"),
        (0, Warn, "1000000 s ahead of"),
    ] {
        let findings = issuer(&profile(""), &reached(200, Some(date)), false);
        assert_eq!(verdicts(&findings), [(Good, "issuer"), (verdict, "clock")]);
        assert!(findings[1].found.contains(text), "{findings:?}");
    }
}

#[test]
fn a_proxy_that_is_set_but_unused_or_used_but_unset_is_reported() {
    let environment = "proxy = 'environment'";
    let named = "proxy = 'http://proxy:3128'";
    for (url, extra, set, unreached, expected) in [
        ("https://a.example", "", false, true, None),
        ("https://a.example", "", true, false, Some(Good)),
        ("https://a.example", "", true, true, Some(Warn)),
        ("http://127.0.0.1:8080", "", true, true, None),
        ("https://a.example", environment, false, false, Some(Warn)),
        ("https://a.example", environment, true, false, Some(Good)),
        ("http://127.0.0.1:8080", environment, false, false, None),
        ("https://a.example", named, true, false, None),
    ] {
        let finding = proxy(&profile_at(url, extra), set, unreached);
        assert_eq!(finding.map(|f| f.verdict), expected, "{url} {extra} {set}");
    }
}

#[test]
fn lingering_is_checked_only_for_a_user_daemon_under_systemd() {
    let host = Host {
        systemd: true,
        uid: 1000,
        user: Some("u".into()),
        lingers: false,
        system: false,
    };
    let of = |host: &Host| linger(host).map(|finding| finding.verdict);
    assert_eq!(of(&host), Some(Warn));
    assert_eq!(
        of(&Host {
            lingers: true,
            ..host.clone()
        }),
        Some(Good)
    );
    for other in [
        Host {
            systemd: false,
            ..host.clone()
        },
        Host {
            uid: 0,
            ..host.clone()
        },
        Host {
            system: true,
            ..host.clone()
        },
        Host { user: None, ..host },
    ] {
        assert_eq!(of(&other), None, "{other:?}");
    }
}
