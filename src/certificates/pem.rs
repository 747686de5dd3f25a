//! PEM files in the variants that people have: with a byte order mark, in UTF-16, with Windows line ends, with blocks
//! of other kinds (RFC 7468).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::{PemObject as _, SectionKind};
use zeroize::Zeroizing;

/// The byte order mark of UTF-8. Editors put it at the start, and joining two files puts it in the middle.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A block's kind and its bytes.
pub(super) type Block = (SectionKind, Vec<u8>);

/// The text of a PEM file, without byte order marks.
pub(super) struct Pem(Zeroizing<Vec<u8>>);

// === impl Pem ===

impl Pem {
    /// Normalises the bytes of a file.
    pub(super) fn new(bytes: &[u8]) -> Self {
        let text = match bytes {
            [0xff, 0xfe, rest @ ..] => of_utf16(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => of_utf16(rest, u16::from_be_bytes),
            _ => without_marks(bytes),
        };
        Self(text)
    }

    /// Returns the blocks of known kinds, in the file's order.
    ///
    /// # Errors
    /// `None` if a block has no end, or holds something other than base64.
    pub(super) fn blocks(&self) -> Option<Vec<Block>> {
        let blocks: Result<Vec<Block>, _> = Block::pem_slice_iter(&self.0).collect();
        blocks.ok()
    }

    /// Counts the blocks with this label.
    pub(super) fn count(&self, label: &str) -> usize {
        let begins = |line: &&[u8]| {
            let rest = line.strip_prefix(b"-----BEGIN ");
            let rest = rest.and_then(|rest| rest.strip_prefix(label.as_bytes()));
            rest.is_some_and(|rest| rest.starts_with(b"-----"))
        };
        self.lines().filter(begins).count()
    }

    /// Reports whether a block is encrypted with a pass phrase (RFC 1421 section 4.6.1.1).
    pub(super) fn is_encrypted(&self) -> bool {
        let says = |line: &[u8]| line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED");
        self.count("ENCRYPTED PRIVATE KEY") > 0
            || self.lines().any(|line| says(line.trim_ascii_end()))
    }

    fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.0.split(|byte| matches!(byte, b'\n' | b'\r'))
    }
}

/// Formats a certificate as a block, with lines of 64 characters (RFC 7468 section 2).
pub(super) fn certificate(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut block = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = base64.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        block.push_str(line);
        block.push('\n');
        rest = after;
    }
    if !rest.is_empty() {
        block.push_str(rest);
        block.push('\n');
    }
    block.push_str("-----END CERTIFICATE-----\n");
    block
}

/// Removes the byte order marks at the starts of lines.
fn without_marks(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    // Allocated at its full size, since a growing buffer would leave a copy of a key behind.
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len()));
    for line in bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
        let mut line = line;
        while let Some(rest) = line.strip_prefix(MARK) {
            line = rest;
        }
        text.extend_from_slice(line);
    }
    text
}

/// Returns the ASCII characters of a text in UTF-16. The blocks of a PEM file are pure ASCII.
fn of_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(bytes.len() / 2));
    let (units, _) = bytes.as_chunks::<2>();
    text.extend(
        units
            .iter()
            .map(|&two| u8::try_from(unit(two)).unwrap_or(b'?')),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}")
            .encode_utf16()
            .flat_map(bytes)
            .collect()
    }

    #[test]
    fn a_written_certificate_parses_back_unchanged() {
        for len in [1_u8, 47, 48, 49, 255] {
            let der: Vec<u8> = (0..len).collect();
            let text = certificate(&der);
            assert!(text.lines().all(|line| line.len() <= 64), "{text}");
            let blocks = Pem::new(text.as_bytes()).blocks().unwrap();
            assert_eq!(blocks, [(SectionKind::Certificate, der)]);
        }
    }

    #[test]
    fn a_pem_block_is_parsed_with_any_line_ending_and_byte_order_mark() {
        let windows = BLOCK.replace('\n', "\r\n");
        let marked = format!("\u{feff}{BLOCK}");
        for (bytes, count) in [
            (BLOCK.as_bytes().to_vec(), 1),
            (windows.clone().into_bytes(), 1),
            (BLOCK.replace('\n', "\r").into_bytes(), 1),
            (marked.clone().into_bytes(), 1),
            (format!("\u{feff}{windows}").into_bytes(), 1),
            (format!("\u{feff}{marked}").into_bytes(), 1),
            (format!("{marked}{marked}\u{feff}{windows}").into_bytes(), 3),
            (format!("# text\r\n{marked}text\n").into_bytes(), 1),
            (BLOCK.trim_end().as_bytes().to_vec(), 1),
            (BLOCK.replace("-----\n", "----- \n").into_bytes(), 1),
            (utf16(BLOCK, u16::to_le_bytes), 1),
            (utf16(&windows, u16::to_be_bytes), 1),
            (
                utf16(&format!("# \u{e9}\u{1f600}\n{BLOCK}"), u16::to_le_bytes),
                1,
            ),
            (vec![0xff, 0xfe, b'-'], 0),
            (vec![0xff, 0xfe], 0),
            (MARK.to_vec(), 0),
            (vec![], 0),
        ] {
            let blocks = Pem::new(&bytes).blocks().unwrap();
            assert_eq!(blocks.len(), count, "{bytes:?}");
            let are_whole =
                |(kind, der): &Block| *kind == SectionKind::Certificate && der == &[0, 1, 2];
            assert!(blocks.iter().all(are_whole), "{bytes:?}");
        }
    }

    #[test]
    fn an_incomplete_pem_block_is_rejected() {
        for text in [
            "-----BEGIN CERTIFICATE-----\nAAEC\n",
            "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE\nAAEC\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Pem::new(text.as_bytes()).blocks().is_none(), "{text}");
        }
    }

    #[test]
    fn pem_labels_are_recognized_only_at_the_start_of_a_line() {
        let trusted = BLOCK.replace("CERT", "TRUSTED CERT");
        let pem = Pem::new(format!("\u{feff}{trusted}").as_bytes());
        assert_eq!(
            (pem.count("TRUSTED CERTIFICATE"), pem.count("CERTIFICATE")),
            (1, 0)
        );
        assert_eq!(pem.blocks().map(|blocks| blocks.len()), Some(0));
        let comment = Pem::new(format!("# {trusted}").as_bytes());
        assert_eq!(comment.count("TRUSTED CERTIFICATE"), 0);
        for (text, is_encrypted) in [
            ("-----BEGIN ENCRYPTED PRIVATE KEY-----\n", true),
            (
                "-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\n",
                true,
            ),
            ("-----BEGIN RSA PRIVATE KEY-----\n", false),
            ("-----BEGIN PRIVATE KEY-----\n", false),
        ] {
            assert_eq!(
                Pem::new(text.as_bytes()).is_encrypted(),
                is_encrypted,
                "{text}"
            );
        }
    }
}
