//! The profile that the arguments of `jetond add` describe.

use std::path::{Path, PathBuf};

use super::super::output::{Exit, fail};
use super::super::prompt;
use super::AddArgs;
use crate::config::{ClientCertificate, CredentialLocation, Profile, Provider, Proxy};
use crate::paths::Env;

impl AddArgs {
    /// The profile that the arguments describe; `None` with `--rebind`.
    pub(super) fn profile(&self, env: &Env) -> Result<Option<Profile>, Exit> {
        let provider = self.provider.provider()?;
        provider
            .map(|provider| self.profile_at(provider, env))
            .transpose()
    }

    /// Builds the profile of this provider.
    pub(super) fn profile_at(&self, provider: Provider, env: &Env) -> Result<Profile, Exit> {
        let is_loopback = provider.origin().is_loopback();
        let profile = Profile {
            provider,
            credential: CredentialLocation::default(),
            ca_file: self.ca_file.as_deref().map(absolute).transpose()?,
            proxy: match &self.proxy {
                Some(proxy) => proxy.clone(),
                None => ask_for_proxy(env, is_loopback)?,
            },
            client_certificate: self.client_certificate()?,
            keep_warm: false,
            reissue: Default::default(),
            lifetime: None,
            rotation: Default::default(),
        };
        Ok(profile)
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

/// Asks for a proxy. A proxy learns which client talks to which issuer, so it is used only on request. But where all
/// traffic goes through one, forgetting it is the usual reason for a connection that hangs.
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
