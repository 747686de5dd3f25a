//! Serves a connection from accept to the last byte.
//!
//! # Map
//! | File | What it does | Names | Edges |
//! |---|---|---|---|
//! | [`server`] | accepts and serves connections | acceptor at_once body connections faults framing hangups intake leaving memory connection_progress peers refusal_log refusals respond response socket stream waiting | clock |
//! | [`refusal_log`] | logs the refusals of users that may not connect | | |
//! | [`acceptor`] | accepts connections on a listening socket | | |
//! | `respond` | answers one HTTP request | at_once body memory oauth2 openapi connection_progress printers reply request_body response routes streamed | |
//! | `oauth2` | OAuth 2.0's token endpoint | reply request_body response | |
//! | `at_once` | answers a request for a token that is held | guard reply routes | |
//! | `routes` | the paths, and which socket serves which of them | printers response | |
//! | `reply` | the reply to a request, before it becomes an HTTP response | memory response streamed | |
//! | `response` | an answer's status and headers | body connection_progress | |
//! | `body` | the bytes of an answer, whole or streamed | connection_progress streamed | |
//! | `streamed` | answers that are written event by event | | |
//! | `leaving` | ends a connection that was told to leave | connections framing connection_progress | |
//! | `socket` | the socket of a connection, which the event loop watches once it has to wait | connections hangups memory | |
//! | [`stream`] | closes connections whose peer is too slow | hangups connection_progress | clock |
//! | [`connection_progress`] | tracks what a connection is doing, and cuts short the wait of its request | connections connection_state | |
//! | [`connections`] | limits the number of connections, and tells some to leave | hangups eviction connection_state table turns waiting | clock |
//! | `table` | the open connections, and the channels that tell them to leave | eviction connection_state turns | |
//! | `eviction` | decides which connections have a place, and which one gives it up | connection_state | |
//! | `connection_state` | what one connection is doing, and since when, for the order of eviction | | |
//! | `waiting` | accepted connections that wait for a place or for their refusal | | |
//! | `turns` | bounds how many requests of a connection and of a user one turn of the event loop serves | | |
//! | [`hangups`] | notices when a peer hangs up while its request waits | | |
//! | [`refusals`] | keeps refused connections until they end, without a place | | |
//! | `faults` | logs faults that recur while connections are accepted | | process |
//! | `guard` | refuses requests that no local tool sends | | |
//! | `intake` | passes a connection's bytes to hyper request by request | framing head_end memory | |
//! | `framing` | tracks where the requests of a connection begin and end | | |
//! | `head_end` | finds where the head of a request ends | | |
//! | `request_body` | reads the body of a request | memory | |
//! | [`memory`] | limits the memory of bodies and unread answers | | |
//! | `printers` | prints answers for the paths | | |
//! | `openapi` | the document that describes the local interface | | |
//! | [`peers`] | identifies the peer of a connection | | |

pub mod acceptor;
mod at_once;
mod body;
pub mod connection_progress;
mod connection_state;
pub mod connections;
mod eviction;
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
pub mod peers;
mod printers;
pub mod refusal_log;
pub mod refusals;
mod reply;
mod request_body;
mod respond;
mod response;
mod routes;
pub mod server;
mod socket;
pub mod stream;
mod streamed;
mod table;
mod turns;
mod waiting;
