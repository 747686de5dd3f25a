//! Linux: the Secret Service of the session bus.
//!
//! The keyring crates would have a locked keyring ask the person, and wait for it. So we look first, over a connection
//! whose calls have a limit, and leave it alone when it is locked, hangs, is somebody else's or would not last.

use std::collections::HashMap;
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use keyring::Entry;
use keyring_core::api::CredentialStoreApi as _;
use zbus::blocking::Connection;
use zbus::blocking::connection::Builder;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};
use zbus_secret_service_keyring_store::Store;

use super::{KeyringFault, SERVICE};

/// What the system calls its keyring.
pub(super) const NAME: &str = "Secret Service";

/// The message bus itself.
const BUS: &str = "org.freedesktop.DBus";

/// The Secret Service's name on it, and where the service is.
const SECRETS: &str = "org.freedesktop.secrets";
const SECRETS_PATH: &str = "/org/freedesktop/secrets";

/// The entry of a profile, in the default collection when it is new.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the process of one call, whose end by a panic is a fault"
)]
pub(super) fn open(profile: &str, limit: Duration) -> Result<Entry, KeyringFault> {
    let bus = Builder::session()
        .and_then(|builder| builder.method_timeout(limit).build())
        .map_err(|error| KeyringFault::from(&error))?;
    look(&bus, profile)?;
    let store = Store::new().map_err(|error| KeyringFault::of(&error))?;
    let label = format!("Jeton: {profile}");
    let inner = store
        .build(SERVICE, profile, Some(&HashMap::from([("label", &*label)])))
        .map_err(|error| KeyringFault::of(&error))?;
    Ok(Entry { inner })
}

/// Finds out whether the entry can be used, and a new one be made, without asking a person.
fn look(bus: &Connection, profile: &str) -> Result<(), KeyringFault> {
    let service = Peer { bus };
    let owner = service.owner()?;
    if owner != rustix::process::geteuid().as_raw() {
        return Err(KeyringFault::Foreign(owner));
    }
    let default = service.default_collection()?;
    match default.as_str().rsplit('/').next() {
        None | Some("") => return Err(KeyringFault::NoDefault),
        Some("session") => return Err(KeyringFault::SessionOnly),
        Some(_) => {}
    }
    // An entry may also be in another collection, which was the default one when it was made.
    if service.is_locked(&default)? || service.has_locked_entries(profile)? {
        return Err(KeyringFault::Locked);
    }
    Ok(())
}

/// The Secret Service at the other end of a connection.
struct Peer<'a> {
    bus: &'a Connection,
}

impl Peer<'_> {
    /// Who runs it; it is started if it can be.
    fn owner(&self) -> zbus::Result<u32> {
        let path = "/org/freedesktop/DBus";
        // A bus refuses to start what it cannot, even if it runs.
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

    /// The collection that is called the default one; `/` for none.
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

    fn has_locked_entries(&self, profile: &str) -> zbus::Result<bool> {
        let interface = Some("org.freedesktop.Secret.Service");
        let attributes = HashMap::from([("service", SERVICE), ("username", profile)]);
        let reply = self.bus.call_method(
            Some(SECRETS),
            SECRETS_PATH,
            interface,
            "SearchItems",
            &attributes,
        )?;
        let body = reply.body();
        let (_, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = body.deserialize()?;
        Ok(!locked.is_empty())
    }
}

/// What a failure of the Secret Service means: somewhere below it there is one of the bus.
pub(super) fn fault(error: &(dyn Error + 'static)) -> KeyringFault {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<zbus::Error>() {
            return error.into();
        }
        next = error.source();
    }
    KeyringFault::Failed("an answer that is not understood".into())
}

impl From<zbus::Error> for KeyringFault {
    fn from(error: zbus::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&zbus::Error> for KeyringFault {
    fn from(error: &zbus::Error) -> Self {
        match error {
            zbus::Error::Address(_) | zbus::Error::Connection(..) => Self::NoBus,
            zbus::Error::InputOutput(error) => match error.kind() {
                ErrorKind::TimedOut => Self::Timeout,
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => Self::NoBus,
                kind => Self::Failed(format!("the session bus: {kind}")),
            },
            zbus::Error::MethodError(name, ..) => Self::of_name(name.as_str()),
            zbus::Error::Handshake(_) => Self::Failed("the session bus refuses us".into()),
            _ => Self::Failed("the session bus does not understand us, nor we it".into()),
        }
    }
}

impl KeyringFault {
    /// What an error's name means. A name has letters, digits, dots and underscores only.
    fn of_name(name: &str) -> Self {
        let last = name.rsplit('.').next();
        match last {
            Some("ServiceUnknown" | "NameHasNoOwner") => Self::NoService,
            // Of the Secret Service, when it was locked since we looked.
            Some("IsLocked") => Self::Locked,
            Some("NoReply" | "Timeout" | "TimedOut") => Self::Timeout,
            _ if name.starts_with("org.freedesktop.DBus.Error.Spawn.") => Self::NoService,
            _ => Self::Failed(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_failure_is_told_by_its_name_and_never_by_its_text() {
        for (name, fault) in [
            (
                "org.freedesktop.DBus.Error.ServiceUnknown",
                KeyringFault::NoService,
            ),
            (
                "org.freedesktop.DBus.Error.Spawn.ExecFailed",
                KeyringFault::NoService,
            ),
            ("org.freedesktop.DBus.Error.NoReply", KeyringFault::Timeout),
            (
                "org.freedesktop.Secret.Error.IsLocked",
                KeyringFault::Locked,
            ),
            (
                "org.freedesktop.DBus.Error.AccessDenied",
                KeyringFault::Failed("org.freedesktop.DBus.Error.AccessDenied".into()),
            ),
        ] {
            assert_eq!(KeyringFault::of_name(name), fault, "{name}");
        }
        let of = |kind: ErrorKind| {
            let io = zbus::Error::InputOutput(Arc::new(std::io::Error::new(kind, "canary")));
            let below = keyring::Error::PlatformFailure(Box::new(io));
            KeyringFault::of(&below)
        };
        assert_eq!(of(ErrorKind::NotFound), KeyringFault::NoBus);
        assert_eq!(of(ErrorKind::TimedOut), KeyringFault::Timeout);
        let other = of(ErrorKind::BrokenPipe);
        assert!(matches!(other, KeyringFault::Failed(_)));
        assert!(!format!("{other:?} {other}").contains("canary"));
    }
}
