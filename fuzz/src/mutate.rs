//! Seeded mutations that know what HTTP/1.1 is sensitive to.

/// A stream of numbers (SplitMix64: Steele, Lea and Flood, OOPSLA 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number under `end`; 0 when that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next_u64() >> 11) as usize % end.max(1)
    }
}

/// Bytes at which parsers differ.
const BYTES: &[u8] = b"\r\n\t\x0b\x0c\0 \x7f\x80\xa0\xff:;,=\"/\\?#*@[]%+-_0139aAfFxX";

/// Words at which parsers differ.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\r\n ",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"Connection: upgrade\r\n",
    b"Connection: Host, Content-Length, Transfer-Encoding, X\r\n",
    b"Upgrade: websocket\r\n",
    b"X-Forwarded-For: 192.0.2.7\r\n",
    b"X: y\r\n",
    b"chunked",
    b"0\r\n\r\n",
    b"3\r\nabc\r\n",
    b";a=b",
    b"GET /n HTTP/1.1\r\nHost: n\r\n\r\n",
    b"HEAD",
    b"OPTIONS",
    b"CONNECT",
    b"http://b",
    b"https://b:1/",
    b" HTTP/1.0",
    b" HTTP/1.1",
    b"ffffffffffffffff",
    b"99999999999999999999",
];

/// A case with some of its bytes changed: most often few, sometimes many, sometimes none.
pub fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut data = seeds[random.below(seeds.len())].clone();
    let times = [0, 1, 1, 1, 2, 2, 3, 8][random.below(8)];
    for _ in 0..times {
        once(&mut data, seeds, random);
    }
    data
}

fn once(data: &mut Vec<u8>, seeds: &[Vec<u8>], random: &mut Random) {
    let at = random.below(data.len() + 1);
    match random.below(10) {
        0 | 1 if at < data.len() => data[at] = BYTES[random.below(BYTES.len())],
        2 | 3 => data.insert(at, BYTES[random.below(BYTES.len())]),
        4 if at < data.len() => drop(data.remove(at)),
        5 | 6 => {
            let word = WORDS[random.below(WORDS.len())];
            data.splice(at..at, word.iter().copied());
        }
        7 => {
            // A word where a line begins, which is where most words belong.
            let begins: Vec<usize> = (2..data.len()).filter(|i| data[..*i].ends_with(b"\r\n")).collect();
            let at = begins.get(random.below(begins.len())).copied().unwrap_or(at);
            let word = WORDS[random.below(WORDS.len())];
            data.splice(at..at, word.iter().copied());
        }
        8 => {
            let other = &seeds[random.below(seeds.len())];
            let from = random.below(other.len() + 1);
            data.truncate(at);
            data.extend_from_slice(&other[from..]);
        }
        _ => {
            let end = (at + random.below(20)).min(data.len());
            let part = data[at..end].to_vec();
            if random.below(2) == 0 {
                data.splice(end..end, part);
            } else {
                data.drain(at..end);
            }
        }
    }
}
