//! Tests of the choice between deltas and the whole image (threats D30, D33).

use super::*;
use crate::sample::{content, release};

/// A delta of `size` bytes from the image called `base`.
fn delta(base: &str, size: u64) -> DeltaRef {
    DeltaRef {
        base: content(base, 900),
        blob: content(&format!("delta from {base} of {size}"), size),
        format: delta::FORMAT.to_owned(),
    }
}

fn ways_of(deltas: &[DeltaRef], base: Option<&str>) -> Vec<Way> {
    let mut release = release(2);
    release.deltas = deltas.to_vec();
    let base = base.map(|base| content(base, 900));
    let found = ways(&release, base.as_ref());
    assert_eq!(
        found.last(),
        Some(&Way::Whole(release.image)),
        "the whole image is always the last way"
    );
    found[..found.len() - 1].to_vec()
}

#[test]
fn takes_the_delta_from_what_the_device_holds() {
    let deltas = [delta("one", 10), delta("two", 500), delta("three", 20)];
    let found = ways_of(&deltas, Some("two"));
    assert_eq!(found, [Way::Delta(deltas[1].clone())]);
}

#[test]
fn takes_the_smallest_of_several_deltas() {
    let deltas = [delta("one", 300), delta("one", 100), delta("one", 200)];
    let found = ways_of(&deltas, Some("one"));
    assert_eq!(found, [Way::Delta(deltas[1].clone())]);
}

#[test]
fn wrong_or_unknown_base_gets_the_whole_image_d30() {
    let deltas = [delta("one", 10)];
    assert_eq!(ways_of(&deltas, Some("two")), []);
    assert_eq!(ways_of(&deltas, None), []);
    let mut release = release(2);
    release.deltas = deltas.to_vec();
    // The same hash with another size is another base.
    let base = content("one", 901);
    assert_eq!(ways(&release, Some(&base)), [Way::Whole(release.image)]);
}

#[test]
fn delta_of_an_unknown_format_is_skipped() {
    for format in ["", "streembit-delta/2", "bsdiff", "STREEMBIT-DELTA/1"] {
        let mut unknown = delta("one", 10);
        format.clone_into(&mut unknown.format);
        let known = delta("one", 500);
        let found = ways_of(&[unknown.clone(), known.clone()], Some("one"));
        assert_eq!(found, [Way::Delta(known)], "{format}");
        assert_eq!(ways_of(&[unknown], Some("one")), []);
    }
}

#[test]
fn delta_that_is_not_smaller_than_the_image_is_skipped_d33() {
    for size in [1000, 1001, 1 << 40] {
        assert_eq!(ways_of(&[delta("one", size)], Some("one")), [], "{size}");
    }
    assert_eq!(ways_of(&[delta("one", 999)], Some("one")).len(), 1);
}
