//! Images like those that compilers make: functions that call each other and name data, in two versions
//! of which the second has moved. Repeatable.

/// Instruction set of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A64: BL, ADRP with ADD.
    Arm64,
    /// x86-64: CALL, LEA relative to the instruction pointer.
    X86,
}

/// Repeatable numbers (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let word = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A program of so many functions; a later version has longer functions, as after a fix.
#[must_use]
pub fn program(code: Code, functions: usize, version: u64) -> Vec<u8> {
    let sizes: Vec<usize> = (0..functions).map(|index| size(index, version)).collect();
    let starts: Vec<usize> = sizes
        .iter()
        .scan(0, |at, size| Some(std::mem::replace(at, *at + size * 4)))
        .collect();
    let end = sizes.iter().sum::<usize>() * 4;
    let mut image = Vec::with_capacity(end * 5 / 4);
    for (index, size) in sizes.iter().enumerate() {
        let mut numbers = Numbers(index as u64);
        let first = image.len();
        while image.len() < first + (size - 2) * 4 {
            let called = starts[numbers.below(functions as u64) as usize];
            let named = end + numbers.below(4096) as usize * 8;
            instruction(code, &mut image, numbers.below(1 << 20), [called, named]);
        }
        image.resize(first + size * 4, 0x90);
    }
    // Pointers to the functions, as in a table of relocations.
    for start in &starts {
        image.extend((0xffff_8000_0800_0000 + *start as u64).to_le_bytes());
    }
    image
}

/// Words of a function.
fn size(index: usize, version: u64) -> usize {
    let mut numbers = Numbers(index as u64 ^ 0x51ab);
    let size = 12 + numbers.below(60) as usize;
    let grows = numbers.below(40) == 0;
    if grows {
        size + version as usize * 3
    } else {
        size
    }
}

/// One instruction, or a few that belong together.
fn instruction(code: Code, image: &mut Vec<u8>, choice: u64, [called, named]: [usize; 2]) {
    let at = image.len();
    let filler = (choice >> 4) as u32 & 0x3ff;
    match (code, choice & 15) {
        (Code::Arm64, 0..=1) => {
            let words = (called as i64 - at as i64) >> 2;
            image.extend((0x9400_0000 | (words as u32 & 0x3ff_ffff)).to_le_bytes());
        }
        (Code::Arm64, 2) => {
            let pages = ((named >> 12) as i64 - (at >> 12) as i64) as u32;
            let page = 0x9000_0000 | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5;
            let low = 0x9100_0000 | ((named & 0xfff) as u32) << 10;
            image.extend(page.to_le_bytes());
            image.extend(low.to_le_bytes());
        }
        (Code::Arm64, _) => image.extend((0x8b00_0000 | filler).to_le_bytes()),
        (Code::X86, 0..=1) => {
            image.push(0xe8);
            image.extend((called as i32 - at as i32 - 5).to_le_bytes());
        }
        (Code::X86, 2) => {
            image.extend([0x48, 0x8d, 0x05]);
            image.extend((named as i32 - at as i32 - 7).to_le_bytes());
        }
        (Code::X86, _) => image.extend([0x48, 0x01, filler as u8]),
    }
}
