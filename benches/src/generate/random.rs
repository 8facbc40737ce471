//! SplitMix64 (Steele, Lea and Flood, 2014): eight lines, no state but one number, the same everywhere.

/// The generator's stream of numbers. Every draw changes the stream, so the order of draws is part of the format.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, from the upper half of one draw.
    pub fn below(&mut self, bound: u32) -> u32 {
        let scaled = ((self.next() >> 32) * u64::from(bound)) >> 32;
        u32::try_from(scaled).expect("a 32-bit number times a 32-bit bound, shifted by 32, has 32 bits")
    }

    /// A number below `bound`, as one octet.
    pub fn small(&mut self, bound: u8) -> u8 {
        u8::try_from(self.below(u32::from(bound))).expect("it is below an octet")
    }

    /// A number below `bound`, as a length.
    pub fn length(&mut self, bound: u16) -> usize {
        usize::from(u16::try_from(self.below(u32::from(bound))).expect("it is below a 16-bit number"))
    }

    /// The lowest octet of one draw.
    pub fn octet(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Appends `count` random octets.
    pub fn fill(&mut self, out: &mut Vec<u8>, count: usize) {
        out.extend((0..count).map(|_| self.octet()));
    }

    /// One of `choices`.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        let bound = u16::try_from(choices.len()).expect("the lists below are short");
        choices[self.length(bound)]
    }
}
