//! Calls to the Secret Service.

use std::collections::HashMap;

use zbus::blocking::Connection;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

/// The message bus itself.
pub(super) const BUS: &str = "org.freedesktop.DBus";
pub(super) const BUS_PATH: &str = "/org/freedesktop/DBus";

/// The bus name of the Secret Service, and its object path.
pub(super) const SECRETS: &str = "org.freedesktop.secrets";
const SECRETS_PATH: &str = "/org/freedesktop/secrets";

/// The unlocked entries, and the locked ones.
type Entries = (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>);

/// The Secret Service at the other end of a connection.
pub(super) struct Peer<'a> {
    bus: &'a Connection,
}

impl<'a> Peer<'a> {
    pub(super) const fn new(bus: &'a Connection) -> Self {
        Self { bus }
    }

    /// The user that runs the service; starts the service if possible.
    pub(super) fn owner(&self) -> zbus::Result<u32> {
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
    pub(super) fn default_collection(&self) -> zbus::Result<OwnedObjectPath> {
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

    /// Whether the service runs.
    pub(super) fn is_running(&self) -> zbus::Result<bool> {
        let reply =
            (self.bus).call_method(Some(BUS), BUS_PATH, Some(BUS), "NameHasOwner", &SECRETS)?;
        reply.body().deserialize()
    }

    pub(super) fn is_locked(&self, collection: &OwnedObjectPath) -> zbus::Result<bool> {
        let interface = "org.freedesktop.Secret.Collection";
        let value = self.property(collection, interface, "Locked")?;
        Ok(bool::try_from(value)?)
    }

    pub(super) fn property(
        &self,
        object: &OwnedObjectPath,
        interface: &str,
        name: &str,
    ) -> zbus::Result<OwnedValue> {
        let properties = Some("org.freedesktop.DBus.Properties");
        let property = (interface, name);
        let reply = self
            .bus
            .call_method(Some(SECRETS), object, properties, "Get", &property)?;
        reply.body().deserialize()
    }

    pub(super) fn has_locked_entries(&self, service: &str, profile: &str) -> zbus::Result<bool> {
        Ok(!self.entries(service, profile)?.1.is_empty())
    }

    /// The entries of a profile that are unlocked, and those that are locked.
    pub(super) fn entries(&self, service: &str, profile: &str) -> zbus::Result<Entries> {
        self.search(&HashMap::from([
            ("service", service),
            ("username", profile),
        ]))
    }

    /// The entries with these attributes that are unlocked, and those that are locked.
    pub(super) fn search(&self, attributes: &HashMap<&str, &str>) -> zbus::Result<Entries> {
        let interface = Some("org.freedesktop.Secret.Service");
        let reply = self.bus.call_method(
            Some(SECRETS),
            SECRETS_PATH,
            interface,
            "SearchItems",
            attributes,
        )?;
        reply.body().deserialize()
    }
}
