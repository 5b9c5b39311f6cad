//! Zips as no honest program writes them.

/// One entry, stored, with whatever its header is to claim.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) content: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) declared: u32,
}

pub(crate) const FILE: u32 = 0o100_644;
pub(crate) const FOLDER: u32 = 0o040_755;
pub(crate) const LINK: u32 = 0o120_777;

pub(crate) fn entry(name: &str, mode: u32, content: &str) -> Entry {
    Entry {
        name: name.into(),
        mode,
        content: content.into(),
        flags: 0,
        method: 0,
        crc: crc32(content.as_bytes()),
        declared: u32::try_from(content.len()).unwrap(),
    }
}

/// The archive, by APPNOTE.TXT 4.3: local headers with data, the central directory, its end.
pub(crate) fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut zip = Vec::new();
    let mut central = Vec::new();
    for entry in entries {
        let offset = u32::try_from(zip.len()).unwrap();
        let length = u32::try_from(entry.content.len()).unwrap();
        let mut common = Vec::new();
        for half in [20, entry.flags, entry.method, 0, 33] {
            common.extend(half.to_le_bytes());
        }
        for word in [entry.crc, length, entry.declared] {
            common.extend(word.to_le_bytes());
        }
        common.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
        common.extend(0_u16.to_le_bytes());

        zip.extend(b"PK\x03\x04");
        zip.extend(&common);
        zip.extend(&entry.name);
        zip.extend(&entry.content);

        central.extend(b"PK\x01\x02");
        // Made on Unix, by version 2.0 of the format.
        central.extend(0x0314_u16.to_le_bytes());
        central.extend(&common);
        central.extend([0; 6]);
        central.extend((entry.mode << 16).to_le_bytes());
        central.extend(offset.to_le_bytes());
        central.extend(&entry.name);
    }
    let start = u32::try_from(zip.len()).unwrap();
    let count = u16::try_from(entries.len()).unwrap();
    zip.extend(&central);
    zip.extend(b"PK\x05\x06\0\0\0\0");
    zip.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    zip.extend(u32::try_from(central.len()).unwrap().to_le_bytes());
    zip.extend(start.to_le_bytes());
    zip.extend(0_u16.to_le_bytes());
    zip
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}
