//! Running as a service: inherited sockets, messages to the service manager, and the units.

mod activation;
mod modes;
mod notify;
mod restart;
mod units;
