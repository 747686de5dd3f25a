//! JSON format of the content. The secrets in it are read into and written from memory that is wiped.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::content::{Exported, ExportedProfile, InvalidContent, MAX_LEN, VERSION};
use crate::certificates::CaFile;
use crate::config::{ConfigFault, ProviderKind, ProviderSetting, Proxy};
use crate::credential::{Credential, SurroundedText, WipedString};
use crate::instant::UnixTime;
use crate::profile::ProfileName;
use crate::store::Key;

/// Identifies the format.
const FORMAT: &str = "jeton-export";

#[derive(Serialize)]
struct Written<'a> {
    format: &'a str,
    version: u64,
    profiles: Vec<WrittenProfile<'a>>,
}

#[derive(Serialize)]
struct WrittenProfile<'a> {
    name: &'a str,
    provider: &'a str,
    settings: BTreeMap<&'a str, Value>,
    endpoint: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<&'a str>,
    client_id: &'a str,
    client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_name: Option<&'a str>,
    created_at: u64,
    shared: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    #[serde(rename = "format")]
    _format: String,
    #[serde(rename = "version")]
    _version: u64,
    profiles: Vec<ReadProfile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadProfile {
    name: String,
    provider: String,
    settings: BTreeMap<String, Value>,
    endpoint: String,
    ca: Option<String>,
    proxy: Option<String>,
    client_id: String,
    client_secret: WipedString,
    key_id: Option<String>,
    key_name: Option<String>,
    created_at: u64,
    shared: bool,
}

/// The part that is read first, because a later version may have any other form.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Flag(bool),
    List(Vec<String>),
    Pairs(BTreeMap<String, String>),
}

/// Formats these profiles. Returns `None` if the content would exceed [`MAX_LEN`].
pub fn to_json(profiles: &Exported) -> Option<Zeroizing<Vec<u8>>> {
    let written = Written {
        format: FORMAT,
        version: VERSION,
        profiles: profiles
            .iter()
            .map(|(name, profile)| written(name, profile))
            .collect(),
    };
    // Measure the length first, so that no growing buffer leaves copies behind.
    let mut length = Length(0);
    serde_json::to_writer_pretty(&mut length, &written).ok()?;
    if length.0 > MAX_LEN {
        return None;
    }
    let mut json = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer_pretty(&mut *json, &written).ok()?;
    Some(json)
}

fn written<'a>(name: &'a ProfileName, profile: &'a ExportedProfile) -> WrittenProfile<'a> {
    let settings = profile.provider.settings().into_iter();
    let credential = &profile.key.credential;
    WrittenProfile {
        name: name.as_str(),
        provider: profile.provider.as_str(),
        settings: settings
            .map(|(key, setting)| (key, setting.into()))
            .collect(),
        endpoint: profile.endpoint.as_str(),
        ca: profile.ca.as_deref(),
        proxy: profile.proxy.as_str(),
        client_id: &credential.client_id,
        client_secret: credential.client_secret.expose(),
        key_id: profile.key.key_id.as_deref(),
        key_name: profile.key.key_name.as_deref(),
        created_at: profile.key.created_at.seconds_down(),
        shared: credential.is_shared(),
    }
}

/// Parses an export file.
///
/// # Errors
/// [`InvalidContent`] says what is wrong, and in which profile.
pub fn parse(json: &[u8]) -> Result<Exported, InvalidContent> {
    let Head { format, version } =
        serde_json::from_slice(json).map_err(|_| InvalidContent::NotOurs)?;
    if format != FORMAT {
        return Err(InvalidContent::NotOurs);
    }
    if version != VERSION {
        return Err(InvalidContent::Version(version));
    }
    let read: Read = serde_json::from_slice(json).map_err(|error| unread(&error))?;
    let mut profiles = Exported::new();
    for read in read.profiles {
        let name = ProfileName::parse(&read.name).map_err(|_| InvalidContent::Name)?;
        let profile = read.parse(&name)?;
        if profiles.insert(name, profile).is_some() {
            return Err(InvalidContent::Name);
        }
    }
    if profiles.is_empty() {
        return Err(InvalidContent::NotOurs);
    }
    Ok(profiles)
}

/// Converts an error of serde. Its message may quote a value, except for an unknown field.
fn unread(error: &serde_json::Error) -> InvalidContent {
    let message = error.to_string();
    let field = message.strip_prefix("unknown field `");
    match field.and_then(|rest| rest.split('`').next()) {
        Some(field) => InvalidContent::UnknownField(field.to_owned()),
        None => InvalidContent::NotOurs,
    }
}

impl ReadProfile {
    fn parse(self, name: &ProfileName) -> Result<ExportedProfile, InvalidContent> {
        let wrong = |what: String| InvalidContent::Profile {
            name: name.clone(),
            what,
        };
        let kind = ProviderKind::named(&self.provider)
            .ok_or_else(|| wrong("this program does not know its provider".to_owned()))?;
        let settings: Vec<_> = self
            .settings
            .into_iter()
            .map(|(key, value)| (key, ProviderSetting::from(value)))
            .collect();
        let provider = kind.of_settings(&settings).ok_or_else(|| {
            let keys: Vec<_> = settings.iter().map(|(key, _)| key.as_str()).collect();
            InvalidContent::UnknownField(format!("a setting among {}", keys.join(", ")))
        })?;
        let provider = provider.map_err(|faults| wrong(first(&faults)))?;
        let provider =
            provider.ok_or_else(|| wrong("it does not say who issues its tokens".to_owned()))?;
        let endpoint = Url::parse(&self.endpoint)
            .map_err(|_| wrong("its endpoint is not an address".to_owned()))?;
        // The endpoint that the user sees must be the one that is asked.
        if provider.endpoint().is_some_and(|own| own != endpoint) {
            return Err(wrong(
                "its endpoint differs from that of its settings".to_owned(),
            ));
        }
        if let Some(text) = &self.ca {
            CaFile::of_text(Path::new("ca"), text)
                .map_err(|error| wrong(format!("its CA certificates cannot be used: {error}")))?;
        }
        let proxy = self.proxy.as_deref().map(Proxy::parse).transpose();
        let proxy =
            proxy.map_err(|_| wrong("its proxy is not an address of a proxy".to_owned()))?;
        for (what, text) in [
            ("client ID", &*self.client_id),
            ("client secret", &*self.client_secret.0),
        ] {
            if let Some(around) = SurroundedText::of_unasked(text).said() {
                return Err(wrong(format!(
                    "its {what} has {around}, as if copied with it; remove that, or if it is a part of it, enrol the profile with 'jetond add'"
                )));
            }
        }
        let credential = Credential::parse(&self.client_id, &self.client_secret.0);
        let credential =
            credential.map_err(|why| wrong(format!("its credential cannot be used: {why}")))?;
        Ok(ExportedProfile {
            provider,
            endpoint,
            ca: self.ca,
            proxy: proxy.unwrap_or_default(),
            key: Key {
                credential: credential.shared(self.shared),
                key_id: self.key_id,
                key_name: self.key_name,
                created_at: UnixTime::from_epoch(Duration::from_secs(self.created_at)),
                // Not part of the format, because an earlier version would refuse a file with an unknown field.
                server_date: None,
            },
        })
    }
}

/// Returns the first fault of a provider's settings, without quoting a value.
fn first(faults: &[ConfigFault]) -> String {
    let message = faults.first().map(|fault| fault.message.clone());
    message.unwrap_or_else(|| "its settings cannot be used".to_owned())
}

impl From<ProviderSetting> for Value {
    fn from(setting: ProviderSetting) -> Self {
        match setting {
            ProviderSetting::Text(text) => Self::Text(text),
            ProviderSetting::Flag(flag) => Self::Flag(flag),
            ProviderSetting::List(list) => Self::List(list),
            ProviderSetting::Pairs(pairs) => Self::Pairs(pairs),
        }
    }
}

impl From<Value> for ProviderSetting {
    fn from(value: Value) -> Self {
        match value {
            Value::Text(text) => Self::Text(text),
            Value::Flag(flag) => Self::Flag(flag),
            Value::List(list) => Self::List(list),
            Value::Pairs(pairs) => Self::Pairs(pairs),
        }
    }
}

/// A writer that only counts the bytes.
struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
