//! MD5 (RFC 1321), cut to its first 64 bits: LLVM names functions and lists of files by it. It protects nothing.

const SHIFTS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// The first eight bytes of the sum of `data`, as a number.
pub fn low(data: &[u8]) -> u64 {
    let mut padded = data.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend((data.len() as u64 * 8).to_le_bytes());
    let mut state = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let mut words = [0u32; 16];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        }
        state = turned(state, &words);
    }
    u64::from(state[1]) << 32 | u64::from(state[0])
}

/// The state after one block.
fn turned(state: [u32; 4], words: &[u32; 16]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = state;
    for i in 0..64 {
        let (mixed, word) = match i / 16 {
            0 => (b & c | !b & d, i),
            1 => (d & b | !d & c, 5 * i + 1),
            2 => (b ^ c ^ d, 3 * i + 5),
            _ => (c ^ (b | !d), 7 * i),
        };
        let constant = (((i + 1) as f64).sin().abs() * 4_294_967_296.0) as u32;
        let sum = a.wrapping_add(mixed).wrapping_add(constant).wrapping_add(words[word % 16]);
        (a, d, c) = (d, c, b);
        b = b.wrapping_add(sum.rotate_left(SHIFTS[i / 16][i % 4]));
    }
    [0, 1, 2, 3].map(|k| state[k].wrapping_add([a, b, c, d][k]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_rfc() {
        let digits = b"12345678901234567890123456789012345678901234567890123456789012345678901234567890";
        for (data, sum) in [
            (&b""[..], 0xd41d_8cd9_8f00_b204u64),
            (b"abc", 0x9001_5098_3cd2_4fb0),
            (b"message digest", 0xf96b_697d_7cb7_938d),
            (digits, 0x57ed_f4a2_2be3_c955),
        ] {
            assert_eq!(low(data), sum.swap_bytes());
        }
    }
}
