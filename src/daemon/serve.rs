//! Serves a connection from accept to the last byte.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`server`] | accepts and serves connections | connections faults framing intake memory peers respond response stream | |
//! | `respond` | answers one HTTP request | body guard memory oauth2 openapi printers reply request_body response routes stream | |
//! | `oauth2` | OAuth 2.0's token endpoint | reply request_body response | |
//! | `routes` | the paths, and which requests each door takes | printers response | |
//! | `reply` | the reply to a request, before it is HTTP | body memory response | |
//! | `response` | an answer's status and headers | body stream | |
//! | `body` | the bytes of an answer, whole or streamed | stream | |
//! | [`connections`] | limits the connections, and closes those that have to leave | | |
//! | `faults` | logs faults that recur while connections are accepted | | process |
//! | `guard` | refuses requests that no local tool sends | | |
//! | `intake` | hands a connection's bytes to hyper request by request | framing head_end memory | |
//! | `framing` | where the requests of a connection begin and end | | |
//! | `head_end` | finds where the head of a request ends | | |
//! | `request_body` | reads the body of a request | memory | |
//! | [`memory`] | limits the memory of bodies and unread answers | | |
//! | `printers` | prints answers for the paths | | |
//! | `openapi` | the document that describes the local interface | | |
//! | [`peers`] | identifies the peer of a connection | | |
//! | [`stream`] | closes connections whose peer is too slow | | clock |

mod body;
pub mod connections;
mod faults;
mod framing;
mod guard;
mod head_end;
mod intake;
pub mod memory;
mod oauth2;
mod openapi;
pub mod peers;
mod printers;
mod reply;
mod request_body;
mod respond;
mod response;
mod routes;
pub mod server;
pub mod stream;
