//! An archive as containers are made of (POSIX ustar): regular files and directories, owned by root.

use std::io::{self, Write};

const BLOCK: usize = 512;

/// Writes an archive to `out`.
#[derive(Debug)]
pub struct Archive<W> {
    out: W,
}

impl<W: Write> Archive<W> {
    /// An archive without members.
    pub fn new(out: W) -> Archive<W> {
        Archive { out }
    }

    /// Adds a directory.
    pub fn directory(&mut self, path: &str, mode: u32) -> io::Result<()> {
        self.out.write_all(&header(&format!("{path}/"), mode, 0, b'5')?)
    }

    /// Adds a file with this content.
    pub fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
        self.out.write_all(&header(path, mode, content.len() as u64, b'0')?)?;
        self.out.write_all(content)?;
        self.out.write_all(&[0; BLOCK][..(BLOCK - content.len() % BLOCK) % BLOCK])
    }

    /// Closes it: two blocks of zeroes.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(self.out)
    }
}

/// One member's header. Names are at most 99 bytes long, which is all that is needed here.
fn header(path: &str, mode: u32, size: u64, kind: u8) -> io::Result<[u8; BLOCK]> {
    if path.len() > 99 || size > 0o777_7777_7777 {
        return Err(io::Error::other(format!("{path}: a name of at most 99 bytes and a file under 8 GiB fit in")));
    }
    let mut header = [0u8; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, path);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{size:011o}"));
    put(136, "00000000000");
    put(257, "ustar\u{0}00");
    header[156] = kind;
    // The sum is taken with blanks in its own place.
    header[148..156].copy_from_slice(b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\u{0} ").as_bytes());
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_systems_own_tar_reads_it() {
        let place = std::env::temp_dir().join(format!("serin-tar-{}", std::process::id()));
        std::fs::create_dir_all(&place).expect("made");
        let mut archive = Archive::new(Vec::new());
        archive.directory("etc", 0o755).expect("room");
        archive.file("etc/empty", 0o600, b"").expect("room");
        archive.file("etc/text", 0o644, &[b'x'; 513]).expect("room");
        archive.file("run me", 0o755, &[b'y'; 512]).expect("room");
        std::fs::write(place.join("a.tar"), archive.finish().expect("room")).expect("written");
        let output = Command::new("tar").arg("-xpf").arg(place.join("a.tar")).arg("-C").arg(&place).output();
        let output = output.expect("tar is there");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let length = |name: &str| std::fs::metadata(place.join(name)).expect("it is there").len();
        assert_eq!([length("etc/empty"), length("etc/text"), length("run me")], [0, 513, 512]);
        let mode = |name: &str| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(place.join(name)).expect("it is there").permissions().mode() & 0o777
        };
        assert_eq!([mode("etc"), mode("etc/empty"), mode("run me")], [0o755, 0o600, 0o755]);
        std::fs::remove_dir_all(&place).expect("removed");
        assert!(Archive::new(Vec::new()).file(&"long/".repeat(20), 0o644, b"").is_err());
    }
}
