//! A file that holds only a client ID or a client secret.

use std::path::Path;

use zeroize::Zeroizing;

use crate::credential::InvalidCredential;
use crate::trust::{Purpose, UntrustedPath, read_named};

/// The largest file that is read, in bytes: far longer than a credential, and short enough to be read at once.
const MAX_LEN: u64 = 64 * 1024;

/// Reads a file that only root and `owner` can have written, also through links. Blocks.
///
/// # Errors
/// [`UntrustedPath`] names the file, or the folder or link on its path, and the remedy.
pub(super) fn read(path: &Path, owner: u32) -> Result<Zeroizing<Vec<u8>>, UntrustedPath> {
    read_named(path, owner, Purpose::SecretFile, MAX_LEN).map(|file| file.bytes)
}

/// Removes the line end that editors and `echo` add: one, of Unix or of Windows. No client ID or secret contains a line
/// end.
///
/// # Errors
/// [`InvalidCredential::Characters`] for bytes that are not text.
pub(super) fn text(bytes: &[u8]) -> Result<&str, InvalidCredential> {
    let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let line = match line.len() < bytes.len() {
        true => line.strip_suffix(b"\r").unwrap_or(line),
        false => line,
    };
    std::str::from_utf8(line).map_err(|_| InvalidCredential::Characters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_trailing_line_end_is_removed() {
        for (bytes, expected) in [
            (&b"secret"[..], Some("secret")),
            (b"secret\n", Some("secret")),
            (b"secret\r\n", Some("secret")),
            (b"secret\n\n", Some("secret\n")),
            (b"secret\r", Some("secret\r")),
            (b"secret\r\r\n", Some("secret\r")),
            (b" secret ", Some(" secret ")),
            (b"\n", Some("")),
            (b"", Some("")),
            (b"\xff\n", None),
        ] {
            assert_eq!(text(bytes).ok(), expected, "{bytes:?}");
        }
    }
}
