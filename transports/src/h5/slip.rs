//! SLIP, which makes frames of a stream of octets ([Vol 4] Part D, 3).

/// Before and behind each frame.
const DELIMITER: u8 = 0xC0;
const ESCAPE: u8 = 0xDB;
/// Behind [`ESCAPE`]: a delimiter, an escape.
const ESCAPED_DELIMITER: u8 = 0xDC;
const ESCAPED_ESCAPE: u8 = 0xDD;

/// Appends the frame that `octets` are, between delimiters.
pub(super) fn encode(octets: impl IntoIterator<Item = u8>, out: &mut Vec<u8>) {
    out.push(DELIMITER);
    for octet in octets {
        match octet {
            DELIMITER => out.extend([ESCAPE, ESCAPED_DELIMITER]),
            ESCAPE => out.extend([ESCAPE, ESCAPED_ESCAPE]),
            _ => out.push(octet),
        }
    }
    out.push(DELIMITER);
}

/// Finds frames in a stream that may start anywhere. A frame that is longer than `limit` or has a wrong escape is
/// dropped; the one behind it is not.
#[derive(Debug)]
pub(super) struct Slip {
    frame: Vec<u8>,
    limit: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Until the next delimiter nothing counts.
    Outside,
    Inside,
    Escaped,
}

impl Slip {
    pub(super) fn new(limit: usize) -> Self {
        Self { frame: Vec::new(), limit, state: State::Outside }
    }

    /// Takes the next octet of the stream, and gives the frame that it completes.
    ///
    /// Each delimiter may be the start of a frame: which one was lost, nobody knows. So what stands between two frames
    /// comes out as one, too, and is for the caller to tell.
    pub(super) fn push(&mut self, octet: u8) -> Option<Vec<u8>> {
        let octet = match (self.state, octet) {
            (state, DELIMITER) => {
                let frame = std::mem::take(&mut self.frame);
                self.state = State::Inside;
                return (state == State::Inside && !frame.is_empty()).then_some(frame);
            }
            (State::Outside, _) => return None,
            (State::Inside, ESCAPE) => {
                self.state = State::Escaped;
                return None;
            }
            (State::Inside, octet) => octet,
            (State::Escaped, ESCAPED_DELIMITER) => DELIMITER,
            (State::Escaped, ESCAPED_ESCAPE) => ESCAPE,
            (State::Escaped, _) => return self.drop_frame(),
        };
        if self.frame.len() == self.limit {
            return self.drop_frame();
        }
        self.state = State::Inside;
        self.frame.push(octet);
        None
    }

    fn drop_frame(&mut self) -> Option<Vec<u8>> {
        self.frame = Vec::new();
        self.state = State::Outside;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(octets: &[u8]) -> Vec<Vec<u8>> {
        let mut slip = Slip::new(8);
        octets.iter().filter_map(|&octet| slip.push(octet)).collect()
    }

    #[test]
    fn delimiters_and_escapes_inside_a_frame_are_escaped() {
        let mut out = vec![];
        encode([1, 0xC0, 0xDB, 0xDC, 0xDD], &mut out);
        assert_eq!(out, [0xC0, 1, 0xDB, 0xDC, 0xDB, 0xDD, 0xDC, 0xDD, 0xC0]);
        assert_eq!(frames(&out), [[1, 0xC0, 0xDB, 0xDC, 0xDD]]);
    }

    #[test]
    fn frames_may_share_a_delimiter_and_empty_ones_are_none() {
        assert_eq!(frames(&[0xC0, 1, 0xC0, 2, 0xC0, 0xC0, 0xC0, 3, 0xC0]), [[1], [2], [3]]);
    }

    #[test]
    fn what_comes_before_the_first_delimiter_is_dropped() {
        assert_eq!(frames(&[7, 8, 0xDB, 9, 0xC0, 1, 0xC0]), [[1]]);
    }

    #[test]
    fn a_wrong_escape_costs_its_frame_alone() {
        assert_eq!(frames(&[0xC0, 1, 0xDB, 1, 2, 0xC0, 3, 0xC0]), [[3]]);
        assert_eq!(frames(&[0xC0, 1, 0xDB, 0xC0, 3, 0xC0]), [[3]], "the end inside an escape");
    }

    #[test]
    fn a_frame_that_does_not_end_is_not_kept() {
        let mut slip = Slip::new(8);
        slip.push(0xC0);
        assert!((0..10_000).all(|_| slip.push(1).is_none()));
        assert_eq!(slip.frame.capacity(), 0);
        assert_eq!(slip.push(0xC0), None);
        assert_eq!((slip.push(5), slip.push(0xC0)), (None, Some(vec![5])));
    }
}
