//! What the tests share: a hermetic place with both programs, a sandbox, and a search for secrets in all that came out.

pub(crate) mod daemon;
pub(crate) mod env;
pub(crate) mod http;
pub(crate) mod leaks;

pub(crate) use env::TestEnv;
