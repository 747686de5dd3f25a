//! JSON strings that are deserialised into memory that is wiped.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};
use zeroize::Zeroizing;

/// A string that is wiped when it is dropped.
pub struct WipedString(pub Zeroizing<String>);

impl<'de> Deserialize<'de> for WipedString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = WipedString;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WipedString, E> {
                Ok(WipedString(Zeroizing::new(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
