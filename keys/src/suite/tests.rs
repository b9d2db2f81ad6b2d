//! Tests of `suite`.

use super::*;

#[test]
fn name_parses_back() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
    }
}

#[test]
fn rejects_other_names() {
    for name in ["", "Ed25519", "P256", "p-256", "p256 ", "rsa", "ed25519\0"] {
        assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name:?}");
    }
}
