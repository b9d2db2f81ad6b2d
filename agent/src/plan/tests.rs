//! Tests of the choice between deltas and the whole image (threats D30, D33).

use super::*;
use crate::sample::{content, release};

/// A slow link and a middling CPU: bytes decide.
const SLOW_LINK: Circumstances = Circumstances {
    prefer: Prefer::Time,
    link: 10,
    mixing: Some(1_000_000),
};

/// A delta of `size` bytes from the image called `base`.
fn delta(base: &str, size: u64) -> DeltaRef {
    DeltaRef {
        base: content(base, 900),
        blob: content(&format!("delta from {base} of {size}"), size),
        format: delta::FORMAT.to_owned(),
    }
}

fn mixing(base: &str, size: u64) -> DeltaRef {
    DeltaRef {
        format: delta::FORMAT_MIXING.to_owned(),
        ..delta(base, size)
    }
}

fn repack_of(size: u64) -> DeltaRef {
    DeltaRef {
        base: content("", 0),
        ..delta("nothing", size)
    }
}

fn base(image: &str) -> Base {
    Base {
        image: content(image, 900),
        modified: 0,
    }
}

fn ways_in(deltas: &[DeltaRef], base: Option<Base>, circumstances: &Circumstances) -> Vec<Way> {
    let mut release = release(2);
    release.deltas = deltas.to_vec();
    let found = ways(&release, base.as_ref(), circumstances);
    assert_eq!(
        found.last(),
        Some(&Way::Whole(release.image)),
        "the whole image is always the last way"
    );
    found[..found.len() - 1].to_vec()
}

fn ways_of(deltas: &[DeltaRef], image: Option<&str>) -> Vec<Way> {
    ways_in(deltas, image.map(base), &SLOW_LINK)
}

fn in_order(deltas: &[&DeltaRef]) -> Vec<Way> {
    deltas
        .iter()
        .map(|delta| Way::Delta((*delta).clone()))
        .collect()
}

#[test]
fn takes_the_delta_from_what_the_device_holds() {
    let deltas = [delta("one", 10), delta("two", 500), delta("three", 20)];
    assert_eq!(ways_of(&deltas, Some("two")), in_order(&[&deltas[1]]));
}

#[test]
fn takes_the_smallest_of_several_deltas_first() {
    let deltas = [delta("one", 300), delta("one", 100), delta("one", 200)];
    let found = ways_of(&deltas, Some("one"));
    assert_eq!(found, in_order(&[&deltas[1], &deltas[2], &deltas[0]]));
}

#[test]
fn wrong_or_unknown_base_gets_the_whole_image_d30() {
    let deltas = [delta("one", 10)];
    assert_eq!(ways_of(&deltas, Some("two")), []);
    assert_eq!(ways_of(&deltas, None), []);
    // The same hash with another size is another base.
    let base = Base {
        image: content("one", 901),
        modified: 0,
    };
    assert_eq!(ways_in(&deltas, Some(base), &SLOW_LINK), []);
}

#[test]
fn wrong_or_unknown_base_gets_the_repack_d30() {
    let deltas = [delta("one", 10), repack_of(600)];
    let repack = in_order(&[&deltas[1]]);
    assert_eq!(ways_of(&deltas, Some("two")), repack);
    assert_eq!(ways_of(&deltas, None), repack);
    let both = in_order(&[&deltas[0], &deltas[1]]);
    assert_eq!(ways_of(&deltas, Some("one")), both, "it is the second way");
    assert_eq!(ways_of(&[repack_of(1000)], None), [], "it doesn't pay");
    let mut coded = repack_of(600);
    coded.format = delta::FORMAT_MIXING.to_owned();
    assert_eq!(ways_of(&[coded], None), [], "a repack is coded by zstd");
}

/// What a modified base costs in repairs counts.
#[test]
fn modified_base_gets_a_delta_while_that_is_less_d30() {
    let deltas = [delta("one", 100), repack_of(600)];
    let modified = |modified| {
        Some(Base {
            modified,
            ..base("one")
        })
    };
    let both = in_order(&[&deltas[0], &deltas[1]]);
    assert_eq!(ways_in(&deltas, modified(499), &SLOW_LINK), both);
    let repack = in_order(&[&deltas[1]]);
    assert_eq!(ways_in(&deltas, modified(500), &SLOW_LINK), repack);
    assert_eq!(ways_in(&deltas[..1], modified(900), &SLOW_LINK), []);
    assert_eq!(ways_in(&deltas, modified(u64::MAX), &SLOW_LINK), repack);
}

#[test]
fn delta_of_an_unknown_format_is_skipped() {
    for format in ["", "streembit-delta/2", "bsdiff", "STREEMBIT-DELTA/1"] {
        let mut unknown = delta("one", 10);
        format.clone_into(&mut unknown.format);
        let known = delta("one", 500);
        let found = ways_of(&[unknown.clone(), known.clone()], Some("one"));
        assert_eq!(found, in_order(&[&known]), "{format}");
        assert_eq!(ways_of(&[unknown], Some("one")), []);
    }
}

#[test]
fn delta_that_is_not_smaller_than_the_image_is_skipped_d33() {
    for size in [1000, 1001, 1 << 40, u64::MAX] {
        assert_eq!(ways_of(&[delta("one", size)], Some("one")), [], "{size}");
    }
    assert_eq!(ways_of(&[delta("one", 999)], Some("one")).len(), 1);
}

/// The image has 1000 bytes; the delta by zstd 300, by context mixing 200.
#[test]
fn link_and_cpu_decide_between_coders() {
    let deltas = [delta("one", 300), mixing("one", 200)];
    let first = |circumstances: &Circumstances| {
        let found = ways_in(&deltas, Some(base("one")), circumstances);
        let Some(Way::Delta(first)) = found.first() else {
            panic!("no delta");
        };
        (first.format.clone(), found.len())
    };
    let zstd = |count| (delta::FORMAT.to_owned(), count);
    let mixed = |count| (delta::FORMAT_MIXING.to_owned(), count);
    let on = |link, mixing| Circumstances {
        link,
        mixing: Some(mixing),
        ..SLOW_LINK
    };
    // 20 s on the link against 10 s of work; zstd takes 30 s on the link.
    assert_eq!(first(&on(10, 100)), mixed(2));
    // 100 s of work.
    assert_eq!(first(&on(10, 10)), zstd(2));
    // Both wait for the CPU longer than for the link.
    assert_eq!(first(&on(1_000_000, 100)), zstd(2));
    let bytes = Circumstances {
        prefer: Prefer::Bytes,
        ..on(1_000_000, 1)
    };
    assert_eq!(first(&bytes), mixed(2));
    let cpu = Circumstances {
        prefer: Prefer::Cpu,
        ..on(1, 1_000_000)
    };
    assert_eq!(first(&cpu), zstd(1), "not even as the second way");
    let never = Circumstances {
        mixing: None,
        ..SLOW_LINK
    };
    assert_eq!(first(&never), zstd(1));
    assert_eq!(first(&on(0, 0)), zstd(2), "no division by zero");
}
