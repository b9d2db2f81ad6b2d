//! Tests of `passcode`, with the counts of its documentation.

use proptest::prelude::*;

use super::*;

/// The exact count of conforming strings, by inclusion and exclusion.
fn count(length: u32) -> u128 {
    let mut total: i128 = 0;
    for set in 0..16_u32 {
        let absent: i128 = [26, 26, 10, 33]
            .iter()
            .enumerate()
            .filter(|(index, _)| set & 1 << index != 0)
            .map(|(_, size)| size)
            .sum();
        let sign = if set.count_ones() % 2 == 0 { 1 } else { -1 };
        total += sign * (95 - absent).pow(length);
    }
    total.try_into().unwrap()
}

#[test]
fn count_at_the_floor_is_a_tenth_of_the_papers() {
    assert_eq!(count(8), u128::from(CONFORMING_AT_FLOOR));
    let placings = 8 * 7 * 6 * 5;
    let paper: u128 = 26 * 26 * 10 * 33 * 95_u128.pow(4) * placings;
    assert_eq!(paper, 30_525_609_114_000_000);
    assert!(
        paper > 95_u128.pow(8),
        "more than there are: it counts twice"
    );
    assert_eq!(paper / count(8), 10);
    // With four characters, one of each class, there is nothing to count twice.
    assert_eq!(count(4), 26 * 26 * 10 * 33 * 24);
    assert_eq!(count(3), 0);
}

#[test]
fn strength_is_log2_of_the_count() {
    let floor = check("aB3$efgh").unwrap();
    assert!((floor.bits() - 51.426).abs() < 0.001, "{}", floor.bits());
    assert!(!floor.is_recommended());
    for length in 8..19 {
        let passcode = format!("aB3${}", "x".repeat(length - 4));
        let strength = check(&passcode).unwrap();
        let exact = (count(length as u32) as f64).log2();
        assert!((strength.bits() - exact).abs() < 1e-6);
        assert_eq!(strength.is_recommended(), length >= 12);
    }
    let longest = check(&format!("aB3${}", "x".repeat(PASSCODE_CHARS_MAX - 4))).unwrap();
    assert!(longest.bits().is_finite() && longest.bits() > 800.0);
}

#[test]
fn names_every_missing_rule() {
    let all = vec![
        Rule::Digit,
        Rule::LowerCase,
        Rule::NotTooShort,
        Rule::Special,
        Rule::UpperCase,
    ];
    for (passcode, missing) in [
        ("", all),
        ("aB3$efg", vec![Rule::NotTooShort]),
        ("ab3$efgh", vec![Rule::UpperCase]),
        ("AB3$EFGH", vec![Rule::LowerCase]),
        ("aBc$efgh", vec![Rule::Digit]),
        ("aB3defgh", vec![Rule::Special]),
        (
            "abcdefgh",
            vec![Rule::Digit, Rule::Special, Rule::UpperCase],
        ),
        ("aB3$efgé", vec![Rule::Alphabet]),
        ("aB3$efg\n", vec![Rule::Alphabet]),
        (&format!("aB3${}", "x".repeat(125)), vec![Rule::NotTooLong]),
    ] {
        assert_eq!(
            check(passcode),
            Err(PasscodePolicyError { missing }),
            "{passcode:?}"
        );
    }
    let error = check("aB3defg").unwrap_err();
    assert_eq!(
        error.to_string(),
        "passcode needs at least 8 characters, a special character"
    );
}

#[test]
fn the_33_special_characters_and_no_other() {
    let special = (b' '..=b'~')
        .map(char::from)
        .filter(|c| check(&format!("aB3defg{c}")).is_ok());
    assert_eq!(special.count(), 33);
}

proptest! {
    #[test]
    fn conforming_passcodes_have_all_classes(passcode in "[ -~]{0,20}") {
        let classes = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit];
        let special = |byte: u8| !byte.is_ascii_alphanumeric();
        let expected = passcode.len() >= 8
            && classes.iter().all(|class| passcode.bytes().any(|byte| class(&byte)))
            && passcode.bytes().any(special);
        prop_assert_eq!(check(&passcode).is_ok(), expected);
    }

    #[test]
    fn check_never_panics(passcode in any::<String>()) {
        if let Err(error) = check(&passcode) {
            prop_assert!(!error.missing.is_empty() && error.missing.is_sorted());
        }
    }
}
