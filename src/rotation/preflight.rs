//! Checks that a rotation makes before it changes anything.

use std::collections::BTreeSet;

use super::event::{ListedKey, Listing};
use crate::profile::ProfileName;

/// The input of a rotation, known before the first call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RotationRequest {
    /// The client ID of the profile.
    pub client_id: String,
    /// The name of the new key.
    pub name: String,
    /// The other profiles of the same origin and client ID.
    pub sharers: Vec<ProfileName>,
    /// The client IDs that profiles of this daemon use. Their keys are never suggested for deletion.
    pub in_use: BTreeSet<String>,
    /// The maximum number of keys per user.
    pub max_keys: usize,
}

/// The reason why a rotation did not begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum StartRefusal {
    /// The issuer returned no list, so the rotation cannot begin.
    NoList,
    /// The bearer may not list keys. Another profile of the same user may be able to (`--with`).
    MayNotManage,
    /// The list has no key of the profile's client ID: the key belongs to another user, or is not a user's key.
    NotListed,
    /// The key is an application's or a service account's, with access rules of its own. It can only be rotated in
    /// place.
    NotUsers,
    /// Other profiles use the same key.
    UsedBy(Vec<ProfileName>),
    /// The user has the maximum number of keys. Contains the names of the keys that no profile of this daemon uses,
    /// the longest unused first.
    NoRoom(Vec<String>),
    /// Another key has the new name.
    NameTaken,
    /// The journal could not be written.
    NoJournal,
}

/// Finds the profile's key for a rotation with overlap.
///
/// # Errors
/// The reason why there must be no rotation with overlap.
pub fn check<'a>(
    wanted: &RotationRequest,
    listing: &'a Listing,
) -> Result<&'a ListedKey, StartRefusal> {
    let own = listing.by_client(&wanted.client_id);
    let own = own.ok_or(StartRefusal::NotListed)?;
    if !own.is_users {
        return Err(StartRefusal::NotUsers);
    }
    if !wanted.sharers.is_empty() {
        return Err(StartRefusal::UsedBy(wanted.sharers.clone()));
    }
    if listing.keys.iter().any(|key| key.name == wanted.name) {
        return Err(StartRefusal::NameTaken);
    }
    if listing.keys.len() >= wanted.max_keys {
        let is_used = |key: &ListedKey| {
            key.client_id == wanted.client_id || wanted.in_use.contains(&key.client_id)
        };
        let mut keys: Vec<_> = listing.keys.iter().filter(|key| !is_used(key)).collect();
        keys.sort_by_key(|key| key.last_login);
        let names = keys.into_iter().map(|key| key.name.clone());
        return Err(StartRefusal::NoRoom(names.collect()));
    }
    Ok(own)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::instant::UnixTime;

    fn key(name: &str, last_login: Option<u64>) -> ListedKey {
        ListedKey {
            id: format!("id-{name}"),
            name: name.into(),
            client_id: format!("client-{name}"),
            is_users: true,
            last_login: last_login.map(|s| UnixTime::from_epoch(Duration::from_secs(s))),
        }
    }

    fn wanted() -> RotationRequest {
        RotationRequest {
            client_id: "client-own".into(),
            name: "new".into(),
            sharers: vec![],
            in_use: BTreeSet::from(["client-used".to_owned()]),
            max_keys: 3,
        }
    }

    fn list(keys: Vec<ListedKey>) -> Listing {
        Listing { keys, date: None }
    }

    #[test]
    fn the_users_own_key_is_found_by_client_id() {
        let two = list(vec![key("x", None), key("own", Some(1))]);
        assert_eq!(check(&wanted(), &two).unwrap().id, "id-own");
    }

    #[test]
    fn each_obstacle_refuses_the_rotation_before_any_change() {
        let own = || key("own", Some(5));
        let refusal = |keys: Vec<ListedKey>| check(&wanted(), &list(keys)).unwrap_err();
        assert_eq!(refusal(vec![key("x", None)]), StartRefusal::NotListed);
        let service = ListedKey {
            is_users: false,
            ..own()
        };
        assert_eq!(refusal(vec![service]), StartRefusal::NotUsers);
        assert_eq!(
            refusal(vec![own(), key("new", None)]),
            StartRefusal::NameTaken
        );
        // A key in use is never suggested for deletion, however long ago it last got a token.
        let full = vec![own(), key("b", Some(8)), key("used", None), key("c", None)];
        let names = ["c", "b"].map(String::from).to_vec();
        assert_eq!(refusal(full), StartRefusal::NoRoom(names));
        let sharer = ProfileName::parse("other").unwrap();
        let mut shared = wanted();
        shared.sharers = vec![sharer.clone()];
        let alone = list(vec![own()]);
        let refused = check(&shared, &alone);
        assert_eq!(refused.unwrap_err(), StartRefusal::UsedBy(vec![sharer]));
    }
}
