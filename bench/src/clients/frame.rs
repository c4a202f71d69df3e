//! Frames of WebSockets (RFC 6455, section 5.2), as far as a message fits in one.

/// The first byte of a frame that is a whole binary message.
pub(super) const BINARY: u8 = 0x82;
/// The first byte of a frame that ends the connection.
pub(super) const CLOSE: u8 = 0x88;

/// The header of a message.
pub(super) struct Header {
    /// The kind of frame.
    pub(super) first: u8,
    /// Bytes before the message.
    pub(super) size: usize,
    /// Bytes of the message.
    pub(super) length: usize,
    /// The mask of the message, where it comes from a client.
    pub(super) mask: Option<[u8; 4]>,
}

impl Header {
    /// Reads the header that the bytes begin with; `None` while it is not complete.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let [first, second, rest @ ..] = bytes else { return None };
        let (length, long) = match second & 0x7f {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 2),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 8),
            short => (u64::from(short), 0),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mask =
            if second & MASKED == 0 { None } else { Some(*rest.get(long..)?.first_chunk()?) };
        let size = 2 + long + mask.map_or(0, |mask| mask.len());
        Some(Self { first: *first, size, length, mask })
    }
}

/// The header of a frame, masked with zeros where it comes from a client: so the message stays as it is.
pub(super) fn header(first: u8, length: usize, is_client: bool) -> Vec<u8> {
    let masked = if is_client { MASKED } else { 0 };
    let mut header = vec![first];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..126), _) => header.push(length | masked),
        (_, Ok(length)) => {
            header.push(126 | masked);
            header.extend(length.to_be_bytes());
        }
        (_, Err(_)) => {
            header.push(127 | masked);
            header.extend((length as u64).to_be_bytes());
        }
    }
    if is_client {
        header.extend([0; 4]);
    }
    header
}

const MASKED: u8 = 0x80;

/// Takes a mask off a message.
pub(super) fn unmask(message: &mut [u8], mask: [u8; 4]) {
    for chunk in message.chunks_mut(mask.len()) {
        for (byte, mask) in chunk.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}
