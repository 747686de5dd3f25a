use super::super::clusters::Cluster;
use super::*;
use crate::profile::ProfileName;
use crate::query::Identity as _;

const DAY: u64 = 86_400;

fn bearer() -> BearerFacts {
    BearerFacts {
        client_id: "test-client".into(),
        stored_at: Some(1_735_787_045),
        claims: Some(Claims {
            subject: Some("1-2".into()),
            name: Some("Zoë".into()),
            client_id: None,
            issuer: Some("https://i".into()),
        }),
    }
}

fn rule(role: &str) -> Rule {
    Rule {
        subject_id: Some("a@example".into()),
        subject_type: Some("user".into()),
        role_name: Some(role.into()),
        scope_name: Some("team".into()),
        scope_id: Some("7".into()),
        scope_type: Some("project".into()),
    }
}

fn plane() -> ControlPlaneIdentity {
    let key = Application {
        id: "1".into(),
        name: "training".into(),
        client_id: "test-client".into(),
        created_at: None,
        last_login: None,
        created_by: None,
        enabled: None,
    };
    ControlPlaneIdentity {
        at: "https://acme.run.ai".into(),
        line: Some(Line::From2_24),
        key: Information::Known(Some((Family::AccessKeys, key))),
        rules: Some(Information::Known(Rules {
            rules: vec![rule("L1 researcher"), rule("Viewer")],
            total: Some(2),
        })),
        clusters: Information::Known(Clusters::Known(vec![Cluster {
            name: "new".into(),
            version: Some("2.24.1".into()),
        }])),
    }
}

fn print(plane: Option<ControlPlaneIdentity>, bearer: BearerFacts, json: bool) -> String {
    let profile = ProfileName::parse("research").unwrap();
    let members = query::Members::new();
    let form = query::WhoamiForm {
        json,
        now: 1_735_787_045 + 12 * DAY + 5,
        profile: &profile,
        lines: &[],
        members: &members,
    };
    Identity::new(bearer, plane).print(&form)
}

#[test]
fn text_and_json_output_show_every_known_fact() {
    assert_eq!(
        print(Some(plane()), bearer(), false),
        "profile    research\n\
         client ID  test-client\n\
         key        training (access key)\n\
         server     https://acme.run.ai; Run:ai 2.24 or later, by its endpoints\n\
         subject    user a@example\n\
         roles      L1 researcher in project team\n\
         \x20          Viewer in project team\n\
         clusters   none below 2.20\n\
         secret     stored 12 days ago (2025-01-02)\n"
    );
    let json = print(Some(plane()), bearer(), true);
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["key"]["kind"], "access-key");
    assert_eq!(read["server"]["line"], "2.24 or later");
    assert_eq!(read["subject"]["id"], "a@example");
    assert_eq!(read["roles"][1]["role"], "Viewer");
    assert_eq!(read["roles_total"], 2);
    assert_eq!(read["clusters_below_2_20"], serde_json::json!([]));
    assert_eq!(read["secret_age_days"], 12);
    assert_eq!(read["token_claims"]["verified"], false);
}

#[test]
fn unknown_facts_are_shown_with_the_reason() {
    let unknown = ControlPlaneIdentity {
        line: None,
        key: Information::Unknown("not yours".into()),
        rules: None,
        clusters: Information::Unknown("not yours either".into()),
        ..plane()
    };
    let text = print(Some(unknown), bearer(), false);
    for says in [
        "key        cannot tell: not yours\n",
        "cannot tell which release it is",
        "subject    Zo\\u{eb}, sub 1-2 (by the token, unverified)\n",
        "roles      cannot tell: the server has no list of access rules",
        "clusters   cannot tell: not yours either\n",
    ] {
        assert!(text.contains(says), "{says}: {text}");
    }
    let nothing = BearerFacts {
        stored_at: None,
        claims: None,
        ..bearer()
    };
    let text = print(None, nothing.clone(), false);
    assert!(text.contains("subject    cannot tell"), "{text}");
    assert!(text.contains("for Run:ai profiles alone"), "{text}");
    let json = print(None, nothing, true);
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    for member in ["key", "server", "subject", "token_claims", "roles"] {
        assert!(read[member].is_null(), "{member}: {json}");
    }
}

#[test]
fn old_clusters_are_named() {
    let old = |name: &str, version: Option<&str>| Cluster {
        name: name.into(),
        version: version.map(str::to_owned),
    };
    let clusters = vec![
        old("a", Some("2.9")),
        old("b", None),
        old("c\x1b[31m", Some("2.19.4")),
        old("d", Some("2.20")),
    ];
    let plane = ControlPlaneIdentity {
        clusters: Information::Known(Clusters::Known(clusters)),
        ..plane()
    };
    let text = print(Some(plane), bearer(), false);
    assert!(
        text.contains(
            "2 below 2.20, where keys of users do not work: a (2.9), c\\x1b[31m (2.19.4)\n"
        ),
        "{text}"
    );
}

#[test]
fn long_role_lists_are_shortened_and_control_characters_escaped() {
    let evil = "\x1b[31m\u{202e}\0é".repeat(1_000);
    let rules = Rules {
        rules: vec![rule(&evil); 5_000],
        total: Some(7_000),
    };
    let with = |rules| ControlPlaneIdentity {
        rules: Some(Information::Known(rules)),
        ..plane()
    };
    let text = print(Some(with(rules.clone())), bearer(), false);
    assert!(text.contains("first 50 of 7000; more: --json"), "{text}");
    let json = print(Some(with(rules)), bearer(), true);
    let read: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(read["roles_total"], 7_000);
    assert!(!read["roles"].as_array().unwrap().is_empty());
    for text in [text, json] {
        assert!(text.len() < 200 * 1024, "{}", text.len());
        let is_safe = |c: char| c == '\n' || (' '..='~').contains(&c);
        assert!(text.chars().all(is_safe));
    }
}

#[test]
fn the_server_release_is_inferred_from_its_endpoints() {
    for (families, has_rules, line) in [
        (&[][..], false, "2.19 or earlier"),
        (&[Family::Applications], false, "2.19 or earlier"),
        (&[Family::UserApplications], false, "2.20"),
        (&[Family::UserApplications], true, "2.21 to 2.23"),
        (&[Family::AccessKeys], true, "2.24 or later"),
        (&[Family::ServiceAccounts], true, "2.24 or later"),
    ] {
        assert_eq!(Line::of(families, has_rules).as_str(), line);
    }
}

#[test]
fn the_subject_is_not_taken_from_a_group_rule() {
    let group = Rule {
        subject_type: Some("group".into()),
        subject_id: Some("admins".into()),
        ..rule("Viewer")
    };
    let rules = Rules {
        rules: vec![group, rule("Viewer")],
        total: None,
    };
    let plane = ControlPlaneIdentity {
        rules: Some(Information::Known(rules)),
        ..plane()
    };
    let text = print(Some(plane), bearer(), false);
    assert!(text.contains("subject    user a@example\n"), "{text}");
}
