//! Converts errors of the session bus and of the Secret Service.

use std::error::Error;
use std::io::ErrorKind;

use crate::store::KeyringFault;

/// Converts a failure of the Secret Service: one of the error's sources is an error of the bus.
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
            zbus::Error::Handshake(_) => {
                Self::Failed("the session bus refuses the connection".into())
            }
            _ => Self::Failed("the session bus speaks another protocol".into()),
        }
    }
}

impl KeyringFault {
    /// Converts an error by its name. A name has only letters, digits, dots and underscores.
    fn of_name(name: &str) -> Self {
        let last = name.rsplit('.').next();
        match last {
            Some("ServiceUnknown" | "NameHasNoOwner") => Self::NoService,
            // From the Secret Service, if it was locked after the check.
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
    fn a_d_bus_error_is_reported_by_name_and_never_by_text() {
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
