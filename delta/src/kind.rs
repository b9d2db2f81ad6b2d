//! Coders of payloads, and the instruction sets whose references they know.

/// Coder of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Copies with differences and literals, each stream by zstd.
    DeltaZ(Machine),
    /// The segment by zstd, without the base.
    RawZstd,
    /// Copies with differences and literals by context mixing.
    DeltaCm(Machine),
}

/// Instruction set of the code in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// Data, or code of another set.
    None,
    /// A64.
    Arm64,
    /// x86-64.
    X86,
    /// A32, the instructions of ARM that have four bytes.
    A32,
    /// T32, Thumb.
    T32,
    /// RISC-V, with compressed instructions or without.
    RiscV,
    /// Tables of numbers.
    Tables,
}

impl Machine {
    /// Instruction sets, and no machine: what context mixing knows. It predicts tables by itself.
    pub(crate) const SETS: [Self; 6] = [
        Self::None,
        Self::Arm64,
        Self::X86,
        Self::A32,
        Self::T32,
        Self::RiscV,
    ];
    pub(crate) const ALL: [Self; 7] = [
        Self::None,
        Self::Arm64,
        Self::X86,
        Self::A32,
        Self::T32,
        Self::RiscV,
        Self::Tables,
    ];

    const fn to_byte(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Arm64 => 1,
            Self::X86 => 2,
            Self::A32 => 3,
            Self::T32 => 4,
            Self::RiscV => 5,
            Self::Tables => 6,
        }
    }
}

impl Kind {
    /// Bytes `type` and `machine` of a row.
    pub(crate) const fn to_bytes(self) -> [u8; 2] {
        match self {
            Self::DeltaZ(machine) => [1, machine.to_byte()],
            Self::RawZstd => [2, 0],
            Self::DeltaCm(machine) => [3, machine.to_byte()],
        }
    }

    /// Inverse of [`Self::to_bytes`]; `None` for all other bytes.
    pub(crate) fn parse([kind, machine]: [u8; 2]) -> Option<Self> {
        let mut machines = Machine::ALL.into_iter();
        let machine = machines.find(|known| known.to_byte() == machine)?;
        match kind {
            1 => Some(Self::DeltaZ(machine)),
            2 => (machine == Machine::None).then_some(Self::RawZstd),
            3 => Machine::SETS
                .contains(&machine)
                .then_some(Self::DeltaCm(machine)),
            _ => None,
        }
    }
}
