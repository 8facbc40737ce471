//! The radio shares codecs with the host and nothing else: a mistake made by both would not be seen.

use std::path::Path;

const FORBIDDEN: [&str; 9] = [
    "crate::host",
    "crate::gatt",
    "crate::gap",
    "crate::api",
    "crate::driver",
    "crate::capture",
    "bearer",
    "_flow",
    "hci::init",
];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).expect("text");
            found.push((path.display().to_string(), text));
        }
    }
}

#[test]
fn the_radio_uses_nothing_of_the_host_and_tokio_in_one_file_only() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sim"), &mut found);
    assert!(found.len() > 15, "{} files", found.len());
    for (path, text) in found {
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        for line in code {
            for word in FORBIDDEN {
                assert!(!line.contains(word), "{path} names {word}: {line}");
            }
            let tokio = line.contains("tokio::");
            assert!(!tokio || path.ends_with("transport.rs"), "{path} uses tokio: {line}");
        }
    }
}
