//! Assigned numbers: the names of companies, UUIDs, appearances and the like, and the UUIDs of names.
//!
//! The tables in `src/assigned/` say their source and date in their heads; `tools/assigned.py` renews most of them.
//! They are searched where they lie, by an index of their lines that is made when a table is first asked; no
//! look-up after that allocates. A number without a name is `None`, never an error. Names are for people: no
//! code may depend on one.

use std::sync::OnceLock;

use crate::uuid::Uuid;

/// The company of a company identifier, as in manufacturer data and in the controller's version.
///
/// ```
/// assert_eq!(baretooth::assigned::company_name(0x004C), Some("Apple, Inc."));
/// ```
pub fn company_name(company: u16) -> Option<&'static str> {
    COMPANIES.name16(company)
}

/// The name of a service: a standard one, one of another standards body, the member company that a 16-bit
/// UUID was given to, or a known vendor's 128-bit one.
pub fn service_name(uuid: Uuid) -> Option<&'static str> {
    match uuid.as_u16() {
        Some(short) => SERVICES.name16(short).or_else(|| owner_name(uuid)),
        None => VENDOR_SERVICES.name128(uuid),
    }
}

/// The company or standards body that a 16-bit UUID was given to, or what that body calls it.
pub fn owner_name(uuid: Uuid) -> Option<&'static str> {
    let short = uuid.as_u16()?;
    SDOS.name16(short).or_else(|| MEMBERS.name16(short))
}

/// The name of a characteristic, a standard one or a known vendor's.
pub fn characteristic_name(uuid: Uuid) -> Option<&'static str> {
    match uuid.as_u16() {
        Some(short) => CHARACTERISTICS.name16(short),
        None => VENDOR_CHARACTERISTICS.name128(uuid),
    }
}

/// The name of a descriptor.
pub fn descriptor_name(uuid: Uuid) -> Option<&'static str> {
    DESCRIPTORS.name16(uuid.as_u16()?)
}

/// The name of a declaration, such as `Primary Service`.
pub fn declaration_name(uuid: Uuid) -> Option<&'static str> {
    DECLARATIONS.name16(uuid.as_u16()?)
}

/// The name of whatever attribute type or service a UUID stands for, or of whoever owns it.
pub fn attribute_name(uuid: Uuid) -> Option<&'static str> {
    own_name(uuid).or_else(|| owner_name(uuid))
}

/// The name of whatever attribute type or service a UUID stands for; that of its owner does not count.
pub(crate) fn own_name(uuid: Uuid) -> Option<&'static str> {
    declaration_name(uuid).or_else(|| characteristic_name(uuid)).or_else(|| descriptor_name(uuid)).or_else(
        || match uuid.as_u16() {
            Some(short) => SERVICES.name16(short),
            None => VENDOR_SERVICES.name128(uuid),
        },
    )
}

/// The name of an appearance, as `Category` or `Category: Subcategory`; a number whose subcategory is unknown
/// has its category's name.
pub fn appearance_name(appearance: u16) -> Option<&'static str> {
    const CATEGORY: u16 = 0xFFC0;
    APPEARANCES.name16(appearance).or_else(|| APPEARANCES.name16(appearance & CATEGORY))
}

/// The name of an AD type; 0x10 has two, for it means another thing in out-of-band data.
pub fn ad_type_name(ad_type: u8) -> Option<&'static str> {
    AD_TYPES.name8(ad_type)
}

/// The scheme, with its colon, that the first code point of a URI in advertising data stands for. U+0001
/// stands for none: the empty text.
pub fn uri_scheme(code: char) -> Option<&'static str> {
    URI_SCHEMES.name16(u16::try_from(u32::from(code)).ok()?)
}

/// The Core Specification of an LMP or HCI version number.
pub fn core_version_name(version: u8) -> Option<&'static str> {
    CORE_VERSIONS.name8(version)
}

/// The name of an HCI command that has no layout here: of BR/EDR mostly.
pub(crate) fn command_name(opcode: u16) -> Option<&'static str> {
    HCI_COMMANDS.name16(opcode)
}

/// The name of an HCI event that has no layout here.
pub(crate) fn event_name(code: u8) -> Option<&'static str> {
    HCI_EVENTS.name8(code)
}

/// The name of an LE Meta subevent that has no layout here.
pub(crate) fn le_event_name(code: u8) -> Option<&'static str> {
    LE_EVENTS.name8(code)
}

/// The name of an L2CAP signalling command that has no layout here.
pub(crate) fn signal_name(code: u8) -> Option<&'static str> {
    L2CAP_SIGNALS.name8(code)
}

/// The protocol of a PSM, or of an SPSM, as L2CAP channels are opened for.
pub fn psm_name(psm: u16) -> Option<&'static str> {
    PSMS.name16(psm)
}

/// The service of a name (`Heart Rate`) or identifier (`heart_rate`, `org.bluetooth.service.heart_rate`);
/// case does not count, nor which of space, underscore or hyphen stands between words.
pub fn service(name: &str) -> Option<Uuid> {
    SERVICES.uuid("org.bluetooth.service.", name).or_else(|| VENDOR_SERVICES.uuid("", name))
}

/// The characteristic of a name (`Battery Level`) or identifier (`battery_level`); see [`service`] for the
/// spelling.
pub fn characteristic(name: &str) -> Option<Uuid> {
    CHARACTERISTICS
        .uuid("org.bluetooth.characteristic.", name)
        .or_else(|| VENDOR_CHARACTERISTICS.uuid("", name))
}

/// The descriptor of a name or identifier (`characteristic_user_description`); see [`service`] for the
/// spelling.
pub fn descriptor(name: &str) -> Option<Uuid> {
    DESCRIPTORS.uuid("org.bluetooth.descriptor.", name)
}

/// Lines `key TAB name [TAB identifier]` after a head of `#` lines, sorted by a hexadecimal key of one width.
struct Table {
    text: &'static str,
    /// Where its lines begin.
    lines: OnceLock<Vec<u32>>,
}

impl Table {
    const fn new(text: &'static str) -> Self {
        let bytes = text.as_bytes();
        let mut start = 0;
        while bytes[start] == b'#' {
            while bytes[start] != b'\n' {
                start += 1;
            }
            start += 1;
        }
        Self { text: text.split_at(start).1, lines: OnceLock::new() }
    }

    fn name8(&self, key: u8) -> Option<&'static str> {
        self.name(&[digit(key >> 4), digit(key)])
    }

    fn name16(&self, key: u16) -> Option<&'static str> {
        let [high, low] = key.to_be_bytes();
        self.name(&[digit(high >> 4), digit(high), digit(low >> 4), digit(low)])
    }

    fn name128(&self, key: Uuid) -> Option<&'static str> {
        let mut text = [0; ::uuid::fmt::Hyphenated::LENGTH];
        ::uuid::Uuid::from(key).hyphenated().encode_lower(&mut text);
        self.name(&text)
    }

    fn name<const WIDTH: usize>(&self, key: &[u8; WIDTH]) -> Option<&'static str> {
        let line = |start: u32| self.text.get(usize::try_from(start).ok()?..);
        let lines = self.lines.get_or_init(|| line_starts(self.text));
        let found = lines.binary_search_by_key(&Some(key), |start| line(*start)?.as_bytes().first_chunk());
        let cells = line(*lines.get(found.ok()?)?)?.get(WIDTH..)?.strip_prefix('\t')?;
        cells.split(['\t', '\n']).next()
    }

    /// The UUID whose name or identifier is `wanted`, which may carry the `prefix` that the table leaves out.
    fn uuid(&self, prefix: &str, wanted: &str) -> Option<Uuid> {
        let wanted = match wanted.get(..prefix.len()) {
            Some(head) if head.eq_ignore_ascii_case(prefix) => wanted.get(prefix.len()..)?,
            _ => wanted,
        };
        words(wanted).next()?;
        self.text.lines().find_map(|line| {
            let mut cells = line.split('\t');
            let (key, name, id) = (cells.next()?, cells.next()?, cells.next()?);
            let last = id.strip_prefix("gap.").or_else(|| id.strip_prefix("gatt.")).unwrap_or(id);
            [name, id, last].iter().any(|known| same_words(known, wanted)).then(
                || match u16::from_str_radix(key, 16) {
                    Ok(short) => Some(Uuid::from_u16(short)),
                    Err(_) => ::uuid::Uuid::try_parse(key).ok().map(Uuid::from),
                },
            )?
        })
    }
}

fn line_starts(text: &str) -> Vec<u32> {
    let mut at = 0;
    let mut starts = Vec::with_capacity(text.len() / 24);
    for line in text.split_inclusive('\n') {
        starts.push(at);
        at += u32::try_from(line.len()).unwrap_or(0);
    }
    starts
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

fn same_words(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (words(a), words(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a.eq_ignore_ascii_case(b) => {}
            _ => return false,
        }
    }
}

/// The upper-case hexadecimal digit of the low four bits.
fn digit(value: u8) -> u8 {
    let value = value & 0x0F;
    if value < 10 { b'0' + value } else { b'A' + value - 10 }
}

static COMPANIES: Table = Table::new(include_str!("assigned/companies.tsv"));
static SERVICES: Table = Table::new(include_str!("assigned/services.tsv"));
static CHARACTERISTICS: Table = Table::new(include_str!("assigned/characteristics.tsv"));
static DESCRIPTORS: Table = Table::new(include_str!("assigned/descriptors.tsv"));
static DECLARATIONS: Table = Table::new(include_str!("assigned/declarations.tsv"));
static MEMBERS: Table = Table::new(include_str!("assigned/members.tsv"));
static SDOS: Table = Table::new(include_str!("assigned/sdos.tsv"));
static VENDOR_SERVICES: Table = Table::new(include_str!("assigned/vendor_services.tsv"));
static VENDOR_CHARACTERISTICS: Table = Table::new(include_str!("assigned/vendor_characteristics.tsv"));
static APPEARANCES: Table = Table::new(include_str!("assigned/appearances.tsv"));
static AD_TYPES: Table = Table::new(include_str!("assigned/ad_types.tsv"));
static URI_SCHEMES: Table = Table::new(include_str!("assigned/uri_schemes.tsv"));
static CORE_VERSIONS: Table = Table::new(include_str!("assigned/core_versions.tsv"));
static PSMS: Table = Table::new(include_str!("assigned/psms.tsv"));
static HCI_COMMANDS: Table = Table::new(include_str!("assigned/hci_commands.tsv"));
static HCI_EVENTS: Table = Table::new(include_str!("assigned/hci_events.tsv"));
static LE_EVENTS: Table = Table::new(include_str!("assigned/le_events.tsv"));
static L2CAP_SIGNALS: Table = Table::new(include_str!("assigned/l2cap_signals.tsv"));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uuid::uuid16;

    #[test]
    fn numbers_have_their_names() {
        assert_eq!(company_name(0x0059), Some("Nordic Semiconductor ASA"));
        assert_eq!(service_name(uuid16(0x180D)), Some("Heart Rate"));
        assert_eq!(characteristic_name(uuid16(0x2A19)), Some("Battery Level"));
        assert_eq!(descriptor_name(uuid16(0x2902)), Some("Client Characteristic Configuration"));
        assert_eq!(declaration_name(uuid16(0x2803)), Some("Characteristic"));
        assert_eq!(appearance_name(0x0341), Some("Heart Rate Sensor: Heart Rate Belt"));
        assert_eq!(ad_type_name(0x09), Some("Complete Local Name"));
        assert_eq!(core_version_name(0x0C), Some("Core Specification 5.3"));
        assert_eq!(uri_scheme('\u{17}'), Some("https:"));
        assert_eq!(uri_scheme('\u{1}'), Some(""));
        assert_eq!(psm_name(0x0019), Some("AVDTP"));
        assert_eq!(command_name(0x0401), Some("Inquiry"));
        assert_eq!(event_name(0x2F), Some("Extended Inquiry Result"));
    }

    #[test]
    fn numbers_without_a_name_are_none() {
        assert_eq!(company_name(0xFFFE), None);
        assert_eq!(service_name(uuid16(0x0000)), None);
        assert_eq!(service_name(Uuid::from_u32(0x180D_0000)), None);
        assert_eq!(characteristic_name(uuid16(0x180D)), None, "that is a service");
        assert_eq!(appearance_name(0xFFFF), None);
        assert_eq!(ad_type_name(0x7E), None);
        assert_eq!(uri_scheme('☕'), None);
        assert_eq!(core_version_name(0xFF), None);
    }

    #[test]
    fn an_unknown_subcategory_has_its_categorys_name() {
        assert_eq!(appearance_name(0x037F), Some("Heart Rate Sensor"));
    }

    #[test]
    fn member_and_vendor_uuids_are_found_after_the_standard_ones() {
        assert_eq!(service_name(uuid16(0xFEAA)), Some("Google LLC"));
        assert_eq!(service_name(uuid16(0xFFFD)), Some("Universal Second Factor Authenticator"));
        let led_button = Uuid::from_u128(0x00001523_1212_EFDE_1523_785FEABCD123);
        assert_eq!(service_name(led_button), Some("Nordic LED and Button Service"));
        assert_eq!(service("nordic led and button service"), Some(led_button));
        assert_eq!(service("com.nordicsemi.service.led_and_button"), Some(led_button));
    }

    #[test]
    fn an_attribute_is_named_whatever_its_kind() {
        for (uuid, name) in [
            (0x2800, "Primary Service"),
            (0x2A00, "Device Name"),
            (0x2901, "Characteristic User Description"),
            (0x1809, "Health Thermometer"),
            (0xFEAA, "Google LLC"),
        ] {
            assert_eq!(attribute_name(uuid16(uuid)), Some(name));
        }
    }

    #[test]
    fn a_name_gives_its_uuid_by_kind() {
        assert_eq!(service("current time"), Some(uuid16(0x1805)));
        assert_eq!(characteristic("current time"), Some(uuid16(0x2A2B)));
        assert_eq!(characteristic("device_name"), Some(uuid16(0x2A00)), "without the gap. of its identifier");
        assert_eq!(
            characteristic("magnetic_flux_density_2d"),
            characteristic("Magnetic Flux Density - 2D"),
            "by identifier and by name"
        );
        assert_eq!(descriptor("characteristic_user_description"), Some(uuid16(0x2901)));
        for nothing in ["", "-", "batterylevel", "batter", "battery level battery", "org.bluetooth.service."]
        {
            assert_eq!(service(nothing).or(characteristic(nothing)), None, "{nothing:?}");
        }
    }

    /// The binary search is right only on sorted lines of one shape; this reads every table the plain way.
    #[test]
    fn every_line_of_every_table_is_found() {
        let tables = [
            (&COMPANIES, 4000),
            (&SERVICES, 75),
            (&CHARACTERISTICS, 500),
            (&DESCRIPTORS, 24),
            (&DECLARATIONS, 4),
            (&MEMBERS, 690),
            (&SDOS, 17),
            (&VENDOR_SERVICES, 50),
            (&VENDOR_CHARACTERISTICS, 190),
            (&APPEARANCES, 340),
            (&AD_TYPES, 50),
            (&URI_SCHEMES, 186),
            (&CORE_VERSIONS, 17),
            (&PSMS, 17),
            (&HCI_COMMANDS, 180),
            (&HCI_EVENTS, 60),
            (&LE_EVENTS, 9),
            (&L2CAP_SIGNALS, 6),
        ];
        for (table, at_least) in tables {
            let mut count = 0;
            for line in table.text.lines() {
                let (key, rest) = line.split_once('\t').expect("a key and a name");
                let found = match key.len() {
                    2 => table.name8(u8::from_str_radix(key, 16).expect("a number")),
                    4 => table.name16(u16::from_str_radix(key, 16).expect("a number")),
                    _ => table.name128(key.parse().expect("a UUID")),
                };
                assert_eq!(found, rest.split('\t').next(), "{line}");
                count += 1;
            }
            assert!(count >= at_least, "{count} lines, not {at_least}");
        }
    }
}
