//! Tests of `encoding`.

use proptest::prelude::*;

use super::*;

#[test]
fn rejects_hex_of_another_form() {
    assert_eq!(from_hex("00ff"), Some([0, 255]));
    for text in [
        "", "00", "00f", "00ff0", "00ff00", "00FF", "00fg", " 0ff", "0x00", "00ff\n",
    ] {
        assert_eq!(from_hex::<2>(text), None, "{text:?}");
    }
}

#[test]
fn rejects_base64url_of_another_form() {
    assert_eq!(from_base64url("-_8"), Some([0xfb, 0xff]));
    // Padding, standard alphabet, trailing bits, other lengths, white space.
    for text in ["-_8=", "+/8", "-_9", "-_", "-_8A", "", " -_8", "-_8\n"] {
        assert_eq!(from_base64url::<2>(text), None, "{text:?}");
    }
}

#[test]
fn rejects_armour_of_another_form() {
    let text = to_armour("KEY", &[7; 50]);
    assert_eq!(
        text.lines().map(str::len).collect::<Vec<_>>(),
        [19, 64, 4, 17]
    );
    assert_eq!(**from_armour("KEY", &text).unwrap(), [7; 50]);
    assert_eq!(**from_armour("KEY", text.trim_end()).unwrap(), [7; 50]);
    let body: String = text.lines().skip(1).take(2).collect();
    for changed in [
        format!("{text}\n"),
        format!("\n{text}"),
        format!("{text}x"),
        text.replace('\n', "\r\n"),
        text.replace("END KEY", "END KEYS"),
        text.replace("BEGIN KEY", "BEGIN KEYS"),
        text.replace("-----END", "\n-----END"),
        text.replace("-----END", "A: b\n-----END"),
        text.replace("KEY-----\n", "KEY-----\nA: b\n\n"),
        text.replace('=', ""),
        text.replace("BwcH", "Bw cH"),
        format!("-----BEGIN KEY-----\n{body}\n-----END KEY-----\n"),
        text.repeat(2),
    ] {
        assert!(from_armour("KEY", &changed).is_none(), "{changed}");
    }
    assert!(from_armour("KEYS", &text).is_none());
}

proptest! {
    #[test]
    fn armour_decodes_to_what_was_encoded(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = to_armour("KEY", &bytes);
        prop_assert_eq!(&**from_armour("KEY", &text).unwrap(), &bytes);
        prop_assert!(text.lines().all(|line| line.len() <= ARMOUR_COLUMNS));
    }

    #[test]
    fn armour_parse_never_panics(
        text in "(-----BEGIN KEY-----\n)?[A-Za-z0-9+/=\n]{0,150}(-----END KEY-----\n?)?",
    ) {
        if let Some(bytes) = from_armour("KEY", &text) {
            let again = to_armour("KEY", &bytes);
            prop_assert_eq!(again.trim_end(), text.trim_end());
        }
    }
}
