//! The store among other users, other processes, and disks that do not take everything (S17).

use super::*;
use crate::bonds::testing::{self, ADAPTER, bond, identity};
use nix::unistd::{Uid, chown, geteuid, mkfifo, setgid, setuid};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::process::{Child, Command, Stdio};

/// A folder that is gone when the test is over, with the store inside.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("baretooth-bonds-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        // Others may look into it, and make something in it.
        fs::DirBuilder::new().mode(0o755).create(&path).expect("a folder");
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("for all");
        Self(path)
    }

    fn path(&self) -> PathBuf {
        self.0.join("state/store")
    }

    fn store(&self) -> JsonStore {
        JsonStore::new(self.path())
    }

    /// A store with these bonds.
    fn with(&self, bonds: &[Bond]) -> JsonStore {
        let mut store = self.store();
        store.save_identity(ADAPTER, &identity()).expect("kept");
        bonds.iter().for_each(|bond| store.save(ADAPTER, bond).expect("kept"));
        store
    }

    fn file(&self) -> PathBuf {
        self.path().join("00-11-22-33-44-55-public.json")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).expect("a folder").map(|entry| entry.expect("an entry"));
        let mut names: Vec<_> =
            entries.map(|entry| entry.file_name().into_string().expect("a name")).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("it is ours");
}

/// Every way to ask something of the store.
fn each_method(store: &mut JsonStore) -> [Result<(), StoreError>; 4] {
    [
        store.load(ADAPTER).map(|_| ()),
        store.save_identity(ADAPTER, &identity()),
        store.save(ADAPTER, &bond(9, true)),
        store.remove(ADAPTER, bond(1, true).peer),
    ]
}

#[test]
fn it_keeps_bonds_as_every_store_does() {
    let folder = Folder::new("keeps");
    testing::keeps_bonds(|| Box::new(folder.store()));
    assert_eq!(folder.names(), ["00-11-22-33-44-55-public.json", "00-11-22-33-44-55-random.json", "lock"]);
}

#[test]
fn nothing_is_made_before_something_is_saved() {
    let folder = Folder::new("nothing");
    let mut store = folder.store();
    assert_eq!(store.load(ADAPTER).expect("loaded"), None);
    store.remove(ADAPTER, bond(1, true).peer).expect("nothing to do");
    assert!(!folder.path().exists());
}

#[test]
fn nobody_else_has_access_to_what_it_makes() {
    let folder = Folder::new("modes");
    folder.with(&[bond(1, true)]);
    assert_eq!((mode(folder.path()), mode(folder.0.join("state"))), (0o700, 0o700));
    for name in folder.names() {
        assert_eq!(mode(folder.path().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn what_others_have_access_to_is_refused_with_the_way_out() {
    let folder = Folder::new("others");
    let mut store = folder.with(&[bond(1, true)]);
    for (path, open, closed, way_out) in
        [(folder.file(), 0o640, 0o600, "chmod 600"), (folder.path(), 0o701, 0o700, "chmod 700")]
    {
        set_mode(&path, open);
        let before = fs::read(folder.file()).expect("there");
        for result in each_method(&mut store) {
            let error = result.expect_err("refused");
            assert!(matches!(error, StoreError::NotPrivate { .. }), "{error:?}");
            let said = error.to_string();
            assert!(said.contains(way_out) && said.contains(&format!("{open:04o}")), "{said}");
        }
        assert_eq!(fs::read(folder.file()).expect("there"), before);
        set_mode(&path, closed);
    }
    assert_eq!(store.load(ADAPTER).expect("loaded").expect("known").bonds, [bond(1, true)]);
}

#[test]
fn what_belongs_to_another_user_is_refused() {
    let folder = Folder::new("foreign");
    let mut store = folder.with(&[]);
    if geteuid().is_root() {
        for path in [folder.file(), folder.path()] {
            chown(&path, Some(Uid::from_raw(65534)), None).expect("root may");
            for result in each_method(&mut store) {
                assert!(matches!(result, Err(StoreError::NotOurs { owner: 65534, .. })), "{result:?}");
            }
            chown(&path, Some(geteuid()), None).expect("root may");
        }
    } else {
        let error = JsonStore::new("/").load(ADAPTER).expect_err("root's");
        assert!(matches!(error, StoreError::NotOurs { owner: 0, .. }), "{error:?}");
    }
}

#[test]
fn links_and_pipes_are_refused_and_what_they_lead_to_stays() {
    let folder = Folder::new("links");
    let mut store = folder.with(&[bond(1, true)]);
    let elsewhere = folder.0.join("elsewhere");
    fs::rename(folder.file(), &elsewhere).expect("moved");
    let before = fs::read(&elsewhere).expect("there");

    symlink(&elsewhere, folder.file()).expect("a link");
    for result in each_method(&mut store) {
        assert!(matches!(result, Err(StoreError::NotPlain { wanted: "file", .. })), "{result:?}");
    }
    fs::remove_file(folder.file()).expect("the link");
    // Waited for, it would never be over.
    mkfifo(&folder.file(), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    for result in each_method(&mut store) {
        assert!(matches!(result, Err(StoreError::NotPlain { wanted: "file", .. })), "{result:?}");
    }
    fs::remove_file(folder.file()).expect("the pipe");

    symlink(folder.path(), folder.0.join("link")).expect("a link");
    let mut linked = JsonStore::new(folder.0.join("link"));
    for result in each_method(&mut linked) {
        assert!(matches!(result, Err(StoreError::NotPlain { wanted: "directory", .. })), "{result:?}");
    }
    // What is written is a new file: a link in its way is not followed.
    symlink(&elsewhere, folder.file().with_extension("json.tmp")).expect("a link");
    store.save_identity(ADAPTER, &identity()).expect("kept");
    assert_eq!(fs::read(&elsewhere).expect("there"), before);
    assert_eq!(folder.names(), ["00-11-22-33-44-55-public.json", "lock"]);
}

#[test]
fn a_file_that_is_not_understood_is_an_error_and_stays_as_it_is() {
    let folder = Folder::new("corrupt");
    let mut store = folder.with(&[bond(1, true)]);
    let good = fs::read_to_string(folder.file()).expect("there");
    for bad in [
        "".to_owned(),
        good[..good.len() / 2].to_owned(),
        good.replace("\"version\": 1", "\"version\": 2"),
        good.replace("\"irk\"", "\"Irk\""),
        good.replace("00:11:22:33:44:55", "00:11:22:33:44:66"),
    ] {
        fs::write(folder.file(), &bad).expect("ours");
        for result in each_method(&mut store) {
            let error = result.expect_err("not understood");
            assert!(matches!(error, StoreError::NotUnderstood { .. }), "{error:?}");
            assert!(error.to_string().contains("left as it is"), "{error}");
        }
        assert_eq!(fs::read_to_string(folder.file()).expect("there"), bad);
        assert_eq!(folder.names(), ["00-11-22-33-44-55-public.json", "lock"]);
    }
    fs::write(folder.file(), [0xFF; 40]).expect("ours");
    assert!(matches!(store.load(ADAPTER), Err(StoreError::NotUnderstood { .. })));
}

#[test]
fn a_file_is_read_and_written_up_to_a_bound() {
    let folder = Folder::new("bound");
    let mut store = JsonStore { limit: 8 << 10, ..folder.with(&[]) };
    let saved = (0..99).take_while(|&n| match store.save(ADAPTER, &bond(n, true)) {
        Ok(()) => true,
        Err(StoreError::TooLarge { limit: 8192, .. }) => false,
        Err(error) => panic!("{error:?}"),
    });
    let saved = saved.count();
    assert!(saved > 3);
    assert_eq!(store.load(ADAPTER).expect("still read").expect("known").bonds.len(), saved);

    File::options().write(true).open(folder.file()).expect("ours").set_len(1 << 40).expect("a hole");
    for result in each_method(&mut store) {
        assert!(matches!(result, Err(StoreError::TooLarge { .. })), "{result:?}");
    }
}

#[test]
fn what_a_killed_process_has_left_is_tolerated_and_removed() {
    let folder = Folder::new("left");
    let mut store = folder.with(&[bond(1, true)]);
    let left = folder.file().with_extension("json.tmp");
    fs::write(&left, "{\"version\": 1, \"adapt").expect("ours");
    assert_eq!(store.load(ADAPTER).expect("loaded").expect("known").bonds.len(), 1);
    store.save(ADAPTER, &bond(2, false)).expect("kept");
    assert!(!left.exists());
    assert_eq!(store.load(ADAPTER).expect("loaded").expect("known").bonds.len(), 2);
}

#[test]
fn a_lock_that_is_held_too_long_is_an_error_and_reading_goes_on() {
    let folder = Folder::new("lock");
    let mut patient = folder.with(&[bond(1, true)]);
    let mut store = JsonStore { patience: Duration::from_millis(20), ..patient.clone() };
    let lock = File::open(folder.path().join("lock")).expect("there");
    lock.lock().expect("free");
    let error = store.save(ADAPTER, &bond(2, true)).expect_err("locked");
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    assert_eq!(store.load(ADAPTER).expect("loaded").expect("known").bonds.len(), 1);
    drop(lock);
    // A process that another test is starting just now may have it still.
    patient.save(ADAPTER, &bond(2, true)).expect("kept");
}

#[test]
fn an_unchanged_bond_is_not_written_again() {
    let folder = Folder::new("same");
    let mut store = folder.with(&[bond(1, true)]);
    set_mode(folder.path(), 0o700);
    let before = fs::metadata(folder.file()).expect("there").modified().expect("a time");
    let inode = |path: PathBuf| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).expect("there"));
    let number = inode(folder.file());
    store.save(ADAPTER, &bond(1, true)).expect("kept");
    store.remove(ADAPTER, bond(7, true).peer).expect("nothing to do");
    assert_eq!(inode(folder.file()), number);
    assert_eq!(fs::metadata(folder.file()).expect("there").modified().expect("a time"), before);
}

#[test]
fn bonds_are_where_the_environment_has_state() {
    let place = |variables: &'static [(&str, &str)]| {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        default_directory(find).map(|path| path.display().to_string())
    };
    assert_eq!(place(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")]).as_deref(), Some("/s/baretooth"));
    assert_eq!(place(&[("HOME", "/h")]).as_deref(), Some("/h/.local/state/baretooth"));
    assert_eq!(
        place(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")]).as_deref(),
        Some("/h/.local/state/baretooth")
    );
    assert_eq!(place(&[("XDG_STATE_HOME", ""), ("HOME", "h")]), None);
}

// --- with other processes, each this test again in a process of its own

const DIRECTORY: &str = "BARETOOTH_TEST_DIRECTORY";
const NUMBER: &str = "BARETOOTH_TEST_NUMBER";

/// In the other process: its store, and which of several it is.
fn in_child() -> Option<(JsonStore, u8)> {
    let store = JsonStore::new(env::var_os(DIRECTORY)?);
    Some((store, env::var(NUMBER).ok()?.parse().ok()?))
}

/// `before` is what the shell does first.
fn start(test: &str, folder: &Folder, number: u8, before: &str) -> Child {
    Command::new("sh")
        .args(["-c", &format!("{before} exec \"$@\""), "sh"])
        .arg(env::current_exe().expect("this program"))
        .args(["--exact", &format!("bonds::json_store::tests::{test}"), "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, folder.path())
        .env(NUMBER, number.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this program again")
}

fn finish(child: Child) {
    let output = child.wait_with_output().expect("it ends");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}{err}");
}

#[test]
fn processes_that_save_at_once_lose_nothing_of_each_other() {
    const EACH: u8 = 10;
    const PROCESSES: u8 = 4;
    if let Some((mut store, number)) = in_child() {
        for n in 0..EACH {
            store.save(ADAPTER, &bond(number * EACH + n, n % 2 == 0)).expect("kept");
        }
        return;
    }
    let folder = Folder::new("several");
    let mut store = folder.with(&[]);
    let start = |number| start("processes_that_save_at_once_lose_nothing_of_each_other", &folder, number, "");
    (0..PROCESSES).map(start).collect::<Vec<_>>().into_iter().for_each(finish);
    let mut peers: Vec<_> = store
        .load(ADAPTER)
        .expect("loaded")
        .expect("known")
        .bonds
        .iter()
        .map(|bond| bond.peer.bd_addr.0[0])
        .collect();
    peers.sort_unstable();
    assert_eq!(peers, (0..EACH * PROCESSES).collect::<Vec<_>>());
}

#[test]
fn a_process_that_is_killed_while_it_saves_leaves_a_whole_file() {
    if let Some((mut store, _)) = in_child() {
        let mut bond = bond(1, true);
        loop {
            bond.sign_counters.local += 1;
            store.save(ADAPTER, &bond).expect("kept");
        }
    }
    let folder = Folder::new("killed");
    let mut store = folder.with(&[bond(1, true), bond(2, false)]);
    let saved = |store: &mut JsonStore| {
        let bonds = store.load(ADAPTER).expect("a whole file").expect("known").bonds;
        assert_eq!(bonds.len(), 2);
        bonds[0].sign_counters.local
    };
    for round in 0..8 {
        let before = saved(&mut store);
        let mut child = start("a_process_that_is_killed_while_it_saves_leaves_a_whole_file", &folder, 0, "");
        // Until it is at work, and then anywhere in it.
        while saved(&mut store) < before.max(11) + round % 4 {
            assert!(child.try_wait().expect("ours").is_none(), "it saves for ever");
            std::thread::yield_now();
        }
        child.kill().expect("ours");
        child.wait().expect("ours");
        let after = saved(&mut store);
        store.save(ADAPTER, &bond(2, false)).expect("the lock is free again");
        assert!(after >= before);
    }
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    if let Some((mut store, _)) = in_child() {
        let error = store.save(ADAPTER, &bond(9, false)).expect_err("the file is too large for the system");
        assert!(matches!(error, StoreError::Io { operation: "write", .. }), "{error:?}");
        assert_eq!(store.load(ADAPTER).expect("loaded").expect("known").bonds.len(), 4);
        return;
    }
    let folder = Folder::new("full");
    let mut store = folder.with(&[bond(1, true), bond(2, true), bond(3, true), bond(4, true)]);
    let before = fs::read(folder.file()).expect("there");
    assert!(before.len() > 3 * 1024, "more than the process below may write");
    // A process that goes beyond its limit gets an error in place of the signal.
    finish(start("a_full_disk_leaves_the_old_file", &folder, 0, "trap '' XFSZ; ulimit -f 2;"));
    assert_eq!(fs::read(folder.file()).expect("there"), before);
    assert_eq!(folder.names(), ["00-11-22-33-44-55-public.json", "lock"], "what was begun is gone");
    store.save(ADAPTER, &bond(9, false)).expect("kept, now that there is room");
}

#[test]
fn a_directory_that_may_not_be_read_or_written_is_an_error() {
    if let Some((mut store, number)) = in_child() {
        // For root there is none.
        if geteuid().is_root() {
            setgid(nix::unistd::Gid::from_raw(65534)).expect("root may");
            setuid(Uid::from_raw(65534)).expect("root may");
        }
        assert_eq!(number, 0);
        let path = store.directory().to_owned();
        store.save_identity(ADAPTER, &identity()).expect("kept");
        store.save(ADAPTER, &bond(1, true)).expect("kept");

        set_mode(&path, 0o500);
        let kept = |store: &mut JsonStore| store.load(ADAPTER).expect("loaded").expect("known").bonds;
        assert_eq!(kept(&mut store), [bond(1, true)]);
        for result in each_method(&mut store).into_iter().skip(2) {
            let error = result.expect_err("read-only");
            assert!(matches!(error, StoreError::Io { .. }), "{error:?}");
            assert!(error.to_string().contains("json.tmp"), "{error}");
        }
        assert_eq!(kept(&mut store), [bond(1, true)]);

        // Not the same as no bonds at all.
        set_mode(&path, 0o000);
        for result in each_method(&mut store) {
            assert!(matches!(result, Err(StoreError::Io { .. })), "{result:?}");
        }
        set_mode(&path, 0o700);
        assert_eq!(kept(&mut store), [bond(1, true)]);

        set_mode(path.parent().expect("one"), 0o500);
        let mut beside = JsonStore::new(path.with_file_name("beside"));
        assert!(matches!(
            beside.save_identity(ADAPTER, &identity()),
            Err(StoreError::Io { operation: "make", .. })
        ));
        set_mode(path.parent().expect("one"), 0o700);
        return;
    }
    let folder = Folder::new("forbidden");
    finish(start("a_directory_that_may_not_be_read_or_written_is_an_error", &folder, 0, ""));
}
