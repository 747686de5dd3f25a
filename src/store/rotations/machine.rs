//! The machine that this program runs on.

use super::journal::Machine;

/// The file with the kernel's ID of this boot.
#[cfg(target_os = "linux")]
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The file with the host name.
#[cfg(target_os = "linux")]
const HOST: &str = "/proc/sys/kernel/hostname";

impl Machine {
    /// Reads this machine's host name and boot ID. A part that the system does not provide is empty. Without a boot ID
    /// every boot counts as another one, and only the profile's lock decides.
    #[cfg(target_os = "linux")]
    pub fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self::told(&read(HOST), &read(BOOT_ID))
    }

    /// Reads this machine's host name. The system provides no boot ID.
    #[cfg(not(target_os = "linux"))]
    pub fn this() -> Self {
        let name = rustix::system::uname();
        Self::told(&name.nodename().to_string_lossy(), "")
    }

    /// Builds the machine from the system's texts.
    fn told(host: &str, boot: &str) -> Self {
        let boot = boot.trim();
        let is_id = boot.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        Self {
            host: host.trim().to_owned(),
            boot: if is_id {
                boot.to_owned()
            } else {
                String::new()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_identified_by_host_name_and_boot_id() {
        let told = Machine::told("host\n", "0b9f-12\n");
        assert_eq!((&*told.host, &*told.boot), ("host", "0b9f-12"));
        assert_eq!(Machine::told("host", "what?").boot, "");
        assert_eq!(Machine::told("host", "").boot, "");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_a_host_name_and_a_stable_boot_id() {
        let this = Machine::this();
        assert!(!this.host.is_empty());
        assert_eq!(this.boot.len(), 36, "{this:?}");
        assert_eq!(this, Machine::this());
    }
}
