//! Key files: the text as it is, and the input in the armour of either kind. One key file, one text.
#![no_main]

use fuzz::armour::armour;
use getrandom::SysRng;
use getrandom::rand_core::UnwrapErr;
use keys::{KeyFile, Protection, file};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check(text);
    }
    check(&armour("STREEMBIT KEY", bytes));
    check(&armour("STREEMBIT ENCRYPTED KEY", bytes));
});

fn check(text: &str) {
    let Ok(key_file) = KeyFile::parse(text) else {
        return;
    };
    assert!(text.len() <= file::KEY_FILE_BYTES_MAX);
    assert!(!key_file.label().chars().any(char::is_control));
    assert_eq!(key_file.is_encrypted(), key_file.cost().is_some());
    // An encrypted one costs up to a gigabyte to open, and the fuzzer has no passcode.
    let Ok(key) = key_file.open(None) else {
        return;
    };
    assert_eq!(&key.public(), key_file.public());
    let mut rng = UnwrapErr(SysRng);
    let sealed = file::seal(&key, key_file.label(), Protection::Unprotected, &mut rng);
    let sealed = sealed.as_deref().unwrap_or_default();
    assert!(text == sealed || Some(text) == sealed.strip_suffix('\n'));
}
