//! Limits are part of the format: what one reader takes, all take.

use super::*;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

#[test]
fn sizes_are_those_of_the_document() {
    for (limit, documented) in [
        (ROOT_BYTES_MAX, 64 * KIB),
        (TIMESTAMP_BYTES_MAX, 16 * KIB),
        (SNAPSHOT_BYTES_MAX, 2 * MIB),
        (TARGETS_BYTES_MAX, MIB),
        (CATALOG_BYTES_MAX, 4 * MIB),
        (PIN_BYTES_MAX, 288 * KIB),
        (IMAGE_BYTES_MAX, 17_179_869_184),
        (INTEGER_MAX, 9_007_199_254_740_991),
    ] {
        assert_eq!(limit, documented);
    }
}
