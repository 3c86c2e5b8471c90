//! Zip archives of a few small files, stored as they are (PKWARE APPNOTE §4.3): what an extension of Thunderbird is packed
//! in. Not for anything large: sizes are those of text written here.
//!
//! Deliberately absent: compression, folders, times. All files are of the first day that the format knows, so that the same
//! files make the same archive.

/// 1980-01-01, in the format's way (§4.4.6).
const FIRST_DAY: u16 = 0x0021;
/// Version needed to read it (§4.4.3): 1.0.
const VERSION: u16 = 10;
/// Names are UTF-8 (§4.4.4, bit 11).
const UTF8_NAMES: u16 = 1 << 11;
/// The reflected polynomial of CRC-32 (§4.4.7).
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The archive of these files, by name; none if they are too many or too large for the format.
pub(crate) fn archive(files: &[(&str, &[u8])]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for (name, bytes) in files {
        let at = u32::try_from(out.len()).ok()?;
        let facts = facts(name, bytes)?;
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&facts);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(bytes);
        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&VERSION.to_le_bytes()); // made by
        directory.extend_from_slice(&facts);
        // No comment, the first disk, no attributes.
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&at.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let count = u16::try_from(files.len()).ok()?.to_le_bytes();
    let at = u32::try_from(out.len()).ok()?;
    let size = u32::try_from(directory.len()).ok()?;
    out.append(&mut directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count);
    out.extend_from_slice(&count);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(&at.to_le_bytes());
    out.extend_from_slice(&[0; 2]); // no comment
    Some(out)
}

/// What both headers of a file say, from the version needed to the length of the extra field.
fn facts(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let size = u32::try_from(bytes.len()).ok()?.to_le_bytes();
    let mut facts = Vec::new();
    for word in [VERSION, UTF8_NAMES, 0, 0, FIRST_DAY] {
        facts.extend_from_slice(&word.to_le_bytes());
    }
    facts.extend_from_slice(&crc32(bytes).to_le_bytes());
    facts.extend_from_slice(&size);
    facts.extend_from_slice(&size);
    facts.extend_from_slice(&u16::try_from(name.len()).ok()?.to_le_bytes());
    facts.extend_from_slice(&[0; 2]);
    Some(facts)
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| match crc & 1 {
            1 => (crc >> 1) ^ POLYNOMIAL,
            _ => crc >> 1,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_everybody() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_directory_is_where_the_end_says() {
        let made = archive(&[("a.txt", b"one"), ("b", b"")]);
        let made = made.unwrap_or_default();
        let end = made.len() - 22;
        assert_eq!(&made[end..end + 4], b"PK\x05\x06");
        let at = u32::from_le_bytes([
            made[end + 16],
            made[end + 17],
            made[end + 18],
            made[end + 19],
        ]);
        assert_eq!(&made[at as usize..at as usize + 4], b"PK\x01\x02");
        assert_eq!(&made[30..38], b"a.txtone");
    }
}
