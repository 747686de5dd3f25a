//! Opens connections to an issuer: directly or through a proxy's tunnel, with TLS unless the issuer is on loopback.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{self, HeaderMap};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tower_service::Service;

use super::connection::Connection;
use super::exceeded::{Exceeded, Failure};
use super::headers::USER_AGENT;
use super::{Settings, reuse};
use crate::config::{Origin, Proxy};

/// Interval and number of TCP keep-alive probes.
const KEEPALIVE: (Duration, u32) = (Duration::from_secs(15), 3);

/// How long sent data may stay unacknowledged (TCP_USER_TIMEOUT).
#[cfg(target_os = "linux")]
const UNCONFIRMED: Duration = Duration::from_secs(30);

/// A connector that opens connections to one origin.
#[derive(Clone)]
pub(super) struct Connector {
    tcp: HttpConnector<super::Resolver>,
    /// The TLS configuration; `None` for an origin without encryption.
    tls: Option<Tls>,
    /// The deadline of name resolution, connection and TLS handshake together.
    limit: Duration,
}

#[derive(Clone)]
struct Tls {
    of_origin: Arc<ClientConfig>,
    /// The configuration for a proxy that is reached over TLS: the same without ALPN.
    of_proxy: Arc<ClientConfig>,
    proxies: Arc<Matcher>,
}

type Opening = Pin<Box<dyn Future<Output = Result<TokioIo<Connection>, Failure>> + Send>>;

impl Connector {
    /// Makes a connector that encrypts with `tls`; `None` is for an origin without encryption.
    pub(super) fn new(origin: &Origin, settings: &Settings, tls: Option<ClientConfig>) -> Self {
        let limit = settings.timeouts.connect;
        let mut tcp = HttpConnector::new_with_resolver(settings.resolver.clone());
        tcp.enforce_http(tls.is_none());
        tcp.set_nodelay(true);
        // The timeout is divided among the addresses of a name, so that an unresponsive one leaves time for the
        // others.
        tcp.set_connect_timeout(Some(limit));
        let (idle, probes) = KEEPALIVE;
        tcp.set_keepalive(Some(idle));
        tcp.set_keepalive_interval(Some(idle));
        tcp.set_keepalive_retries(Some(probes));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNCONFIRMED));
        Self {
            tcp,
            tls: tls.map(|tls| Tls::new(tls, proxies(origin, &settings.proxy))),
            limit,
        }
    }

    async fn open(self, to: Uri) -> Result<Connection, Failure> {
        let mut tcp = self.tcp;
        let Some(tls) = self.tls else {
            return Ok(Connection::new(tcp.call(to).await?));
        };
        let Some(proxy) = tls.proxies.intercept(&to) else {
            let stream = HttpsConnector::from((tcp, tls.of_origin)).call(to).await?;
            return Ok(Connection::new(stream));
        };
        let to_proxy = HttpsConnector::from((tcp, tls.of_proxy));
        let names = HeaderMap::from_iter([(header::USER_AGENT, USER_AGENT)]);
        let mut tunnel = Tunnel::new(proxy.uri().clone(), to_proxy).with_headers(names);
        if let Some(authorization) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        let stream = HttpsConnector::from((tunnel, tls.of_origin)).call(to);
        Ok(Connection::new(stream.await?))
    }
}

impl Tls {
    fn new(of_origin: ClientConfig, proxies: Matcher) -> Self {
        let mut of_proxy = of_origin.clone();
        of_proxy.alpn_protocols.clear();
        Self {
            of_origin: Arc::new(of_origin),
            of_proxy: Arc::new(of_proxy),
            proxies: Arc::new(proxies),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Connection>;
    type Error = Failure;
    type Future = Opening;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, to: Uri) -> Opening {
        let connector = self.clone();
        Box::pin(async move {
            let limit = connector.limit;
            let opened = tokio::time::timeout(limit, connector.open(to)).await;
            let opened = opened.map_err(|_| Exceeded::Deadline)??;
            reuse::note_opened();
            Ok(TokioIo::new(opened))
        })
    }
}

/// Chooses the proxy for each address. An origin on loopback has none.
fn proxies(origin: &Origin, proxy: &Proxy) -> Matcher {
    match proxy {
        _ if origin.is_loopback() => Matcher::builder().build(),
        Proxy::Direct => Matcher::builder().build(),
        Proxy::Http(proxy) => Matcher::builder().all(proxy.as_str()).build(),
        Proxy::Environment => Matcher::from_env(),
    }
}
