//! Shows the age of a profile's key and its rotation, to people and to programs.

use std::time::Duration;

use super::human;
use crate::query::Members;
use crate::wire::ProfileReply;
use crate::wire::rotation::{KeyReply, RotationReply};

/// Formats lines for people: the rotation in progress, or else the next one by the age of the key. `now` is in Unix
/// seconds.
pub(super) fn lines(reply: &ProfileReply, now: u64) -> Vec<String> {
    if let Some(rotation) = &reply.rotation {
        return vec![rotation_line(rotation, now)];
    }
    let Some(key) = &reply.key else {
        return vec![];
    };
    let mut lines = age_line(key, now);
    if !key.left_keys.is_empty() {
        lines.push(format!(
            "the control plane did not let a rotation delete {} (old_key_left): delete it there",
            key.left_keys.join(", ")
        ));
    }
    lines
}

fn rotation_line(rotation: &RotationReply, now: u64) -> String {
    if rotation.needs_human {
        return format!("the rotation of its key has stopped: {}", rotation.detail);
    }
    let times = human::wait(rotation.waits_since, rotation.until, now);
    let times = times.map_or_else(String::new, |times| format!(", {times}"));
    format!(
        "its key is being rotated ({}{times}): {}",
        rotation.phase, rotation.detail
    )
}

fn age_line(key: &KeyReply, now: u64) -> Vec<String> {
    let left = |until: u64| human::duration(Duration::from_secs(until.saturating_sub(now)));
    let age = key.age.map(|age| {
        format!(
            "its key is {} old",
            human::duration(Duration::from_secs(age))
        )
    });
    let age = age.as_deref().unwrap_or("its key");
    match (key.rotates_at, &key.waits) {
        (None, None) => vec![],
        (Some(at), None) => vec![format!("{age}; it is rotated in {}", left(at))],
        (Some(at), Some(why)) => vec![format!(
            "{age}; {why}; it is rotated in {} at the earliest",
            left(at)
        )],
        (None, Some(why)) if key.age.is_none() => {
            vec![format!("its key is not rotated by age: {why}")]
        }
        (None, Some(why)) => vec![format!("{age}; it is not rotated now: {why}")],
    }
}

/// Formats the same facts for programs.
pub(super) fn members(reply: &ProfileReply) -> Members {
    let mut members = Members::new();
    let key = reply.key.clone().unwrap_or_default();
    let numbers = [("key_age", key.age), ("key_rotates_at", key.rotates_at)];
    for (name, number) in numbers {
        members.extend(number.map(|number| (name.to_owned(), number.into())));
    }
    members.extend(
        key.waits
            .map(|why| ("key_rotation_waits".to_owned(), why.into())),
    );
    if !key.left_keys.is_empty() {
        members.insert("key_left_keys".to_owned(), key.left_keys.into());
    }
    let rotation = reply.rotation.as_ref();
    // A struct of strings and numbers always serialises.
    let rotation = rotation.and_then(|rotation| serde_json::to_value(rotation).ok());
    members.extend(rotation.map(|rotation| ("rotation".to_owned(), rotation)));
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::states;

    #[test]
    fn the_status_shows_key_age_next_rotation_and_obstacle() {
        let mut reply = states().swap_remove(0).reply;
        assert_eq!(lines(&reply, 0), [""; 0]);
        assert!(members(&reply).is_empty());
        let key = |age, rotates_at, waits: Option<&str>| KeyReply {
            stored_at: Some(1),
            age,
            rotates_at,
            waits: waits.map(str::to_owned),
            left_keys: vec![],
        };
        for (key, says) in [
            (
                key(Some(2 * 86_400), Some(87_400), None),
                "its key is 2 d old; it is rotated in 1 d",
            ),
            (
                key(Some(2 * 86_400), None, Some("the last refresh failed")),
                "its key is 2 d old; it is not rotated now: the last refresh failed",
            ),
            (
                key(Some(86_400), Some(4_600), Some("the last rotation failed")),
                "its key is 1 d old; the last rotation failed; it is rotated in 1 h at the earliest",
            ),
            (
                key(None, None, Some("its age is not known")),
                "its key is not rotated by age: its age is not known",
            ),
        ] {
            reply.key = Some(key);
            assert_eq!(lines(&reply, 1_000), [says]);
        }
        assert_eq!(members(&reply).len(), 1);
        reply.rotation = Some(RotationReply {
            phase: "waiting".into(),
            since: 1,
            detail: "the old key is still used".into(),
            until: Some(4_600),
            waits_since: None,
            code: None,
            old_key: Some("a".into()),
            new_key: None,
            switched: true,
            needs_human: false,
        });
        assert_eq!(
            lines(&reply, 1_000),
            ["its key is being rotated (waiting, for 1 h): the old key is still used"]
        );
        assert_eq!(members(&reply)["rotation"]["old_key"], "a");
        let mut say = |change: fn(&mut RotationReply)| {
            change(reply.rotation.as_mut().unwrap());
            lines(&reply, 1_000).remove(0)
        };
        assert_eq!(
            say(|it| it.waits_since = Some(700)),
            "its key is being rotated (waiting, since 5 min, next try in 1 h): the old key is still used"
        );
        // A moment that is past says nothing.
        assert_eq!(
            say(|it| (it.waits_since, it.until) = (None, Some(999))),
            "its key is being rotated (waiting): the old key is still used"
        );
        assert_eq!(
            say(|it| it.needs_human = true),
            "the rotation of its key has stopped: the old key is still used"
        );
    }

    #[test]
    fn a_leftover_key_at_the_issuer_is_named_in_the_status() {
        let mut reply = states().swap_remove(0).reply;
        reply.key = Some(KeyReply {
            left_keys: vec!["first".into()],
            ..KeyReply::default()
        });
        let lines = lines(&reply, 1_000);
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].contains("delete first (old_key_left)"),
            "{lines:?}"
        );
        assert_eq!(members(&reply)["key_left_keys"][0], "first");
    }
}
