//! The sections of a program (ELF, 64 bits, little-endian).

use super::bytes::Bytes;

/// The content of the section `name`.
///
/// # Errors
/// The file is of another form, or has no such section.
pub fn section<'a>(file: &'a [u8], name: &str) -> Result<&'a [u8], String> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return Err("it is no ELF file of a 64-bit little-endian machine".to_owned());
    }
    let table = Bytes::at(file, 0x28)?.u64()? as usize;
    let mut shape = Bytes::at(file, 0x3a)?;
    let [size, count, names] = [shape.u16()?, shape.u16()?, shape.u16()?].map(|number| number as usize);
    let place = |index: usize| -> Result<(usize, &'a [u8]), String> {
        let mut entry = Bytes::at(file, table + index * size)?;
        let name = entry.u32()? as usize;
        entry.take(20)?;
        let [from, length] = [entry.u64()? as usize, entry.u64()? as usize];
        Ok((name, file.get(from..from.saturating_add(length)).unwrap_or_default()))
    };
    let (_, names) = place(names)?;
    for index in 0..count {
        let (at, content) = place(index)?;
        let called = names.get(at..).and_then(|rest| rest.split(|byte| *byte == 0).next());
        if called == Some(name.as_bytes()) {
            return Ok(content);
        }
    }
    Err(format!("it has no section {name}: it was built without -C instrument-coverage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_has_its_code_and_no_counters() {
        let file = std::fs::read(std::env::current_exe().expect("it runs")).expect("it can be read");
        assert!(!section(&file, ".text").expect("every program has code").is_empty());
        assert!(section(&file, "__llvm_covfun").is_err_and(|why| why.contains("instrument-coverage")));
        assert!(section(b"MZ", ".text").is_err());
    }
}
