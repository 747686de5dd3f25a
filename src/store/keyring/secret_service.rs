//! Linux: the Secret Service of the session bus.
//!
//! The keyring crates would make a locked keyring prompt the person, and wait. So the keyring is checked first, over a
//! connection whose calls have a time limit, and not used if it is locked, hangs, belongs to another user or is not
//! persistent.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use keyring::Entry;
use keyring_core::api::CredentialStoreApi as _;
use zbus::Message;
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, MessageIterator};
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};
use zbus_secret_service_keyring_store::Store;

use super::KeyringFault;
use super::signal::Signal;

/// The system's name for its keyring.
pub(super) const NAME: &str = "Secret Service";

/// The message bus itself.
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// The bus name of the Secret Service, and its object path.
const SECRETS: &str = "org.freedesktop.secrets";
const SECRETS_PATH: &str = "/org/freedesktop/secrets";

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

/// Calls `tell` at every change of the keyring, until the bus ends or `tell` fails. The service need not run yet.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the process of the watch, whose end by a panic is a fault"
)]
pub(super) fn watch(mut tell: impl FnMut(Signal) -> io::Result<()>) -> Result<(), KeyringFault> {
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
    tell(Signal::Ready).map_err(fault)?;
    for message in messages {
        let message = message.map_err(|error| KeyringFault::from(&error))?;
        if is_change(&message) {
            tell(Signal::Changed).map_err(fault)?;
        }
    }
    Ok(())
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
        for item in (Peer { bus: &bus }).entries(service, profile)?.0 {
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
    let peer = Peer { bus };
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

type Entries = (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>);

/// The Secret Service at the other end of a connection.
struct Peer<'a> {
    bus: &'a Connection,
}

impl Peer<'_> {
    /// The user that runs the service; starts the service if possible.
    fn owner(&self) -> zbus::Result<u32> {
        let path = BUS_PATH;
        // The bus refuses to start a service that it cannot activate, even if the service runs.
        let start = (SECRETS, 0_u32);
        let started =
            self.bus
                .call_method(Some(BUS), path, Some(BUS), "StartServiceByName", &start);
        let owner = self
            .bus
            .call_method(
                Some(BUS),
                path,
                Some(BUS),
                "GetConnectionUnixUser",
                &SECRETS,
            )
            .map_err(|error| started.err().unwrap_or(error))?;
        owner.body().deserialize()
    }

    /// The default collection; `/` if there is none.
    fn default_collection(&self) -> zbus::Result<OwnedObjectPath> {
        let interface = Some("org.freedesktop.Secret.Service");
        self.bus
            .call_method(
                Some(SECRETS),
                SECRETS_PATH,
                interface,
                "ReadAlias",
                &"default",
            )?
            .body()
            .deserialize()
    }

    fn is_locked(&self, collection: &OwnedObjectPath) -> zbus::Result<bool> {
        let interface = Some("org.freedesktop.DBus.Properties");
        let property = ("org.freedesktop.Secret.Collection", "Locked");
        let reply = self
            .bus
            .call_method(Some(SECRETS), collection, interface, "Get", &property)?;
        let value: OwnedValue = reply.body().deserialize()?;
        Ok(bool::try_from(value)?)
    }

    fn has_locked_entries(&self, service: &str, profile: &str) -> zbus::Result<bool> {
        Ok(!self.entries(service, profile)?.1.is_empty())
    }

    /// The entries of a profile that are unlocked, and those that are locked.
    fn entries(&self, service: &str, profile: &str) -> zbus::Result<Entries> {
        let interface = Some("org.freedesktop.Secret.Service");
        let attributes = HashMap::from([("service", service), ("username", profile)]);
        let reply = self.bus.call_method(
            Some(SECRETS),
            SECRETS_PATH,
            interface,
            "SearchItems",
            &attributes,
        )?;
        reply.body().deserialize()
    }
}
