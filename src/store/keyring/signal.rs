//! The protocol between the process that watches the keyring and its parent.

/// A report of the watching process, in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// The process reports every change from now on.
    Ready,
    /// An entry was made or changed, the keyring was unlocked, or another keyring took its place.
    Changed,
    /// There is no keyring to watch. The process ends.
    NoKeyring,
}

impl Signal {
    const ALL: [(Self, u8); 3] = [
        (Self::Ready, b'r'),
        (Self::Changed, b'c'),
        (Self::NoKeyring, b'n'),
    ];

    /// The signal of this byte.
    pub fn of(byte: u8) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|(_, spelled)| *spelled == byte);
        found.map(|(signal, _)| signal)
    }

    pub(super) fn byte(self) -> u8 {
        let found = Self::ALL.into_iter().find(|(signal, _)| *signal == self);
        found.map_or(0, |(_, spelled)| spelled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_byte_converts_back_to_its_signal() {
        for (signal, _) in Signal::ALL {
            assert_eq!(Signal::of(signal.byte()), Some(signal));
        }
        assert_eq!(Signal::of(0), None);
    }
}
