//! Sets a key of a profile in a configuration's text, and keeps every other byte.

use toml_edit::{Document, Item, TableLike, Value};

use super::Provider;
use super::document::parse;
use super::edit::{EditError, checked, line_end};
use super::lookup::FixedNames;
use super::oauth2::ClientAuth;
use super::source::CredentialLocation;
use super::store::StoreKind;
use crate::profile::ProfileName;

/// Sets how an OAuth 2.0 profile authenticates: replaces the present value, or else adds the key right after
/// `provider`, in the same notation.
///
/// # Errors
/// [`EditError`]; [`EditError::Unknown`] if no profile of this name exists, [`EditError::Form`] if the profile has no
/// such key.
pub fn set_client_auth(
    text: &str,
    name: &ProfileName,
    client_auth: ClientAuth,
) -> Result<String, EditError> {
    let mut config = parse(text, &FixedNames).map_err(EditError::Invalid)?;
    let form = || EditError::Form(name.clone());
    let profile = config.profiles.get_mut(name);
    let profile = profile.ok_or_else(|| EditError::Unknown(name.clone()))?;
    let Provider::Oauth2(issuer) = &mut profile.provider else {
        return Err(form());
    };
    issuer.client_auth = client_auth;
    let new = changed(text, name, "client-auth", client_auth.as_str());
    checked(new.ok_or_else(form)?, &config, name)
}

/// Sets where a profile's credential is kept: replaces the present value, or else adds the key right after `provider`,
/// in the same notation.
///
/// # Errors
/// [`EditError`]; [`EditError::Unknown`] if no profile of this name exists.
pub fn set_store(text: &str, name: &ProfileName, store: &StoreKind) -> Result<String, EditError> {
    let mut config = parse(text, &FixedNames).map_err(EditError::Invalid)?;
    let profile = config.profiles.get_mut(name);
    let profile = profile.ok_or_else(|| EditError::Unknown(name.clone()))?;
    profile.credential = CredentialLocation::Store(store.clone());
    let new = changed(text, name, "store", store.as_str());
    checked(
        new.ok_or_else(|| EditError::Form(name.clone()))?,
        &config,
        name,
    )
}

/// Returns the text with this key of the profile set to a word.
fn changed(text: &str, name: &ProfileName, key: &str, word: &str) -> Option<String> {
    let document = Document::parse(text).ok()?;
    let profiles = document.get("profiles").and_then(Item::as_table_like);
    let item = profiles.and_then(|profiles| profiles.get(name.as_str()))?;
    let profile: &dyn TableLike = item.as_table_like()?;
    let value = Value::from(word).to_string();
    if let Some(there) = profile.get(key) {
        let span = there.span()?;
        let (before, after) = (text.get(..span.start)?, text.get(span.end..)?);
        return Some(format!("{before}{value}{after}"));
    }
    let (beside, provider) = profile.get_key_value("provider")?;
    let (beside, end) = (beside.span()?, provider.span()?.end);
    if item.is_inline_table() {
        let (before, after) = text.split_at_checked(end)?;
        return Some(format!("{before}, {key} = {value}{after}"));
    }
    // The new line starts like that of `provider`: with its indentation, and with the names before a dotted key.
    let start = text.get(..beside.start)?.rfind('\n').map_or(0, |at| at + 1);
    let begin = text
        .get(start..beside.start)?
        .trim_start_matches('\u{feff}');
    let (before, after) = match text.get(end..)?.find('\n') {
        Some(at) => text.split_at_checked(end + at + 1)?,
        None => (text, ""),
    };
    let new_line = line_end(text);
    let break_before = if before.ends_with('\n') { "" } else { new_line };
    let break_after = if after.is_empty() && !before.ends_with('\n') {
        ""
    } else {
        new_line
    };
    Some(format!(
        "{before}{break_before}{begin}{key} = {value}{break_after}{after}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, client_auth: ClientAuth) -> Result<String, EditError> {
        set_client_auth(text, &ProfileName::parse("a").unwrap(), client_auth)
    }

    #[test]
    fn setting_a_key_keeps_every_other_byte() {
        for (text, raw) in [
            (
                "# mine\n[profiles.a]\nprovider = \"oauth2\"  # ours\ntoken-url = \"https://a/t\"\n\n[profiles.b]\nprovider = \"runai\"\nurl = \"https://b\"\n",
                "# mine\n[profiles.a]\nprovider = \"oauth2\"  # ours\nclient-auth = \"basic-raw\"\ntoken-url = \"https://a/t\"\n\n[profiles.b]\nprovider = \"runai\"\nurl = \"https://b\"\n",
            ),
            (
                "[profiles.a]\nclient-auth   =   'post' # why\nprovider = \"oauth2\"\ntoken-url = \"https://a/t\"",
                "[profiles.a]\nclient-auth   =   \"basic-raw\" # why\nprovider = \"oauth2\"\ntoken-url = \"https://a/t\"",
            ),
            (
                "[profiles.a]\r\ntoken-url = \"https://a/t\"\r\n  provider = \"oauth2\"",
                "[profiles.a]\r\ntoken-url = \"https://a/t\"\r\n  provider = \"oauth2\"\r\n  client-auth = \"basic-raw\"",
            ),
            (
                "profiles.a.provider = \"oauth2\"\nprofiles.a.token-url = \"https://a/t\"\n",
                "profiles.a.provider = \"oauth2\"\nprofiles.a.client-auth = \"basic-raw\"\nprofiles.a.token-url = \"https://a/t\"\n",
            ),
            (
                "[profiles]\na = { provider = \"oauth2\", token-url = \"https://a/t\" }\n",
                "[profiles]\na = { provider = \"oauth2\", client-auth = \"basic-raw\", token-url = \"https://a/t\" }\n",
            ),
            (
                "\u{feff}profiles.a.provider = \"oauth2\"\nprofiles.a.token-url = \"https://a/t\"\n",
                "\u{feff}profiles.a.provider = \"oauth2\"\nprofiles.a.client-auth = \"basic-raw\"\nprofiles.a.token-url = \"https://a/t\"\n",
            ),
        ] {
            assert_eq!(set(text, ClientAuth::BasicRaw).unwrap(), raw);
            let basic = raw.replace("basic-raw", "basic");
            assert_eq!(set(raw, ClientAuth::Basic).unwrap(), basic);
        }
    }

    #[test]
    fn the_store_is_set_in_every_toml_form_of_a_profile() {
        let name = ProfileName::parse("a").unwrap();
        for (text, says) in [
            (
                "# mine\n[profiles.a]\nprovider = \"runai\"  # ours\nurl = \"https://a\"\nstore = 'file'   # why\n\n[profiles.b]\nprovider = \"runai\"\nurl = \"https://b\"\nstore = \"file\"\n",
                "# mine\n[profiles.a]\nprovider = \"runai\"  # ours\nurl = \"https://a\"\nstore = \"keyring\"   # why\n\n[profiles.b]\nprovider = \"runai\"\nurl = \"https://b\"\nstore = \"file\"\n",
            ),
            (
                "[profiles]\r\n  a.url = 'https://a'\r\n  a.provider = 'runai'\r\n",
                "[profiles]\r\n  a.url = 'https://a'\r\n  a.provider = 'runai'\r\n  a.store = \"keyring\"\r\n",
            ),
            (
                "profiles = { a = { provider = 'runai', url = 'https://a' } }",
                "profiles = { a = { provider = 'runai', store = \"keyring\", url = 'https://a' } }",
            ),
            (
                "[profiles.a]\nprovider = 'runai'\nurl = 'https://a'\n[[profiles.a.allow]]\nuid = 7\n",
                "[profiles.a]\nprovider = 'runai'\nstore = \"keyring\"\nurl = 'https://a'\n[[profiles.a.allow]]\nuid = 7\n",
            ),
        ] {
            let set = set_store(text, &name, &StoreKind::Keyring).unwrap();
            assert_eq!(set, says);
            let back = set_store(&set, &name, &StoreKind::File).unwrap();
            assert_eq!(back, says.replacen("keyring", "file", 1));
        }
        let other = ProfileName::parse("c").unwrap();
        let text = "[profiles.a]\nprovider = 'runai'\nurl = 'https://a'\n";
        let unknown = set_store(text, &other, &StoreKind::File).unwrap_err();
        assert_eq!(unknown, EditError::Unknown(other));
    }

    #[test]
    fn setting_a_key_that_the_profile_cannot_have_is_refused() {
        let runai = "[profiles.a]\nprovider = \"runai\"\nurl = \"https://b\"\n";
        let other = "[profiles.b]\nprovider = \"oauth2\"\ntoken-url = \"https://a/t\"\n";
        let name = ProfileName::parse("a").unwrap();
        for (text, why) in [
            (runai, EditError::Form(name.clone())),
            (other, EditError::Unknown(name)),
        ] {
            assert_eq!(set(text, ClientAuth::Post).unwrap_err(), why);
        }
        let faulty = "[profiles.a]\nprovider = \"oauth2\"\n";
        let error = set(faulty, ClientAuth::Post).unwrap_err();
        assert!(matches!(error, EditError::Invalid(_)), "{error}");
    }
}
