//! Clocks that are right, behind and ahead.

use super::*;

#[test]
fn clock_that_is_not_behind_is_believed() {
    let before = unix_now();
    for clock in [Clock::default(), Clock::not_before(before)] {
        let known = clock.known();
        assert!(!clock.is_wrong());
        assert_eq!(known.earliest, known.latest);
        assert!((before..before + 3600).contains(&clock.now()));
    }
}

#[test]
fn clock_that_is_behind_says_only_what_has_passed_c90() {
    let floor = unix_now() + 86_400;
    let clock = Clock::not_before(floor);
    assert!(clock.is_wrong());
    assert_eq!(clock.now(), floor);
    let expected = KnownTime {
        earliest: floor,
        latest: u64::MAX,
    };
    assert_eq!(clock.known(), expected);
}
