//! A delta as a whole: the bytes as they are, and a good one damaged. What applies is the target.
#![no_main]

use std::io::Cursor;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use delta::{CreateOptions, Delta, Expected};
use fuzz::choices::Choices;
use fuzz::{edit, image};
use libfuzzer_sys::fuzz_target;

/// Bytes of the images: two segments and a bit, so that there is one of each type.
const IMAGE_BYTES: usize = 2 * 1024 * 1024 + 999;

struct Good {
    base: Vec<u8>,
    target: Vec<u8>,
    delta: Vec<u8>,
    expected: Expected,
}

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let base = image::noise(1, IMAGE_BYTES);
    let mut target = base.clone();
    let second = 1024 * 1024;
    for byte in target[second..second + 70_000].iter_mut().step_by(97) {
        *byte = byte.wrapping_add(4);
    }
    target.truncate(2 * second);
    target.extend(image::noise(2, 300));
    let mut delta = Vec::new();
    let options = CreateOptions::default();
    let made = delta::create(&base, &target, &options, &|_| {}, &mut delta);
    assert!(made.is_ok());
    let expected = Expected::of(&base, &target);
    Good {
        base,
        target,
        delta,
        expected,
    }
});

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    if choices.byte().is_multiple_of(4) {
        let size = choices.number();
        let _ = delta::inspect(choices.rest(), size);
        return;
    }
    let mut damaged = GOOD.delta.clone();
    edit::damage(&mut damaged, &mut choices);
    let size = damaged.len() as u64;
    let is_sound = delta::inspect(&damaged[..], size).is_ok();
    let Ok(mut opened) = Delta::open(Cursor::new(&damaged), size, &GOOD.expected) else {
        return;
    };
    assert!(is_sound);
    let mut out = Vec::new();
    let mut base = Cursor::new(&GOOD.base);
    let result = delta::apply(&mut opened, &mut base, &mut out, |_| {
        ControlFlow::Continue(())
    });
    assert!(GOOD.target.starts_with(&out));
    assert_eq!(result.is_ok(), out == GOOD.target);
});
