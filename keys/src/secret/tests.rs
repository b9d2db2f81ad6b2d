//! Tests of `secret`.

use super::*;

#[test]
fn debug_is_redacted() {
    let secret = Secret::new(b"hunter2".to_vec());
    assert_eq!(format!("{secret:?} {secret:#?}"), "[redacted] [redacted]");
    assert_eq!(secret.expose(), b"hunter2");
}
