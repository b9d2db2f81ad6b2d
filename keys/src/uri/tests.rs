//! Tests of `uri`.

use proptest::prelude::*;

use super::*;

#[test]
fn parses_files_and_variables() {
    for (text, path) in [
        ("key.txt", "key.txt"),
        ("/etc/streembit/key", "/etc/streembit/key"),
        ("file:key.txt", "key.txt"),
        ("file:/etc/key", "/etc/key"),
        ("file:///etc/key", "/etc/key"),
        ("file:env:x", "env:x"),
        ("./pkcs11:x", "./pkcs11:x"),
        ("C:\\key", "C:\\key"),
        ("dir/a:b", "dir/a:b"),
        ("file:a%20b ~", "a%20b ~"),
    ] {
        assert_eq!(
            KeyUri::parse(text),
            Ok(KeyUri::File(path.to_owned())),
            "{text}"
        );
    }
    for name in ["KEY", "_k1", "streembit_KEY_2"] {
        assert_eq!(
            KeyUri::parse(&format!("env:{name}")),
            Ok(KeyUri::Env(name.to_owned()))
        );
    }
}

#[test]
fn rejects_planned_schemes_by_name() {
    let error = KeyUri::parse("pkcs11:token=a;object=b").unwrap_err();
    assert_eq!(error.to_string(), "pkcs11: keys are not supported yet");
    let error = KeyUri::parse("exec:/usr/bin/key").unwrap_err();
    assert_eq!(error, KeyUriError::NotSupported { scheme: "exec" });
}

#[test]
fn rejects_malformed() {
    let long = format!("file:{}", "x".repeat(KEY_URI_BYTES_MAX));
    for text in [
        "",
        "file:",
        "file://",
        "file://host/key",
        "a\0b",
        "env:A\0",
        &long,
    ] {
        assert_eq!(KeyUri::parse(text), Err(KeyUriError::Malformed), "{text:?}");
    }
    for text in ["env:", "env:1A", "env:A=B", "env:A-B", "env: A", "env:Ä"] {
        assert_eq!(
            KeyUri::parse(text),
            Err(KeyUriError::MalformedName),
            "{text:?}"
        );
    }
    for text in ["https://host/key", "flie:key", "FILE:key", "vault:"] {
        assert_eq!(
            KeyUri::parse(text),
            Err(KeyUriError::UnknownScheme),
            "{text:?}"
        );
    }
}

proptest! {
    #[test]
    fn what_parses_is_displayed_so_that_it_parses_again(
        text in "((file|env|x):)?/{0,3}\\PC{0,20}",
    ) {
        if let Ok(uri) = KeyUri::parse(&text) {
            // A path of two slashes reads as a host; nothing else is ambiguous.
            if !uri.to_string().starts_with("file://") {
                prop_assert_eq!(uri.to_string().parse(), Ok(uri));
            }
        }
    }
}
