use super::*;

const HOUR: u64 = 3_600;
const LOGIN: u64 = 500 * DAY + 12_345;

fn terms() -> Terms {
    Terms {
        lifetime: Some(Duration::from_secs(HOUR)),
        longest_lifetime: Duration::from_secs(DAY),
        grace: Duration::from_secs(7 * DAY),
        is_shared: false,
    }
}

const fn date(seconds: u64) -> UnixTime {
    UnixTime::from_epoch(Duration::from_secs(seconds))
}

/// Returns a moment this many seconds after the switch, with the issuer's `Date`.
fn mark(boot_id: &str, seconds: u64) -> GraceMoment {
    // The clock of a second boot begins at zero.
    let at = if boot_id == "a" { 1_000 + seconds } else { 1 };
    GraceMoment {
        boot_id: boot_id.into(),
        at: BootInstant::from_boot(Duration::from_secs(at)),
        date: Some(date(600 * DAY + 7 + seconds)),
    }
}

fn undated(boot_id: &str, seconds: u64) -> GraceMoment {
    GraceMoment {
        date: None,
        ..mark(boot_id, seconds)
    }
}

fn wait(seconds: u64, why: WaitReason) -> Verdict {
    Verdict::Wait(Duration::from_secs(seconds), why)
}

fn look(grace: &mut Grace, at: GraceMoment, login: Option<u64>) {
    let login = login.map(date);
    let all: Vec<_> = login.into_iter().collect();
    grace.look(at, login, &all);
}

#[test]
fn the_old_key_is_deleted_after_two_equal_checks_two_lifetimes_apart() {
    let mut grace = Grace::new(mark("a", 0), None);
    let judge = |grace: &Grace, s| grace.judge(&mark("a", s), &terms(), false);
    assert_eq!(judge(&grace, 0), wait(2 * HOUR, WaitReason::Grace));
    assert_eq!(judge(&grace, 2 * HOUR - 1), wait(1, WaitReason::Grace));
    assert_eq!(judge(&grace, 2 * HOUR), Verdict::Look);
    look(&mut grace, mark("a", 2 * HOUR), Some(LOGIN));
    assert_eq!(judge(&grace, 2 * HOUR), wait(2 * HOUR, WaitReason::Unused));
    assert_eq!(judge(&grace, 4 * HOUR), Verdict::Look);
    look(&mut grace, mark("a", 4 * HOUR), Some(LOGIN));
    assert_eq!(judge(&grace, 4 * HOUR), Verdict::Delete);
}

#[test]
fn a_key_with_a_new_last_login_is_kept_until_logins_stop() {
    let mut grace = Grace::new(mark("a", 0), None);
    look(&mut grace, mark("a", 2 * HOUR), Some(LOGIN));
    look(&mut grace, mark("a", 4 * HOUR), Some(LOGIN + 1));
    let judge = |grace: &Grace, s| grace.judge(&mark("a", s), &terms(), false);
    assert_eq!(judge(&grace, 4 * HOUR), wait(2 * HOUR, WaitReason::InUse));
    assert_eq!(grace.moved_to, Some(date(LOGIN + 1)));
    look(&mut grace, mark("a", 6 * HOUR), Some(LOGIN + 1));
    assert_eq!(judge(&grace, 6 * HOUR), Verdict::Delete);
}

#[test]
fn a_last_login_with_a_date_only_needs_two_checks_49_hours_apart() {
    let mut grace = Grace::new(mark("a", 0), None);
    let judge = |grace: &Grace, s| grace.judge(&mark("a", s), &terms(), false);
    look(&mut grace, mark("a", 2 * HOUR), Some(500 * DAY));
    assert_eq!(judge(&grace, 2 * HOUR), wait(49 * HOUR, WaitReason::Unused));
    look(&mut grace, mark("a", 50 * HOUR), Some(500 * DAY));
    assert_eq!(judge(&grace, 50 * HOUR), wait(HOUR, WaitReason::Unused));
    look(&mut grace, mark("a", 51 * HOUR), Some(500 * DAY));
    assert_eq!(judge(&grace, 51 * HOUR), Verdict::Delete);
    // Another key's login shows that the issuer's times are exact.
    let mut told = Grace::new(mark("a", 0), None);
    for at in [2, 4] {
        let all = [date(500 * DAY), date(LOGIN)];
        told.look(mark("a", at * HOUR), Some(date(500 * DAY)), &all);
    }
    assert_eq!(judge(&told, 4 * HOUR), Verdict::Delete);
}

#[test]
fn login_days_are_compared_only_with_the_issuers_date() {
    let mut grace = Grace::new(undated("a", 0), None);
    look(&mut grace, undated("a", 2 * HOUR), Some(500 * DAY));
    look(&mut grace, undated("a", 60 * HOUR), Some(500 * DAY));
    let now = undated("a", 60 * HOUR);
    let left = 7 * DAY - 60 * HOUR;
    assert_eq!(
        grace.judge(&now, &terms(), false),
        wait(left, WaitReason::NoLoginsShown)
    );
}

#[test]
fn without_login_times_the_old_key_is_kept_until_grace_end_or_finish() {
    let mut grace = Grace::new(mark("a", 0), None);
    look(&mut grace, mark("a", 2 * HOUR), None);
    let judge = |grace: &Grace, s, finish| grace.judge(&mark("a", s), &terms(), finish);
    let left = 7 * DAY - 3 * HOUR;
    assert_eq!(
        judge(&grace, 3 * HOUR, false),
        wait(left, WaitReason::NoLoginsShown)
    );
    assert_eq!(judge(&grace, 3 * HOUR, true), Verdict::Delete);
    assert_eq!(judge(&grace, HOUR, true), Verdict::Delete);
    assert_eq!(judge(&grace, 7 * DAY, false), Verdict::Look);
    let mut used = grace.clone();
    look(&mut used, mark("a", 7 * DAY), Some(LOGIN));
    assert_eq!(
        judge(&used, 7 * DAY, false),
        wait(2 * HOUR, WaitReason::InUse)
    );
    look(&mut grace, mark("a", 7 * DAY), None);
    assert_eq!(judge(&grace, 7 * DAY, false), Verdict::Delete);
}

#[test]
fn finish_checks_logins_first_and_waits_for_tokens_if_logins_are_shown() {
    let mut grace = Grace::new(mark("a", 0), None);
    let judge = |grace: &Grace, s| grace.judge(&mark("a", s), &terms(), true);
    assert_eq!(judge(&grace, 1), Verdict::Look);
    look(&mut grace, mark("a", 1), Some(LOGIN));
    assert_eq!(judge(&grace, 1), wait(2 * HOUR - 1, WaitReason::Grace));
    assert_eq!(judge(&grace, 2 * HOUR), Verdict::Delete);
}

#[test]
fn the_grace_uses_the_lifetime_at_the_switch_else_now_else_the_longest() {
    let unknown = Terms {
        lifetime: None,
        ..terms()
    };
    let lifetime = |seconds| Some(Duration::from_secs(seconds));
    for (at_switch, now, seconds) in [
        (lifetime(60), lifetime(HOUR), 60),
        (lifetime(60), None, 60),
        (None, lifetime(HOUR), HOUR),
        (None, None, DAY),
    ] {
        let grace = Grace::new(mark("a", 0), at_switch);
        let terms = Terms {
            lifetime: now,
            ..unknown.clone()
        };
        let verdict = grace.judge(&mark("a", 0), &terms, false);
        assert_eq!(verdict, wait(2 * seconds, WaitReason::Grace));
    }
}

#[test]
fn after_a_reboot_the_grace_period_uses_the_issuers_date() {
    let grace = Grace::new(mark("a", 0), None);
    let judge = |now: &GraceMoment| grace.judge(now, &terms(), false);
    assert_eq!(judge(&mark("b", HOUR)), wait(HOUR, WaitReason::Grace));
    assert_eq!(judge(&mark("b", 2 * HOUR)), Verdict::Look);
    // The time since the switch is unknown without the issuer's `Date`. Reading the list may bring one.
    assert_eq!(judge(&undated("b", 2 * HOUR)), Verdict::Look);
    let mut again = grace.clone();
    look(&mut again, undated("b", 2 * HOUR), Some(LOGIN));
    let now = undated("b", 2 * HOUR);
    assert_eq!(
        again.judge(&now, &terms(), false),
        wait(2 * HOUR, WaitReason::Grace)
    );
    // If the issuer's clock was set back, no time has passed.
    let mut back = mark("b", 0);
    back.date = Some(date(1));
    assert_eq!(judge(&back), wait(2 * HOUR, WaitReason::Grace));
}

#[test]
fn a_key_shared_with_another_machine_is_kept() {
    let grace = Grace::new(mark("a", 0), None);
    let shared = Terms {
        is_shared: true,
        ..terms()
    };
    for finish in [false, true] {
        let verdict = grace.judge(&mark("a", 9 * DAY), &shared, finish);
        assert_eq!(verdict, Verdict::Keep);
    }
}

#[test]
fn a_grace_clock_continues_from_its_last_reading() {
    let later = mark("a", 5).at(mark("a", 65).at);
    assert_eq!(later, mark("a", 65));
    assert_eq!(undated("a", 5).at(mark("a", 65).at), undated("a", 65));
}
