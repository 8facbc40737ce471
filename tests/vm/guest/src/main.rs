//! `guest`: joins pretended hardware to a controller outside the guest.

fn main() {}
