//! As a service: sockets that are passed, what the service manager is told, and the units.

mod activation;
mod modes;
mod notify;
mod restart;
mod units;
