//! Tests of opt-outs and of raw verification.

use super::check;
use crate::tidy::workspace::fixture;

fn lines(path: &str, text: &str) -> Vec<Option<usize>> {
    check(&fixture(&[(path, text)]))
        .into_iter()
        .map(|finding| finding.line)
        .collect()
}

const OPT_OUT: &str =
    "//! Shell.\n#![allow(\n    clippy::disallowed_methods,\n    reason = \"I/O\"\n)]\n";

#[test]
fn accepts_opt_out_at_roots_of_shells() {
    let roots = [
        "node/src/lib.rs",
        "agent/src/main.rs",
        "audit/build.rs",
        "node/tests/smoke.rs",
        "tests/main.rs",
        "tests/support/lib.rs",
        "publisher/src/bin/extra.rs",
        "keys/examples/sign.rs",
    ];
    for path in roots {
        assert!(lines(path, OPT_OUT).is_empty(), "{path}");
    }
}

#[test]
fn rejects_opt_out_elsewhere() {
    for path in [
        "keys/src/lib.rs",
        "protocol/src/main.rs",
        "node/src/storage.rs",
        "tests/dht.rs",
        "keys/examples/sign/paths.rs",
    ] {
        assert_eq!(lines(path, OPT_OUT), [Some(2)], "{path}");
    }
}

#[test]
fn rejects_every_form_in_fenced_crates() {
    let forms = [
        "#[allow(clippy::disallowed_methods)]",
        "#[expect(clippy::disallowed_types, reason = \"x\")]",
        "#![cfg_attr(test, allow(clippy::disallowed_methods))]",
    ];
    for form in forms {
        assert_eq!(lines("keys/src/id.rs", form), [Some(1)], "{form}");
    }
    assert!(lines("agent/src/machine.rs", forms[0]).is_empty());
}

#[test]
fn accepts_denying_and_other_lints() {
    let text = "#![deny(clippy::disallowed_methods)]\n#[allow(dead_code)]\n\
        // #![allow(clippy::disallowed_methods)]";
    assert!(lines("keys/src/lib.rs", text).is_empty());
}

#[test]
fn rejects_second_clippy_configuration() {
    let root = ("Cargo.toml", "[workspace]\nmembers = [\"keys\"]\n");
    assert_eq!(check(&fixture(&[root, ("keys/clippy.toml", "")])).len(), 1);
    assert!(check(&fixture(&[root, ("clippy.toml", "")])).is_empty());
}

#[test]
fn limits_raw_verification() {
    let text = "fn f() {\n    key\n        .verify_raw(x);\n    PublicKey::verify(x);\n}";
    for path in [
        "keys/src/id.rs",
        "protocol/src/jose/jws.rs",
        "protocol/src/session.rs",
    ] {
        assert!(lines(path, text).is_empty(), "{path}");
    }
    for path in [
        "agent/src/trust.rs",
        "protocol/src/dht/store.rs",
        "node/src/keys.rs",
    ] {
        assert_eq!(lines(path, text), [Some(3), Some(4)], "{path}");
    }
    assert!(lines("agent/src/trust.rs", "// .verify_raw( \nfn verify_raw() {}").is_empty());
}
