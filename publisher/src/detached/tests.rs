//! Ed25519 signs the same bytes to the same signature, so files are compared with those that minisign
//! 0.11, signify and OpenSSH 9.2 wrote with the same key; P-256 is read back.

use std::convert::Infallible;

use keys::SigningKey;

use super::*;

const FILE: &[u8] = b"release 42";

fn subject() -> Subject {
    Subject {
        product: "cam".to_owned(),
        version: "1.2.0".to_owned(),
        file: "m".to_owned(),
    }
}

fn key(algorithm: Algorithm) -> SigningKey {
    SigningKey::from_secret(algorithm, &[7; 32]).unwrap()
}

fn message(format: Format) -> Vec<u8> {
    let mut message = Message::new(format);
    let (first, rest) = FILE.split_at(3);
    message.update(first);
    message.update(rest);
    message.finish()
}

fn made(format: Format, algorithm: Algorithm) -> Detached {
    let key = key(algorithm);
    let sign = |bytes: &[u8]| Ok::<_, Infallible>(key.sign(bytes));
    let Ok(made) = make(format, &subject(), &key.public(), &message(format), sign);
    made
}

fn texts(made: Detached) -> (String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(made.key.1), text(made.signature.1))
}

#[test]
fn minisign_writes_the_same() {
    let made = made(Format::Minisign, Algorithm::Ed25519);
    assert_eq!(made.key.0, "cam.minisign.pub");
    assert_eq!(made.signature.0, "m.minisig");
    let (key, signature) = texts(made);
    assert_eq!(
        key,
        "untrusted comment: minisign public key E64CABF3122C81FE\n\
         RWT+gSwS86tM5upKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\n"
    );
    assert_eq!(
        signature,
        "untrusted comment: signature from streembit-publisher\n\
         RUT+gSwS86tM5jjFnPIxur7tE/Kf7VuM6mNoVLMo1KkZXkCSOj9UYcK8Aiv7YsB5n7r5kvtpIBaCWGg96w3hk/mO5i0jClrQ7Ac=\n\
         trusted comment: product:cam\tversion:1.2.0\tfile:m\thashed\n\
         5S50eXblMVRCZV7+G0TklSO3Enw/knTHJKs5k79GxYLx56ZsTqaXoM3foPVYhzZt4KOdHj1HwtGX1vPT7StNCg==\n"
    );
}

#[test]
fn signify_writes_the_same() {
    let made = made(Format::Signify, Algorithm::Ed25519);
    assert_eq!(made.key.0, "cam.signify.pub");
    assert_eq!(made.signature.0, "m.sig");
    let (key, signature) = texts(made);
    assert_eq!(
        key,
        "untrusted comment: cam public key\n\
         RWT+gSwS86tM5upKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\n"
    );
    assert_eq!(
        signature,
        "untrusted comment: verify with cam.signify.pub\n\
         RWT+gSwS86tM5qL6EnqlUnftfBKtGSPNGtii6g/YshrCSCdKEbepCQhrfic6LyGi8ydmTrzpU7AZspNxOSIhdUniFbhoOWvoZgs=\n"
    );
}

#[test]
fn ssh_keygen_writes_the_same() {
    let made = made(Format::Sshsig, Algorithm::Ed25519);
    assert_eq!(made.key.0, "cam.allowed_signers");
    assert_eq!(made.signature.0, "m.sshsig");
    let (key, signature) = texts(made);
    assert_eq!(
        key,
        "cam namespaces=\"file\" ssh-ed25519 \
         AAAAC3NzaC1lZDI1NTE5AAAAIOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs\n"
    );
    assert_eq!(
        signature,
        "-----BEGIN SSH SIGNATURE-----\n\
         U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg6kpsY+KcUgq+9VB7Ey7F+ZVHdq\n\
         6+vnuSQh7qaRRG0iwAAAAEZmlsZQAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUx\n\
         OQAAAEAllw1ussFBgI4s0fwCUEZHLsAfwI27ncvHnYRdTrOeTLKQs9BVgmlQ1vQ/WgLlRd\n\
         IUuRhl1jHZCT5As9ETlScJ\n\
         -----END SSH SIGNATURE-----\n"
    );
}

/// The integers of a DER signature are taken over as they are, the leading zero of high ones included.
#[test]
fn ssh_gets_the_integers_of_a_p256_signature() {
    use base64::Engine as _;
    let key = key(Algorithm::P256);
    let mut leading_zeros = 0;
    for number in 0..20u8 {
        let der = key.sign(&[number]);
        let text = String::from_utf8(sshsig::signature(&key.public(), &der)).unwrap();
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let blob = base64::engine::general_purpose::STANDARD
            .decode(base64)
            .unwrap();
        let (r_length, s_length) = (der[3], der[5 + usize::from(der[3])]);
        leading_zeros += u8::from(r_length == 33);
        let integers = [
            &[0, 0, 0, r_length][..],
            &der[4..][..usize::from(r_length)],
            &[0, 0, 0, s_length],
            &der[6 + usize::from(r_length)..],
        ]
        .concat();
        assert!(blob.ends_with(&integers), "{number}");
        let length = u32::try_from(integers.len()).unwrap().to_be_bytes();
        assert!(blob[..blob.len() - integers.len()].ends_with(&length));
    }
    assert!((1..20).contains(&leading_zeros), "both kinds were seen");
}

#[test]
fn openssl_gets_pem_and_the_plain_signature() {
    for (algorithm, verify) in [
        (Algorithm::Ed25519, "openssl pkeyutl -verify"),
        (Algorithm::P256, "openssl dgst -sha256 -verify"),
    ] {
        let made = made(Format::Openssl, algorithm);
        assert!(made.verify.starts_with(verify), "{}", made.verify);
        let (name, pem) = made.key;
        assert_eq!(name, "cam.openssl.pem");
        let key = PublicKey::from_pem(std::str::from_utf8(&pem).unwrap()).unwrap();
        key.verify(FILE, &made.signature.1).unwrap();
    }
}

#[test]
fn formats_know_their_keys_and_limits() {
    for (format, p256, bytes_max) in [
        (Format::Minisign, false, u64::MAX),
        (Format::Openssl, true, WHOLE_BYTES_MAX),
        (Format::Signify, false, WHOLE_BYTES_MAX),
        (Format::Sshsig, true, u64::MAX),
    ] {
        assert!(format.takes(Algorithm::Ed25519));
        assert_eq!(format.takes(Algorithm::P256), p256);
        assert_eq!(format.keys().contains("P-256"), p256);
        assert_eq!(format.bytes_max(), bytes_max);
        let words = <Format as clap::ValueEnum>::to_possible_value(&format).unwrap();
        assert_eq!(words.get_name(), format.name());
    }
}
