use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::*;
use crate::config;
use crate::store::SourceContext;
use crate::testing::FewNames;

struct TestStore {
    dir: tempfile::TempDir,
    credential: SourcedCredential,
}

/// Fails the test's discovery: no issuer is asked here.
struct Nowhere;

impl Locate for Nowhere {
    fn locate(&self, _: Option<Arc<CaFile>>) -> Locating<'_> {
        unreachable!("the configuration names the endpoint")
    }
}

impl TestStore {
    /// A profile whose command counts its runs, and then does what the file `script` says.
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        let here = dir.path().display();
        fs::write(
            &program,
            format!("#!/bin/sh\ncd {here} && echo run >>runs && . ./script\n"),
        )
        .unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
        let text = format!(
            "[profiles.a]\nprovider = \"runai\"\nurl = \"https://a.b\"\nclient-id = \"app\"\nclient-secret = {{ command = [\"{}\"] }}\n",
            program.display()
        );
        let config = config::parse(&text, &FewNames).unwrap();
        let name = ProfileName::parse("a").unwrap();
        let profile = config.profiles[&name].clone();
        let owner = rustix::process::geteuid().as_raw();
        let surroundings = SourceContext {
            variables: vec![("PATH".into(), "/usr/bin:/bin".into())],
            ..SourceContext::default()
        };
        let stores =
            Stores::new(&dir.path().join("state"), owner).in_surroundings(Arc::new(surroundings));
        let credential = SourcedCredential::new(SourceParts {
            name,
            reader: stores.source_of(&profile).unwrap(),
            profile,
            owner,
            stores,
            locate: Box::new(Nowhere),
            lane: ConcurrencyLimit::default(),
            unrecorded: None.into(),
            last_run: None.into(),
        });
        let place = Self { dir, credential };
        place.script(script);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn script(&self, script: &str) {
        fs::write(self.path("script"), script).unwrap();
    }

    fn runs(&self) -> usize {
        let runs = fs::read_to_string(self.path("runs"));
        runs.unwrap_or_default().lines().count()
    }
}

/// The secret, or the reason for none.
fn given(loaded: Loaded) -> Result<String, String> {
    match loaded {
        Ok(loaded) => Ok(loaded.credential.client_secret.expose().to_owned()),
        Err(why) => Err(why.detail().into_owned()),
    }
}

#[tokio::test]
async fn a_failed_command_is_not_rerun_for_an_attempt_and_the_remedy_is_named() {
    for (script, says) in [
        ("exit 3", "failed (exit status: 3)"),
        ("true", "gives nothing"),
        ("printf 'a\\001b'", "control characters"),
    ] {
        let place = TestStore::new(script);
        for _ in 0..3 {
            let why = given(place.credential.load_for_attempt().await).unwrap_err();
            assert!(
                why.contains(says) && why.contains("'jeton reload'"),
                "{why}"
            );
            assert_eq!(place.runs(), 1);
        }
        // The repaired command runs once there is a reason to.
        place.script("echo canary");
        assert!(given(place.credential.load_for_attempt().await).is_err());
        assert_eq!(place.runs(), 1);
        for reads in 2..4 {
            assert_eq!(given(place.credential.load().await).unwrap(), "canary");
            assert_eq!(place.runs(), reads);
        }
        assert_eq!(
            given(place.credential.load_for_attempt().await).unwrap(),
            "canary"
        );
        assert_eq!(place.runs(), 3);
    }
}

#[tokio::test]
async fn attempts_use_the_last_command_result_after_a_later_failure() {
    let place = TestStore::new("echo first");
    assert_eq!(
        given(place.credential.load_for_attempt().await).unwrap(),
        "first"
    );
    place.script("exit 1");
    assert!(given(place.credential.load().await).is_err());
    assert_eq!(
        given(place.credential.load_for_attempt().await).unwrap(),
        "first"
    );
    place.script("echo second");
    assert_eq!(given(place.credential.load().await).unwrap(), "second");
    assert_eq!(
        given(place.credential.load_for_attempt().await).unwrap(),
        "second"
    );
    assert_eq!(place.runs(), 3);
}

#[tokio::test]
async fn a_command_that_could_not_be_started_is_tried_again() {
    let place = TestStore::new("echo canary");
    let program = place.path("program");
    fs::set_permissions(&program, Permissions::from_mode(0o722)).unwrap();
    assert!(given(place.credential.load_for_attempt().await).is_err());
    assert_eq!(place.runs(), 0);
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    assert_eq!(
        given(place.credential.load_for_attempt().await).unwrap(),
        "canary"
    );
}
