//! The machine that this program runs on.

use super::journal::Machine;

/// Where the kernel tells the ID of this run.
#[cfg(target_os = "linux")]
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Where the kernel tells the host name.
#[cfg(target_os = "linux")]
const HOST: &str = "/proc/sys/kernel/hostname";

impl Machine {
    /// This machine, in this run of it. What the system does not tell is empty; without an ID of the run, every run looks
    /// like another one, and the profile's lock alone decides.
    #[cfg(target_os = "linux")]
    pub fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self::told(&read(HOST), &read(BOOT_ID))
    }

    /// This machine. The system tells no ID of its run.
    #[cfg(not(target_os = "linux"))]
    pub fn this() -> Self {
        let name = rustix::system::uname();
        Self::told(&name.nodename().to_string_lossy(), "")
    }

    /// The machine that the system tells of with these texts.
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
    fn a_machine_is_its_host_name_and_the_id_of_its_run() {
        let told = Machine::told("host\n", "0b9f-12\n");
        assert_eq!((&*told.host, &*told.boot), ("host", "0b9f-12"));
        assert_eq!(Machine::told("host", "what?").boot, "");
        assert_eq!(Machine::told("host", "").boot, "");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_machine_has_a_name_and_the_same_run_at_each_look() {
        let this = Machine::this();
        assert!(!this.host.is_empty());
        assert_eq!(this.boot.len(), 36, "{this:?}");
        assert_eq!(this, Machine::this());
    }
}
