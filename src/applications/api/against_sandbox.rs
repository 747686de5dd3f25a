//! The calls against every line of the sandbox.

use std::fmt::Write as _;

use super::*;
use crate::applications::{KeyIssuer, MAX_USER_KEYS, Reply, secret_of};
use crate::credential::{ClientSecret, Credential};
use crate::sandbox::{Fault as Broken, Line, Options, Sandbox, UnknownPath};
use crate::testing::FewNames;

const SECRET: &str = "canary&=+% \"\\/'~";

struct SandboxEnv {
    sandbox: Sandbox,
    profile: Profile,
}

impl SandboxEnv {
    async fn new(line: Line, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(line, "my-id", ClientSecret::parse(SECRET).unwrap());
        change(&mut options);
        let sandbox = Sandbox::start(options).await.unwrap();
        let mut text = String::from("[profiles.a]\nprovider = \"runai\"\n");
        writeln!(text, "url = \"{}\"", sandbox.url()).unwrap();
        let config = crate::config::parse(&text, &FewNames).unwrap();
        let profile = config.profiles.into_values().next().unwrap();
        Self { sandbox, profile }
    }

    async fn api(&self) -> Applications {
        let files = ProviderFiles::of(0);
        let provider = configured::provider(&self.profile, &files);
        let credential = Credential::parse("my-id", SECRET).unwrap();
        let granted = provider.fetch(&credential).await.unwrap();
        Applications::new(&self.profile, &files, None, granted.grant.token).unwrap()
    }

    async fn can_log_in(&self, client_id: &str, secret: ClientSecret) -> bool {
        let provider = configured::provider(&self.profile, &ProviderFiles::of(0));
        let mut credential = Credential::parse(client_id, "x").unwrap();
        credential.client_secret = secret;
        provider.fetch(&credential).await.is_ok()
    }
}

fn name(text: &str) -> KeyName {
    KeyName::parse(text).unwrap()
}

#[tokio::test]
async fn every_server_release_lists_creates_renews_and_deletes_its_key_kinds() {
    let auto = [
        (Line::V2_20, Family::UserApplications),
        (Line::V2_23, Family::UserApplications),
        (Line::V2_24, Family::AccessKeys),
        (Line::V3_0, Family::AccessKeys),
    ];
    let all: Vec<_> = Line::ALL
        .into_iter()
        .flat_map(|line| {
            let of_line = auto.iter().filter(move |(other, _)| *other == line);
            let own = of_line.map(|(line, family)| (*line, Kind::Auto, *family));
            let organisation = match line {
                Line::V3_0 => (line, Kind::ServiceAccount, Family::ServiceAccounts),
                _ => (line, Kind::Application, Family::Applications),
            };
            own.chain([organisation])
        })
        .collect();
    assert_eq!(all.len(), 9);
    for unknown_path in [UnknownPath::Html, UnknownPath::NotFound] {
        for (line, kind, family) in &all {
            let place = SandboxEnv::new(*line, |options| options.unknown_path = unknown_path).await;
            let api = place.api().await;
            let before = api.list(*kind, false).await.unwrap();
            assert_eq!(before.family, *family, "{line}");
            let made = api.create(*family, &name("new-key")).await.unwrap();
            let after = api.list(*kind, false).await.unwrap();
            assert_eq!(after.keys.len(), before.keys.len() + 1, "{line}");
            let KeyMatch::One(key) = find(&after.keys, "new-key") else {
                panic!("{line}: {after:?}");
            };
            assert_eq!((&key.id, &key.client_id), (&made.id, &made.client_id));
            assert_eq!(key.last_login, None);
            assert_eq!(&api.show(*family, &made.id).await.unwrap(), key);
            assert!(
                place.can_log_in(&made.client_id, made.secret).await,
                "{line}"
            );
            let renewed = api.regenerate(*family, &made.id).await.unwrap();
            let secret = renewed.secret.unwrap();
            assert_eq!(secret_of(&renewed.raw).as_ref(), Some(&secret), "{line}");
            assert!(place.can_log_in(&made.client_id, secret).await, "{line}");
            let used = api.show(*family, &made.id).await.unwrap();
            assert!(used.last_login.is_some(), "{line}");
            api.delete(*family, &made.id).await.unwrap();
            assert_eq!(
                api.list(*kind, false).await.unwrap().keys.len(),
                before.keys.len()
            );
            let again = api.delete(*family, &made.id).await.unwrap_err();
            assert_eq!(again.kind, ApiErrorKind::NotFound, "{again}");
        }
    }
}

#[tokio::test]
async fn listing_an_unsupported_key_kind_names_the_supported_one() {
    for (line, kind, says) in [
        (Line::V2_18, Kind::Auto, "--kind application"),
        (Line::V2_23, Kind::AccessKey, "user-application"),
        (Line::V2_23, Kind::ServiceAccount, "--kind application"),
        (Line::V3_0, Kind::UserApplication, "access-key"),
        (Line::V3_0, Kind::Application, "--kind service-account"),
    ] {
        for unknown_path in [UnknownPath::Html, UnknownPath::NotFound] {
            let place = SandboxEnv::new(line, |options| options.unknown_path = unknown_path).await;
            let lacking = place.api().await.list(kind, false).await.unwrap_err();
            assert_eq!(lacking.kind, ApiErrorKind::NoSuchEndpoint, "{line}");
            assert!(lacking.to_string().contains(says), "{lacking}");
        }
    }
}

#[tokio::test]
async fn creating_a_key_with_a_taken_name_or_beyond_the_limit_is_refused() {
    let place = SandboxEnv::new(Line::V2_24, |_| {}).await;
    let api = place.api().await;
    let family = Family::AccessKeys;
    let taken = api.create(family, &name("first-key")).await.unwrap_err();
    assert_eq!(taken.kind, ApiErrorKind::Conflict, "{taken}");
    assert!(!taken.may_be_done);
    for n in 1..MAX_USER_KEYS {
        api.create(family, &name(&format!("key-{n}")))
            .await
            .unwrap();
    }
    let full = api.create(family, &name("one-more")).await.unwrap_err();
    assert_eq!(full.kind, ApiErrorKind::BadRequest, "{full}");
    assert!(full.to_string().contains("20"), "{full}");
}

#[tokio::test]
async fn keys_of_all_users_are_listed_where_the_server_supports_it() {
    for (line, family) in [
        (Line::V2_20, Family::AllUserApplications),
        (Line::V2_24, Family::AllAccessKeys),
        (Line::V3_0, Family::AllAccessKeys),
    ] {
        let place = SandboxEnv::new(line, |_| {}).await;
        let api = place.api().await;
        let listed = api.list(Kind::Auto, true).await.unwrap();
        assert_eq!(listed.family, family, "{line}");
        assert!(listed.keys.iter().all(|key| key.created_by.is_some()));
    }
}

#[tokio::test]
async fn every_server_release_lists_its_clusters() {
    for line in Line::ALL {
        let place = SandboxEnv::new(line, |_| {}).await;
        let clusters = place.api().await.clusters().await.unwrap();
        match line {
            Line::V2_18 => assert_eq!(clusters.too_old().len(), 1, "{clusters:?}"),
            _ => assert_eq!(
                clusters.too_old(),
                Vec::<&clusters::Cluster>::new(),
                "{line}"
            ),
        }
        assert!(
            matches!(clusters, Clusters::Known(all) if all.len() == 1),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_call_may_have_been_executed_when_the_server_fails_after_it() {
    let place = SandboxEnv::new(Line::V2_24, |_| {}).await;
    let api = place.api().await;
    for (fault, may_be_done) in [
        ("keys:status:500", true),
        ("keys:reset", true),
        ("keys:html", true),
    ] {
        place
            .sandbox
            .set_fault(Some(Broken::parse(fault).unwrap()))
            .await
            .unwrap();
        let trouble = api
            .create(Family::AccessKeys, &name("new-key"))
            .await
            .unwrap_err();
        assert_eq!(trouble.may_be_done, may_be_done, "{fault}: {trouble}");
    }
    place
        .sandbox
        .set_fault(Some(Broken::parse("refuse").unwrap()))
        .await
        .unwrap();
    let trouble = api
        .create(Family::AccessKeys, &name("new-key"))
        .await
        .unwrap_err();
    assert!(!trouble.may_be_done && trouble.is_passing(), "{trouble}");
}

#[tokio::test]
async fn a_rotation_distinguishes_answered_refused_and_lost_calls() {
    let place = SandboxEnv::new(Line::V2_24, |_| {}).await;
    let issuer: Box<dyn KeyIssuer> = Box::new(place.api().await);
    let family = Family::AccessKeys;
    let listed = issuer.list(Kind::Auto).await.unwrap();
    assert!(listed.server_date.is_some(), "{listed:?}");
    let Reply::Done(made) = issuer.create(family, &name("new-key")).await else {
        panic!("it is made");
    };
    assert!(made.server_date.is_some());
    let listed = issuer.list(Kind::Auto).await.unwrap();
    let KeyMatch::One(key) = find(&listed.keys, &made.client_id) else {
        panic!("{listed:?}");
    };
    assert_eq!((key.id.as_str(), key.name.as_str()), (&*made.id, "new-key"));
    assert!(key.created_at.is_some() && key.last_login.is_none());
    let taken = issuer.create(family, &name("new-key")).await;
    assert!(
        matches!(&taken, Reply::Refused(trouble) if trouble.kind == ApiErrorKind::Conflict),
        "{taken:?}"
    );
    let Reply::Done(renewed) = issuer.regenerate(family, &made.id).await else {
        panic!("it is renewed");
    };
    assert!(!place.can_log_in(&made.client_id, made.secret).await);
    assert!(
        place
            .can_log_in(&made.client_id, renewed.secret.unwrap())
            .await
    );
    let deleted = issuer.delete(family, &made.id).await;
    assert!(matches!(deleted, Reply::Done(())), "{deleted:?}");
    let gone = issuer.delete(family, &made.id).await;
    assert!(
        matches!(&gone, Reply::Refused(trouble) if trouble.kind == ApiErrorKind::NotFound),
        "{gone:?}"
    );
    for (fault, is_lost) in [("keys:reset", true), ("refuse", false)] {
        let fault = Broken::parse(fault).unwrap();
        place.sandbox.set_fault(Some(fault)).await.unwrap();
        let reply = issuer.create(family, &name("other")).await;
        assert_eq!(matches!(reply, Reply::Lost(_)), is_lost, "{reply:?}");
        assert_eq!(matches!(reply, Reply::Refused(_)), !is_lost, "{reply:?}");
    }
}
