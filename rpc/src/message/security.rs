//! Security: pairing, encryption and bonds.
