//! Proofs against RFC 6962's own words, and against each bit that could be wrong.

use proptest::prelude::*;

use super::*;
use crate::example::Log;

/// RFC 6962 section 2.1, word for word.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of_nothing(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Hash::of_node(&root(left), &root(right))
        }
    }
}

/// RFC 6962 section 2.1.1.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = if index < middle {
        (path(index, left), root(right))
    } else {
        (path(index - middle, right), root(left))
    };
    path.push(other);
    path
}

/// RFC 6962 section 2.1.2.
fn subproof(old: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if is_whole {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut proof, other) = if old <= middle {
        (subproof(old, left, is_whole), root(right))
    } else {
        (subproof(old - middle, right, false), root(left))
    };
    proof.push(other);
    proof
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count)
        .map(|number| Hash::of_leaf(number.to_string().as_bytes()))
        .collect()
}

fn hex(hash: Hash) -> String {
    hash.as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Inputs and roots of the reference implementation of RFC 6962.
#[test]
fn roots_are_those_of_the_reference_implementation() {
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let leaves = inputs.map(Hash::of_leaf);
    for (count, expected) in (1..).zip(roots) {
        assert_eq!(hex(root(&leaves[..count])), expected, "{count}");
    }
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(hex(Hash::of_nothing()), nothing);
}

#[test]
fn every_entry_of_small_trees_is_shown_by_the_path_of_rfc_6962() {
    for size in 1..=70 {
        let log = Log::of(size);
        let leaves = leaves(usize::try_from(size).unwrap());
        let root = root(&leaves);
        assert_eq!(log.edge.root(), root);
        assert_eq!(log.tree().root().unwrap(), root);
        for index in 0..size {
            let at = usize::try_from(index).unwrap();
            let proof = log.tree().inclusion(index).unwrap();
            assert_eq!(proof, path(at, &leaves));
            let leaf = leaves[at];
            assert_eq!(verify_inclusion(leaf, (index, size), &proof, &root), Ok(()));
        }
        assert!(log.tree().inclusion(size).is_err());
    }
}

#[test]
fn every_earlier_tree_is_shown_by_the_proof_of_rfc_6962() {
    for size in 1..=70 {
        let log = Log::of(size);
        let all = leaves(usize::try_from(size).unwrap());
        for old in 0..=size {
            let at = usize::try_from(old).unwrap();
            let proof = log.tree().consistency(old).unwrap();
            if old > 0 {
                assert_eq!(proof, subproof(at, &all, true), "{old} of {size}");
            }
            let (old, new) = ((old, &root(&all[..at])), (size, &root(&all)));
            assert_eq!(verify_consistency(old, new, &proof), Ok(()));
        }
        assert!(log.tree().consistency(size + 1).is_err());
    }
}

/// A hash with one bit turned.
fn turned(hash: Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash::from_bytes(bytes)
}

proptest! {
    #[test]
    fn nothing_else_is_shown_to_be_in_a_tree(size in 1_u64..600, at in 0_u64..600, bit in 0_usize..256, n in 0_usize..12) {
        let log = Log::of(size);
        let (index, root) = (at % size, log.edge.root());
        let proof = log.tree().inclusion(index).unwrap();
        let leaf = Hash::of_leaf(index.to_string().as_bytes());
        let fails = |leaf, place, proof: &[Hash], root: &Hash| verify_inclusion(leaf, place, proof, root).is_err();
        prop_assert!(!fails(leaf, (index, size), &proof, &root));
        prop_assert!(fails(turned(leaf, bit), (index, size), &proof, &root));
        prop_assert!(fails(leaf, (index, size), &proof, &turned(root, bit)));
        prop_assert!(fails(leaf, (index, 0), &proof, &root));
        prop_assert!(fails(leaf, (size, size), &proof, &root));
        if size > 1 {
            prop_assert!(fails(leaf, ((index + 1) % size, size), &proof, &root));
            let mut bad = proof.clone();
            let n = n % bad.len();
            bad[n] = turned(bad[n], bit);
            prop_assert!(fails(leaf, (index, size), &bad, &root));
            prop_assert!(fails(leaf, (index, size), &proof[1..], &root));
        }
        let longer = [&proof[..], &[root]].concat();
        prop_assert!(fails(leaf, (index, size), &longer, &root));
    }

    #[test]
    fn a_forked_tree_is_not_consistent(size in 2_u64..600, cut in 1_u64..600, at in 0_u64..600, bit in 0_usize..256) {
        let old_size = cut % (size - 1) + 1;
        let changed = at % old_size;
        let (log, old) = (Log::of(size), Log::of(old_size));
        let fork = Log::with(size, |number| if number == changed { "fork".to_owned() } else { number.to_string() });
        let (old, new, forked) = ((old_size, &old.edge.root()), (size, &log.edge.root()), (size, &fork.edge.root()));
        let proof = log.tree().consistency(old_size).unwrap();
        let proof_of_fork = fork.tree().consistency(old_size).unwrap();
        prop_assert_eq!(verify_consistency(old, new, &proof), Ok(()));
        for proof in [&proof_of_fork, &proof] {
            prop_assert!(verify_consistency(old, forked, proof).is_err());
        }
        let longer = [&proof[..], &[*new.1]].concat();
        prop_assert!(verify_consistency(old, new, &longer).is_err());
        prop_assert!(verify_consistency(old, new, &proof[..proof.len() - 1]).is_err());
        prop_assert!(verify_consistency((old.0, &turned(*old.1, bit)), new, &proof).is_err());
        prop_assert!(verify_consistency(new, old, &proof).is_err());
    }
}

#[test]
fn sizes_that_no_tree_has_are_refused() {
    let (root, hashes) = (Hash::of_leaf(b""), [Hash::of_leaf(b"x"); 63]);
    let huge = TREE_SIZE_MAX + 1;
    assert_eq!(
        verify_inclusion(root, (0, huge), &hashes, &root),
        Err(ProofError::Range)
    );
    let nothing = Hash::of_nothing();
    assert_eq!(
        verify_consistency((1, &root), (huge, &root), &hashes),
        Err(ProofError::Range)
    );
    assert_eq!(verify_consistency((0, &nothing), (5, &root), &[]), Ok(()));
    assert!(verify_consistency((0, &root), (5, &root), &[]).is_err());
    assert!(verify_consistency((0, &nothing), (5, &root), &hashes).is_err());
    assert!(verify_consistency((5, &root), (5, &nothing), &[]).is_err());
    assert!(verify_consistency((3, &root), (5, &root), &[]).is_err());
}
