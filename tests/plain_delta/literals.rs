//! Literals of DELTA-CM segments that are in the arithmetic code.

use super::code::{Code, Mixture, places};
use super::references::index;

const MIN_MATCH: usize = 5;
const MIN_INDEXED: usize = 8;

pub(super) struct Literals {
    mixture: Mixture<9>,
    /// Ends of the output's strings of five bytes, up to `indexed`.
    index: Vec<usize>,
    indexed: usize,
    place: usize,
    length: usize,
    /// The last two literals that followed two bytes.
    followed: Vec<u32>,
}

impl Literals {
    pub(super) fn new(scale: u32) -> Self {
        Self {
            mixture: Mixture::new(scale + 1, [1024, 512], 12, 9),
            index: vec![0; 1 << 16],
            indexed: MIN_INDEXED,
            place: 0,
            length: 0,
            followed: vec![0; 1 << 16],
        }
    }

    /// Adds an operation's literals to the output.
    pub(super) fn next(
        &mut self,
        code: &mut Code<'_>,
        count: usize,
        output: &mut Vec<u8>,
    ) -> Result<(), String> {
        self.length = 0;
        for _ in 0..count {
            self.find_match(output);
            let byte = self.literal(code, output)?;
            output.push(byte);
        }
        Ok(())
    }

    fn find_match(&mut self, output: &[u8]) {
        if self.length > 0 && output.last() == output.get(self.place) {
            self.place += 1;
            self.length += 1;
            return;
        }
        self.length = 0;
        let end = output.len();
        if end < MIN_INDEXED {
            return;
        }
        while self.indexed < end {
            self.index[hash_before(output, self.indexed)] = self.indexed;
            self.indexed += 1;
        }
        self.place = self.index[hash_before(output, end)];
        let before_place = output[..self.place].iter().rev();
        let before_end = output.iter().rev();
        let equal = before_place.zip(before_end).take(32);
        let length = equal.take_while(|(a, b)| a == b).count();
        if length >= MIN_MATCH {
            self.length = length;
        }
    }

    fn literal(&mut self, code: &mut Code<'_>, output: &[u8]) -> Result<u8, String> {
        let mut c = [0; 9];
        for (value, byte) in c[1..].iter_mut().zip(output.iter().rev()) {
            *value = u32::from(*byte);
        }
        let lane = output.len() as u32 & 3;
        let l = self.length.min(31) as u32 / 2;
        let m = match self.length {
            0 => 256,
            _ => u32::from(output[self.place]),
        };
        let two = c[1] | c[2] << 8;
        let followed = &mut self.followed[two as usize];
        let contexts = [
            (0, 0),
            (c[1], 0),
            (two, 0),
            (two | c[3] << 16 | c[4] << 24, 0),
            (c[4] | c[8] << 8, lane),
            (c[1] | c[4] << 8, lane),
            (c[2] | c[3] << 8 | c[4] << 16, lane),
            (m | l << 9, 0),
            (*followed | c[1] << 16, 0),
        ];
        let rows = |node: u32| {
            let bits = node.ilog2();
            let agrees = m < 256 && node == (256 | m) >> (8 - bits);
            let second = match agrees {
                true => l << 1 | m >> (7 - bits) & 1,
                false => 256 | c[1],
            };
            [node | lane << 8, second]
        };
        let byte = self.mixture.byte(code, places(contexts), rows)?;
        *followed = (*followed << 8 | u32::from(byte)) & 0xffff;
        Ok(byte)
    }
}

/// The index of the five bytes before `end`.
fn hash_before(output: &[u8], end: usize) -> usize {
    let five = output[end - MIN_MATCH..end].iter().rev();
    let number = five.fold(0, |number, byte| number << 8 | u64::from(*byte));
    index(number, 16)
}
