//! Linux: the Secret Service of the session bus.
//!
//! The keyring crates would make a locked keyring prompt the person, and wait. So the keyring is checked first, over a
//! connection whose calls have a time limit, and not used if it is locked, hangs, belongs to another user or is not
//! persistent.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::time::Duration;

use keyring::Entry;
use keyring_core::api::CredentialStoreApi as _;
use zbus::Message;
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, MessageIterator};
use zbus::zvariant::Value;
use zbus_secret_service_keyring_store::Store;

mod peer;

use self::peer::{BUS, BUS_PATH, Peer, SECRETS};
use super::KeyringFault;
use super::signal::Signal;
use crate::offload;

/// The system's name for its keyring.
pub(super) const NAME: &str = "Secret Service";

/// The interface of an entry.
const ITEM: &str = "org.freedesktop.Secret.Item";

/// The bus's match rules: every signal of the service, and every change of the name's owner.
const RULES: [&str; 2] = [
    "type='signal',sender='org.freedesktop.secrets',path_namespace='/org/freedesktop/secrets'",
    "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.freedesktop.secrets'",
];

/// The signals of the service after which an entry may have changed, have gone, or have become readable.
const CHANGES: [(&str, &str); 6] = [
    ("org.freedesktop.Secret.Collection", "ItemCreated"),
    ("org.freedesktop.Secret.Collection", "ItemChanged"),
    ("org.freedesktop.Secret.Collection", "ItemDeleted"),
    ("org.freedesktop.Secret.Service", "CollectionCreated"),
    ("org.freedesktop.Secret.Service", "CollectionChanged"),
    ("org.freedesktop.DBus.Properties", "PropertiesChanged"),
];

/// Pause between two looks at the times of the entries' last changes.
const LOOK: Duration = Duration::from_secs(30);

/// Time limit of each call of a look.
const LOOKING: Duration = Duration::from_secs(3);

/// Calls `tell` at every change of an entry of this service, until the bus ends or `tell` fails. The service need not
/// run yet.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the process of the watch, whose end by a panic is a fault"
)]
pub(super) fn watch(
    service: &'static str,
    tell: fn(Signal) -> io::Result<()>,
) -> Result<(), KeyringFault> {
    let fault = |error: io::Error| KeyringFault::Failed(format!("its parent: {}", error.kind()));
    let bus = Builder::session()
        .and_then(Builder::build)
        .map_err(|error| KeyringFault::from(&error))?;
    // From here on no signal is missed.
    let messages = MessageIterator::from(&bus);
    for rule in RULES {
        bus.call_method(Some(BUS), BUS_PATH, Some(BUS), "AddMatch", &rule)
            .map_err(|error| KeyringFault::from(&error))?;
    }
    let looking = Builder::session()
        .and_then(|builder| builder.method_timeout(LOOKING).build())
        .map_err(|error| KeyringFault::from(&error))?;
    // Taken before the parent reads the entries.
    let changed_at = changes_of(&looking, service).ok();
    tell(Signal::Ready).map_err(fault)?;
    offload::thread("looks", move || {
        look_again(&looking, service, changed_at, tell);
    })
    .map_err(fault)?;
    for message in messages {
        let message = message.map_err(|error| KeyringFault::from(&error))?;
        if is_change(&message) {
            tell(Signal::Changed).map_err(fault)?;
        }
    }
    Ok(())
}

/// Calls `tell` at changes without a signal: gnome-keyring sends none for a secret that another program sets in an
/// existing entry, but it updates the time of the entry's last change.
#[expect(
    clippy::disallowed_methods,
    reason = "this thread of the watching process does nothing else"
)]
fn look_again(
    bus: &Connection,
    service: &str,
    mut before: Option<Changes>,
    tell: fn(Signal) -> io::Result<()>,
) {
    loop {
        std::thread::sleep(LOOK);
        let Ok(now) = changes_of(bus, service) else {
            continue;
        };
        let is_change = before.as_ref().is_some_and(|before| *before != now);
        before = Some(now);
        if is_change && tell(Signal::Changed).is_err() {
            return;
        }
    }
}

/// When each unlocked entry was changed last, in seconds since the epoch.
type Changes = BTreeMap<String, u64>;

/// Reads when the entries of this service were changed last. Does not start the keyring.
fn changes_of(bus: &Connection, service: &str) -> zbus::Result<Changes> {
    let peer = Peer::new(bus);
    if !peer.is_running()? {
        return Ok(Changes::new());
    }
    let default = peer.default_collection()?;
    // A search in a locked keyring may prompt the person.
    if default.as_str() == "/" || peer.is_locked(&default)? {
        return Ok(Changes::new());
    }
    let (unlocked, _) = peer.search(&HashMap::from([("service", service)]))?;
    let changed_at = unlocked.into_iter().map(|item| {
        let value = peer.property(&item, ITEM, "Modified")?;
        zbus::Result::Ok((item.to_string(), u64::try_from(value)?))
    });
    changed_at.collect()
}

/// Time limit of an announcement. It is short because the change was made already, and its call must not seem late.
const ANNOUNCING: Duration = Duration::from_millis(500);

/// Makes the service signal a change of a profile's entry. gnome-keyring sends no signal for a new secret in an
/// existing entry, but sends one for every attribute that is set, whatever its value.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the process of one call, whose end by a panic is a fault"
)]
pub(super) fn announce(service: &str, profile: &str) {
    let set = || {
        let bus = Builder::session()?.method_timeout(ANNOUNCING).build()?;
        let label = (ITEM, "Label", Value::from(format!("Jeton: {profile}")));
        for item in Peer::new(&bus).entries(service, profile)?.0 {
            let properties = Some("org.freedesktop.DBus.Properties");
            bus.call_method(Some(SECRETS), &item, properties, "Set", &label)?;
        }
        zbus::Result::Ok(())
    };
    // Without the signal, watchers find the change at their next poll.
    let _: zbus::Result<()> = set();
}

fn is_change(message: &Message) -> bool {
    let header = message.header();
    let (Some(interface), Some(member)) = (header.interface(), header.member()) else {
        return false;
    };
    if (interface.as_str(), member.as_str()) == (BUS, "NameOwnerChanged") {
        // The name, its former owner, and its new owner, which is empty for a service that has gone.
        let owners: zbus::Result<(String, String, String)> = message.body().deserialize();
        return owners.is_ok_and(|(_, _, new)| !new.is_empty());
    }
    CHANGES.contains(&(interface.as_str(), member.as_str()))
}

/// Opens the entry of a profile; a new entry goes into the default collection.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the process of one call, whose end by a panic is a fault"
)]
pub(super) fn open(service: &str, profile: &str, limit: Duration) -> Result<Entry, KeyringFault> {
    let bus = Builder::session()
        .and_then(|builder| builder.method_timeout(limit).build())
        .map_err(|error| KeyringFault::from(&error))?;
    look(&bus, service, profile)?;
    let store = Store::new().map_err(|error| KeyringFault::of(&error))?;
    let label = format!("Jeton: {profile}");
    let inner = store
        .build(service, profile, Some(&HashMap::from([("label", &*label)])))
        .map_err(|error| KeyringFault::of(&error))?;
    Ok(Entry { inner })
}

/// Checks whether the entry can be used, and a new one created, without prompting the person.
fn look(bus: &Connection, service: &str, profile: &str) -> Result<(), KeyringFault> {
    let peer = Peer::new(bus);
    let owner = peer.owner()?;
    if owner != rustix::process::geteuid().as_raw() {
        return Err(KeyringFault::Foreign(owner));
    }
    let default = peer.default_collection()?;
    match default.as_str().rsplit('/').next() {
        None | Some("") => return Err(KeyringFault::NoDefault),
        Some("session") => return Err(KeyringFault::SessionOnly),
        Some(_) => {}
    }
    // An existing entry may be in another collection, which was the default when the entry was created.
    if peer.is_locked(&default)? || peer.has_locked_entries(service, profile)? {
        return Err(KeyringFault::Locked);
    }
    Ok(())
}
