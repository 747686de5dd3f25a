//! Adapts the resolver to the interfaces of the two HTTP clients.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tower_service::Service;

use super::super::exceeded::Failure;
use super::Resolver;

type Addresses = vec::IntoIter<SocketAddr>;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = self.clone();
        Box::pin(async move {
            let found = resolver.find_in_time(name.as_str()).await?.into_iter();
            Ok(Box::new(found) as Addrs)
        })
    }
}

impl Service<dns::Name> for Resolver {
    type Response = Addresses;
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Addresses, Failure>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: dns::Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move { Ok(resolver.find_in_time(name.as_str()).await?.into_iter()) })
    }
}
