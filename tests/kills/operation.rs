//! The operations that are killed. A further one is a row of [`ALL`].

use std::fs;

use crate::behaviour::{Form, OF_KEYS, OF_NOTHING, OF_TOKENS};
use crate::place::{PROFILE, Place};

/// A command that changes credentials.
pub(crate) struct Operation {
    /// For people, a row of the table.
    pub(crate) name: &'static str,
    /// How the control plane may behave meanwhile.
    pub(crate) forms: &'static [Form],
    /// What there is before it.
    pub(crate) prepare: fn(&Place),
    pub(crate) arguments: fn(&Place) -> Vec<String>,
    /// A part of what it says when it is done.
    pub(crate) claim: &'static str,
    /// Whether it is done.
    pub(crate) is_done: fn(&Place) -> bool,
    /// Whether the secret of the key that it changes is known to somebody. What profiles have is looked at anyway.
    pub(crate) is_safe: fn(&Place) -> bool,
    /// Ends it after it was interrupted, where that can be done. Gives back what is wrong then.
    pub(crate) end: fn(&Place) -> Option<String>,
}

/// The name of the key and of the profile that are made.
const NEW: &str = "new-key";

/// The operations.
pub(crate) const ALL: &[Operation] = &[
    Operation {
        name: "add",
        forms: OF_TOKENS,
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
            // What a killed writer has left may hold the secret that is to go.
            let left = place.left_over();
            (!left.is_empty()).then(|| format!("left over: {left:?}"))
        },
    },
    Operation {
        name: "create --enrol",
        forms: OF_KEYS,
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
        // The file that an interrupted one leaves is not written over.
        is_safe: |_| true,
        end: |_| None,
    },
    Operation {
        name: "regenerate",
        forms: OF_KEYS,
        prepare: |_| {},
        arguments: regenerate,
        claim: "has a new secret",
        is_done: |place| {
            let stored = place.stored(PROFILE);
            stored.is_some_and(|(_, secret)| secret != place.env.secret()) && place.works(PROFILE)
        },
        is_safe: |_| true,
        end: |place| run_again(place, &regenerate(place), PROFILE),
    },
    Operation {
        name: "regenerate --secret-file",
        forms: OF_KEYS,
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
        name: "encrypt-store",
        forms: OF_NOTHING,
        prepare: |place| fs::write(place.env.path("passphrase"), "a passphrase").unwrap(),
        arguments: encrypt,
        claim: "the store of encrypted files is",
        is_done: |place| has_recipient(place) && has_identity(place),
        // A recipient without its identity would take records that nothing opens.
        is_safe: |place| !has_recipient(place) || has_identity(place),
        end: |place| {
            if !has_recipient(place) {
                let again = place.env.jetond(&borrowed(&encrypt(place)));
                if again.code != 0 {
                    return Some(format!("it cannot be ended: {}", tail(&again.stderr)));
                }
            }
            let is_whole = has_recipient(place) && has_identity(place) && place.works(PROFILE);
            (!is_whole).then(|| "half a store".to_owned())
        },
    },
];

fn encrypt(place: &Place) -> Vec<String> {
    let file = place.env.path("passphrase");
    let file = file.to_str().unwrap();
    owned(&[
        "encrypt-store",
        "--work-factor",
        "12",
        "--passphrase-file",
        file,
    ])
}

fn has_recipient(place: &Place) -> bool {
    let config = fs::read_to_string(place.env.config()).unwrap_or_default();
    config.contains("\nrecipient = \"age1")
}

fn has_identity(place: &Place) -> bool {
    place
        .env
        .path("state/jeton/encrypted-file/identity.age")
        .exists()
}

/// Whether the file has the secret of the key of this client ID.
pub(crate) fn file_works(place: &Place, client_id: &str) -> bool {
    let secret = fs::read_to_string(place.env.path("secret"));
    secret.is_ok_and(|secret| place.gets_token(client_id, secret.trim_end()))
}

fn add(place: &Place) -> Vec<String> {
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

fn rebind(place: &Place) -> Vec<String> {
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

fn create(_: &Place) -> Vec<String> {
    owned(&["app", "create", NEW, PROFILE, "--enrol", NEW])
}

fn regenerate(_: &Place) -> Vec<String> {
    owned(&["app", "regenerate", "test-client", PROFILE, "--yes"])
}

/// Runs the command again; the profile has to work then.
fn run_again(place: &Place, arguments: &[String], profile: &str) -> Option<String> {
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

/// The last lines of what a command said, for people.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}

fn owned(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|text| (*text).to_owned()).collect()
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}
