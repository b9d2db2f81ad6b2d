//! Tests of `context`.

use super::*;

#[test]
fn strings_are_prefix_free() {
    for one in Context::ALL {
        for other in Context::ALL {
            assert!(one == other || !one.as_bytes().starts_with(other.as_bytes()));
        }
    }
}

#[test]
fn strings_never_change() {
    let strings = Context::ALL.map(|context| str::from_utf8(context.as_bytes()).unwrap());
    assert_eq!(
        strings,
        [
            "streembit/agreement/1",
            "streembit/dht/1",
            "streembit/keyfile/1",
            "streembit/mailbox/1",
            "streembit/network/1",
            "streembit/node/1",
            "streembit/possession/1",
            "streembit/session/1",
            "streembit/code/1",
        ]
    );
}
