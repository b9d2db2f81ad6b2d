//! The arithmetic code, and the slots, mixtures and numbers its bits are coded by.

use super::input::check;

const RATE: [i32; 16] = [
    40960, 25206, 18204, 14246, 11702, 9929, 8623, 7620, 6826, 6182, 5649, 5201, 4818, 4488, 4201,
    3947,
];

const POINTS: [u16; 65] = [
    22, 28, 36, 47, 60, 77, 98, 126, 162, 208, 267, 342, 439, 562, 720, 922, 1179, 1506, 1921,
    2446, 3108, 3938, 4971, 6249, 7812, 9702, 11955, 14595, 17625, 21025, 24743, 28693, 32768,
    36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090,
    63615, 64030, 64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438,
    65459, 65476, 65489, 65500, 65508, 65514,
];

/// L(p) for each p.
static LOGIT: [i16; 4096] = logits();

/// P(x).
const fn probability(x: i32) -> i32 {
    let (i, r) = ((x + 2048) / 64, (x + 2048) % 64);
    let (point, next) = (POINTS[i as usize] as i32, POINTS[i as usize + 1] as i32);
    point + (next - point) * r / 64
}

const fn logits() -> [i16; 4096] {
    let mut table = [0; 4096];
    let (mut p, mut x) = (0, -2047);
    while p < 4096 {
        while x < 2047 && probability(x) < 16 * p + 8 {
            x += 1;
        }
        table[p as usize] = x as i16;
        p += 1;
    }
    table
}

pub(super) struct Code<'a> {
    bytes: std::slice::Iter<'a, u8>,
    low: u32,
    high: u32,
    point: u32,
}

impl<'a> Code<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, String> {
        let (start, rest) = bytes.split_first_chunk().ok_or("code ends early")?;
        Ok(Code {
            bytes: rest.iter(),
            low: 0,
            high: u32::MAX,
            point: u32::from_be_bytes(*start),
        })
    }

    /// The next bit, which is 1 with a probability of `one` / 65536.
    pub(super) fn bit(&mut self, one: u32) -> Result<bool, String> {
        let range = u64::from(self.high - self.low);
        let split = self.low + ((range * u64::from(one)) >> 16) as u32;
        let bit = self.point <= split;
        if bit {
            self.high = split;
        } else {
            self.low = split + 1;
        }
        while self.low >> 24 == self.high >> 24 {
            let byte = *self.bytes.next().ok_or("code ends early")?;
            self.low <<= 8;
            self.high = self.high << 8 | 0xff;
            self.point = self.point << 8 | u32::from(byte);
        }
        Ok(bit)
    }

    /// Bytes that were not read, and the last four that a code which ends here has.
    pub(super) fn end(&self) -> (usize, [u8; 4]) {
        (self.bytes.len(), self.low.to_be_bytes())
    }

    pub(super) fn check_end(&self) -> Result<(), String> {
        let (unread, end) = self.end();
        check(unread == 0, "bytes after the code")?;
        check(
            self.point.to_be_bytes() == end,
            "code does not end with low",
        )
    }
}

/// A probability of 12 bits above a count of 4.
#[derive(Clone, Copy)]
struct Slot(u16);

impl Slot {
    const NEW: Self = Self(2048 << 4);

    fn p(self) -> u16 {
        self.0 >> 4
    }

    fn learn(&mut self, bit: bool, limit: u16) {
        let (p, count) = (i32::from(self.p()), self.0 & 15);
        let goal = if bit { 4095 } else { 0 };
        let step = ((goal - p) * RATE[usize::from(count)] + 32768) >> 16;
        self.0 = ((p + step) as u16) << 4 | limit.min(count + 1);
    }
}

pub(super) fn hash(a: u32, b: u32) -> u32 {
    let mixed = a.wrapping_mul(0x9e37_79b1) ^ b.wrapping_mul(0x85eb_ca6b);
    let m = mixed.wrapping_mul(0xc2b2_ae35);
    m ^ m >> 15
}

/// The places, or lines, of a bit's, or byte's, contexts.
pub(super) fn places<const N: usize>(contexts: [(u32, u32); N]) -> [u32; N] {
    let mut i = 0;
    contexts.map(|(a, b)| {
        i += 1;
        hash(a, b << 4 | i)
    })
}

/// Where a mixture's weights are: a row of each set.
pub(super) type Rows = [u32; 2];

pub(super) struct Mixture<const N: usize> {
    slots: Vec<Slot>,
    weights: [Vec<[i16; 16]>; 2],
    limit: u16,
    rate: i32,
}

impl<const N: usize> Mixture<N> {
    pub(super) fn new(slot_bits: u32, rows: Rows, limit: u16, rate: i32) -> Self {
        let mut row = [0; 16];
        row[..N].fill(9830 / N as i16);
        Self {
            slots: vec![Slot::NEW; 1 << slot_bits],
            weights: rows.map(|count| vec![row; count as usize]),
            limit,
            rate,
        }
    }

    pub(super) fn bit(
        &mut self,
        code: &mut Code<'_>,
        places: [u32; N],
        rows: Rows,
    ) -> Result<bool, String> {
        let places = places.map(|place| place as usize & (self.slots.len() - 1));
        let mut input = [0; 16];
        for (value, place) in input.iter_mut().zip(places) {
            *value = i32::from(LOGIT[usize::from(self.slots[place].p())]);
        }
        input[N] = 256;
        let [first, second] = &mut self.weights;
        let v = &mut first[rows[0] as usize];
        let w = &mut second[rows[1] as usize];
        let mut sum = 0;
        for i in 0..16 {
            sum += (i32::from(v[i]) + i32::from(w[i])) * input[i];
        }
        let one = probability((sum >> 15).clamp(-2047, 2047));
        let bit = code.bit(one as u32)?;
        let error = (65536 * i32::from(bit) - one) >> 4;
        let e = (error * self.rate) >> 2;
        for row in [v, w] {
            for (weight, input) in row.iter_mut().zip(input) {
                let changed = i32::from(*weight) + ((((8 * input * e) >> 16) + 1) >> 1);
                *weight = changed.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            }
        }
        for place in places {
            self.slots[place].learn(bit, self.limit);
        }
        Ok(bit)
    }

    /// A byte; `rows` gives the rows for each node.
    pub(super) fn byte(
        &mut self,
        code: &mut Code<'_>,
        mut lines: [u32; N],
        rows: impl Fn(u32) -> Rows,
    ) -> Result<u8, String> {
        let (mut node, mut inner) = (1, 1);
        for n in 0..8 {
            if n == 4 {
                lines = lines.map(|line| hash(line, node));
                inner = 1;
            }
            let bit = self.bit(code, lines.map(|line| line & !15 | inner), rows(node))?;
            node = 2 * node + u32::from(bit);
            inner = 2 * inner + u32::from(bit);
        }
        Ok(node as u8)
    }
}

pub(super) struct Numbers(Vec<[Slot; 512]>);

impl Numbers {
    pub(super) fn new(classes: usize) -> Self {
        Self(vec![[Slot::NEW; 512]; classes])
    }

    pub(super) fn next(&mut self, code: &mut Code<'_>, class: usize) -> Result<u64, String> {
        let slots = &mut self.0[class];
        let mut k = 0;
        while k < 42 && slot_bit(code, &mut slots[k])? {
            k += 1;
        }
        let mut v = 1;
        for n in 0..k {
            let bit = if n < 3 {
                slot_bit(code, &mut slots[64 + 8 * k + v as usize])?
            } else {
                code.bit(32768)?
            };
            v = 2 * v + u64::from(bit);
        }
        Ok(v - 1)
    }
}

fn slot_bit(code: &mut Code<'_>, slot: &mut Slot) -> Result<bool, String> {
    let bit = code.bit(16 * u32::from(slot.p()) + 8)?;
    slot.learn(bit, 15);
    Ok(bit)
}
