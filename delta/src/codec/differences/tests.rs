//! Columns of differences, honest and hostile.

use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Columns, Differences, encode, subtract};

fn sparse() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(prop_oneof![3 => Just(0), 1 => any::<u8>()], 0..300)
}

#[test]
fn columns_are_runs() {
    let Columns {
        equals,
        changes,
        values,
    } = encode(&[0, 0, 5, 0, 6, 0, 0, 7, 0], 2);
    assert_eq!(
        (equals.as_slice(), changes.as_slice()),
        (&[2, 2][..], &[3, 2][..])
    );
    assert_eq!(values, [5, 0, 6, 7, 0]);
}

/// The promise behind [`crate::limits::COLUMNS_BYTES_MAX`], for the worst images.
#[test]
fn columns_are_shorter_than_what_they_describe() {
    for pattern in [&[1, 0][..], &[1, 0, 0], &[1, 0, 0, 0], &[1]] {
        let differences: Vec<u8> = pattern.iter().copied().cycle().take(1 << 20).collect();
        let Columns {
            equals, changes, ..
        } = encode(&differences, 2);
        assert!(10 * (equals.len() + changes.len()) <= 7 * (1 << 20));
    }
}

/// D35: runs without bytes, columns that end early or late.
#[test]
fn rejects_wrong_columns() {
    let fails = |equals, changes, values| {
        let mut differences = Differences::new(equals, changes, values);
        differences.add(&mut [0; 10]).is_err() || !differences.is_finished()
    };
    assert!(!fails(&[8], &[2], &[1, 1]));
    assert!(fails(&[0, 10], &[0, 0], &[]), "empty run");
    assert!(fails(&[], &[], &[]), "no run");
    assert!(fails(&[9], &[0], &[]), "too few");
    assert!(fails(&[11], &[0], &[]), "too many");
    assert!(fails(&[8], &[2], &[1]), "too few values");
    assert!(fails(&[8], &[2], &[1, 1, 1]), "too many values");
    assert!(fails(&[8, 1], &[2, 0], &[1, 1]), "a run more");
    assert!(fails(&[8, 1], &[2], &[1, 1]), "columns of different length");
}

proptest! {
    #[test]
    fn words_are_subtracted_byte_by_byte(new: [u8; 4], old: [u8; 4]) {
        let bytes = [0, 1, 2, 3].map(|at| new[at].wrapping_sub(old[at]));
        let (new, old) = (u32::from_le_bytes(new), u32::from_le_bytes(old));
        prop_assert_eq!(subtract(new, old).to_le_bytes(), bytes);
    }

    #[test]
    fn differences_round_trip(values in sparse(), cuts: Vec<u8>, gap in 2_usize..40) {
        let Columns { equals, changes, values: changed } = encode(&values, gap);
        let mut differences = Differences::new(&equals, &changes, &changed);
        let mut copied = vec![9; values.len()];
        let mut rest = copied.as_mut_slice();
        for cut in cuts {
            let (part, after) = rest.split_at_mut(usize::from(cut).min(rest.len()));
            differences.add(part).unwrap();
            rest = after;
        }
        differences.add(rest).unwrap();
        prop_assert!(differences.is_finished());
        prop_assert!(copied.iter().zip(&values).all(|(new, value)| *new == value.wrapping_add(9)));
        prop_assert_eq!(copied.len(), values.len());
    }
}
