//! The content of a second slot, and its JSON.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::credential::{RawAnswer, WipedString};
use crate::store::fixed_buffer::FixedBuffer;
use crate::store::{RotationId, StoreErrorKind};
use crate::token::AccessToken;

/// The version that this program writes and reads.
const VERSION: u64 = 1;

/// The largest slot, in bytes. A token of the greatest length with every character escaped takes half of it. The
/// longest answer, in hexadecimal digits, takes a quarter.
pub(in crate::store) const MAX_LEN: usize = 256 * 1024;

/// The data that is kept for one rotation.
#[derive(Debug)]
pub struct RotationData {
    /// The rotation's ID.
    pub rotation: RotationId,
    /// A token that manages the keys, taken before the exchange.
    pub token: AccessToken,
    /// The answer to the exchange, once it has arrived.
    pub answer: Option<RawAnswer>,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    rotation_id: &'a str,
    token: &'a str,
    /// In hexadecimal digits: an answer may be binary.
    answer: Option<&'a str>,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

#[derive(Deserialize)]
struct Form {
    rotation_id: String,
    token: WipedString,
    answer: Option<WipedString>,
}

/// The slot's JSON; `None` if it would be larger than [`MAX_LEN`].
pub(in crate::store) fn to_json(kept: &RotationData) -> Option<Zeroizing<Vec<u8>>> {
    let answer = kept.answer.as_ref().map(|answer| digits(answer.expose()));
    let mut json = Zeroizing::new(Vec::with_capacity(MAX_LEN));
    let written = Written {
        version: VERSION,
        rotation_id: kept.rotation.as_str(),
        token: kept.token.expose(),
        answer: answer.as_ref().map(|digits| digits.as_str()),
    };
    serde_json::to_writer_pretty(FixedBuffer::new(&mut json, MAX_LEN), &written).ok()?;
    Some(json)
}

/// Parses a slot's JSON.
pub(in crate::store) fn parse(json: &[u8]) -> Result<RotationData, StoreErrorKind> {
    let unclear = |what| StoreErrorKind::NotUnderstood(what);
    let unread = || unclear("it is not what a rotation keeps");
    // Parsed first: a later version may have any other form.
    let Version { version } = serde_json::from_slice(json).map_err(|_| unread())?;
    if version != VERSION {
        return Err(unclear("another version of this program has written it"));
    }
    let form: Form = serde_json::from_slice(json).map_err(|_| unread())?;
    form.parse().ok_or_else(unread)
}

impl Form {
    fn parse(self) -> Option<RotationData> {
        let answer = self.answer.map(|digits| bytes(&digits.0));
        Some(RotationData {
            rotation: RotationId::parse(&self.rotation_id)?,
            token: AccessToken::parse(&self.token.0).ok()?,
            answer: match answer {
                Some(bytes) => Some(RawAnswer::of(&bytes?)),
                None => None,
            },
        })
    }
}

fn digits(bytes: &[u8]) -> Zeroizing<String> {
    // Allocated at the final size, so that no growth leaves a copy behind.
    let mut digits = Zeroizing::new(String::with_capacity(bytes.len() * 2));
    for byte in bytes {
        for half in [byte >> 4, byte & 0xf] {
            digits.extend(char::from_digit(u32::from(half), 16));
        }
    }
    digits
}

fn bytes(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for pair in pairs {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        bytes.push(u8::try_from(high? * 16 + low?).ok()?);
    }
    Some(bytes)
}
