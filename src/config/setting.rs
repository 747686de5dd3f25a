//! The value of a provider's key, independent of how it is written.

use std::collections::BTreeMap;

use toml_edit::{Array, InlineTable, Value};

/// The value of a provider's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProviderSetting {
    /// A text.
    Text(String),
    /// True or false.
    Flag(bool),
    /// An array of texts.
    List(Vec<String>),
    /// A table of texts.
    Pairs(BTreeMap<String, String>),
}

// === impl Setting ===

impl ProviderSetting {
    /// Converts a TOML value; `None` if it is of another type.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Some(match value {
            Value::String(text) => Self::Text(text.value().clone()),
            Value::Boolean(flag) => Self::Flag(*flag.value()),
            Value::Array(list) => Self::List(list.iter().map(text).collect::<Option<_>>()?),
            Value::InlineTable(table) => {
                let pairs = table.iter();
                let pairs = pairs.map(|(name, value)| Some((name.to_owned(), text(value)?)));
                Self::Pairs(pairs.collect::<Option<_>>()?)
            }
            Value::Integer(_) | Value::Float(_) | Value::Datetime(_) => return None,
        })
    }

    /// Converts the setting to a TOML value.
    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Flag(flag) => (*flag).into(),
            Self::List(texts) => Array::from_iter(texts).into(),
            Self::Pairs(pairs) => InlineTable::from_iter(pairs).into(),
        }
    }
}
