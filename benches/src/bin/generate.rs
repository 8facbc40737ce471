//! `generate mix|disc|adv|notif COUNT FILE`: writes a generated btsnoop capture, for tools that want a file.
#![forbid(unsafe_code)]

use baretooth_benches::generate::{Workload, generate};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [workload, count, file] => {
            Workload::from_name(workload).zip(count.parse().ok()).map(|both| (both, file))
        }
        _ => None,
    };
    let Some(((workload, count), file)) = parsed else {
        eprintln!("usage: generate mix|disc|adv|notif COUNT FILE");
        return ExitCode::from(2);
    };
    let capture = generate(workload, count);
    if let Err(error) = std::fs::write(file, &capture.octets) {
        eprintln!("generate: write {file}: {error}");
        return ExitCode::FAILURE;
    }
    eprintln!("{count} records, {} octets: {:?}", capture.octets.len(), capture.contents);
    ExitCode::SUCCESS
}
