//! Decrypts age files, into memory that is wiped.

use std::fmt;
use std::io::Read;
use std::iter;

use age::DecryptError;
use age::armor::ArmoredReader;
use zeroize::Zeroizing;

use super::work_factor::WorkFactor;

/// The reason why an age file was not decrypted. It never quotes the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// The file is not an age file.
    NotAge,
    /// The file uses a later version of the format.
    LaterVersion,
    /// The file is encrypted to another recipient, such as that of a plug-in, or with a passphrase.
    NotForThisIdentity,
    /// The file is not encrypted with a passphrase.
    NotByPassphrase,
    /// The passphrase is wrong.
    WrongPassphrase,
    /// The file's work factor, a power of two, is above the accepted maximum.
    WorkFactor(u8),
    /// The file is truncated or was changed.
    Damaged,
    /// The content is larger than this limit, in bytes.
    TooLarge(usize),
}

/// The first line of an age file of the supported version.
const FIRST_LINE: &[u8] = b"age-encryption.org/v1\n";

/// The beginnings of age files of any version: binary, and armored.
const BEGINNINGS: [&[u8]; 2] = [
    b"age-encryption.org/",
    b"-----BEGIN AGE ENCRYPTED FILE-----",
];

/// Decrypts a file whose content has at most `limit` bytes. Armored files (PEM) are accepted too.
pub(super) fn open(
    file: &[u8],
    identity: &dyn age::Identity,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let decryptor = decryptor(file)?;
    let content = decryptor.decrypt(iter::once(identity))?;
    // One byte more than the limit: otherwise the buffer might grow while reading and leave a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    let read = content.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|_| OpenError::Damaged)?;
    if bytes.len() > limit {
        return Err(OpenError::TooLarge(limit));
    }
    Ok(bytes)
}

/// Reports whether a file is encrypted with a passphrase.
pub(super) fn is_by_passphrase(file: &[u8]) -> Result<bool, OpenError> {
    Ok(decryptor(file)?.is_scrypt())
}

fn decryptor(file: &[u8]) -> Result<age::Decryptor<impl Read>, OpenError> {
    if !BEGINNINGS.iter().any(|begin| file.starts_with(begin)) {
        return Err(OpenError::NotAge);
    }
    let [of_any_version, _] = BEGINNINGS;
    if file.starts_with(of_any_version) && !file.starts_with(FIRST_LINE) && file.contains(&b'\n') {
        return Err(OpenError::LaterVersion);
    }
    Ok(age::Decryptor::new_buffered(ArmoredReader::new(file))?)
}

// === impl Unopened ===

impl From<DecryptError> for OpenError {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::UnknownFormat => Self::LaterVersion,
            DecryptError::NoMatchingKeys => Self::NotForThisIdentity,
            // The age crate reports an identity that does not fit as "no matching keys".
            DecryptError::KeyDecryptionFailed | DecryptError::DecryptionFailed => {
                Self::WrongPassphrase
            }
            DecryptError::ExcessiveWork { required, .. } => Self::WorkFactor(required),
            // The beginning is that of an age file, but the rest is broken. The further variants belong to plug-ins,
            // which are not built in.
            _ => Self::Damaged,
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAge => f.write_str("it is not an age file"),
            Self::LaterVersion => {
                f.write_str("it is an age file of a later version of the format than this program knows")
            }
            Self::NotForThisIdentity => {
                f.write_str("it is an age file that the store's identity does not open: it is encrypted to another recipient")
            }
            Self::NotByPassphrase => {
                f.write_str("it is an age file that is not encrypted by a passphrase")
            }
            Self::WrongPassphrase => f.write_str("the passphrase is not the right one"),
            Self::WorkFactor(factor) => write!(
                f,
                "it has a work factor of {factor}, and at most {} is taken: opening it would take 2^{factor} KiB of memory",
                WorkFactor::MOST
            ),
            Self::Damaged => f.write_str("it is cut off, or was changed"),
            Self::TooLarge(limit) => write!(f, "it has more than {limit} bytes of content"),
        }
    }
}

impl std::error::Error for OpenError {}
