use super::*;
use crate::wire::Counts;
use crate::wire::rotation::{KeyReply, RotationReply};

fn name() -> ProfileName {
    ProfileName::parse("research").unwrap()
}

fn fault(kind: FaultKind) -> FaultReply {
    FaultReply {
        kind,
        at: 940,
        detail: "what went wrong".to_owned(),
    }
}

fn reply(phase: Phase, left: Option<u64>, fault: Option<FaultReply>) -> ProfileReply {
    ProfileReply {
        profile: "research".to_owned(),
        provider: "runai".to_owned(),
        phase,
        generation: 1,
        expires_in: left,
        expires_at: left.map(|left| 1_000 + left),
        next_attempt_at: None,
        queued_for: None,
        last_fault: fault,
        stored_credential_rejected: None,
        unusable: None,
        reported: false,
        cooling_down_until: None,
        clock_skew: None,
        granted_scope: None,
        missing_scope: None,
        sinks: vec![],
        real_expiry_told: false,
        key: None,
        rotation: None,
        counts: Counts {
            requests: 0,
            refreshes: 0,
            failures: 0,
            reports: 0,
        },
    }
}

fn kept(reply: ProfileReply) -> DaemonProfiles {
    DaemonProfiles::Listed("/run/jeton/jeton.sock".into(), vec![reply])
}

/// The verdicts of the token, the credential and the issuer, and the text of all three. The last two are good, as far
/// as is known without a token.
fn verdicts(profiles: &DaemonProfiles) -> (Option<Verdict>, [Verdict; 2], String) {
    let name = name();
    let health = Health::of(&name, profiles, 1_000);
    let token = health.token();
    let stored = health.review(Finding::ok("credential", "one is in a file"));
    let origin = health.review(Finding::ok("issuer", "https://a answers"));
    let mut said = String::new();
    for finding in token.iter().chain([&stored, &origin]) {
        let needs = finding.verdict != Verdict::Ok;
        assert_eq!(finding.remedy.is_some(), needs, "{finding:?}");
        if finding.check != "token" {
            assert_eq!(finding.profile.as_deref(), Some("research"));
        }
        said.push_str(&format!("{}\n", finding.found));
    }
    (
        token.map(|finding| finding.verdict),
        [stored.verdict, origin.verdict],
        said,
    )
}

#[test]
fn profile_checks_are_skipped_when_no_daemon_has_tried_them() {
    for (profiles, says) in [
        (DaemonProfiles::NoDaemon, "not tried: no daemon is running"),
        (
            DaemonProfiles::NotListed,
            "not tried: the daemon does not report its state",
        ),
    ] {
        let (token, rest, said) = verdicts(&profiles);
        assert_eq!((token, rest), (None, [Verdict::Skip; 2]), "{profiles:?}");
        assert_eq!(said.matches(says).count(), 2, "{said}");
    }
    let other = DaemonProfiles::Listed("/s".into(), vec![]);
    let (token, rest, said) = verdicts(&other);
    assert_eq!((token, rest), (Some(Verdict::Warn), [Verdict::Skip; 2]));
    assert!(said.contains("/s does not keep this profile"), "{said}");
}

#[test]
fn the_verdict_follows_the_result_of_the_daemons_last_attempt() {
    use Verdict::{Fail, Ok as Good, Skip, Warn};
    for (phase, left, kind, expected) in [
        (Phase::Fresh, Some(90), None, (Good, [Good, Good])),
        // The fault is history: a later attempt returned a token.
        (
            Phase::Fresh,
            Some(90),
            Some(FaultKind::ServerError),
            (Good, [Good, Good]),
        ),
        (Phase::Starting, None, None, (Skip, [Skip, Skip])),
        (
            Phase::Retrying,
            None,
            Some(FaultKind::Malformed),
            (Fail, [Skip, Fail]),
        ),
        (
            Phase::Retrying,
            Some(90),
            Some(FaultKind::Timeout),
            (Warn, [Skip, Warn]),
        ),
        (
            Phase::Retrying,
            None,
            Some(FaultKind::Rejected),
            (Fail, [Fail, Fail]),
        ),
        // An answer from another server than the issuer says nothing about the credential.
        (
            Phase::Retrying,
            None,
            Some(FaultKind::NoEndpoint),
            (Fail, [Skip, Fail]),
        ),
        (
            Phase::Rejected,
            Some(90),
            Some(FaultKind::Rejected),
            (Fail, [Fail, Warn]),
        ),
        (
            Phase::Expired,
            None,
            Some(FaultKind::ServerError),
            (Fail, [Skip, Fail]),
        ),
        (Phase::Resting, Some(90), None, (Good, [Good, Good])),
        (Phase::Resting, None, None, (Skip, [Skip, Skip])),
        (Phase::Misconfigured, None, None, (Fail, [Skip, Skip])),
        (Phase::Locked, None, None, (Warn, [Skip, Skip])),
    ] {
        let (token, rest, said) = verdicts(&kept(reply(phase, left, kind.map(fault))));
        assert_eq!(
            (token, rest),
            (Some(expected.0), expected.1),
            "{phase:?} {said}"
        );
        let told = said.contains("the last fault, 1 min ago: what went wrong");
        assert_eq!(told, kind.is_some(), "{said}");
        assert_eq!(said.contains("valid for 1 min 30 s more"), left.is_some());
    }
    let cooling = ProfileReply {
        cooling_down_until: Some(1_060),
        ..reply(Phase::Fresh, Some(90), None)
    };
    assert_eq!(verdicts(&kept(cooling)).0, Some(Warn));
}

#[test]
fn review_keeps_failed_findings_and_findings_not_about_the_issuer() {
    let name = name();
    let profiles = kept(reply(Phase::Fresh, Some(90), None));
    for profiles in [&profiles, &DaemonProfiles::NoDaemon] {
        let health = Health::of(&name, profiles, 1_000);
        for finding in [
            Finding::fail("issuer", "it cannot be reached"),
            Finding::warn("issuer", "it answers with status 503"),
            Finding::fail("credential", "none is stored"),
            Finding::ok("clock", "within 60 s of the issuer's"),
            Finding::ok("proxy", "none"),
        ] {
            assert_eq!(health.review(finding.clone()), finding);
        }
    }
}

#[test]
fn a_rotation_that_waits_or_needs_a_person_is_reported() {
    let name = name();
    let found = |reply: ProfileReply| {
        let profiles = kept(reply);
        let finding = Health::of(&name, &profiles, 1_000).rotation();
        finding.map(|finding| (finding.verdict, finding.found, finding.remedy.is_some()))
    };
    let fresh = || reply(Phase::Fresh, Some(60), None);
    assert_eq!(found(fresh()), None);
    let rotation = |needs_human| RotationReply {
        phase: "waiting".into(),
        since: 900,
        detail: "the old key is still used".into(),
        until: None,
        waits_since: None,
        code: None,
        old_key: None,
        new_key: None,
        switched: true,
        needs_human,
    };
    for (needs_human, verdict, says) in [
        (
            false,
            Verdict::Ok,
            "being rotated (waiting): the old key is still used",
        ),
        (
            true,
            Verdict::Warn,
            "its rotation has stopped: the old key is still used",
        ),
    ] {
        let rotating = ProfileReply {
            rotation: Some(rotation(needs_human)),
            ..fresh()
        };
        assert_eq!(found(rotating), Some((verdict, says.into(), needs_human)));
    }
    let in_use = ProfileReply {
        rotation: Some(RotationReply {
            code: Some("old_key_in_use".into()),
            ..rotation(false)
        }),
        ..fresh()
    };
    let says = "being rotated (waiting): the old key is still used".to_owned();
    assert_eq!(found(in_use), Some((Verdict::Warn, says, true)));
    let waiting = ProfileReply {
        key: Some(KeyReply {
            waits: Some("the last refresh failed".into()),
            ..KeyReply::default()
        }),
        ..fresh()
    };
    let says = "not rotated by its age: the last refresh failed".to_owned();
    assert_eq!(found(waiting), Some((Verdict::Warn, says, true)));
}

#[test]
fn an_unusable_credential_is_reported_with_its_reason_beside_the_token() {
    let unusable = |phase, left| {
        kept(ProfileReply {
            unusable: Some("it is not an age file".to_owned()),
            ..reply(phase, left, None)
        })
    };
    for (phase, left, token) in [
        (Phase::Fresh, Some(600), Verdict::Warn),
        (Phase::Resting, Some(600), Verdict::Warn),
        (Phase::Misconfigured, None, Verdict::Fail),
    ] {
        let (found, [credential, _], said) = verdicts(&unusable(phase, left));
        assert_eq!(
            (found, credential),
            (Some(token), Verdict::Fail),
            "{phase:?}"
        );
        let times = said.matches("it is not an age file").count();
        assert_eq!(times, 2, "{said}");
    }
    let (found, _, said) = verdicts(&unusable(Phase::Locked, None));
    assert_eq!(found, Some(Verdict::Warn));
    assert!(!said.contains("cannot use it"), "{said}");
}

#[test]
fn the_remedy_for_a_rejected_secret_names_its_source() {
    let text = "[profiles.research]\nprovider = \"runai\"\nurl = \"https://a.example\"\n\
                client-id = \"i\"\nclient-secret = { file = \"/s/ecret\" }\n";
    let config = crate::config::parse(text, &crate::testing::FewNames).unwrap();
    let name = name();
    let rejected = reply(Phase::Rejected, None, Some(fault(FaultKind::Rejected)));
    let profiles = kept(rejected);
    let health = Health::of(&name, &profiles, 1_000).configured(config.profiles.get(&name));
    let remedy = health.token().unwrap().remedy.unwrap();
    assert!(remedy.contains("the file /s/ecret"), "{remedy}");
    assert!(!remedy.contains("rebind"), "{remedy}");
}
