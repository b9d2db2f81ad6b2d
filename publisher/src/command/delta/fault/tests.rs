//! Every error of an application names its own file, and says what to do about it.

use super::*;

fn named<E: Fault>(error: &E) -> (String, String) {
    let args = ApplyArgs {
        base: "base.img".into(),
        delta: "update.delta".into(),
        output: "image.img".into(),
    };
    let named = name(&args, Path::new("image.img.part"), error);
    assert_eq!(named.exit, Exit::No);
    assert_eq!(named.causes()[0], error.to_string());
    (named.message().to_owned(), named.fix().unwrap().to_owned())
}

fn denied() -> io::Error {
    io::ErrorKind::PermissionDenied.into()
}

#[test]
fn errors_of_our_deltas_name_their_file() {
    for (error, file, fix) in [
        (ApplyError::Base(denied()), "base.img", "disk"),
        (ApplyError::Output(denied()), "image.img.part", "make room"),
        (ApplyError::Delta(denied()), "update.delta", "again"),
        (ApplyError::Hash { index: 1 }, "update.delta", "again"),
    ] {
        let (message, said) = named(&error);
        assert_eq!(message, file, "{error}");
        assert!(said.contains(fix), "{error}: {said}");
    }
}

#[test]
fn errors_of_bsdiff_deltas_name_their_file() {
    let defect = "a copy reaches beyond the base";
    for (error, file, fix) in [
        (BsdiffError::Base(denied()), "base.img", "disk"),
        (BsdiffError::Output(denied()), "image.img.part", "make room"),
        (BsdiffError::Delta(denied()), "update.delta", "again"),
        (
            BsdiffError::Malformed { defect },
            "update.delta",
            "the base that it was made from",
        ),
    ] {
        let (message, said) = named(&error);
        assert_eq!(message, file, "{error}");
        assert!(said.contains(fix), "{error}: {said}");
    }
}
