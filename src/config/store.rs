//! The kinds of stores: their names in the configuration and on the command line, and their text in the reference.

/// The kind of store that keeps a profile's credential. It is passed by reference and is not `Copy`: a later kind may
/// carry data, such as a path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StoreKind {
    /// A file of mode 0600 in the state folder.
    #[default]
    File,
    /// An entry of the OS keyring.
    Keyring,
    /// An age file in the state folder, encrypted to the recipient in the configuration.
    EncryptedFile,
}

/// The values of the key `store`.
pub(super) const TAKES: &str = "\"file\", \"keyring\" or \"encrypted-file\"";

/// The reference's text for the key `store`.
pub(super) const ABOUT: &str = "where the credential is kept: a file in the state folder, the OS keyring, or an encrypted file";

impl StoreKind {
    /// The kinds by name, from the simplest to the one that `jetond add` prefers. It prefers encrypted files once they
    /// are set up, since a person did that on purpose.
    pub const WORDS: [Self; 3] = [Self::File, Self::Keyring, Self::EncryptedFile];

    /// Returns the kind in the configuration's spelling.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Keyring => "keyring",
            Self::EncryptedFile => "encrypted-file",
        }
    }

    /// Returns a short description.
    pub const fn about(&self) -> &'static str {
        match self {
            Self::File => "A file of mode 0600 in the state folder",
            Self::Keyring => "The OS keyring",
            Self::EncryptedFile => {
                "An encrypted file (age) in the state folder, for homes on network file systems and in backups; made by `jetond encrypt-store`, opened by `jetond unlock`"
            }
        }
    }

    /// Finds the kind with this name.
    pub fn parse(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|kind| kind.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_store_kind_has_a_word_in_the_reference() {
        for kind in StoreKind::WORDS {
            assert_eq!(StoreKind::parse(kind.as_str()).as_ref(), Some(&kind));
            assert!(TAKES.contains(&format!("\"{}\"", kind.as_str())));
        }
        assert_eq!(StoreKind::parse("File"), None);
        assert_eq!(StoreKind::WORDS[0], StoreKind::default());
    }

    #[test]
    fn the_docs_have_the_table_of_stores() {
        let mut table = "| `store` | where the credential is kept |\n|---|---|\n".to_owned();
        for kind in StoreKind::WORDS {
            let word = kind.as_str();
            let default = match kind == StoreKind::default() {
                true => " (the default)",
                false => "",
            };
            let about = kind.about();
            table.push_str(&format!("| `\"{word}\"`{default} | {about} |\n"));
        }
        let docs = include_str!("../../docs/configuration.md");
        assert!(
            docs.contains(&table),
            "docs/configuration.md lacks:\n{table}"
        );
    }
}
