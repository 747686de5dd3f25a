//! Requests that hide in the bodies of others: a daemon that loses count of where a request ends would answer them.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;

use fastrand::Rng;

use crate::support::TestEnv;
use crate::support::http;

/// What must never be answered as a request of its own: its answer is 403.
const HIDDEN: &str = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";

/// Requests, and the status of the answer to each. The hidden one is in the body where there is `BODY`.
const REQUESTS: [(&str, &str); 12] = [
    ("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "200"),
    (
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "200",
    ),
    (
        "GET /nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "404",
    ),
    (
        "POST /nothing HTTP/1.1\r\nHost: localhost\r\ncontent-length: LENGTH\r\n\r\nBODY",
        "404",
    ),
    (
        "POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "405",
    ),
    ("HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"),
    (
        "GET /healthz HTTP/1.1\r\nHost: evil.example\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "400",
    ),
    (
        "POST /v1/helper HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "400",
    ),
    (
        "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: LENGTH\r\n\r\nBODY",
        "400",
    ),
    (
        "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "200",
    ),
    ("GET /healthz HTTP/1.1\nHost: localhost\n\n", "200"),
    (
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
        "200",
    ),
];

#[test]
fn no_request_in_a_body_is_answered_however_requests_arrive() {
    let env = TestEnv::new();
    let mut daemon = env.start();
    let seed = std::env::var("JETON_MUTATION_SEED")
        .map_or_else(|_| fastrand::u64(..1 << 32), |seed| seed.parse().unwrap());
    let rounds = std::env::var("JETON_MUTATIONS").map_or(2_000, |n| n.parse().unwrap());
    let mut random = Rng::with_seed(seed);
    for round in 0..rounds {
        let sequence: Vec<_> = (0..1 + random.usize(..6))
            .map(|_| REQUESTS[random.usize(..REQUESTS.len())])
            .collect();
        let bytes: String = sequence
            .iter()
            .map(|(request, _)| request.replace("LENGTH", &HIDDEN.len().to_string()))
            .map(|request| request.replace("BODY", HIDDEN))
            .collect();
        let mut stream = http::connect(&daemon.socket);
        let mut rest = bytes.as_bytes();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + random.usize(..rest.len()));
            // It may close after an answer that is its last one.
            if stream.write_all(piece).is_err() {
                break;
            }
            rest = after;
            std::thread::yield_now();
        }
        let _ = stream.shutdown(Shutdown::Write);
        let mut answers = vec![];
        // What it has not read when it closes resets the connection, after the answers.
        let _ = stream.read_to_end(&mut answers);
        env.came_out("answers", &answers, false);
        let answers = String::from_utf8(answers).unwrap();
        let statuses = statuses(&answers);
        let wanted: Vec<_> = sequence.iter().map(|(_, status)| *status).collect();
        // It closes behind a body that it did not want and that was not there in full.
        let last = sequence.get(statuses.len().saturating_sub(1));
        let is_cut = last.is_some_and(|(request, _)| request.ends_with("BODY"));
        assert!(
            statuses == wanted || is_cut && wanted.starts_with(&statuses),
            "round {round} of JETON_MUTATION_SEED={seed}: {bytes:?} was answered with {statuses:?}, not {wanted:?}: \
             {answers}"
        );
    }
    env.stop(&mut daemon);
}

/// The statuses of answers that follow each other. No body in them looks like one.
fn statuses(answers: &str) -> Vec<&str> {
    let answers = answers.split("HTTP/1.1 ").skip(1);
    answers.map(|answer| &answer[..3]).collect()
}
