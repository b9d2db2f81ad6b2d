//! Calls in literals, told by position, back to distances.

/// One operation's literals, the first of which is at `to` of the target.
pub(super) fn restore(literals: &[u8], to: u32, machine: u8) -> Vec<u8> {
    let mut bytes = literals.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let here = to.wrapping_add(at as u32);
        let step = match machine {
            1 => restore_bl(&mut bytes[at..], here),
            2 => restore_call(&mut bytes[at..], here),
            _ => 1,
        };
        at += step;
    }
    bytes
}

/// Both return how many bytes are done.
fn restore_bl(bytes: &mut [u8], to: u32) -> usize {
    if !to.is_multiple_of(4) || bytes.len() < 4 {
        return 1;
    }
    let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    if word >> 26 == 0b10_0101 {
        let distance = word.wrapping_sub(to / 4) % (1 << 26);
        bytes[..4].copy_from_slice(&(0b10_0101 << 26 | distance).to_le_bytes());
    }
    4
}

fn restore_call(bytes: &mut [u8], to: u32) -> usize {
    if !matches!(bytes[0], 0xe8 | 0xe9) || bytes.len() < 5 {
        return 1;
    }
    let told = u32::from_be_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]);
    let distance = if matches!(bytes[1], 0 | 0xff) {
        let low = told.wrapping_sub(to.wrapping_add(5)) % (1 << 25);
        if low < 1 << 24 {
            low
        } else {
            low | 0xfe00_0000
        }
    } else {
        told
    };
    bytes[1..5].copy_from_slice(&distance.to_le_bytes());
    5
}
