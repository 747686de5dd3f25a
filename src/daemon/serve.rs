//! Serves a connection from accept to the last byte.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`server`] | accepts and serves connections | acceptor connections faults framing hangups intake leaving memory pace peers refusal_log refusals respond response stream waiting | |
//! | [`refusal_log`] | logs the refusals of users that may not connect | | |
//! | [`acceptor`] | accepts connections of a listening socket | | |
//! | `respond` | answers one HTTP request | body guard memory oauth2 openapi pace printers reply request_body response routes streamed | |
//! | `oauth2` | OAuth 2.0's token endpoint | reply request_body response | |
//! | `routes` | the paths, and which requests each door takes | printers response | |
//! | `reply` | the reply to a request, before it is HTTP | memory response streamed | |
//! | `response` | an answer's status and headers | body pace | |
//! | `body` | the bytes of an answer, whole or streamed | pace streamed | |
//! | `streamed` | answers that are written as things happen | | |
//! | `leaving` | how a connection ends that was told to leave | connections framing pace | |
//! | [`stream`] | closes connections whose peer is too slow | hangups pace | clock |
//! | [`pace`] | what a connection is doing, and whether its request has to end its wait | connections standing | |
//! | [`connections`] | limits the connections, and closes those that have to leave | hangups places standing table turns waiting | clock |
//! | `table` | the connections that have not ended, and how each is told to leave | places standing turns | |
//! | `places` | which connections have a place, and which one gives it up | standing | |
//! | `standing` | what one connection is doing, and since when | | |
//! | `waiting` | accepted connections that wait for a place or for their refusal | | |
//! | `turns` | bounds the requests of one connection and of one user in a turn | | |
//! | [`hangups`] | learns when a peer has hung up while its request waits | | |
//! | [`refusals`] | connections that are refused without a place, until they end | | |
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

pub mod acceptor;
mod body;
pub mod connections;
mod faults;
mod framing;
mod guard;
pub mod hangups;
mod head_end;
mod intake;
mod leaving;
pub mod memory;
mod oauth2;
mod openapi;
pub mod pace;
pub mod peers;
mod places;
mod printers;
pub mod refusal_log;
pub mod refusals;
mod reply;
mod request_body;
mod respond;
mod response;
mod routes;
pub mod server;
mod standing;
pub mod stream;
mod streamed;
mod table;
mod turns;
mod waiting;
