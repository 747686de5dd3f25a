//! The operations that are killed.
//!
//! A new one is a row of [`ALL`].

use std::fs;
use std::path::PathBuf;

use jetond::age_file::Passphrase;

use crate::behaviour::{Form, OF_KEYS, OF_NOTHING, OF_TOKENS};
use crate::encrypted;
use crate::encrypted_record;
use crate::keyring::Keyring;
use crate::never::{ImpossibleCells, NO_CONNECTION, NO_CONTROL_PLANE, NO_FILE};
use crate::place::{KillEnv, PROFILE};
use crate::words::{borrowed, owned, tail};

/// A command that changes credentials.
pub(crate) struct Operation {
    /// The name for people, a row of the table.
    pub(crate) name: &'static str,
    /// The behaviours of the control plane during the command.
    pub(crate) forms: &'static [Form],
    /// The cells of its row that cannot be filled.
    pub(crate) never: &'static [ImpossibleCells],
    /// Whether it changes nothing at the control plane.
    pub(crate) is_local: bool,
    /// Whether it changes only the running daemon, and no file.
    pub(crate) is_of_daemon: bool,
    /// Whether it needs a keyring.
    pub(crate) uses_keyring: bool,
    /// Sets up the place for the command.
    pub(crate) prepare: fn(&KillEnv),
    pub(crate) arguments: fn(&KillEnv) -> Vec<String>,
    /// A part of its output when it is done.
    pub(crate) claim: &'static str,
    /// Whether it is done.
    pub(crate) is_done: fn(&KillEnv) -> bool,
    /// Whether the secret of the key that it changes is stored. The secrets of profiles are checked anyway.
    pub(crate) is_safe: fn(&KillEnv) -> bool,
    /// Completes the command after it was interrupted, if possible. Returns what is wrong.
    pub(crate) end: fn(&KillEnv) -> Option<String>,
}

/// The name of the new key and of the new profile.
const NEW: &str = "new-key";

/// The operations.
pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "add",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |_| {},
        arguments: add,
        claim: "is enrolled",
        is_done: |place| place.has_profile(NEW) && place.works(NEW),
        is_safe: |_| true,
        end: |place| match place.has_profile(NEW) {
            true => None,
            false => run_again(place, &add(place), NEW),
        },
    },
    Operation {
        name: "add --rebind",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |_| {},
        arguments: rebind,
        claim: "is enrolled",
        is_done: |place| {
            let stored = place.stored(PROFILE);
            stored.is_some_and(|(id, _)| id == place.second.0) && place.works(PROFILE)
        },
        is_safe: |_| true,
        end: |place| run_again(place, &rebind(place), PROFILE),
    },
    Operation {
        name: "remove",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |place| {
            let added = place.env.jetond(&borrowed(&add(place)));
            assert_eq!(added.code, 0, "{added:?}");
        },
        arguments: |_| owned(&["remove", NEW, "--yes"]),
        claim: "is removed",
        is_done: |place| !place.has_profile(NEW) && !place.env.record(NEW).exists(),
        is_safe: |_| true,
        end: |place| {
            let begun = place.env.path("state/jeton/removals/new-key.json").exists();
            if place.has_profile(NEW) && !place.works(NEW) {
                return Some("a profile without its credential".to_owned());
            }
            if place.has_profile(NEW) || begun {
                let removed = place.env.jetond(&["remove", NEW, "--yes"]);
                if removed.code != 0 {
                    return Some(format!("it cannot be ended: {removed:?}"));
                }
            }
            if place.has_profile(NEW) || place.env.record(NEW).exists() {
                return Some("a credential that no command would find".to_owned());
            }
            // Files that a killed writer has left may contain the secret that is to be removed.
            let left = place.left_over();
            (!left.is_empty()).then(|| format!("left over: {left:?}"))
        },
    },
    Operation {
        name: "create --enrol",
        forms: OF_KEYS,
        never: &[],
        is_local: false,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |_| {},
        arguments: create,
        claim: "is made",
        is_done: |place| {
            let key = place.key(NEW);
            let uses_it = key.zip(place.stored(NEW));
            place.has_profile(NEW)
                && uses_it.is_some_and(|(key, (id, _))| key.client_id == id)
                && place.works(NEW)
        },
        is_safe: |_| true,
        end: |place| match place.has_profile(NEW) {
            true => None,
            false => run_again(place, &create(place), NEW),
        },
    },
    Operation {
        name: "create --secret-file",
        forms: OF_KEYS,
        never: &[],
        is_local: false,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |place| fs::remove_file(place.env.path("secret")).unwrap(),
        arguments: |place| {
            let path = place.env.path("secret");
            owned(&[
                "app",
                "create",
                NEW,
                PROFILE,
                "--secret-file",
                path.to_str().unwrap(),
            ])
        },
        claim: "is made",
        is_done: |place| {
            place
                .key(NEW)
                .is_some_and(|key| file_works(place, &key.client_id))
        },
        // An interrupted command leaves a file that another run does not overwrite.
        is_safe: |_| true,
        end: |_| None,
    },
    Operation {
        name: "regenerate --secret-file",
        forms: OF_KEYS,
        never: &[],
        is_local: false,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |place| fs::remove_file(place.env.path("secret")).unwrap(),
        arguments: |place| {
            let path = place.env.path("secret");
            owned(&[
                "app",
                "regenerate",
                &place.second.0,
                PROFILE,
                "--yes",
                "--secret-file",
                path.to_str().unwrap(),
            ])
        },
        claim: "has a new secret",
        is_done: |place| file_works(place, &place.second.0),
        is_safe: |place| {
            let (client_id, former) = &place.second;
            place.gets_token(client_id, former) || file_works(place, client_id)
        },
        end: |_| None,
    },
    Operation {
        name: "regenerate --enrol",
        forms: OF_KEYS,
        never: &[],
        is_local: false,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |_| {},
        arguments: |place| {
            let key = &place.second.0;
            owned(&["app", "regenerate", key, PROFILE, "--yes", "--enrol", NEW])
        },
        claim: "has a new secret",
        is_done: |place| place.has_profile(NEW) && has_second(place),
        is_safe: |place| {
            let (client_id, former) = &place.second;
            place.gets_token(client_id, former) || has_second(place)
        },
        // The command said what to do if it was interrupted.
        end: |_| None,
    },
    Operation {
        name: "app delete",
        forms: OF_KEYS,
        never: &[NO_FILE],
        is_local: false,
        is_of_daemon: false,
        uses_keyring: false,
        // A key of a person, who has its secret.
        prepare: |place| {
            let (_, secret) = place.create(NEW);
            place.write_secret(&secret);
        },
        arguments: |_| delete(),
        claim: "is deleted",
        is_done: |place| place.key(NEW).is_none(),
        is_safe: |_| true,
        end: |place| {
            place.key(NEW)?;
            let again = place.env.jetond(&borrowed(&delete()));
            let is_done = again.code == 0 && place.key(NEW).is_none();
            (!is_done).then(|| format!("it cannot be run again: {}", tail(&again.stderr)))
        },
    },
    Operation {
        name: "encrypt-store",
        forms: OF_NOTHING,
        never: &[NO_CONTROL_PLANE],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: encrypted::write_passphrase,
        arguments: encrypted::encrypt,
        claim: "the store of encrypted files is",
        is_done: |place| has_recipient(place) && has_identity(place),
        // With a recipient but no identity, the daemon would write records that no program can open.
        is_safe: |place| !has_recipient(place) || has_identity(place),
        end: |place| {
            if !has_recipient(place) {
                let again = place.env.jetond(&borrowed(&encrypted::encrypt(place)));
                if again.code != 0 {
                    return Some(format!("it cannot be ended: {}", tail(&again.stderr)));
                }
            }
            let is_whole = has_recipient(place) && has_identity(place) && place.works(PROFILE);
            (!is_whole).then(|| "half a store".to_owned())
        },
    },
    Operation {
        name: "migrate to keyring",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: true,
        prepare: KillEnv::start_keyring,
        arguments: |_| migrate("keyring"),
        claim: "is moved",
        is_done: |place| is_in(place, "keyring"),
        is_safe: |place| place.works(PROFILE),
        end: |place| end_migration(place, "keyring"),
    },
    Operation {
        name: "migrate to file",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: true,
        prepare: |place| {
            place.start_keyring();
            let moved = place.env.jetond(&borrowed(&migrate("keyring")));
            assert_eq!(moved.code, 0, "{moved:?}");
        },
        arguments: |_| migrate("file"),
        claim: "is moved",
        is_done: |place| is_in(place, "file"),
        is_safe: |place| place.works(PROFILE),
        end: |place| end_migration(place, "file"),
    },
    Operation {
        name: "migrate to encrypted-file",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: encrypted::make,
        arguments: |_| migrate(encrypted_record::STORE),
        claim: "is moved",
        is_done: encrypted::has_profile,
        is_safe: |place| place.works(PROFILE),
        end: |place| {
            let ended = run_again(place, &migrate(encrypted_record::STORE), PROFILE);
            ended.or_else(|| {
                let is_ended = encrypted::has_profile(place) && place.left_over().is_empty();
                (!is_ended).then(|| format!("left over: {:?}", place.left_over()))
            })
        },
    },
    Operation {
        name: "unlock",
        forms: OF_NOTHING,
        never: &[NO_CONTROL_PLANE, NO_FILE],
        is_local: true,
        is_of_daemon: true,
        uses_keyring: false,
        prepare: encrypted::make_and_lock,
        arguments: encrypted::unlock,
        claim: "unlocked until",
        is_done: encrypted::is_served,
        is_safe: |place| place.works(PROFILE),
        end: encrypted::end_lock,
    },
    Operation {
        name: "lock",
        forms: OF_NOTHING,
        never: &[NO_CONTROL_PLANE, NO_FILE],
        is_local: true,
        is_of_daemon: true,
        uses_keyring: false,
        prepare: encrypted::make_and_unlock,
        arguments: |_| owned(&["lock"]),
        claim: "locked, with their tokens forgotten",
        is_done: encrypted::is_locked,
        is_safe: |place| place.works(PROFILE),
        end: encrypted::end_lock,
    },
    Operation {
        name: "export",
        forms: OF_TOKENS,
        never: &[NO_CONNECTION],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: prepare_export,
        arguments: |place| export(place, &[]),
        claim: "is exported to",
        is_done: |place| file_holds(place) && place.is_shared(NEW) && place.works(NEW),
        is_safe: |place| place.works(NEW) && (!exported(place).exists() || file_holds(place)),
        end: |place| {
            if exported(place).exists() {
                return (!place.is_shared(NEW))
                    .then(|| "used elsewhere, and not marked".to_owned());
            }
            let ended = run_again(place, &export(place, &[]), NEW);
            ended.or_else(|| {
                let left = place.left_over();
                (!left.is_empty()).then(|| format!("left over: {left:?}"))
            })
        },
    },
    Operation {
        name: "export --move",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: prepare_export,
        arguments: |place| export(place, MOVE),
        claim: "and removed here",
        is_done: |place| is_moved(place),
        is_safe: |place| place.has_profile(NEW) && place.works(NEW) || file_holds(place),
        end: |place| {
            // After the removal is written down, `check` names this command.
            let again = match is_begun(place, "removals") {
                true => place.env.jetond(&["remove", NEW, "--yes"]),
                false if place.has_profile(NEW) => {
                    place.env.jetond(&borrowed(&export(place, MOVE)))
                }
                false => return (!is_moved(place)).then(|| "not removed as a whole".to_owned()),
            };
            let is_ended = again.code == 0 && is_moved(place);
            (!is_ended).then(|| {
                format!(
                    "it cannot be ended: {}: {}",
                    again.code,
                    tail(&again.stderr)
                )
            })
        },
    },
    Operation {
        name: "import",
        forms: OF_TOKENS,
        never: &[],
        is_local: true,
        is_of_daemon: false,
        uses_keyring: false,
        prepare: |place| {
            prepare_export(place);
            let moved = place.env.jetond(&borrowed(&export(place, MOVE)));
            assert_eq!(moved.code, 0, "{moved:?}");
        },
        arguments: import,
        claim: "is imported",
        is_done: |place| place.has_profile(NEW) && place.works(NEW),
        is_safe: file_holds,
        end: |place| {
            if place.has_profile(NEW) {
                return None;
            }
            let ended = run_again(place, &import(place), NEW);
            ended.or_else(|| {
                is_begun(place, "moves").then(|| "what is written down stays".to_owned())
            })
        },
    },
];

fn delete() -> Vec<String> {
    owned(&["app", "delete", NEW, PROFILE, "--yes"])
}

/// Returns whether the second key is stored for the new profile, with a secret that works. The profile may be missing
/// from the configuration: then every later command says how to finish.
fn has_second(place: &KillEnv) -> bool {
    let stored = place.stored(NEW);
    stored.is_some_and(|(id, _)| id == place.second.0) && place.works(NEW)
}

fn has_recipient(place: &KillEnv) -> bool {
    let config = fs::read_to_string(place.env.config()).unwrap_or_default();
    config.contains("\nrecipient = \"age1")
}

fn has_identity(place: &KillEnv) -> bool {
    encrypted_record::identity(&place.env).is_some()
}

/// The options of an export that removes the profile from this machine.
const MOVE: &[&str] = &["--move", "--yes"];

/// Returns whether an unfinished command on the new profile is written down.
fn is_begun(place: &KillEnv, what: &str) -> bool {
    place
        .env
        .path(&format!("state/jeton/{what}/{NEW}.json"))
        .exists()
}

fn migrate(to: &str) -> Vec<String> {
    owned(&["migrate", PROFILE, "--to", to])
}

/// Returns whether the profile's credential is in this store and in no other.
fn is_in(place: &KillEnv, store: &str) -> bool {
    let is_in_file = place.env.record(PROFILE).exists();
    let is_in_keyring = !Keyring::lookup(&place.env, PROFILE).is_empty();
    place.store_of(PROFILE).as_deref() == Some(store)
        && place.works(PROFILE)
        && (is_in_file, is_in_keyring) == (store == "file", store == "keyring")
}

fn end_migration(place: &KillEnv, store: &str) -> Option<String> {
    let ended = run_again(place, &migrate(store), PROFILE);
    let is_begun = place.env.path("state/jeton/moves/research.json").exists();
    ended.or_else(|| {
        let is_ended = is_in(place, store) && !is_begun && place.left_over().is_empty();
        (!is_ended).then(|| format!("left over: {:?}", place.left_over()))
    })
}

fn exported(place: &KillEnv) -> PathBuf {
    place.env.path("home/moved.age")
}

/// Adds the profile, and makes the file with the passphrase.
fn prepare_export(place: &KillEnv) {
    let added = place.env.jetond(&borrowed(&add(place)));
    assert_eq!(added.code, 0, "{added:?}");
    let path = place.env.path("home/passphrase");
    fs::write(&path, PASSPHRASE).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

const PASSPHRASE: &str = "correct horse battery";

fn export(place: &KillEnv, more: &[&str]) -> Vec<String> {
    let (to, passphrase) = (exported(place), place.env.path("home/passphrase"));
    let to = [
        "--to",
        to.to_str().unwrap(),
        "--passphrase-file",
        passphrase.to_str().unwrap(),
    ];
    owned(&[&["export", NEW], &to[..], &["--work-factor", "12"], more].concat())
}

fn import(place: &KillEnv) -> Vec<String> {
    let (file, passphrase) = (exported(place), place.env.path("home/passphrase"));
    owned(&[
        "import",
        file.to_str().unwrap(),
        "--yes",
        "--passphrase-file",
        passphrase.to_str().unwrap(),
    ])
}

/// Returns whether the file is complete, and its credential works.
fn file_holds(place: &KillEnv) -> bool {
    let passphrase = Passphrase::parse(PASSPHRASE).unwrap();
    let opened = fs::read(exported(place)).ok();
    let opened = opened.and_then(|bytes| passphrase.open(&bytes, 1 << 20).ok());
    opened.is_some_and(|json| {
        let content: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let of = |field: &str| content["profiles"][0][field].as_str().unwrap().to_owned();
        place.gets_token(&of("client_id"), &of("client_secret"))
    })
}

/// Returns whether the profile is in the file, and no trace of it is on this machine.
fn is_moved(place: &KillEnv) -> bool {
    file_holds(place)
        && !place.has_profile(NEW)
        && !place.env.record(NEW).exists()
        && !is_begun(place, "moves")
        && !is_begun(place, "removals")
}

/// Returns whether the file has the secret of the key of this client ID.
pub(crate) fn file_works(place: &KillEnv, client_id: &str) -> bool {
    let secret = fs::read_to_string(place.env.path("secret"));
    secret.is_ok_and(|secret| place.gets_token(client_id, secret.trim_end()))
}

fn add(place: &KillEnv) -> Vec<String> {
    let url = place.env.sandbox().url();
    let file = place.env.path("secret");
    owned(&[
        "add",
        NEW,
        "--provider",
        "runai",
        "--url",
        &url,
        "--client-id",
        &place.second.0,
        "--client-secret-file",
        file.to_str().unwrap(),
    ])
}

fn rebind(place: &KillEnv) -> Vec<String> {
    let file = place.env.path("secret");
    owned(&[
        "add",
        PROFILE,
        "--rebind",
        "--client-id",
        &place.second.0,
        "--client-secret-file",
        file.to_str().unwrap(),
    ])
}

fn create(_: &KillEnv) -> Vec<String> {
    owned(&["app", "create", NEW, PROFILE, "--enrol", NEW])
}

/// Runs the command again, after which the profile must work.
fn run_again(place: &KillEnv, arguments: &[String], profile: &str) -> Option<String> {
    let again = place.env.jetond(&borrowed(arguments));
    let works = again.code == 0 && place.works(profile);
    (!works).then(|| {
        format!(
            "it cannot be run again: {}: {}",
            again.code,
            tail(&again.stderr)
        )
    })
}
