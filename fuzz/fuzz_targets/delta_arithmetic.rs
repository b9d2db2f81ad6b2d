//! The arithmetic code of DELTA-CM segments: any bytes are some bits, and those bits have no other code.
#![no_main]

use fuzz::arithmetic::{encode, read};
use fuzz::choices::Choices;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let ones: Vec<u16> = (0..choices.byte())
        .map(|_| choices.short().max(1))
        .collect();
    let code = choices.rest();
    let bits = read(code, &ones).bits;
    let ones = &ones[..bits.len()];
    let ours = encode(&bits, ones);
    let again = read(&ours, ones);
    assert!(again.is_finished && again.bits == bits);
    assert_eq!(read(code, ones).is_finished, ours == code);
});
