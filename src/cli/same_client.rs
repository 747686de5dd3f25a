//! Profiles with the same client. Some issuers let a client have only one token at a time.

use super::output::print_note;
use super::proof::Proof;
use super::target::Target;
use crate::config::{Config, Profile};
use crate::profile::ProfileName;
use crate::settings::Content;
use crate::store::Stores;

/// The consequence of `kills-old`.
const SECOND_DAEMON: &str = "with reissue = \"kills-old\", this daemon and a second one with this client, such as that of 'jetond run -- CMD' or one on another machine, end each other's tokens: give each daemon a client of its own";

/// Names the other profiles of the configuration that have the client of the credential just enrolled.
pub(super) fn note(target: &Target, stores: &Stores, name: &ProfileName, enrolled: &Proof) {
    // The reload reports a fault of the configuration.
    let Ok(found) = target.read_after(&Content::Missing { link: None }) else {
        return;
    };
    let config = &found.config;
    let (origin, client_id) = (&enrolled.origin, &enrolled.client_id);
    let others = others(stores, config, name, origin, client_id);
    if others.is_empty() {
        return;
    }
    let kills = |name| config.profiles.get(name).is_some_and(Profile::kills_old);
    let (sort, what) = if kills(name) || others.iter().any(kills) {
        (
            "warning",
            "their issuer ends the token of one at each new token of the other",
        )
    } else {
        (
            "note",
            "an issuer that ends a client's old token at each new one lets only one of them work",
        )
    };
    let names = listed(&others);
    let verb = if others.len() == 1 { "has" } else { "have" };
    print_note(format!(
        "{sort}: {names} {verb} the same client as {name} ({client_id} at {origin}): {what}; give each a client of its own there"
    ));
}

/// Warns about each profile whose issuer revokes a client's old token at each new one: no second daemon and no other
/// profile may use its client.
pub(super) fn warn(stores: &Stores, config: &Config) {
    for (name, profile) in &config.profiles {
        if !profile.kills_old() {
            continue;
        }
        print_note(format!("warning: {name}: {SECOND_DAEMON}"));
        let Some((origin, client_id)) = client(stores, name, profile) else {
            continue;
        };
        let others = others(stores, config, name, &origin, &client_id);
        if !others.is_empty() {
            let names = listed(&others);
            print_note(format!(
                "warning: {name}: {names} of this configuration would end its tokens as well: the client is the same ({client_id} at {origin})"
            ));
        }
    }
}

/// The profiles of the configuration, except this one, that have this client.
fn others(
    stores: &Stores,
    config: &Config,
    name: &ProfileName,
    origin: &str,
    client_id: &str,
) -> Vec<ProfileName> {
    let is_there = |profile: &Profile| {
        // If the issuer names the endpoints, the origin may be any.
        let own = profile.origin();
        own.is_none_or(|own| own.to_string() == origin)
    };
    let is_same = |name: &ProfileName, profile: &Profile| {
        client(stores, name, profile).is_some_and(|(o, c)| o == origin && c == client_id)
    };
    let all = config.profiles.iter();
    let others = all
        .filter(|(other, profile)| *other != name && is_there(profile) && is_same(other, profile));
    others.map(|(other, _)| other.clone()).collect()
}

/// The origin and the client ID of a profile's stored credential, if it can be read.
fn client(stores: &Stores, name: &ProfileName, profile: &Profile) -> Option<(String, String)> {
    let enrolled = stores.enrolled(name, profile).ok()??;
    Some((enrolled.bound(profile).origin(), enrolled.client_id))
}

fn listed(names: &[ProfileName]) -> String {
    let names: Vec<_> = names.iter().map(ProfileName::as_str).collect();
    names.join(", ")
}
