//! Looks for the key that an interrupted creation may have left at the server, by the record of its intent.

use super::super::output::print_note;
use super::journal::{Journal, PATIENCE, may_come};
use super::secret_file;
use super::session::Session;
use crate::applications::{ApiErrorKind, Application, Family, KeyName, Kind, Listed};
use crate::store::{KeyCall, KeyIntent, SecretDestination};

/// The tolerated difference between a server's clock and ours, in seconds, when its date of a creation is compared.
const SKEW: u64 = 900;

const LATER: &str = "every later 'jetond app' command looks for it";

/// The place of a new key's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Secret {
    /// In a profile of ours, or in the file that was named for it.
    Kept,
    /// In the store for a profile that the configuration does not have.
    StoredAlone,
    /// In no place.
    Lost,
    /// A store cannot be read, or the file that was made for it is gone.
    Unknown,
}

/// The next step for an unfinished creation.
#[derive(Debug, PartialEq, Eq)]
enum Verdict<'a> {
    /// There is no such key yet, but the server may still make it.
    Wait,
    /// There is no such key, and the server will not make it.
    Over,
    /// Its secret is kept: the command was interrupted at its very end.
    Kept,
    /// Its secret is stored, but its profile is not in the configuration.
    Unfinished(&'a Application),
    /// A program may use the key, for this reason, so it stays.
    Left(&'a Application, &'static str),
    /// Its secret is lost, and it has not been used.
    Delete(&'a Application),
}

/// Judges a creation by the keys that exist now. `tells_logins` says whether the server reports logins at all.
fn judge<'a>(
    intent: &KeyIntent,
    keys: &'a [Application],
    secret_of: impl Fn(&Application) -> Secret,
    tells_logins: bool,
    now: u64,
) -> Verdict<'a> {
    let KeyCall::Creation {
        name,
        known,
        doomed,
    } = &intent.call
    else {
        return Verdict::Over;
    };
    let key = match doomed {
        Some(id) => keys.iter().find(|key| key.id == *id && !known.contains(id)),
        None => keys
            .iter()
            .find(|key| key.name == *name && !known.contains(&key.id)),
    };
    let Some(key) = key else {
        return if doomed.is_none() && may_come(intent, now) {
            Verdict::Wait
        } else {
            Verdict::Over
        };
    };
    let earliest = intent.at.saturating_sub(SKEW);
    let latest = intent.at.saturating_add(PATIENCE + SKEW);
    let is_of_then = |created: u64| (earliest..=latest).contains(&created);
    match secret_of(key) {
        Secret::Kept => Verdict::Kept,
        Secret::StoredAlone => Verdict::Unfinished(key),
        Secret::Unknown => Verdict::Left(key, "it is not known whether its secret is stored"),
        // Only the command had the secret, and it had decided to delete the key.
        Secret::Lost if doomed.is_some() => Verdict::Delete(key),
        Secret::Lost if key.last_login.is_some() => Verdict::Left(key, "it has been used"),
        Secret::Lost if !tells_logins => {
            Verdict::Left(key, "the server does not say whether it has been used")
        }
        Secret::Lost if !key.created_at.is_none_or(is_of_then) => {
            Verdict::Left(key, "it was made at another time")
        }
        Secret::Lost => Verdict::Delete(key),
    }
}

/// Whether there is a key of this name that is not in `known`.
pub(super) fn is_there(
    session: &Session,
    family: Family,
    name: &KeyName,
    known: &[String],
) -> bool {
    let listed = session.wait(session.api.list(family.kind(), false));
    listed.is_ok_and(|listed| {
        let mut keys = listed.keys.iter();
        keys.any(|key| key.name == name.as_str() && !known.contains(&key.id))
    })
}

/// Looks for the new key. Deletes it if it is surely ours, its secret is lost, and it has not been used.
pub(super) fn look_at(session: &Session, journal: &Journal, intent: &KeyIntent) {
    let KeyCall::Creation { name, .. } = &intent.call else {
        return;
    };
    let Some(family) = Family::of_path(&intent.path) else {
        return print_note(format!(
            "warning: the creation of {name} is of an unknown kind of key"
        ));
    };
    let listed = match session.wait(session.api.list(family.kind(), false)) {
        Ok(listed) => listed,
        Err(trouble) => {
            return print_note(format!(
                "warning: it is not known whether the creation of {name} has left a key; {LATER}: {trouble}"
            ));
        }
    };
    let now = session.now();
    let secret_of = |key: &Application| secret_of(session, &intent.keeper, key);
    let tells_logins = tells_logins(session, &listed);
    let is_over = match judge(intent, &listed.keys, secret_of, tells_logins, now) {
        Verdict::Wait => {
            print_note(format!(
                "the creation of {name} was interrupted, and there is no such key yet; for an hour after it, every later 'jetond app' command looks for a key with this name and deletes it if it was not used"
            ));
            false
        }
        Verdict::Over => {
            discard(&intent.keeper);
            true
        }
        Verdict::Kept => true,
        Verdict::Unfinished(key) => {
            tell_unfinished(session, intent, family, name, key);
            false
        }
        Verdict::Left(key, why) => {
            print_note(format!(
                "the creation of {name} was interrupted, and there is a key of this name (ID {}) that it may have made; it is left, since {why}; if you do not need it, run: {}",
                key.id,
                session.target.line(&format!("app delete {}", key.id))
            ));
            !may_come(intent, now)
        }
        Verdict::Delete(key) => {
            discard(&intent.keeper);
            delete(session, &listed, key, name)
        }
    };
    if is_over {
        journal.end(intent);
    }
}

/// Prints how to finish a creation whose secret is stored.
fn tell_unfinished(
    session: &Session,
    intent: &KeyIntent,
    family: Family,
    name: &str,
    key: &Application,
) {
    let SecretDestination::Profile(new, _) = &intent.keeper else {
        return;
    };
    let kind = match family.is_own() {
        true => String::new(),
        false => format!(" --kind {}", family.kind().as_str()),
    };
    let again = format!("app create {name} {} --enrol {new}{kind}", session.name);
    print_note(format!(
        "the creation of {name} was interrupted: the secret of the key (ID {}) is stored for {new}, which is not in the configuration; to finish, run: {}; or, to give it up: {}",
        key.id,
        session.target.line(&again),
        session.target.line(&format!("app delete {}{kind}", key.id))
    ));
}

fn delete(session: &Session, listed: &Listed, key: &Application, name: &str) -> bool {
    match session.wait(session.api.delete(listed.family, &key.id)) {
        Ok(()) => {
            print_note(format!(
                "the creation of {name} was interrupted and its secret is lost, so the key (ID {}) is deleted",
                key.id
            ));
            true
        }
        // The server lists a key for a while after its deletion.
        Err(trouble) if trouble.kind == ApiErrorKind::NotFound => true,
        Err(trouble) => {
            print_note(format!(
                "the creation of {name} has left a key (ID {}) that cannot be deleted now; {LATER}: {trouble}",
                key.id
            ));
            false
        }
    }
}

/// Whether the server reports logins: it does if it reports any, and the key of our token must have had one.
fn tells_logins(session: &Session, listed: &Listed) -> bool {
    let tells = |keys: &[Application]| keys.iter().any(|key| key.last_login.is_some());
    tells(&listed.keys)
        || !listed.family.is_own()
            && session
                .wait(session.api.list(Kind::Auto, false))
                .is_ok_and(|own| tells(&own.keys))
}

/// Finds the place of this key's secret.
fn secret_of(session: &Session, keeper: &SecretDestination, key: &Application) -> Secret {
    if !session.used_by(key).is_empty() {
        return Secret::Kept;
    }
    match keeper {
        _ if !session.unread.is_empty() => Secret::Unknown,
        SecretDestination::Profile(name, store) => match session.stores.reader(store).load(name) {
            Ok(Some(record)) if record.key.credential.client_id == key.client_id => {
                Secret::StoredAlone
            }
            Ok(_) => Secret::Lost,
            Err(_) => Secret::Unknown,
        },
        SecretDestination::File(path) => match path.symlink_metadata() {
            Ok(meta) if meta.len() == 0 => Secret::Lost,
            Ok(_) => Secret::Kept,
            // The file was made before the call, and has been moved since.
            Err(_) => Secret::Unknown,
        },
        SecretDestination::Nothing => Secret::Lost,
    }
}

/// Removes the empty file that was made for a secret.
fn discard(keeper: &SecretDestination) {
    if let SecretDestination::File(path) = keeper {
        secret_file::remove_if_empty(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, last_login: Option<u64>) -> Application {
        Application {
            id: id.into(),
            name: "new".into(),
            client_id: format!("c-{id}"),
            created_at: None,
            last_login,
            created_by: None,
            enabled: None,
        }
    }

    fn intent(doomed: Option<&str>) -> KeyIntent {
        KeyIntent {
            path: "/api/v1/access-keys".into(),
            at: 10_000,
            keeper: SecretDestination::File("/s".into()),
            call: KeyCall::Creation {
                name: "new".into(),
                known: vec!["1".into()],
                doomed: doomed.map(str::to_owned),
            },
        }
    }

    #[test]
    fn only_a_new_key_that_was_never_used_or_stored_is_deleted() {
        let (known, used, unused) = (key("1", None), key("2", Some(5)), key("3", None));
        let other = Application {
            name: "other".into(),
            ..key("4", None)
        };
        let made_at = |at| Application {
            created_at: Some(at),
            ..key("5", None)
        };
        let (then, before, after) = (made_at(10_001), made_at(9_000), made_at(15_000));
        let left = |key, why: &str| Verdict::Left(key, why.to_owned().leak());
        for (keys, secret, now, verdict) in [
            (vec![], Secret::Lost, 10_000, Verdict::Wait),
            (vec![known.clone()], Secret::Lost, 13_600, Verdict::Wait),
            (vec![other.clone()], Secret::Lost, 13_601, Verdict::Over),
            (vec![known.clone()], Secret::Lost, 13_601, Verdict::Over),
            (vec![unused.clone()], Secret::Kept, 10_000, Verdict::Kept),
            (vec![used.clone()], Secret::Kept, 10_000, Verdict::Kept),
            (
                vec![unused.clone()],
                Secret::StoredAlone,
                10_000,
                Verdict::Unfinished(&unused),
            ),
            (
                vec![unused.clone()],
                Secret::Unknown,
                10_000,
                left(&unused, "it is not known whether its secret is stored"),
            ),
            (
                vec![used.clone()],
                Secret::Lost,
                99_999,
                left(&used, "it has been used"),
            ),
            (
                vec![before.clone()],
                Secret::Lost,
                10_000,
                left(&before, "it was made at another time"),
            ),
            (
                vec![after.clone()],
                Secret::Lost,
                99_999,
                left(&after, "it was made at another time"),
            ),
            (
                vec![then.clone()],
                Secret::Lost,
                10_000,
                Verdict::Delete(&then),
            ),
            (
                vec![known, other, unused.clone()],
                Secret::Lost,
                99_999,
                Verdict::Delete(&unused),
            ),
        ] {
            let judged = judge(&intent(None), &keys, |_| secret, true, now);
            assert_eq!(judged, verdict, "{keys:?} {secret:?}");
        }
    }

    #[test]
    fn no_key_is_deleted_when_the_server_reports_no_logins() {
        let unused = [key("3", None)];
        let judged = judge(&intent(None), &unused, |_| Secret::Lost, false, 10_000);
        assert!(matches!(judged, Verdict::Left(..)), "{judged:?}");
    }

    #[test]
    fn a_deletion_that_was_interrupted_is_completed() {
        let keys = [key("1", None), key("2", Some(5))];
        let of = |id, secret, tells| {
            let intent = intent(Some(id));
            let verdict = judge(&intent, &keys, |_| secret, tells, 10_000);
            format!("{verdict:?}")
        };
        let delete = format!("{:?}", Verdict::Delete(&keys[1]));
        assert_eq!(of("2", Secret::Lost, true), delete);
        assert_eq!(of("2", Secret::Lost, false), delete);
        assert_eq!(of("2", Secret::Kept, true), "Kept");
        // The key with the recorded ID is gone, and another key of its name is not meant.
        assert_eq!(of("3", Secret::Lost, true), "Over");
    }
}
