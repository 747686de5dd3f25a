use super::*;

fn calm() -> LivePart<'static> {
    LivePart {
        caption: "All is well.",
        outage: false,
        token: 3,
        left: Duration::from_millis(4_275),
        served: Duration::from_millis(5_700),
        requests: 1_234,
        per_second: 456,
        slowest: Duration::from_micros(2_345),
        failed: 0,
        aside: &[],
    }
}

fn text(lines: &[Line], columns: usize, colour: bool) -> String {
    let lines: Vec<String> = lines.iter().map(|l| l.show(columns, colour)).collect();
    lines.join("\n")
}

#[test]
fn the_live_part_shows_issuer_token_and_request_state() {
    assert_eq!(
        text(&board(&calm()), 79, false),
        "
  All is well.
  issuer    ● up
  token 3   ██████████████████████████████░░░░░░░░░░  4.3 s left
  programs  1,234 requests, 456 a second, slowest 2.3 ms, 0 failed"
    );
}

#[test]
fn the_view_shows_an_outage_a_token_near_expiry_and_command_output() {
    let aside = [output("$ it"), output("says")];
    let bad = LivePart {
        outage: true,
        left: Duration::from_millis(1),
        slowest: Duration::from_millis(1_234),
        failed: 1,
        aside: &aside,
        ..calm()
    };
    assert_eq!(
        text(&board(&bad), 79, false),
        "
  All is well.
  issuer    ● down
  token 3   █░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  0.0 s left
  programs  1,234 requests, 456 a second, slowest 1234 ms, 1 failed
$ it
says"
    );
    let painted = text(&board(&bad), 79, true);
    for piece in ["\x1b[31m● down", "\x1b[33m█\x1b[0m", "\x1b[31m1 failed"] {
        assert!(painted.contains(piece), "{piece:?} in {painted:?}");
    }
}

#[test]
fn a_narrow_terminal_gets_narrow_lines() {
    let long = LivePart {
        requests: 123_456_789,
        per_second: 123_456,
        slowest: Duration::from_secs(100),
        ..calm()
    };
    for line in board(&long) {
        assert!(line.show(39, false).chars().count() <= 39);
        assert!(line.show(79, false).chars().count() <= 79);
    }
}

#[test]
fn the_bar_is_empty_only_at_expiry_and_never_more_than_full() {
    for (part, full) in [
        (0.0, 0),
        (0.001, 1),
        (0.5, 20),
        (1.0, 40),
        (7.0, 40),
        (f64::NAN, 0),
    ] {
        assert_eq!(cells(part), full, "{part}");
    }
}

#[test]
fn the_view_shows_only_the_first_12_characters_of_a_token() {
    let whole = format!("eyJ{}", "x".repeat(1_110));
    let line = token(&whole).show(usize::MAX, false);
    assert_eq!(
        line,
        "eyJxxxxxxxxx…  (the first 12 of its 1,113 characters)"
    );
}

#[test]
fn control_characters_in_command_output_are_replaced() {
    assert_eq!(output("a\x1b[2Jb\r").show(80, false), "a?[2Jb?");
}

#[test]
fn events_show_their_time_and_fit_80_columns() {
    let at = Duration::from_secs(605);
    for (line, text) in [
        (
            down(Duration::from_secs(7), "it sleeps"),
            " 0:07  the issuer is down: it sleeps",
        ),
        (
            back(at, 1, 0),
            "10:05  it is back: 1 attempt to renew had failed, and not one request",
        ),
        (
            back(at, 12, 3_456),
            "10:05  it is back: 12 attempts to renew had failed, and 3,456 requests",
        ),
        (
            used(at, "batch"),
            "10:05  batch has a token of its own, and the API takes it",
        ),
        (
            renewed(at, 10, 123_456, 0),
            "10:05  token 10 is served; so far 123,456 requests, 0 failed",
        ),
    ] {
        assert_eq!(line.show(80, false), text);
    }
}
