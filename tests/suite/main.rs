//! The integration tests: one binary, a module a topic. `support` holds what they share.

mod support;

mod first_light;
