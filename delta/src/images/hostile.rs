//! Pairs of images that are hard on matching and coding, each by its number.
//!
//! Nothing of the crate is used here: the cross-crate tests take this file by its path.

/// Choices, repeatable (splitmix64).
#[derive(Debug)]
pub(crate) struct Dice(u64);

/// Sizes around those of chunks, tables, pieces that are read, and words.
const SIZES: [usize; 30] = [
    0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 1023, 1024, 1025, 4095, 4096, 4097, 16_383, 16_384,
    16_385, 32_767, 32_768, 32_769, 65_535, 65_536, 65_537, 69_999, 70_000, 70_001,
];
/// Longest period of what repeats.
const PERIOD_MAX: usize = 70_000;
/// Bytes of a piece where no limit is tried.
const PIECE_BYTES_MAX: usize = 40_000;

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number below `count`, 0 if there is none.
    fn below(&mut self, count: usize) -> usize {
        (self.word() % count.max(1) as u64) as usize
    }

    /// A number from 1 to `max`, small ones as likely as large ones.
    fn up_to(&mut self, max: usize) -> usize {
        let bits = self.below(max.ilog2() as usize + 1);
        1 + self.below((2 << bits).min(max))
    }

    fn noise(&mut self, size: usize) -> Vec<u8> {
        let words = std::iter::repeat_with(|| self.word().to_le_bytes());
        words.flatten().take(size).collect()
    }
}

/// Base and target number `seed`.
pub(crate) fn pair(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut dice = Dice::new(seed);
    let base = image(&mut dice);
    let mut target = base.clone();
    for _ in 0..dice.below(5) {
        change(&mut dice, &mut target);
    }
    match dice.below(8) {
        0 => (target, base),
        1 => (base, image(&mut dice)),
        _ => (base, target),
    }
}

/// One piece of a size at a limit, or some of any.
fn image(dice: &mut Dice) -> Vec<u8> {
    if dice.below(2) == 0 {
        let size = SIZES[dice.below(SIZES.len())];
        return piece(dice, size);
    }
    let mut image = Vec::new();
    for _ in 0..=dice.below(4) {
        let size = dice.up_to(PIECE_BYTES_MAX);
        image.extend(piece(dice, size));
    }
    image
}

/// `size` bytes of one kind.
pub(crate) fn piece(dice: &mut Dice, size: usize) -> Vec<u8> {
    match dice.below(9) {
        0 => dice.noise(size),
        1 => vec![0; size],
        2 => padding(dice, size),
        3 => {
            let period = dice.up_to(PERIOD_MAX);
            let period = dice.noise(period);
            period.into_iter().cycle().take(size).collect()
        }
        4 => dice.noise(size).iter().map(|byte| byte & 7).collect(),
        5 => alphabet(
            dice,
            size,
            &[0xe8, 0xe9, 0x0f, 0x84, 0x8d, 0x05, 0xff, 0, 0],
        ),
        6 => words(dice, size),
        7 => pages(dice, size),
        _ => calls(dice, size),
    }
}

/// Erased flash, here and there not.
fn padding(dice: &mut Dice, size: usize) -> Vec<u8> {
    let mut bytes = vec![0xff; size];
    for _ in 0..dice.below(8) {
        let at = dice.below(size);
        if let Some(byte) = bytes.get_mut(at) {
            *byte = dice.word() as u8;
        }
    }
    bytes
}

fn alphabet(dice: &mut Dice, size: usize, letters: &[u8]) -> Vec<u8> {
    let letter = |_| letters[dice.below(letters.len())];
    (0..size).map(letter).collect()
}

/// A64 words of every kind that refers to something, their other bits at random.
fn words(dice: &mut Dice, size: usize) -> Vec<u8> {
    const KINDS: [(u32, u32); 8] = [
        (0x9400_0000, 0x03ff_ffff),
        (0x1400_0000, 0x03ff_ffff),
        (0x9000_0000, 0x60ff_ffff),
        (0x9100_0000, 0x003f_ffff),
        (0xf940_0000, 0x003f_ffff),
        (0x3dc0_0000, 0x003f_ffff),
        (0xffff_ffff, 0),
        (0, 0xff),
    ];
    let narrow = dice.below(2) == 0;
    let word = |_| {
        let (kind, free) = KINDS[dice.below(KINDS.len())];
        let mut bits = dice.word() as u32;
        if narrow {
            bits &= 0x0000_ffe7;
        }
        (kind | bits & free).to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..size.div_ceil(4)).flat_map(word).collect();
    bytes.truncate(size);
    bytes
}

/// ADRP and, up to ten words later, the ADD or LDR that belongs to it.
fn pages(dice: &mut Dice, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let register = dice.below(4) as u32;
        let page = dice.below(32) as u32;
        bytes.extend((0x9000_0000 | page << 5 | page << 29 | register).to_le_bytes());
        for _ in 0..dice.below(11) {
            bytes.extend(0xd503_201f_u32.to_le_bytes());
        }
        let low = dice.below(4096) as u32;
        let kind = [0x9100_0000, 0xf940_0000, 0x3940_0000][dice.below(3)];
        bytes.extend((kind | low << 10 | register << 5 | register).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// x86-64 calls of few places, from everywhere.
fn calls(dice: &mut Dice, size: usize) -> Vec<u8> {
    let places = [0, 16, size / 3, size.saturating_sub(1), size, size + 99];
    let mut bytes = Vec::new();
    while bytes.len() < size {
        let idle = dice.below(4);
        bytes.resize(bytes.len() + idle, 0x90);
        match dice.below(3) {
            0 => bytes.push(0xe8),
            1 => bytes.extend([0x0f, 0x85]),
            _ => bytes.extend([0x8b, 0x05]),
        }
        let next = bytes.len() as u32 + 4;
        let place = places[dice.below(places.len())] as u32;
        bytes.extend(place.wrapping_sub(next).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Changes an image in a way that few bytes tell, or that only looks so.
pub(crate) fn change(dice: &mut Dice, image: &mut Vec<u8>) {
    let at = dice.below(image.len() + 1);
    match dice.below(12) {
        0 => {
            let inserted = dice.up_to(5);
            let inserted = dice.noise(inserted);
            drop(image.splice(at..at, inserted));
        }
        1 => drop(image.drain(at..(at + dice.up_to(5)).min(image.len()))),
        2 => image.rotate_left(at),
        3 => swap_blocks(dice, image),
        4 => {
            let (step, by) = (dice.up_to(300), dice.word() as u8);
            for byte in image[at..].iter_mut().step_by(step) {
                *byte = byte.wrapping_add(by);
            }
        }
        5 => {
            if let Some(byte) = image.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
        6 => image.truncate(at),
        7 => {
            let size = dice.up_to(PIECE_BYTES_MAX);
            image.extend(piece(dice, size));
        }
        8 => {
            let by = dice.up_to(1 << 20) as u32;
            for word in image[at..].as_chunks_mut::<4>().0 {
                *word = u32::from_le_bytes(*word).wrapping_add(by).to_le_bytes();
            }
        }
        9 => image.reverse(),
        10 => image.extend_from_within(at..(at + PIECE_BYTES_MAX).min(image.len())),
        _ => {
            let size = dice.up_to(PIECE_BYTES_MAX);
            let inserted = piece(dice, size);
            drop(image.splice(at..at, inserted));
        }
    }
}

/// Blocks of one size in another order.
fn swap_blocks(dice: &mut Dice, image: &mut Vec<u8>) {
    let size = dice.up_to(PERIOD_MAX);
    let mut blocks: Vec<Vec<u8>> = image.chunks(size).map(<[u8]>::to_vec).collect();
    for index in (1..blocks.len()).rev() {
        blocks.swap(index, dice.below(index + 1));
    }
    *image = blocks.concat();
}
