//! The proxy to an issuer.

use std::fmt;

use ::url::Url;

use super::url::{
    InvalidUrl, LastUrlPart, NO_QUERY, Origin, demand_no_more, invalid, strict, taken_apart,
};

/// The way to an issuer: direct, or through a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Proxy {
    /// Directly, ignoring the environment: the secret passes through a proxy only if the configuration asks for it.
    #[default]
    Direct,
    /// Through the proxy that `HTTPS_PROXY` names.
    Environment,
    /// Through this proxy.
    Http(ProxyUrl),
}

/// The address of an HTTP proxy: `http://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProxyUrl {
    text: String,
    url: Url,
}

// === impl Proxy ===

impl Proxy {
    /// Returns the proxy in the configuration's spelling; `None` without a proxy.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Direct => None,
            Self::Environment => Some("environment"),
            Self::Http(url) => Some(url.as_str()),
        }
    }

    /// Parses the value from the configuration or from a user.
    ///
    /// # Errors
    /// [`InvalidUrl`] if it is neither `environment` nor the address of an HTTP proxy.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        if text == "environment" {
            Ok(Self::Environment)
        } else {
            ProxyUrl::parse(text).map(Self::Http)
        }
    }
}

// === impl ProxyUrl ===

impl ProxyUrl {
    /// Parses `http://HOST:PORT`.
    ///
    /// # Errors
    /// [`InvalidUrl`] if it is not valid.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let url = strict(text, "http")?;
        if url.scheme() != "http" {
            return Err(invalid("a proxy is reached by http: http://HOST:PORT"));
        }
        demand_no_more(&url, LastUrlPart::Path, NO_QUERY, || {
            Origin::of(&url).to_string()
        })?;
        if !matches!(url.path(), "" | "/") {
            let why = "a proxy has no path, and is written http://HOST:PORT";
            return Err(taken_apart(why, &url));
        }
        // The parser drops port 80, the default of `http`, but a proxy's port is usually another one: it has to be
        // written.
        let end = text.trim_end_matches('/').rsplit(':').next().unwrap_or("");
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if end.parse() == Ok(port) => {
                let text = format!("http://{host}:{port}");
                Ok(Self { text, url })
            }
            _ => Err(invalid("a proxy needs its port: http://HOST:PORT")),
        }
    }

    /// Returns `http://host:port`, in lower case.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the address to connect to.
    pub const fn url(&self) -> &Url {
        &self.url
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for (good, canonical) in [
            ("http://Proxy:3128", "http://proxy:3128"),
            ("http://10.0.0.1:80/", "http://10.0.0.1:80"),
            ("http://[fe80::1]:8080", "http://[fe80::1]:8080"),
        ] {
            assert_eq!(ProxyUrl::parse(good).unwrap().as_str(), canonical);
        }
        for bad in [
            "proxy:3128",
            "http://proxy",
            "http://proxy/",
            "https://proxy:1",
            "socks5://proxy:1",
            "http://u:canary@proxy:1",
            "http://proxy:1/x",
            "http://proxy:1?token=canary",
            "http://proxy:1#token=canary",
            "http://[::1]",
            "",
        ] {
            let e = ProxyUrl::parse(bad).expect_err(bad);
            assert!(!e.to_string().contains("canary"), "{e}");
        }
    }
}
