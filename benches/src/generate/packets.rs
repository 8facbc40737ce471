//! The packets of the generator, in H4 form. Typed by hand, not with the library: a decoder is not to be measured on
//! what its own encoder wrote.

/// An HCI command.
pub fn command(opcode: u16, parameters: &[u8]) -> Vec<u8> {
    let [low, high] = opcode.to_le_bytes();
    prefixed(&[1, low, high, octet(parameters.len())], parameters)
}

/// An HCI event.
pub fn event(code: u8, parameters: &[u8]) -> Vec<u8> {
    prefixed(&[4, code, octet(parameters.len())], parameters)
}

/// Command Complete of `opcode`, leaving one command credit.
pub fn command_complete(opcode: u16, return_parameters: &[u8]) -> Vec<u8> {
    let [low, high] = opcode.to_le_bytes();
    event(0x0E, &prefixed(&[1, low, high], return_parameters))
}

/// Command Status of `opcode`: pending, leaving one command credit.
pub fn command_status(opcode: u16) -> Vec<u8> {
    let [low, high] = opcode.to_le_bytes();
    event(0x0F, &[0, 1, low, high])
}

/// Number Of Completed Packets for one connection.
pub fn completed_packets(handle: u16, count: u16) -> Vec<u8> {
    let ([h0, h1], [c0, c1]) = (handle.to_le_bytes(), count.to_le_bytes());
    event(0x13, &[1, h0, h1, c0, c1])
}

/// An ACL data packet; `boundary` is the packet boundary flag.
pub fn acl(handle: u16, boundary: u16, payload: &[u8]) -> Vec<u8> {
    let [low, high] = (handle | (boundary << 12)).to_le_bytes();
    let [l0, l1] = length(payload.len());
    prefixed(&[2, low, high, l0, l1], payload)
}

/// An L2CAP frame on the attribute channel.
pub fn att(pdu: &[u8]) -> Vec<u8> {
    let [l0, l1] = length(pdu.len());
    prefixed(&[l0, l1, 4, 0], pdu)
}

fn prefixed(head: &[u8], tail: &[u8]) -> Vec<u8> {
    [head, tail].concat()
}

fn octet(length: usize) -> u8 {
    u8::try_from(length).expect("the workloads keep parameters within 255 octets")
}

fn length(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("the workloads keep payloads within 502 octets").to_le_bytes()
}
