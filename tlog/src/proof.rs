//! Proofs that an entry is in a tree, and that a tree begins with an earlier one (RFC 9162 sections 2.1.3 and 2.1.4);
//! that a subtree is in a tree (draft-ietf-plants-merkle-tree-certs-02, subtree consistency proofs).

use crate::hash::Hash;
use crate::limits::TREE_SIZE_MAX;

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// An entry beyond the tree, an earlier tree that is larger, or sizes that no tree has.
    #[error("the index or the sizes fit no tree")]
    Range,
    /// More or fewer hashes than such a proof has, or other ones.
    #[error("the proof does not lead to the root")]
    Mismatch,
}

/// Where a proof has come to: the place in the level, and the last place of the level.
#[derive(Clone, Copy)]
struct Place {
    at: u64,
    last: u64,
}

impl Place {
    const fn is_right(self) -> bool {
        self.at & 1 == 1
    }

    const fn up(self) -> Self {
        Self {
            at: self.at >> 1,
            last: self.last >> 1,
        }
    }

    /// Up to where the node is a right child, or the first of its level: lone nodes have no sibling.
    const fn up_to_sibling(mut self) -> Self {
        while !self.is_right() && self.at != 0 {
            self = self.up();
        }
        self
    }
}

/// Verifies that an entry is in a tree.
///
/// * `leaf`: [`Hash::of_leaf`] of the entry.
/// * `index`: of the entry, from 0.
/// * `proof`: from the leaf's sibling up to the root's child.
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: Hash,
    (index, size): (u64, u64),
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let last = size.checked_sub(1).ok_or(ProofError::Range)?;
    if index > last || size > TREE_SIZE_MAX {
        return Err(ProofError::Range);
    }
    let (mut place, mut hash) = (Place { at: index, last }, leaf);
    for other in proof {
        if place.last == 0 {
            return Err(ProofError::Mismatch);
        }
        if place.is_right() || place.at == place.last {
            hash = Hash::of_node(other, &hash);
            place = place.up_to_sibling();
        } else {
            hash = Hash::of_node(&hash, other);
        }
        place = place.up();
    }
    if place.last == 0 && hash == *root {
        Ok(())
    } else {
        Err(ProofError::Mismatch)
    }
}

/// Verifies that a tree begins with an earlier one.
///
/// * `old`, `new`: size and root of both.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    (old_size, old_root): (u64, &Hash),
    (new_size, new_root): (u64, &Hash),
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old_size > new_size || new_size > TREE_SIZE_MAX {
        return Err(ProofError::Range);
    }
    let holds = |holds: bool| holds.then_some(()).ok_or(ProofError::Mismatch);
    if old_size == new_size {
        return holds(proof.is_empty() && old_root == new_root);
    }
    let Some(at) = old_size.checked_sub(1) else {
        return holds(proof.is_empty() && *old_root == Hash::of_nothing());
    };
    let last = new_size.checked_sub(1).ok_or(ProofError::Range)?;
    let mut place = Place { at, last };
    while place.is_right() {
        place = place.up();
    }
    // The root of an old tree of 2^n entries is itself a node of the new one, and not sent.
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::Mismatch)?
    };
    let (mut old, mut new) = (*first, *first);
    for other in rest {
        if place.last == 0 {
            return Err(ProofError::Mismatch);
        }
        if place.is_right() || place.at == place.last {
            old = Hash::of_node(other, &old);
            new = Hash::of_node(other, &new);
            place = place.up_to_sibling();
        } else {
            new = Hash::of_node(&new, other);
        }
        place = place.up();
    }
    holds(place.last == 0 && old == *old_root && new == *new_root)
}

/// Verifies that a tree contains the subtree over some of its entries.
///
/// * `hash`: the root over the entries `first..end` alone.
/// * `proof`: from the subtree's sibling up to the root's child.
///
/// # Errors
/// [`ProofError`]; [`ProofError::Range`] if these entries are not a node of such a tree.
pub fn verify_subtree(
    mut hash: Hash,
    (first, end, size): (u64, u64, u64),
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let path = path_to((first, end), size).ok_or(ProofError::Range)?;
    if path.len() != proof.len() {
        return Err(ProofError::Mismatch);
    }
    for (sibling, other) in path.iter().rev().zip(proof) {
        hash = match sibling {
            Sibling::Left(..) => Hash::of_node(other, &hash),
            Sibling::Right(..) => Hash::of_node(&hash, other),
        };
    }
    (hash == *root).then_some(()).ok_or(ProofError::Mismatch)
}

/// A neighbour on the way from the root to a node: the entries that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sibling {
    /// On the left.
    Left(u64, u64),
    /// On the right.
    Right(u64, u64),
}

/// The way from the root of a tree down to the node over entries `first..end`; `None` if the tree has no such node.
pub(crate) fn path_to((first, end): (u64, u64), size: u64) -> Option<Vec<Sibling>> {
    let is_sized = first < end && end <= size && size <= TREE_SIZE_MAX;
    let (mut from, mut to, mut path) = (0, is_sized.then_some(size)?, Vec::new());
    while (from, to) != (first, end) {
        let middle = middle(from, to)?;
        if end <= middle {
            path.push(Sibling::Right(middle, to));
            to = middle;
        } else if first >= middle {
            path.push(Sibling::Left(from, middle));
            from = middle;
        } else {
            return None;
        }
    }
    Some(path)
}

/// Where a range of several entries is split: after the largest power of two below its length (RFC 6962 section 2.1).
pub fn middle(first: u64, end: u64) -> Option<u64> {
    let length = end.checked_sub(first).filter(|length| *length > 1)?;
    let left = length.checked_sub(1)?.checked_ilog2()?;
    first.checked_add(1_u64.checked_shl(left)?)
}

#[cfg(test)]
mod tests;
