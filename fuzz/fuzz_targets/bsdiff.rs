//! Deltas of bsdiff 4: never one byte more than the target has, whatever the numbers say.
#![no_main]

use std::io::{self, Cursor, Write};
use std::sync::LazyLock;

use bzip2::Compression;
use bzip2::write::BzEncoder;
use fuzz::choices::Choices;
use fuzz::{edit, image};
use libfuzzer_sys::fuzz_target;

static BASE: LazyLock<Vec<u8>> = LazyLock::new(|| image::noise(5, 64 * 1024));

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let mut target_size = u64::from(choices.short());
    let is_trusted = choices.byte().is_multiple_of(2);
    let bytes = match choices.byte() % 8 {
        0 => choices.rest().to_vec(),
        1 => container(target_size, &[(); 3].map(|()| rest_of(&mut choices))),
        kind => {
            let streams = operations(&mut choices);
            if kind > 3 {
                target_size = (streams[1].len() + streams[2].len()) as u64;
            }
            let mut bytes = container(target_size, &streams.map(|it| packed(&it)));
            if kind == 2 {
                edit::damage(&mut bytes, &mut choices);
            }
            bytes
        }
    };
    let mut out = Vec::new();
    let [mut base, mut delta] = [&BASE[..], &bytes].map(Cursor::new);
    let trusted = is_trusted.then_some(target_size);
    let result = delta::bsdiff::apply(&mut base, &mut delta, trusted, &mut Bounded(&mut out));
    let made = out.len() as u64;
    match result {
        Ok(header) => assert!(made == header.target_size),
        Err(_) => assert!(!is_trusted || made <= target_size),
    }
});

/// Keeps what is written up to what a target here may have: a damaged header may declare more.
struct Bounded<'a>(&'a mut Vec<u8>);

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > 1 << 20 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn rest_of(choices: &mut Choices<'_>) -> Vec<u8> {
    let count = choices.below(200);
    choices.take(count).to_vec()
}

/// Header as in `docs/formats.md`, and three parts.
fn container(target_size: u64, parts: &[Vec<u8>; 3]) -> Vec<u8> {
    let mut bytes = delta::bsdiff::MAGIC.to_vec();
    let [control, differences, _] = parts.each_ref().map(|part| part.len() as u64);
    for number in [control, differences, target_size] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.extend(parts.concat());
    bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = BzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Operations with their bytes; numbers small enough to fit more often than not.
fn operations(choices: &mut Choices<'_>) -> [Vec<u8>; 3] {
    let mut streams = [const { Vec::new() }; 3];
    while !choices.is_empty() {
        let [control, differences, literals] = &mut streams;
        let (copied, literal, seek) = (choices.byte(), choices.byte(), choices.number());
        let sign = u64::from(choices.byte() % 2) << 63;
        control.extend(u64::from(copied).to_le_bytes());
        control.extend(u64::from(literal).to_le_bytes());
        control.extend((seek ^ sign).to_le_bytes());
        differences.resize(differences.len() + usize::from(copied), copied);
        literals.resize(literals.len() + usize::from(literal), literal);
    }
    streams
}
