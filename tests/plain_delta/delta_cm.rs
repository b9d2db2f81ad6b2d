//! DELTA-CM segments: operations, copies and literals in an arithmetic code.

use super::code::{Code, Numbers};
use super::container::Segment;
use super::copies::Copies;
use super::input::{Input, check, unpack, unzigzag};
use super::literals::Literals;
use zstd::zstd_safe::DCtx;

const CLASSES: usize = 22;

/// What operations are coded by.
struct Operations {
    numbers: Numbers,
    /// Recent displacements, the newest first.
    recent: [i64; 16],
    gap: usize,
}

impl Operations {
    fn displacement(&mut self, code: &mut Code<'_>) -> Result<i64, String> {
        let which = self.numbers.next(code, 6 + self.gap)? as usize;
        let (near, class) = match which {
            0 => (self.recent[0], 13 + self.gap),
            1..16 => (self.recent[which], 20),
            _ => (self.recent[0], 21),
        };
        let distance = unzigzag(self.numbers.next(code, class)?);
        let displacement = near + distance;
        let moves = which < 16 && distance.abs() <= 255;
        let replaced = if moves { which } else { 15 };
        self.recent[..=replaced].rotate_right(1);
        self.recent[0] = displacement;
        Ok(displacement)
    }
}

pub(super) fn decode(segment: &Segment<'_>, payload: &[u8]) -> Result<Vec<u8>, String> {
    let (output, code) = decode_begun(segment, payload)?;
    code.check_end()?;
    Ok(output)
}

/// The output, and the code as it then is: what else it has is not looked at.
pub(super) fn decode_begun<'a>(
    segment: &Segment<'_>,
    payload: &'a [u8],
) -> Result<(Vec<u8>, Code<'a>), String> {
    let mut input = Input::new(payload);
    let (size, packed) = (input.u32()? as usize, input.u32()? as usize);
    check(size <= segment.size, "literals too many")?;
    let stream = match packed {
        0 => input.take(size)?.to_vec(),
        _ => unpack(&mut DCtx::create(), input.take(packed)?, size)?,
    };
    let mut stream = Input::new(&stream);
    let mut code = Code::new(input.rest())?;
    let mut operations = Operations {
        numbers: Numbers::new(CLASSES),
        recent: [0; 16],
        gap: 0,
    };
    let scale = segment.size.next_power_of_two().ilog2().max(10);
    let mut copies = Copies::new(segment.base, segment.machine, scale);
    let mut literals = Literals::new(scale);
    let mut output = Vec::new();
    while output.len() < segment.size {
        let copy = operations.numbers.next(&mut code, 0)?;
        let literal_class = 1 + copy.min(64) as usize / 16;
        let literal = operations.numbers.next(&mut code, literal_class)?;
        segment.check_operation(copy, literal, output.len())?;
        if copy > 0 {
            let to = segment.position + output.len() as i64;
            let from = to + operations.displacement(&mut code)?;
            let end = from + copy as i64;
            let inside = from >= 0 && end <= segment.base.len() as i64;
            check(inside, "copy out of the base")?;
            copies.copy(&mut code, (from, to), copy as usize, &mut output)?;
        }
        if size > 0 {
            output.extend(stream.take(literal as usize)?);
        } else {
            literals.next(&mut code, literal as usize, &mut output)?;
        }
        operations.gap = 6.min(64 - literal.leading_zeros() as usize);
    }
    check(stream.is_empty(), "literals are not used up")?;
    Ok((output, code))
}
