//! The description of a profile that a person sees before its secret is sent.

use super::plan::Plan;
use crate::config::{ProviderSetting, Proxy};

impl Plan {
    /// Lists its provider, the whole address, the certificates and the proxy, and the token's parameters.
    pub(super) fn show(&self) -> Vec<String> {
        let (profile, binding) = (&self.profile, &self.record.binding);
        let credential = &self.record.key.credential;
        let mut lines = vec![
            format!(
                "{}: {}, client {}",
                self.name,
                profile.provider.as_str(),
                credential.client_id
            ),
            format!("  sent to  {}", binding.bound.as_str()),
        ];
        if let Some(issuer) = &binding.issuer {
            lines.push(format!("  issuer   {issuer}"));
        }
        lines.push(match &self.ca {
            None => "  CA       the system's".to_owned(),
            Some(ca) => format!(
                "  CA       {} in {}, and no others: {}",
                match ca.file.content.set.len() {
                    1 => "one certificate".to_owned(),
                    count => format!("{count} certificates"),
                },
                ca.file.path.display(),
                ca.file.content.set.join(" ")
            ),
        });
        lines.push(match profile.proxy_in_use() {
            Proxy::Direct => "  proxy    none".to_owned(),
            Proxy::Environment => "  proxy    the one that HTTPS_PROXY names here".to_owned(),
            Proxy::Http(url) => format!("  proxy    {url}"),
        });
        let settings = profile.provider.settings().into_iter();
        let settings = settings.filter(|(key, _)| !["url", "issuer", "token-url"].contains(key));
        lines.extend(settings.map(|(key, setting)| format!("  {key:8} {}", shown(&setting))));
        if credential.is_shared() {
            lines.push("  shared   the machine that it comes from has it as well".to_owned());
        }
        lines
    }
}

fn shown(setting: &ProviderSetting) -> String {
    match setting {
        ProviderSetting::Text(text) => text.clone(),
        ProviderSetting::Flag(flag) => flag.to_string(),
        ProviderSetting::List(texts) => texts.join(" "),
        ProviderSetting::Pairs(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
            pairs.join(" ")
        }
    }
}
