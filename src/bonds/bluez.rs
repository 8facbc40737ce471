//! Bonds of BlueZ: the file `info` that it keeps for each device, as `/var/lib/bluetooth/ADAPTER/PEER/info`. Its keys are in
//! the order of the air.
//!
//! What pairing for LE makes is read and written, nothing else of the file: no names, no link keys of BR/EDR. BlueZ does not
//! write down the method, and keeps the adapter's own identity resolving key elsewhere (`identity`, in the folder of the
//! adapter); a peer that was given one knows us by that alone.

use super::ImportError;
use crate::smp::{Bond, BondedClient, Key, Keys, LongTermKey, PairedInfo, SignCounters};
use crate::{Address, AddressKind, BdAddr};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Groups of the key that encrypts when we are the central, and of the one when we are the peripheral, by its name and
/// its former one. A key of Secure Connections is in the second.
const CENTRAL: &str = "LongTermKey";
const PERIPHERAL: [&str; 2] = ["PeripheralLongTermKey", "SlaveLongTermKey"];
const IDENTITY: &str = "IdentityResolvingKey";
const LOCAL_SIGNATURE: &str = "LocalSignatureKey";
const REMOTE_SIGNATURE: &str = "RemoteSignatureKey";

/// Reads the `info` file of a peer, which BlueZ names the folder by and not the file.
///
/// ```
/// use baretooth::bonds::bluez;
/// let info = "[General]\nAddressType=static\n\n[PeripheralLongTermKey]\n\
///     Key=000102030405060708090A0B0C0D0E0F\nAuthenticated=3\nEncSize=16\nEDiv=0\nRand=0\n";
/// let bond = bluez::import("C0:11:22:33:44:55".parse()?, info)?;
/// assert!(bond.paired.secure_connections && bond.paired.authenticated);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When there is no key for LE, one was made with the debug key that everybody knows, the address changes with time, or
/// something is no number or key that should be one.
pub fn import(peer: BdAddr, info: &str) -> Result<Bond, ImportError> {
    let file = Info::new(info)?;
    let peer = match file.groups.get(&("General", "AddressType")) {
        // Older versions wrote none for a device that has BR/EDR too, whose address is public.
        None | Some(&"public") => Address::public(peer),
        Some(&"static") => Address::random(peer),
        Some(_) => return Err(ImportError::new("[General] AddressType", "neither public nor static")),
    };
    if peer.kind == AddressKind::Random && !peer.is_random_static() {
        return Err(ImportError::new("[General] AddressType", "the address is not one that stays"));
    }
    let (paired, peer_ltk, local_ltk) = long_term_keys(&file)?;
    let irk = file.key(IDENTITY)?.filter(|key| !key.is_zero());
    let (csrk, local_csrk) = (file.key(REMOTE_SIGNATURE)?, file.key(LOCAL_SIGNATURE)?);
    let counter = |group, key: &Option<Key>| match key {
        Some(_) => Ok(file.number(group, "Counter")?.unwrap_or(0)),
        None => Ok(0),
    };
    let accepted = counter(REMOTE_SIGNATURE, &csrk)?;
    let local = counter(LOCAL_SIGNATURE, &local_csrk)?;
    Ok(Bond {
        peer,
        on_air: None,
        paired,
        keys: Keys {
            peer_ltk,
            local_ltk,
            identity: irk.is_some().then_some(peer),
            irk,
            csrk,
            local_csrk,
            link_key: None,
        },
        local_irk: None,
        // BlueZ has the counter of the last message, which here may not come again; 0 is that of none.
        sign_counters: SignCounters {
            local,
            remote: if accepted == 0 { 0 } else { accepted.saturating_add(1) },
        },
        client: BondedClient::default(),
    })
}

/// What BlueZ would have in the `info` file of the peer. While it is written `bluetoothd` must not run, for it keeps what
/// it has read; the file belongs to root and nobody else may read it.
pub fn export(bond: &Bond) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2048));
    let PairedInfo { authenticated, secure_connections, key_size, .. } = bond.paired;
    let kind = match bond.peer.kind {
        AddressKind::Public => "public",
        AddressKind::Random => "static",
    };
    put(
        &mut text,
        format_args!(
            "[General]\nAddressType={kind}\nSupportedTechnologies=LE;\nTrusted=false\nBlocked=false\n"
        ),
    );
    let mut long_term_key = |group: &str, ltk: &LongTermKey| {
        let LongTermKey { key, ediv, rand } = ltk;
        let (number, rand) =
            (2 * u8::from(secure_connections) + u8::from(authenticated), u64::from_le_bytes(*rand));
        put_key(&mut text, group, key);
        put(
            &mut text,
            format_args!("Authenticated={number}\nEncSize={key_size}\nEDiv={ediv}\nRand={rand}\n"),
        );
    };
    if let (Some(ltk), false) = (&bond.keys.peer_ltk, secure_connections) {
        long_term_key(CENTRAL, ltk);
    }
    if let Some(ltk) = &bond.keys.local_ltk {
        PERIPHERAL.into_iter().for_each(|group| long_term_key(group, ltk));
    }
    if let Some(irk) = &bond.keys.irk {
        put_key(&mut text, IDENTITY, irk);
    }
    let counters = &bond.sign_counters;
    for (group, key, counter) in [
        (LOCAL_SIGNATURE, &bond.keys.local_csrk, counters.local),
        (REMOTE_SIGNATURE, &bond.keys.csrk, counters.remote.saturating_sub(1)),
    ] {
        if let Some(key) = key {
            put_key(&mut text, group, key);
            put(&mut text, format_args!("Counter={counter}\nAuthenticated={authenticated}\n"));
        }
    }
    text
}

/// The keys that we encrypt with as central and as peripheral, and what they are worth together.
fn long_term_keys(
    file: &Info<'_>,
) -> Result<(PairedInfo, Option<LongTermKey>, Option<LongTermKey>), ImportError> {
    let central = file.long_term_key(CENTRAL)?;
    let peripheral = match file.long_term_key(PERIPHERAL[0])? {
        None => file.long_term_key(PERIPHERAL[1])?,
        found => found,
    };
    let paired = |[authenticated, secure_connections]: [bool; 2], key_size| PairedInfo {
        method: None,
        secure_connections,
        authenticated,
        key_size,
    };
    // A key of Secure Connections is of both roles, in whichever group; one of legacy pairing beside it is left over.
    let shared = [&peripheral, &central].into_iter().flatten().find(|stored| stored.secure_connections);
    if let Some(StoredKey { ltk, authenticated, size, .. }) = shared {
        let paired = paired([*authenticated, true], *size);
        return Ok((paired, Some(ltk.clone()), Some(ltk.clone())));
    }
    let both = || [&central, &peripheral].into_iter().flatten();
    let size = both().next().ok_or(ImportError::new("[LongTermKey]", "there is no key for LE"))?.size;
    if both().any(|stored| stored.size != size) {
        return Err(ImportError::new(
            "[LongTermKey] EncSize",
            "not that of the other key, so of another pairing",
        ));
    }
    let paired = paired([both().all(|stored| stored.authenticated), false], size);
    Ok((paired, central.map(|stored| stored.ltk), peripheral.map(|stored| stored.ltk)))
}

struct StoredKey {
    ltk: LongTermKey,
    authenticated: bool,
    secure_connections: bool,
    size: u8,
}

/// The file: what stands for a key in a group, as text. Of several the last one counts.
struct Info<'a> {
    groups: BTreeMap<(&'a str, &'a str), &'a str>,
}

impl<'a> Info<'a> {
    fn new(text: &'a str) -> Result<Self, ImportError> {
        let (mut group, mut groups) = ("", BTreeMap::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                group = name;
            } else if let Some((name, value)) = line.split_once('=') {
                groups.insert((group, name.trim_end()), value.trim_start());
            } else {
                return Err(ImportError::new(
                    format!("line {}", number + 1),
                    "neither a group nor a key and its value",
                ));
            }
        }
        Ok(Self { groups })
    }

    fn long_term_key(&self, group: &'static str) -> Result<Option<StoredKey>, ImportError> {
        let Some(key) = self.key(group)? else { return Ok(None) };
        let wrong = |name: &str, reason| ImportError::new(format!("[{group}] {name}"), reason);
        let (secure_connections, authenticated) = match self.groups.get(&(group, "Authenticated")) {
            None | Some(&("0" | "false")) => (false, false),
            Some(&("1" | "true")) => (false, true),
            Some(&"2") => (true, false),
            Some(&"3") => (true, true),
            Some(&"4") => {
                return Err(wrong("Authenticated", "made with the debug key, which everybody knows"));
            }
            Some(_) => return Err(wrong("Authenticated", "not from 0 to 4")),
        };
        let size = self.number(group, "EncSize")?.unwrap_or(16);
        if !(7..=16).contains(&size) {
            return Err(wrong("EncSize", "not from 7 to 16"));
        }
        let rand = match self.groups.get(&(group, "Rand")).copied().unwrap_or("0") {
            // As octets, by versions of old.
            text if text.starts_with("0x") => octets(&text[2..]).ok_or(wrong("Rand", "not 8 octets"))?,
            text => text.parse::<u64>().map_err(|_| wrong("Rand", "no number of 64 bits"))?.to_le_bytes(),
        };
        let ediv = self.number(group, "EDiv")?.unwrap_or(0);
        let key = key.truncated(size);
        if key.is_zero() {
            return Err(wrong("Key", "a key of zeros protects nothing"));
        }
        let ltk = LongTermKey { key, ediv, rand };
        Ok(Some(StoredKey { ltk, authenticated, secure_connections, size }))
    }

    fn key(&self, group: &'static str) -> Result<Option<Key>, ImportError> {
        let Some(text) = self.groups.get(&(group, "Key")) else { return Ok(None) };
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let wrong = |_| ImportError::new(format!("[{group}] Key"), "not 32 hexadecimal digits");
        Key::from_hex(digits).map(Some).map_err(wrong)
    }

    fn number<N: FromStr>(&self, group: &'static str, name: &'static str) -> Result<Option<N>, ImportError> {
        let Some(text) = self.groups.get(&(group, name)) else { return Ok(None) };
        let wrong = |_| ImportError::new(format!("[{group}] {name}"), "no number that it can have");
        text.parse().map(Some).map_err(wrong)
    }
}

fn octets(hex: &str) -> Option<[u8; 8]> {
    // `from_str_radix` would take a sign.
    let digits =
        Some(hex).filter(|hex| hex.len() == 16 && hex.bytes().all(|digit| digit.is_ascii_hexdigit()));
    u64::from_str_radix(digits?, 16).ok().map(u64::to_be_bytes)
}

fn put_key(text: &mut String, group: &str, key: &Key) {
    let mut hex = key.to_hex();
    hex.make_ascii_uppercase();
    put(text, format_args!("\n[{group}]\nKey={}\n", hex.as_str()));
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("memory takes every text");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bonds::testing;
    use proptest::prelude::*;

    const KEY: &str = "000102030405060708090A0B0C0D0E0F";

    fn peer() -> BdAddr {
        BdAddr([1, 2, 3, 4, 5, 0xC6])
    }

    fn import(text: &str) -> Result<Bond, ImportError> {
        super::import(peer(), text)
    }

    /// The groups that BlueZ writes after legacy pairing with a mouse, by its documentation and its source.
    const LEGACY: &str = "\
        [General]\nName=A mouse\nAppearance=0x03c2\nAddressType=static\nSupportedTechnologies=LE;\nTrusted=true\n\n\
        [IdentityResolvingKey]\nKey=0F0E0D0C0B0A09080706050403020100\n\n\
        [LongTermKey]\nKey=000102030405060708090A0B0C0D0E0F\nAuthenticated=1\nEncSize=7\nEDiv=4660\n\
        Rand=17940079176890708721\n\n\
        [SlaveLongTermKey]\nKey=101112131415161718191A1B1C1D1E1F\nAuthenticated=0\nEncSize=7\nEDiv=1\nRand=2\n\n\
        [LocalSignatureKey]\nKey=202122232425262728292A2B2C2D2E2F\nCounter=5\nAuthenticated=false\n\n\
        [RemoteSignatureKey]\nKey=303132333435363738393A3B3C3D3E3F\nCounter=6\nAuthenticated=false\n\n\
        [ConnectionParameters]\nMinInterval=6\nMaxInterval=9\nLatency=44\nTimeout=216\n";

    #[test]
    fn a_file_of_legacy_pairing_gives_a_key_for_each_role() {
        let bond = import(LEGACY).expect("read");
        assert_eq!(bond.peer, Address::random(peer()));
        let PairedInfo { method, secure_connections, authenticated, key_size } = bond.paired;
        assert_eq!((method, secure_connections, authenticated, key_size), (None, false, false, 7), "of both");
        let central = bond.keys.peer_ltk.as_ref().expect("as central");
        assert_eq!(central.key.octets()[5..8], [5, 6, 0], "cut to its 7 octets");
        assert_eq!(central.ediv, 0x1234);
        assert_eq!(
            central.rand,
            [0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8],
            "least significant octet first"
        );
        let peripheral = bond.keys.local_ltk.as_ref().expect("as peripheral");
        assert_eq!((peripheral.ediv, peripheral.rand), (1, [2, 0, 0, 0, 0, 0, 0, 0]));
        assert_eq!(peripheral.key.octets()[6..8], [0x16, 0]);
        assert_eq!(bond.keys.irk.as_ref().expect("an IRK").octets()[0], 0x0F);
        assert_eq!(bond.keys.identity, Some(bond.peer));
        assert_eq!(bond.keys.local_csrk.as_ref().expect("ours").octets()[0], 0x20);
        assert_eq!(bond.keys.csrk.as_ref().expect("the peer's").octets()[0], 0x30);
        assert_eq!(bond.sign_counters, SignCounters { local: 5, remote: 7 });
    }

    #[test]
    fn a_key_of_secure_connections_is_of_both_roles_in_whichever_group() {
        for group in ["LongTermKey", "PeripheralLongTermKey", "SlaveLongTermKey"] {
            let text = format!(
                "[General]\nAddressType=public\n[{group}]\nKey=0x{KEY}\nAuthenticated=2\nEncSize=16\n"
            );
            let bond = import(&text).expect("read");
            assert_eq!(bond.peer, Address::public(peer()));
            assert!(bond.paired.secure_connections && !bond.paired.authenticated, "{group}");
            assert!(bond.keys.peer_ltk.is_some() && bond.keys.peer_ltk == bond.keys.local_ltk, "{group}");
        }
    }

    #[test]
    fn a_key_of_legacy_pairing_beside_one_of_secure_connections_is_left_over() {
        let text = format!(
            "[LongTermKey]\nKey={}\nAuthenticated=1\n[PeripheralLongTermKey]\nKey={KEY}\nAuthenticated=3\n",
            "A".repeat(32)
        );
        let bond = import(&text).expect("read");
        assert!(bond.paired.secure_connections);
        assert_eq!(bond.keys.peer_ltk.expect("a key").key, Key::from_hex(KEY).expect("a key"));
    }

    #[test]
    fn what_is_written_is_read_again() {
        for secure_connections in [true, false] {
            let mut bond = testing::bond(1, secure_connections);
            let text = export(&bond);
            let read = super::import(bond.peer.bd_addr, &text).expect("read");
            // BlueZ does not have these.
            bond.on_air = None;
            bond.paired.method = None;
            bond.local_irk = None;
            bond.client = BondedClient::default();
            assert_eq!(read, bond, "{}", *text);
        }
    }

    #[test]
    fn a_file_without_a_usable_key_is_refused_and_not_repeated() {
        let ltk = |more: &str| format!("[General]\nAddressType=static\n[LongTermKey]\nKey={KEY}\n{more}");
        for (text, place) in [
            ("[General]\nAddressType=static\n".to_owned(), "[LongTermKey]: there is no key for LE"),
            (
                ltk("Authenticated=4"),
                "[LongTermKey] Authenticated: made with the debug key, which everybody knows",
            ),
            (ltk("Authenticated=5"), "[LongTermKey] Authenticated: not from 0 to 4"),
            (ltk("EncSize=6"), "[LongTermKey] EncSize: not from 7 to 16"),
            (ltk("EncSize=-16"), "[LongTermKey] EncSize: no number that it can have"),
            (
                ltk(&format!("EncSize=7\n[SlaveLongTermKey]\nKey={KEY}")),
                "[LongTermKey] EncSize: not that of the other key, so of another pairing",
            ),
            (ltk("EDiv=65536"), "[LongTermKey] EDiv: no number that it can have"),
            (ltk("Rand=1x"), "[LongTermKey] Rand: no number of 64 bits"),
            (ltk("Rand=0x+102030405060708"), "[LongTermKey] Rand: not 8 octets"),
            (
                ltk("Key=00000000000000000000000000000000"),
                "[LongTermKey] Key: a key of zeros protects nothing",
            ),
            (ltk("Key=0011"), "[LongTermKey] Key: not 32 hexadecimal digits"),
            (ltk("AB"), "line 5: neither a group nor a key and its value"),
            (ltk("[General]\nAddressType=random"), "[General] AddressType: neither public nor static"),
            (ltk("[IdentityResolvingKey]\nKey=x"), "[IdentityResolvingKey] Key: not 32 hexadecimal digits"),
        ] {
            assert_eq!(import(&text).expect_err(&text).to_string(), place);
        }
        let resolvable = super::import(BdAddr([0x40; 6]), &ltk("")).expect_err("an address that changes");
        assert!(resolvable.to_string().contains("not one that stays"));
    }

    #[test]
    fn octets_of_old_versions_are_read() {
        let text = format!("[LongTermKey]\nKey=0x{KEY}\nRand=0xF807060504030201\nEDiv=3\n");
        assert_eq!(
            import(&text).expect("read").keys.peer_ltk.expect("a key").rand,
            [0xF8, 7, 6, 5, 4, 3, 2, 1]
        );
    }

    proptest! {
        #[test]
        fn nothing_that_is_read_makes_it_panic(text in "(\\[(LongTermKey|General|[ -~]{0,5})\\]\n|(Key|Rand|EncSize)=[ -~é]{0,40}\n|[^ ]{0,9}\n){0,20}") {
            let _ = import(&text);
        }
    }
}
