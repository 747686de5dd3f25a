//! Reading a profile: which keys it needs and may have depends on its provider.

use toml_edit::TableLike;

use super::super::keys::{Draft, Key, KeyDoc, PROFILE, ProviderKind};
use super::super::oauth2::{At, EndpointUrl, Oauth2};
use super::super::{Profile, Provider, Rule};
use super::{Field, Reader, fields};
use crate::profile::ProfileName;

impl Reader<'_> {
    pub(in crate::config) fn profile(
        &mut self,
        field: &Field<'_>,
    ) -> Option<(ProfileName, Profile, Vec<Rule>)> {
        let name = ProfileName::parse(field.name);
        if let Err(e) = name {
            self.fault_at(field.key, &field.path, e.to_string(), None);
        }
        let table = self.table(field)?;
        let mut draft = Draft::default();
        self.keys(&field.path, table, PROFILE, &mut draft);
        let provider = match draft.provider {
            Some(ProviderKind::Runai) => "runai",
            Some(ProviderKind::Oauth2) => "oauth2",
            None => "",
        };
        self.missing(field, table, PROFILE, provider);
        self.foreign(field, table, provider);
        let provider = match draft.provider? {
            ProviderKind::Runai => Provider::Runai {
                url: draft.url?,
                api: draft.api,
            },
            ProviderKind::Oauth2 => Provider::Oauth2(Box::new(Oauth2 {
                at: self.at(field, table, draft.issuer, draft.token_url)?,
                client_auth: draft.client_auth,
                scope: draft.scope,
                audience: draft.audience,
                resource: draft.resource,
                extra: draft.extra,
            })),
        };
        let profile = Profile {
            provider,
            store: draft.store,
            ca_file: draft.ca_file,
            proxy: draft.proxy,
            client_certificate: draft.client_certificate,
            keep_warm: draft.keep_warm,
            reissue: draft.reissue,
        };
        Some((name.ok()?, profile, draft.allow))
    }

    /// Reports the keys that must be there and are not.
    pub(in crate::config) fn missing<D>(
        &mut self,
        field: &Field<'_>,
        table: &dyn TableLike,
        keys: &[Key<D>],
        provider: &str,
    ) {
        for KeyDoc { name, about, .. } in keys
            .iter()
            .map(|key| key.doc)
            .filter(|doc| doc.default.is_empty() && ["", provider].contains(&doc.provider))
        {
            if !table.contains_key(name) {
                let message = format!("{name} is missing: {about}");
                self.fault_at(field.value, &field.path, message, None);
            }
        }
    }

    /// Reports the keys that are another provider's.
    fn foreign(&mut self, field: &Field<'_>, table: &dyn TableLike, provider: &str) {
        for field in fields(&field.path, table) {
            let key = PROFILE.iter().find(|key| key.doc.name == field.name);
            let of = key.map_or("", |key| key.doc.provider);
            if !provider.is_empty() && !["", provider].contains(&of) {
                let suggestion = (field.name == "url").then(|| "issuer or token-url".to_owned());
                let message = format!("this is a key of provider = \"{of}\"");
                self.fault_at(field.key, &field.path, message, suggestion);
            }
        }
    }

    /// Where the token endpoint is: exactly one key says it.
    fn at(
        &mut self,
        field: &Field<'_>,
        table: &dyn TableLike,
        issuer: Option<EndpointUrl>,
        token_url: Option<EndpointUrl>,
    ) -> Option<At> {
        match (
            table.contains_key("issuer"),
            table.contains_key("token-url"),
        ) {
            (true, true) => {
                let message = "issuer and token-url exclude each other: the token endpoint is discovered, or it is set";
                self.fault_at(field.value, &field.path, message, None);
                None
            }
            (false, false) => {
                let message = "issuer or token-url is missing: the token endpoint is discovered, or it is set";
                self.fault_at(field.value, &field.path, message, None);
                None
            }
            _ => issuer.map(At::Issuer).or(token_url.map(At::Token)),
        }
    }
}
