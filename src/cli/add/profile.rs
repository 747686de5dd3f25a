//! The profile that the arguments of `jetond add` describe.

use std::path::{Path, PathBuf};

use super::super::output::{Exit, fail};
use super::super::prompt;
use super::AddArgs;
use super::oauth2::OAUTH2_NAMES;
use crate::config::{Api, ClientCertificate, Profile, Provider, Proxy, StoreKind};
use crate::paths::Env;

impl AddArgs {
    /// The profile that the arguments describe; none with `--rebind`.
    pub(super) fn profile(&self, env: &Env) -> Result<Option<Profile>, Exit> {
        let api = match self.api.as_deref() {
            Some("v2") => Api::V2,
            Some("v1") => Api::V1,
            _ => Api::Auto,
        };
        let foreign = |names: &str, provider: &str| {
            let what = format!("{names} are for --provider {provider}");
            Err(fail(Exit::Usage, what))
        };
        let (provider, is_loopback) = match (&self.url, self.oauth2.issuer()) {
            _ if self.provider.is_none() => return Ok(None),
            (Some(url), _) if self.provider.as_deref() == Some("runai") => {
                if !self.oauth2.is_empty() {
                    return foreign(OAUTH2_NAMES, "oauth2");
                }
                let (url, is_loopback) = (url.clone(), url.is_loopback());
                (Provider::Runai { url, api }, is_loopback)
            }
            (url, Some(issuer)) => {
                if url.is_some() || self.api.is_some() {
                    return foreign("--url and --api", "runai");
                }
                let is_loopback = issuer.at.url().is_loopback();
                (Provider::Oauth2(Box::new(issuer)), is_loopback)
            }
            (_, None) => {
                let what = "--provider oauth2 needs --issuer URL or --token-url URL";
                return Err(fail(Exit::Usage, what));
            }
        };
        if let Some(name) = self.oauth2.given_twice() {
            return Err(fail(Exit::Usage, format!("--extra {name} is given twice")));
        }
        let profile = Profile {
            provider,
            store: StoreKind::File,
            ca_file: self.ca_file.as_deref().map(absolute).transpose()?,
            proxy: match &self.proxy {
                Some(proxy) => proxy.clone(),
                None => ask_for_proxy(env, is_loopback)?,
            },
            client_certificate: self.client_certificate()?,
            keep_warm: false,
            reissue: Default::default(),
        };
        Ok(Some(profile))
    }

    fn client_certificate(&self) -> Result<Option<ClientCertificate>, Exit> {
        let (Some(cert), Some(key)) = (&self.client_certificate, &self.client_key) else {
            return Ok(None);
        };
        Ok(Some(ClientCertificate {
            cert: absolute(cert)?,
            key: absolute(key)?,
        }))
    }
}

/// A proxy learns who asks whom, and so is used only when somebody says so; but where everything goes through one,
/// forgetting it is the usual reason for a connection that hangs.
fn ask_for_proxy(env: &Env, is_loopback: bool) -> Result<Proxy, Exit> {
    if env.https_proxy.is_none() || is_loopback || !prompt::possible() {
        return Ok(Proxy::Direct);
    }
    let wanted = prompt::confirmed("HTTPS_PROXY is set: reach the issuer through it?")?;
    Ok(if wanted {
        Proxy::Environment
    } else {
        Proxy::Direct
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Exit> {
    std::path::absolute(path).map_err(|e| fail(Exit::Usage, format!("{}: {e}", path.display())))
}
