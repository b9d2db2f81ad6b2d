//! Tests of catalogs: read back byte for byte, bounded.

use super::*;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn catalog(files: &[(&str, &str)]) -> Catalog {
    let mut catalog = Catalog::default();
    for (file, text) in files {
        catalog.insert(name(file), text.as_bytes()).unwrap();
    }
    catalog
}

#[test]
fn catalog_is_read_back_byte_for_byte() {
    let made = catalog(&[("2.root.json", "{\n}"), ("1.root.json", "\"é\"")]);
    let bytes = made.encode();
    let read = Catalog::parse(&bytes).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.file("2.root.json"), Some(&b"{\n}"[..]));
    assert_eq!(read.file("1.root.json"), Some("\"é\"".as_bytes()));
    assert_eq!(read.file("3.root.json"), None);
    assert_eq!(read.encode(), bytes);
}

#[test]
fn rejects_bytes_that_are_no_text() {
    let mut catalog = Catalog::default();
    let refused = catalog.insert(name("1.root.json"), b"\xff").unwrap_err();
    assert!(matches!(refused, CatalogError::Text(file) if file == name("1.root.json")));
    assert_eq!(catalog, Catalog::default());
}

#[test]
fn rejects_catalog_of_another_shape() {
    for text in [
        r#"{"files":{}}"#,
        r#"{"schema":"streembit-catalog/2","files":{}}"#,
        r#"{"schema":"streembit-catalog/1"}"#,
        r#"{"schema":"streembit-catalog/1","files":[]}"#,
        r#"{"schema":"streembit-catalog/1","files":{"a":1}}"#,
    ] {
        let refused = Catalog::parse(text.as_bytes());
        assert!(matches!(refused, Err(CatalogError::Json(_))), "{text}");
    }
}

#[test]
fn rejects_endless_catalog() {
    let mut bytes = catalog(&[("1.root.json", "x")]).encode();
    bytes.resize(usize::try_from(CATALOG_BYTES_MAX).unwrap(), b' ');
    assert!(Catalog::parse(&bytes).is_ok());
    for _ in 0..2 {
        bytes.push(b' ');
        assert!(matches!(Catalog::parse(&bytes), Err(CatalogError::TooLong)));
    }
}

#[test]
fn rejects_too_many_files() {
    let of = |count: usize| {
        let files = (0..count).map(|number| (name(&number.to_string()), String::new()));
        let files = files.collect();
        Catalog { files }.encode()
    };
    assert!(Catalog::parse(&of(CATALOG_FILES_MAX)).is_ok());
    assert!(Catalog::parse(&of(CATALOG_FILES_MAX + 1)).is_err());
}
