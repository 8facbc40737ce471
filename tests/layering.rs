//! Which part of the library may use which: every path in `src/` that begins with `crate::` or leaves its own part by
//! `super::` is compared with the table below. Tests (`#[cfg(test)]`, and files named `tests.rs` or `testing.rs`) may
//! use what they like.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer with the paths it may use, beside its own and [`BOTTOM`].
const LAYERS: &[(&str, &[&str])] = &[
    ("codec", &[]),
    ("address", &[]),
    ("uuid", &[]),
    ("assigned", &[]),
    ("crypto", &[]),
    ("time", &[]),
    ("hci", &[]),
    ("l2cap", &["hci"]),
    // PDUs and the bearer know nothing of what carries them.
    ("att", &[]),
    ("gatt", &["att", "crypto"]),
    ("smp", &["hci", "crypto"]),
    ("gap", &["hci", "crypto"]),
    // A declaration, for whoever serves and advertises it.
    ("peripheral", &["hci", "gap", "gatt"]),
    ("host", &["hci", "l2cap", "att", "gatt", "smp", "gap", "crypto"]),
    // What is kept, for whoever opens an adapter.
    ("bonds", &["smp"]),
    // Codecs only: what is printed does not depend on what a host made of it.
    (
        "capture",
        &[
            "hci",
            "l2cap",
            "att",
            "smp",
            "gap::advertising_data",
            "gap::filter::Glob",
            "gatt::Properties",
            "gatt::PRIMARY_SERVICE",
            "gatt::INCLUDE",
            "gatt::CHARACTERISTIC",
        ],
    ),
    // What a capture holds, made into requests and answers of a host.
    ("replay", &["host", "capture", "hci", "l2cap", "att", "smp", "gatt", "gap", "crypto"]),
    // Never the host nor a procedure of it: a fault that both sides share would cancel out. The functions of `crypto`
    // are judged by the specification's sample data.
    ("sim", &["hci", "l2cap", "att", "crypto", "smp::pdu", "smp::SmpPdu", "gap::advertising_data"]),
    ("driver", &["host", "bonds", "capture", "hci", "l2cap::credit", "att", "gatt", "smp", "gap"]),
    (
        "api",
        &[
            "driver",
            "host",
            "bonds",
            "capture",
            "hci",
            "l2cap::credit",
            "att",
            "gatt",
            "smp",
            "gap",
            "smp",
            "sim",
            "replay",
        ],
    ),
    ("lib", &["api"]),
];

/// Parts that only these may use, whatever their rows say.
const ONLY_FOR: &[(&str, &[&str])] = &[
    ("att::bearer", &["att", "host"]),
    ("hci::command_flow", &["hci", "host"]),
    ("hci::acl_flow", &["hci", "host"]),
];

/// What everybody may use, down here included: they know of nothing above.
const BOTTOM: &[&str] = &["codec", "address", "uuid", "assigned", "time", "transports"];

/// Names at the root of the crate, and where they live.
const ROOT: &[(&str, &str)] = &[
    ("Address", "address"),
    ("AddressKind", "address"),
    ("BdAddr", "address"),
    ("ParseAddressError", "address"),
    ("Uuid", "uuid"),
    ("UuidWire", "uuid"),
    ("ParseUuidError", "uuid"),
    ("uuid16", "uuid"),
    ("Instant", "time"),
    ("layout", "codec"),
    ("open_enum", "codec"),
    ("coded_table", "codec"),
    ("number_field", "codec"),
];

#[test]
fn every_layer_uses_only_those_below() {
    let mut offences = Vec::new();
    let mut paths = 0;
    for file in files(&root()) {
        let text = fs::read_to_string(&file).expect("a source file is text");
        let module = module(&file);
        for (line, path) in paths_in(&text, &module) {
            paths += 1;
            if let Err(why) = check(&module, &path) {
                let file = file.strip_prefix(root()).expect("below src").display();
                offences.push(format!("src/{file}:{line}: {why}"));
            }
        }
    }
    assert!(paths > 300, "only {paths} paths were found: they are not read any more");
    assert!(offences.is_empty(), "\n{}", offences.join("\n"));
}

#[test]
fn every_module_has_a_row() {
    for file in files(&root()) {
        let module = module(&file);
        assert!(LAYERS.iter().any(|(name, _)| *name == module[0]), "no row for {}", file.display());
    }
}

#[test]
fn paths_are_found_however_they_are_written() {
    let found = |text| {
        let module = ["hci".to_owned(), "event".to_owned()];
        paths_in(text, &module).into_iter().map(|(line, path)| format!("{line} {path}")).collect::<Vec<_>>()
    };
    assert_eq!(found("use crate::gatt::Services;"), ["1 gatt::Services"]);
    assert_eq!(
        found("\nuse crate::{Address,\n    host::{Host, Event}};"),
        ["2 Address", "2 host::Host", "2 host::Event"]
    );
    assert_eq!(found("fn f(_: crate::host::Host) {}"), ["1 host::Host"]);
    assert_eq!(found("use super::super::host::Host;"), ["1 host::Host"]);
    assert_eq!(found("use super::acl::AclData;"), ["1 hci::acl::AclData"]);
    assert_eq!(found("// crate::host in a comment\n/// [`crate::host`]"), Vec::<String>::new());
    assert_eq!(
        found(
            "#[cfg(test)]\nmod t {\n    use crate::host::Host;\n}\n#[cfg(test)]\nmod u;\nuse crate::codec;"
        ),
        ["7 codec"]
    );
}

#[test]
fn what_the_table_does_not_list_is_refused() {
    let check = |from: &str, path: &str| check(&[from.to_owned()], path).is_ok();
    assert!(!check("hci", "host::Host") && !check("codec", "hci::Event") && !check("smp", "gatt::Services"));
    assert!(!check("sim", "att::bearer::Bearer") && !check("sim", "gap::scan::ScanOptions"));
    assert!(!check("sim", "smp::SecurityManager") && check("sim", "smp::SmpPdu"));
    assert!(!check("sim", "host::Host") && !check("capture", "att::bearer::Bearer"));
    assert!(check("sim", "att::AttPdu") && check("host", "att::bearer::Bearer") && check("gap", "Address"));
    assert!(!check("gap", "Adapter"), "a name of the root that the table does not know");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file below a directory that is not only for tests.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("src is there") {
        let path = entry.expect("src can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            found.extend(files(&path));
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "testing.rs" {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The names of the module that a file is.
fn module(file: &Path) -> Vec<String> {
    let relative = file.strip_prefix(root()).expect("below src").with_extension("");
    let mut names: Vec<_> = relative.iter().map(|name| name.to_string_lossy().into_owned()).collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// Every path from the root of the crate that stands in the code, with the number of its line.
fn paths_in(text: &str, module: &[String]) -> Vec<(usize, String)> {
    let mut paths = Vec::new();
    let code = without_tests(text);
    for (start, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let before = &code[..start];
        // `$crate` is of a macro; the second `super` of a row belongs to the first.
        if before.ends_with(['$', '_', ':']) || before.ends_with(char::is_alphanumeric) {
            continue;
        }
        let line = before.matches('\n').count() + 1;
        let mut rest = &code[start..];
        let mut base = String::new();
        if let Some(behind) = rest.strip_prefix("crate::") {
            rest = behind;
        } else {
            let mut names = module.to_vec();
            while let Some(behind) = rest.strip_prefix("super::") {
                names.pop();
                rest = behind;
            }
            base = names.iter().map(|name| format!("{name}::")).collect();
        }
        expand(&base, rest, &mut |path| paths.push((line, path)));
    }
    paths.sort_by_key(|(line, _)| *line);
    paths
}

/// Gives each path of `a::{b, c::{d, e}}` that `text` begins with; what follows it is returned.
fn expand<'a>(base: &str, text: &'a str, give: &mut impl FnMut(String)) -> &'a str {
    let mut text = text.trim_start();
    if let Some(mut list) = text.strip_prefix('{') {
        loop {
            list = list.trim_start();
            if let Some(behind) = list.strip_prefix('}') {
                return behind;
            }
            let behind = expand(base, list, give).trim_start();
            let behind = behind.strip_prefix(',').unwrap_or(behind);
            if behind.len() == list.len() {
                return behind; // no list of paths after all
            }
            list = behind;
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, behind) = text.split_at(end);
    let path = format!("{base}{name}");
    text = behind;
    if let Some(more) = text.strip_prefix("::").filter(|more| !more.starts_with('<')) {
        return expand(&format!("{path}::"), more, give);
    }
    if !path.is_empty() {
        give(path);
    }
    text.strip_prefix(" as ")
        .map_or(text, |alias| alias.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The code without comments and without the items of tests. Lines keep their numbers.
fn without_tests(text: &str) -> String {
    let mut code = String::new();
    let mut of_tests = false;
    for line in text.lines() {
        of_tests |= line == "#[cfg(test)]";
        if !of_tests {
            code.push_str(line.split("//").next().unwrap_or_default());
        }
        code.push('\n');
        let ends = line == "}" || line.ends_with([';', '}']) && !line.starts_with([' ', '}']);
        // An item at the left margin.
        of_tests &= !ends;
    }
    code
}

/// Whether a module may use a path.
fn check(module: &[String], path: &str) -> Result<(), String> {
    let from = module.first().map_or("lib", String::as_str);
    let path = match ROOT.iter().find(|(name, _)| path.split("::").next() == Some(*name)) {
        Some((name, home)) => format!("{home}::{name}"),
        None => path.to_owned(),
    };
    let (_, allowed) = LAYERS.iter().find(|(name, _)| *name == from).ok_or(format!("no row for {from}"))?;
    let within = |part: &str| path == part || path.starts_with(&format!("{part}::"));
    let listed = within(from) || allowed.iter().chain(BOTTOM).any(|part| within(part));
    let reserved = ONLY_FOR.iter().any(|(part, users)| within(part) && !users.contains(&from));
    if listed && !reserved { Ok(()) } else { Err(format!("{from} may not use crate::{path}")) }
}
