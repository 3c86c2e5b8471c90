//! What fuzz targets share: how one input says both what is sent and how it is cut, and a client that sends anything.
#![forbid(unsafe_code)]

#[path = "../../crates/pillarbox-protocols/tests/player/mod.rs"]
pub mod player;
pub mod talk;

/// Takes the first byte as a choice the target makes something of; the rest is what is sent.
pub fn choice(data: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = data.split_first()?;
    Some((usize::from(first), rest))
}

/// Cuts bytes into pieces whose sizes repeat in a pattern that depends on `how`, from one byte at a time to all at once.
pub fn pieces(bytes: &[u8], how: usize) -> impl Iterator<Item = &[u8]> {
    let sizes: &[usize] = match how % 4 {
        0 => &[usize::MAX],
        1 => &[1],
        2 => &[7, 1, 3, 2, 30],
        _ => &[2, 64, 5],
    };
    let mut rest = bytes;
    sizes.iter().cycle().map_while(move |&size| {
        let (piece, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
