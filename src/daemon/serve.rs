//! Serves a connection from accept to the last byte.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`server`] | accepts connections, and serves each until it ends | connections faults peers respond response stream | |
//! | `respond` | one HTTP request in, one answer out | body guard oauth2 openapi printers reply response routes stream | |
//! | `oauth2` | OAuth 2.0's token endpoint | reply response | |
//! | `routes` | the paths, and what may be asked at which door | printers response | |
//! | `reply` | what is answered, before it is HTTP | body response | |
//! | `response` | an answer's status and headers | body stream | |
//! | `body` | the bytes of an answer, at once or as things happen | stream | |
//! | [`connections`] | how many connections there may be, and when they have to leave | | |
//! | `faults` | what recurs while connections are accepted, in the log | | process |
//! | `guard` | refuses what no local tool sends | | |
//! | `printers` | answers as the paths print them | | |
//! | `openapi` | the document that describes the local interface | | |
//! | [`peers`] | who connected | | |
//! | [`stream`] | nobody holds a connection by being slow | | clock |

mod body;
pub mod connections;
mod faults;
mod guard;
mod oauth2;
mod openapi;
pub mod peers;
mod printers;
mod reply;
mod respond;
mod response;
mod routes;
pub mod server;
pub mod stream;
