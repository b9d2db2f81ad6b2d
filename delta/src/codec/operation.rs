//! What a delta is made of before it is coded.

/// Copies `copy` bytes from the base at `base`, then takes `literal` bytes as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) base: u64,
    pub(crate) copy: usize,
    pub(crate) literal: usize,
}
