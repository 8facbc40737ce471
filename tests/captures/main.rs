//! Captures in every format: what is read of files that others wrote, damaged or made up, and that what is written is
//! read again with nothing lost but what the writer said. The cases have a letter and a number, as those in
//! `tests/security` do.

mod btsnoop;
mod files;
mod kinds;
mod matrix;
mod packet_logger;
mod pcap;
mod pcapng;
mod peers;
