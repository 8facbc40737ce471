//! Every case has a test.

use std::collections::BTreeSet;
use std::path::Path;

/// H: HCI and transport. L: L2CAP. A: ATT and GATT. S: the security manager, bonds and policy. D: advertising data.
/// C: readers of captures. R: replay.
fn cases() -> Vec<String> {
    let numbered = |letter: char, numbers: &[u8]| numbers.iter().map(|n| format!("{letter}{n}")).collect();
    let h: Vec<u8> = (1..=14).collect();
    let a: Vec<u8> = (1..=15).collect();
    let s: Vec<u8> = (1..=18).collect();
    let c: Vec<u8> = (1..=21).collect();
    let cases: [Vec<String>; 7] = [
        numbered('h', &h),
        numbered('l', &[1, 2, 3, 4, 5, 6, 7, 8]),
        numbered('a', &a),
        numbered('s', &s),
        vec!["d".into()],
        numbered('c', &c),
        vec!["r".into()],
    ];
    cases.concat()
}

/// Names of the functions in all sources under a folder.
fn functions(folder: &Path, names: &mut BTreeSet<String>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder that can be read").path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source that can be read");
            let lines = text.lines().map(str::trim_start);
            let named =
                lines.filter_map(|line| line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn "));
            names.extend(named.filter_map(|rest| rest.split(['(', '<']).next()).map(str::to_owned));
        }
    }
}

#[test]
fn every_case_has_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = BTreeSet::new();
    for folder in ["src", "tests", "transports"] {
        functions(&root.join(folder), &mut names);
    }
    // A name may begin with several cases, as `a3_a4_…` does.
    let covered: BTreeSet<&str> =
        names.iter().flat_map(|name| name.split('_').take_while(|part| is_case(part))).collect();
    let missing: Vec<_> = cases().into_iter().filter(|case| !covered.contains(case.as_str())).collect();
    assert!(missing.is_empty(), "no test begins with {missing:?}");
}

fn is_case(part: &str) -> bool {
    matches!(part, "d" | "r")
        || part.strip_prefix(['h', 'l', 'a', 's', 'c']).is_some_and(|number| number.parse::<u8>().is_ok())
}
