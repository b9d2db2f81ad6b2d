//! The catalog: what is read encodes to something that reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use manifests::catalog::{Catalog, CatalogError};

fuzz_target!(|bytes: &[u8]| {
    let Ok(catalog) = Catalog::parse(bytes) else {
        return;
    };
    let encoded = catalog.encode();
    match Catalog::parse(&encoded) {
        Ok(again) => {
            assert_eq!(again, catalog);
            assert_eq!(again.encode(), encoded);
        }
        Err(CatalogError::TooLong) => {}
        Err(error) => panic!("own catalog is refused: {error}"),
    }
});
