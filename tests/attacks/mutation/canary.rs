//! Texts that must not appear in any output.

/// A secret that callers send: in headers, bodies and standard input.
pub(super) const CALLERS_SECRET: &str = "callers-canary-5c1f0a7be94d";
