use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use super::*;
use crate::instant::{BootInstant, UnixTime};
use crate::rotation::{Grace, GraceMoment, LoginReading};
use crate::store::lock::Locks;
use crate::store::{RotationId, StoreErrorKind};

fn owner() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn name() -> ProfileName {
    ProfileName::parse("a.b").unwrap()
}

fn machine(host: &str, boot: &str) -> Machine {
    Machine {
        host: host.into(),
        boot: boot.into(),
    }
}

fn seen(client_id: &str, name: Option<&str>) -> SeenKey {
    SeenKey {
        client_id: client_id.into(),
        key_id: Some(format!("id-of-{client_id}")),
        name: name.map(str::to_owned),
    }
}

fn moment(seconds: u64) -> UnixTime {
    UnixTime::from_epoch(Duration::from_secs(seconds))
}

fn mark(boot_ms: u64, date: Option<u64>) -> GraceMoment {
    GraceMoment {
        boot_id: "b".into(),
        at: BootInstant::from_boot(Duration::from_millis(boot_ms)),
        date: date.map(moment),
    }
}

fn journal() -> RotationJournal {
    RotationJournal {
        id: RotationId::of(7),
        mode: RotationMode::Overlap,
        phase: Phase::parse("in-grace").unwrap(),
        machine: machine("h", "b"),
        with: Some(ProfileName::parse("other").unwrap()),
        path: "/api/v1/access-keys".into(),
        former: seen("c \"0\"", Some("first-key")),
        tried: vec!["jeton-a-1".into(), "jeton-a-2".into()],
        made: vec![seen("c1", Some("jeton-a-1")), seen("c2", None)],
        grace: Some(Grace {
            switched: mark(12, None),
            lifetime: Some(Duration::from_millis(3_600_001)),
            looks: Some((
                LoginReading {
                    mark: mark(13, Some(10)),
                    last_login: None,
                },
                LoginReading {
                    mark: mark(14, Some(20)),
                    last_login: Some(moment(8)),
                },
            )),
            moved_to: Some(moment(8)),
            has_days_only: false,
        }),
        former_secret: None,
    }
}

struct TestStore {
    dir: tempfile::TempDir,
    rotations: Rotations,
}

impl TestStore {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self {
            rotations: Rotations::new(dir.path(), owner()),
            dir,
        }
    }

    fn lock(&self) -> ProfileLock {
        Locks::new(self.dir.path(), owner()).take(&name()).unwrap()
    }

    fn put(&self, json: &[u8]) {
        let path = self.rotations.path(&name());
        std::fs::write(&path, json).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[test]
fn a_journal_reads_back_unchanged_until_the_rotation_ends() {
    let place = TestStore::new();
    let rotations = &place.rotations;
    let read = rotations.read(&name()).unwrap();
    assert!(matches!(read, RotationRead::Absent), "{read:?}");
    assert!(!rotations.path(&name()).parent().unwrap().exists());
    let lock = place.lock();
    rotations.end(&lock).unwrap();
    let bare = RotationJournal {
        mode: RotationMode::InPlace,
        former_secret: Some("0a".repeat(32)),
        with: None,
        grace: None,
        made: vec![],
        ..journal()
    };
    for journal in [journal(), bare] {
        rotations.write(&lock, &journal).unwrap();
        let RotationRead::Begun(read) = rotations.read(&name()).unwrap() else {
            panic!("it has begun");
        };
        assert_eq!(*read, journal);
    }
    let mode = rotations
        .path(&name())
        .metadata()
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(rotations.profiles().unwrap(), [name()]);
    rotations.end(&lock).unwrap();
    assert_eq!(rotations.profiles().unwrap(), []);
}

#[test]
fn a_truncated_journal_is_unclear_and_its_complete_key_names_are_reported() {
    let place = TestStore::new();
    place.rotations.write(&place.lock(), &journal()).unwrap();
    let whole = std::fs::read(place.rotations.path(&name())).unwrap();
    for length in 0..whole.len() {
        place.put(&whole[..length]);
        let RotationRead::Unclear { error, names } = place.rotations.read(&name()).unwrap() else {
            panic!("{length} bytes of {} are no journal", whole.len());
        };
        assert!(
            matches!(error.kind, StoreErrorKind::NotUnderstood(_)),
            "{error}"
        );
        let text = String::from_utf8_lossy(&whole[..length]);
        for known in ["first-key", "jeton-a-1", "jeton-a-2"] {
            let is_there = text.contains(&format!("\"{known}\""));
            assert_eq!(names.iter().any(|name| name == known), is_there, "{text}");
        }
        assert!(names.len() <= 3, "{names:?}");
    }
}

#[test]
fn a_journal_of_another_version_or_profile_is_unclear_and_names_its_keys() {
    let place = TestStore::new();
    place.rotations.write(&place.lock(), &journal()).unwrap();
    let whole = std::fs::read_to_string(place.rotations.path(&name())).unwrap();
    for (from, to) in [
        ("\"version\": 1", "\"version\": 2"),
        ("\"a.b\"", "\"b\""),
        ("\"overlap\"", "\"sideways\""),
        ("\"in-grace\"", "\"In grace\""),
        ("\"phase\"", "\"stage\""),
        ("00000000000000000000000000000007", "7"),
        ("\"other\"", "\"../other\""),
    ] {
        let bad = whole.replacen(from, to, 1);
        assert_ne!(bad, whole);
        place.put(bad.as_bytes());
        let RotationRead::Unclear { error, names } = place.rotations.read(&name()).unwrap() else {
            panic!("{bad}");
        };
        let is_later = from.contains("version");
        let shown = error.to_string();
        assert_eq!(shown.contains("another version"), is_later, "{shown}");
        assert_eq!(names, ["first-key", "jeton-a-1", "jeton-a-2"], "{bad}");
    }
    place.put(&[0xff, b'"', b'\n', b'"', 0]);
    let read = place.rotations.read(&name()).unwrap();
    assert!(matches!(read, RotationRead::Unclear { .. }), "{read:?}");
    // A file that other users could have written is not read at all.
    let path = place.rotations.path(&name());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(place.rotations.read(&name()).is_err());
}

#[test]
fn a_journal_shows_whether_it_was_started_on_this_host_and_boot() {
    for (host, boot, started_on) in [
        ("h", "b", StartedOn::ThisBoot),
        ("h", "later", StartedOn::EarlierBoot),
        ("other", "b", StartedOn::OtherHost),
    ] {
        let now = machine(host, boot);
        assert_eq!(journal().started_on(&now), started_on, "{now:?}");
    }
    let mut unknown = journal();
    unknown.machine.boot.clear();
    let now = machine("h", "");
    assert_eq!(unknown.started_on(&now), StartedOn::EarlierBoot);
}

#[test]
fn possible_key_names_at_the_server_are_listed_once_each() {
    assert_eq!(journal().names(), ["jeton-a-1", "jeton-a-2"]);
}

#[test]
fn leftover_keys_are_recorded_until_the_list_is_empty() {
    let place = TestStore::new();
    let rotations = &place.rotations;
    assert_eq!(rotations.left(&name()).unwrap(), []);
    let keys = [("first", Some("client-1")), ("second", None)].map(|(label, client_id)| LeftKey {
        label: label.to_owned(),
        client_id: client_id.map(str::to_owned),
    });
    rotations.set_left(&place.lock(), &keys).unwrap();
    assert_eq!(rotations.left(&name()).unwrap(), keys);
    assert_eq!(rotations.with_left().unwrap(), [name()]);
    assert_eq!(rotations.profiles().unwrap(), [], "that is no journal");
    rotations.set_left(&place.lock(), &[]).unwrap();
    assert_eq!(rotations.with_left().unwrap(), []);
    let path = rotations.path(&name()).with_extension("left");
    let write = |text: &str| {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    // An earlier program wrote no client IDs.
    write(r#"{"version":1,"keys":["first"]}"#);
    let labels = rotations.left(&name()).unwrap();
    assert_eq!((labels.len(), &labels[0].client_id), (1, &None));
    write("{}");
    let error = rotations.left(&name()).unwrap_err();
    assert!(
        matches!(error.kind, StoreErrorKind::NotUnderstood(_)),
        "{error}"
    );
}
