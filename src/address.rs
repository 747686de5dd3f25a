//! Addresses: the one that a client wants a token for, and the ones that a profile serves. One parser and one
//! comparison for both.
//!
//! Other people's content decides which address a helper's client names: a repository's submodule, a registry's realm,
//! a page of an index. An address that two programs may read in two ways is therefore refused before it is compared
//! (CVE-2020-5260, CVE-2020-11008, CVE-2024-52006, CVE-2024-53263).

use std::fmt;

use url::{Host, Url};

/// An address in the form in which addresses are compared: scheme, host and port after one parse, and a path of whole
/// segments.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// `scheme://host[:port]` in lower case and punycode, without the scheme's default port.
    origin: String,
    /// The path without a trailing slash; empty for an address without a path.
    path: String,
}

/// The reason for which an address is refused. It is a fixed sentence, since the address may hold a secret or terminal
/// escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidAddress(pub &'static str);

/// The longest accepted address, in bytes. No client connects to a longer one.
const MAX_LEN: usize = 8_192;

const CHARACTERS: InvalidAddress =
    InvalidAddress("the address has a space, a backslash, or a character that shows nothing");
const NO_HOST: InvalidAddress = InvalidAddress("the address has no host");
const USER: InvalidAddress = InvalidAddress("the address names a user");
const HOST: InvalidAddress = InvalidAddress(
    "the host is neither a name of letters, digits, '-' and '_' nor an IP address in its usual form",
);
const DOTS: InvalidAddress =
    InvalidAddress("the host begins or ends with a dot, or has two in a row");
const PORT: InvalidAddress = InvalidAddress("the port is not a number from 1 to 65535");
const FRAGMENT: InvalidAddress = InvalidAddress("the address has a fragment");
const PATH: InvalidAddress =
    InvalidAddress("programs read the path of the address in more than one way");
const SCHEME: InvalidAddress =
    InvalidAddress("only https is possible, or http to a loopback literal such as 127.0.0.1");

// === impl Address ===

impl Address {
    /// Parses an address. A host alone, with or without a port, counts as `https`. Cargo's prefix `sparse+` and a query
    /// are dropped.
    ///
    /// # Errors
    /// [`InvalidAddress`] unless the scheme is `https` (or `http` to a loopback literal), and for a user, an empty or
    /// ambiguous host or port, a fragment, and a path that programs read in more than one way.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        if text.len() > MAX_LEN {
            return Err(InvalidAddress("the address is longer than 8 KiB"));
        }
        if text.chars().any(is_refused) {
            return Err(CHARACTERS);
        }
        let text = text.strip_prefix("sparse+").unwrap_or(text);
        let (scheme, rest) = text.split_once("://").unwrap_or(("https", text));
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(&*scheme, "https" | "http") {
            return Err(SCHEME);
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        let name = demand_authority(authority)?;
        if after.contains('#') {
            return Err(FRAGMENT);
        }
        let path = after.split('?').next().unwrap_or_default();
        demand_path(path)?;
        let url = Url::parse(&format!("{scheme}://{authority}{path}"));
        let url = url.map_err(|_| HOST)?;
        demand_host(&url, name)?;
        if scheme == "http" && !is_loopback(&url) {
            return Err(SCHEME);
        }
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            path: in_one_case(url.path().trim_end_matches('/')),
        })
    }

    /// Returns the path without a trailing slash; empty for an address without a path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns `scheme://host[:port]`.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Reports whether this address covers the other one: same origin, and this path is a prefix of the other's that
    /// ends at a segment boundary.
    pub fn covers(&self, other: &Self) -> bool {
        let rest = other.path.strip_prefix(&*self.path);
        self.origin == other.origin
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns `host[:port]`, without the scheme's default port.
    pub fn host(&self) -> String {
        let host = self.origin.split_once("://").map_or("", |(_, host)| host);
        host.to_owned()
    }
}

impl fmt::Display for Address {
    /// Writes the address in lower case and punycode, without the default port or a trailing slash. The result is
    /// printable ASCII.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Reports whether a character is refused anywhere in an address.
fn is_refused(c: char) -> bool {
    c.is_control() || c.is_whitespace() || c == '\\' || is_invisible(c)
}

/// Reports whether a character is invisible (Unicode's `Default_Ignorable_Code_Point`). A name that contains one looks
/// like another name, and some programs drop it.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Checks `host[:port]` as written, and returns the host.
fn demand_authority(authority: &str) -> Result<&str, InvalidAddress> {
    if authority.contains('@') {
        return Err(USER);
    }
    // After the brackets of an IPv6 address, a colon can only start the port.
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    let (address, behind) = authority.split_at(bracket);
    let (name, port) = match behind.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (behind, None),
    };
    if address.is_empty() == name.is_empty() {
        return Err(if name.is_empty() { NO_HOST } else { HOST });
    }
    // Some programs percent-decode the host.
    if authority.contains('%') || behind.contains('[') {
        return Err(HOST);
    }
    let is_port = |port: &str| {
        let is_number = port.bytes().all(|b| b.is_ascii_digit());
        is_number && !port.starts_with('0') && port.parse::<u16>().is_ok()
    };
    match port {
        Some(port) if !is_port(port) => Err(PORT),
        _ if name.is_empty() => Ok(address),
        _ => Ok(name),
    }
}

/// Checks the parsed host against the host as written.
fn demand_host(url: &Url, written: &str) -> Result<(), InvalidAddress> {
    let is_of_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    // A host that starts with a dash may be taken for a command-line option (CVE-2017-1000117).
    let has_dash = |label: &str| label.starts_with('-') || label.ends_with('-');
    match url.host() {
        Some(Host::Domain(name)) if !name.bytes().all(is_of_name) => Err(HOST),
        Some(Host::Domain(name)) if name.split('.').any(has_dash) => Err(HOST),
        Some(Host::Domain(name)) if name.split('.').any(str::is_empty) => Err(DOTS),
        // Some programs read 127.1, 0x7f000001 and 0177.0.0.1 as other addresses.
        Some(Host::Ipv4(ip)) if ip.to_string() != written => Err(HOST),
        Some(_) => Ok(()),
        None => Err(NO_HOST),
    }
}

/// Refuses a path that some programs shorten, decode or cut, and others leave as it is.
fn demand_path(path: &str) -> Result<(), InvalidAddress> {
    let is_dots = |segment: &str| matches!(segment, "." | "..");
    if path.contains("//") || path.contains(';') || path.split('/').any(is_dots) {
        return Err(PATH);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => encoded(bytes.next(), bytes.next()).ok_or(PATH)?,
            byte => byte,
        });
    }
    match str::from_utf8(&decoded) {
        Ok(text) if !text.chars().any(char::is_control) && !has_code(text) => Ok(()),
        _ => Err(PATH),
    }
}

/// Reports whether a decoded path still has a percent-code, which a program that decodes twice would decode.
fn has_code(decoded: &str) -> bool {
    let is_hex = |b: &u8| b.is_ascii_hexdigit();
    let three = decoded.as_bytes().windows(3);
    three
        .into_iter()
        .any(|three| matches!(three, [b'%', high, low] if is_hex(high) && is_hex(low)))
}

/// Decodes two hexadecimal digits to a byte. `None` if they are not digits, or if the byte is one that only some
/// programs decode before they compare, cut or shorten a path.
fn encoded(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    let is_doubtful = byte.is_ascii_alphanumeric() || b"-._~/\\;".contains(&byte);
    (!is_doubtful).then_some(byte)
}

/// Writes the digits of percent-codes in upper case, as most programs do: `%c3` and `%C3` are the same byte.
fn in_one_case(path: &str) -> String {
    let mut digits = 0;
    path.chars()
        .map(|c| {
            let is_digit = digits > 0;
            digits = if c == '%' { 2 } else { digits.max(1) - 1 };
            if is_digit { c.to_ascii_uppercase() } else { c }
        })
        .collect()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

// === impl InvalidAddress ===

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for InvalidAddress {}

#[cfg(test)]
mod tests;
