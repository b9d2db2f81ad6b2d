//! One encoding per value, and no other.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{put, take, unzigzag, zigzag};

#[test]
fn rejects_what_is_not_shortest_or_too_long() {
    for mut bytes in [
        &[][..],
        &[0x80],
        &[0x80, 0x00],
        &[0xff, 0x80, 0x00],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
        &[0x80; 11],
    ] {
        assert_eq!(take(&mut bytes), None);
    }
}

proptest! {
    #[test]
    fn values_round_trip(value: u64, shift in 0..64_u32, more: Vec<u8>) {
        let value = value >> shift;
        let mut bytes = Vec::new();
        put(&mut bytes, value);
        bytes.extend(&more);
        let mut rest = bytes.as_slice();
        prop_assert_eq!(take(&mut rest), Some(value));
        prop_assert_eq!(rest, more.as_slice());
    }

    #[test]
    fn encoding_is_canonical(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let mut rest = bytes.as_slice();
        if let Some(value) = take(&mut rest) {
            let mut again = Vec::new();
            put(&mut again, value);
            prop_assert!(bytes.starts_with(&again));
        }
    }

    #[test]
    fn zigzag_round_trips(value: i64) {
        prop_assert_eq!(unzigzag(zigzag(value)), value);
    }
}
