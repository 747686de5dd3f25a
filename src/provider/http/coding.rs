//! The content coding of an answer (RFC 9110 section 8.4), from its headers.

use reqwest::header::{CONTENT_ENCODING, HeaderMap};

/// The codings that a message may name: the registered ones, and some that servers use unasked. Any other value could
/// be an echo of what was sent to the issuer.
const KNOWN: [&str; 21] = [
    "aes128gcm",
    "aws-chunked",
    "br",
    "brotli",
    "bzip2",
    "compress",
    "dcb",
    "dcz",
    "deflate",
    "exi",
    "gzip",
    "lz4",
    "lzma",
    "pack200-gzip",
    "snappy",
    "x-bzip2",
    "x-compress",
    "x-gzip",
    "xz",
    "zlib",
    "zstd",
];

/// Returns the codings that cannot be decoded here, for a message; `None` if the content is not coded, or in gzip
/// once.
pub(super) fn not_undone(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(CONTENT_ENCODING).iter();
    let fields = fields.map(|value| value.to_str().unwrap_or("?"));
    let codings = fields.flat_map(|field| field.split(','));
    let codings = codings.map(|coding| coding.trim().to_ascii_lowercase());
    let codings: Vec<_> = codings
        .filter(|coding| !["", "identity", "none"].contains(&coding.as_str()))
        .collect();
    match codings.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["gzip" | "x-gzip"] => None,
        ref codings => {
            let named = codings.iter().take(4).map(|coding| {
                let known = KNOWN.iter().find(|known| *known == coding);
                known.copied().unwrap_or("an unknown one")
            });
            Some(named.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn an_unsupported_coding_is_named_and_an_unknown_word_is_not_echoed() {
        for (fields, named) in [
            (&[][..], None),
            (&[""], None),
            (&["identity"], None),
            (&["gzip"], None),
            (&["GZip "], None),
            (&["x-gzip"], None),
            (&["identity, gzip"], None),
            (&["identity", "gzip"], None),
            (&["br"], Some("br")),
            (&["Deflate"], Some("deflate")),
            (&["zstd"], Some("zstd")),
            (&["gzip, gzip"], Some("gzip, gzip")),
            (&["gzip", "br"], Some("gzip, br")),
            (&["canary-secret"], Some("an unknown one")),
            (&["UTF-8"], Some("an unknown one")),
            (&["br,br,br,br,br"], Some("br, br, br, br")),
        ] {
            let mut headers = HeaderMap::new();
            for field in fields {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(field));
            }
            assert_eq!(not_undone(&headers).as_deref(), named, "{fields:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_ENCODING, HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(not_undone(&headers).as_deref(), Some("an unknown one"));
    }
}
