//! The public API as a program uses it, against the virtual radio in virtual time: what a user relies on, and what
//! every dropped future, lost packet and lost transport leads to.

mod adapter;
mod advertise;
mod bearers;
mod cancel;
mod capture;
mod connect;
mod line;
mod lost;
mod notify;
mod pairing;
mod port;
mod privacy;
mod recovery;
mod replay;
mod resume;
mod scan;
mod serve;
mod service_changes;
mod values;
