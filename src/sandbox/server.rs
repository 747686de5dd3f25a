//! The main listener: its connections, and the faults that affect connections.

use std::convert::Infallible;
use std::time::Duration;

use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fault::Fault;
use super::main_port::MainPort;
use super::panel::{PortUpdate, SandboxHandle};
use super::script::{Connection, Delivery, Script};
use super::service;

/// The maximum number of connections that are served at a time; more wait in the backlog.
const MAX_CONNECTIONS: usize = 1_024;

/// The maximum size of a request's head, in bytes.
const MAX_HEAD_LEN: usize = 16 * 1_024;

/// The timeout for a complete head, which also ends idle connections.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Serves the control plane until it is dropped, with all its connections.
pub(super) async fn run(
    mut door: MainPort,
    panel: SandboxHandle,
    mut looks: mpsc::Receiver<PortUpdate>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            look = looks.recv() => {
                let Some(done) = look else { return };
                let fault = panel.issuer().switch.fault().cloned();
                let outcome = match fault {
                    Some(Fault::Refuse) => {
                        door.close();
                        connections.shutdown().await;
                        Ok(())
                    }
                    Some(Fault::HangConnect) => {
                        let jammed = door.jam().await;
                        connections.shutdown().await;
                        jammed
                    }
                    _ => door.reopen().await,
                };
                // the caller may be gone; the port is in the right state anyway
                let _ = done.send(outcome);
            }
            Some(_) = connections.join_next() => {}
            stream = door.accept(), if connections.len() < MAX_CONNECTIONS => {
                connections.spawn(serve(stream, panel.clone()));
            }
        }
    }
}

/// Serves one connection, after the TLS handshake if there is one.
async fn serve(stream: TcpStream, panel: SandboxHandle) {
    let _open = panel.opened();
    // the bytes of a dripping answer must not be merged into segments; if this fails, the fault is only weaker
    let _ = stream.set_nodelay(true);
    let Some(tls) = panel.tls() else {
        return serve_http(stream, &panel).await;
    };
    let fault = match panel.issuer().switch.fault() {
        Some(Fault::Tls(fault)) => Some(*fault),
        _ => None,
    };
    // an error means that the client has left or refused the certificate, and it knows why
    if let Ok(stream) = tls.accept(stream, fault).await {
        serve_http(stream, &panel).await;
    }
}

/// Serves HTTP on a connection. For faults at the level of bytes, the HTTP library reads the request, and the script
/// writes the answer.
async fn serve_http(stream: impl Connection, panel: &SandboxHandle) {
    let (hand_over, mut taken_over) = mpsc::channel::<Script>(1);
    let service = service_fn(|request| {
        let hand_over = hand_over.clone();
        async move {
            let answer = match service::answer(panel, request).await {
                Delivery::Whole(answer) => answer,
                Delivery::Late(delay, answer) => {
                    tokio::time::sleep(delay).await;
                    answer
                }
                Delivery::Raw(script) => {
                    let _ = hand_over.send(script).await;
                    std::future::pending().await
                }
            };
            Ok::<_, Infallible>(answer.map(Full::new))
        }
    });
    let mut connection = http().serve_connection(TokioIo::new(stream), service);
    let script = tokio::select! {
        biased;
        script = taken_over.recv() => script,
        // an error means that the client has left or sent no HTTP, and it got the error as an answer
        _ = &mut connection => return,
    };
    let stream = connection.into_parts().io.into_inner();
    if let Some(script) = script {
        let _ = script.play(stream).await;
    }
}

/// Returns an HTTP/1.1 server with the sandbox's limits.
pub(super) fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD_LEN);
    http
}
