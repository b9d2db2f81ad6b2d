//! Images like those that compilers make: functions that call each other and name data, in two versions
//! of which the second has moved. Repeatable.

/// Instruction set of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A64: BL, ADRP with ADD.
    Arm64,
    /// x86-64: CALL, LEA relative to the instruction pointer.
    X86,
    /// A32: BL, MOVW with MOVT, a word that is added to the PC.
    A32,
    /// T32: BL and BLX, a word that is added to the PC, instructions of two bytes.
    T32,
    /// RISC-V: JAL, AUIPC with ADDI, JALR and SD, instructions of two bytes.
    RiscV,
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
        (Code::A32, _) => a32(image, choice, [called, named]),
        (Code::T32, _) => t32(image, choice, [called, named]),
        (Code::RiscV, _) => riscv(image, choice, [called, named]),
    }
}

fn put(image: &mut Vec<u8>, words: &[u32]) {
    image.extend(words.iter().flat_map(|word| word.to_le_bytes()));
}

fn a32(image: &mut Vec<u8>, choice: u64, [called, named]: [usize; 2]) {
    let at = image.len() as u32;
    let [called, named] = [called as u32, named as u32];
    match choice & 15 {
        0..=1 => put(
            image,
            &[0xeb00_0000 | (called.wrapping_sub(at + 8) >> 2 & 0xff_ffff)],
        ),
        2 => {
            let address = 0xc000_8000 + named;
            let number = |half: u32| (half & 0xf000) << 4 | half & 0xfff;
            let low = 0xe300_3000 | number(address & 0xffff);
            put(image, &[low, 0xe340_3000 | number(address >> 16)]);
        }
        // ldr r3, [pc, #4]; add r3, pc, r3; b over the word
        3 => {
            let word = named - (at + 12);
            put(image, &[0xe59f_3004, 0xe08f_3003, 0xea00_0000, word]);
        }
        _ => put(image, &[0xe080_0000 | (choice >> 4) as u32 & 0x3f]),
    }
}

fn t32(image: &mut Vec<u8>, choice: u64, [called, named]: [usize; 2]) {
    let at = image.len() as u32;
    let [called, named] = [called as u32, named as u32];
    match choice & 15 {
        0..=2 => {
            let is_exchange = choice & 15 == 2;
            let pc = if is_exchange { (at + 4) & !3 } else { at + 4 };
            let distance = called.wrapping_sub(pc);
            let bit = |n: u32| distance >> n & 1;
            let upper = (bit(23) ^ bit(24) ^ 1) << 29 | (bit(22) ^ bit(24) ^ 1) << 27;
            let halves = (distance >> 1 & 0x7ff) << 16 | distance >> 12 & 0x3ff | bit(24) << 10;
            let kind = if is_exchange {
                0xc000_f000
            } else {
                0xd000_f000
            };
            put(image, &[kind | upper | halves]);
        }
        // ldr r3, [pc, #4]; add r3, pc; b over the word; nop
        3 if at & 3 == 0 => put(image, &[0x447b_4b01, 0xbf00_e002, named - (at + 6)]),
        _ => image.extend((0x1800 | (choice >> 4) as u16 & 0x1ff).to_le_bytes()),
    }
}

fn riscv(image: &mut Vec<u8>, choice: u64, [called, named]: [usize; 2]) {
    let at = image.len() as u32;
    let distance = called.wrapping_sub(at as usize) as u32;
    let is_near = matches!(distance.cast_signed() >> 20, -1 | 0);
    let upper = |register: u32, distance: u32| {
        0x17 | register << 7 | distance.wrapping_add(0x800) & 0xffff_f000
    };
    let data = (named as u32).wrapping_sub(at);
    match choice & 15 {
        0..=1 if is_near => {
            let upper = (distance >> 20 & 1) << 31 | (distance >> 12 & 0xff) << 12;
            let lower = (distance >> 1 & 0x3ff) << 21 | (distance >> 11 & 1) << 20;
            put(image, &[0xef | upper | lower]);
        }
        // auipc ra; jalr ra
        0..=1 => put(image, &[upper(1, distance), 0x8_00e7 | distance << 20]),
        // auipc a0; addi a0, a0
        2 => put(image, &[upper(10, data), 0x5_0513 | data << 20]),
        // auipc a0; sd a1, (a0)
        3 => {
            let number = (data >> 5 & 0x7f) << 25 | (data & 31) << 7;
            put(image, &[upper(10, data), 0xb5_3023 | number]);
        }
        _ => image.extend((0x9002 | (choice >> 4) as u16 & 0x7c).to_le_bytes()),
    }
}
