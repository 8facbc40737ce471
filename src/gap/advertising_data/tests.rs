//! Whole payloads: well formed as devices send them, and malformed as anyone can.

use proptest::prelude::*;

use super::*;
use crate::address::Address;
use crate::uuid::uuid16;

const NUS: Uuid = Uuid::from_u128(0x6E400001_B5A3_F393_E0A9_E50E24DCCA9E);

fn fields(octets: &[u8]) -> Vec<AdField<'_>> {
    AdvertisingData::new(octets).fields().collect()
}

/// One AD structure and, behind it, flags that must survive whatever the first is.
fn beside_flags(ad_type: AdType, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len() + 1).expect("a short content");
    [&[length, ad_type.0], content, &[0x02, 0x01, 0x06]].concat()
}

#[track_caller]
fn assert_raw_beside_flags(ad_type: AdType, content: &[u8]) {
    let octets = beside_flags(ad_type, content);
    let data = AdvertisingData::new(&octets);
    let raw = AdField::Raw(AdStructure { ad_type, data: content });
    assert_eq!(data.fields().collect::<Vec<_>>(), [raw, AdField::Flags(Flags(0x06))]);
    assert!(!data.is_malformed(), "the structures are well formed, one content is not");
}

#[track_caller]
fn field_of(ad_type: AdType, content: &[u8], printed: &str) {
    let field = AdStructure { ad_type, data: content }.field();
    assert!(!matches!(field, AdField::Raw(_)), "{field}");
    assert_eq!(field.to_string(), printed);
}

#[test]
fn an_ibeacon_reads_as_apple_manufacturer_data() {
    let octets = [
        0x02, 0x01, 0x06, 0x1A, 0xFF, 0x4C, 0x00, 0x02, 0x15, 0xF7, 0x82, 0x6D, 0xA6, 0x4F, 0xA2, 0x4E, 0x98,
        0x80, 0x24, 0xBC, 0x5B, 0x71, 0xE0, 0x89, 0x3E, 0x00, 0x64, 0x00, 0x07, 0xC5,
    ];
    let data = AdvertisingData::new(&octets);
    let beacon = data.manufacturer_data().next().expect("manufacturer data");
    assert_eq!((beacon.company, beacon.data.len()), (0x004C, 23));
    assert!(data.matches_pattern(0, AdType::ManufacturerSpecificData, &[0x4C, 0x00, 0x02, 0x15]));
    assert_eq!(
        data.to_string(),
        "Flags 0x06, Manufacturer Data Apple, Inc. (0x004C) 0215F7826DA64FA24E988024BC5B71E0893E00640007C5"
    );
}

#[test]
fn an_eddystone_url_reads_as_service_data() {
    let octets = b"\x02\x01\x06\x03\x03\xAA\xFE\x10\x16\xAA\xFE\x10\xEE\x03exampleab\x07";
    let data = AdvertisingData::new(octets);
    assert_eq!(data.services(), [uuid16(0xFEAA)]);
    let frame = data.service_data().next().expect("service data");
    assert_eq!((frame.service, frame.data), (uuid16(0xFEAA), &b"\x10\xEE\x03exampleab\x07"[..]));
    assert!(
        data.to_string().starts_with("Flags 0x06, services [Google LLC], Service Data Google LLC 10EE03")
    );
}

#[test]
fn a_heart_rate_monitor_reads_in_full() {
    let octets = b"\x02\x01\x06\x05\x02\x0D\x18\x0F\x18\x03\x19\x41\x03\x02\x0A\xEB\x09\x09HR strap";
    let data = AdvertisingData::new(octets);
    assert_eq!(data.flags(), Some(Flags::LE_GENERAL_DISCOVERABLE | Flags::BR_EDR_NOT_SUPPORTED));
    assert_eq!(data.services(), [uuid16(0x180D), uuid16(0x180F)]);
    assert!(data.has_service(uuid16(0x180F)) && !data.has_service(uuid16(0x1809)));
    assert_eq!((data.appearance(), data.tx_power()), (Some(833), Some(-21)));
    let name = data.local_name().expect("a name");
    assert_eq!((name.to_string(), name.complete), ("HR strap".to_owned(), true));
    assert_eq!(
        data.to_string(),
        "Flags 0x06, some services [Heart Rate, Battery], \
         Appearance 0x0341 (Heart Rate Sensor: Heart Rate Belt), Tx Power Level -21 dBm, \
         Complete Local Name \"HR strap\""
    );
    assert_eq!(AdvertisingDataBuf::from(data).to_string(), data.to_string());
}

#[test]
fn each_kind_of_content_reads_and_prints() {
    let nus = NUS.to_wire();
    field_of(AdType::CompleteServices32, &[0x78, 0x56, 0x34, 0x12], "services [0x12345678]");
    field_of(AdType::CompleteServices16, &[], "services []");
    field_of(AdType::SolicitedServices128, &nus, "looks for services [Nordic UART Service]");
    field_of(AdType::ServiceData16, &[0x0F, 0x18, 0x63], "Service Data Battery 63");
    field_of(AdType::ServiceData32, &[0xDD, 0xCC, 0xBB, 0xAA], "Service Data 0xAABBCCDD (empty)");
    field_of(AdType::ClassOfDevice, &[0x0C, 0x02, 0x5A], "Class of Device 0x5A020C");
    let device_id = [0x01, 0x00, 0x59, 0x00, 0x23, 0x01, 0x00, 0x02];
    field_of(AdType::DeviceIdOrTk, &device_id, "Device ID or TK 0059:0123 version 0200 (source 1)");
    field_of(AdType::DeviceIdOrTk, &[0xA5; 16], "Device ID or TK TK <secret>");
    let range = "Peripheral Connection Interval Range 7.5ms..any";
    field_of(AdType::PeripheralConnectionIntervalRange, &[0x06, 0x00, 0xFF, 0xFF], range);
    let target = "Random Target Address [C6:55:44:33:22:11/random]";
    field_of(AdType::RandomTargetAddress, &[0x11, 0x22, 0x33, 0x44, 0x55, 0xC6], target);
    field_of(AdType::AdvertisingInterval, &[0xA0, 0x00], "Advertising Interval 100ms");
    field_of(AdType::AdvertisingIntervalLong, &[0x40, 0x9C, 0x00], "Advertising Interval - long 25s");
    field_of(AdType::AdvertisingIntervalLong, &[0, 0, 0, 1], "Advertising Interval - long 10485.76s");
    field_of(AdType::LeRole, &[0x02], "LE Role both, peripheral preferred");
    field_of(AdType::LeRole, &[0x77], "LE Role 0x77");
    field_of(AdType::Uri, b"\x17//example.org", "URI https://example.org");
    field_of(AdType::Uri, b"\x01x-own:a\nb", "URI x-own:a\\nb");
    field_of(AdType::Uri, "\u{2615}//b".as_bytes(), "URI (scheme U+2615)//b");
    let map = [0xFF, 0xFF, 0xFF, 0xFF, 0x1F, 0x02, 0x01];
    field_of(AdType::ChannelMapUpdateIndication, &map, "Channel Map Update Indication FFFFFFFF1F at 258");
    let encrypted = [1, 2, 3, 4, 5, 0xAA, 6, 7, 8, 9];
    let printed = "Encrypted Advertising Data AA randomizer 0102030405 MIC 06070809";
    field_of(AdType::EncryptedAdvertisingData, &encrypted, printed);
    let timing = [0x78, 0x56, 0x34, 0x12, 5, 8, 4, 16];
    let printed = "Periodic Advertising Response Timing Information 0x12345678, 5 subevents each 10ms, \
                   slots after 5ms each 2ms";
    field_of(AdType::PeriodicAdvertisingResponseTiming, &timing, printed);
    field_of(AdType::BroadcastName, "Küche".as_bytes(), "Broadcast_Name \"Küche\"");
    field_of(AdType::ManufacturerSpecificData, &[0xFE, 0xFF], "Manufacturer Data 0xFFFE (empty)");
}

/// The supplement puts the address type last (CSS Part A, 1.16).
#[test]
fn an_le_device_address_has_its_type_last() {
    let bd_addr = "C6:05:04:03:02:01".parse().expect("an address");
    for (kind, address) in [
        (0x00, Address::public(bd_addr)),
        (0x01, Address::random(bd_addr)),
        (0xFE, Address::public(bd_addr)), // reserved bits do not count
    ] {
        let octets = [1, 2, 3, 4, 5, 0xC6, kind];
        let structure = AdStructure { ad_type: AdType::LeDeviceAddress, data: &octets };
        assert_eq!(structure.field(), AdField::LeDeviceAddress(address));
    }
}

#[test]
fn a_complete_name_is_preferred_to_a_shortened_one() {
    let data = AdvertisingData::new(b"\x04\x08Kit\x08\x09Kitchen");
    let name = data.local_name().expect("a name");
    assert_eq!((name.to_str().as_ref(), name.complete), ("Kitchen", true));
    let data = AdvertisingData::new(b"\x04\x08Kit");
    let name = data.local_name().expect("a name");
    assert_eq!((name.to_str().as_ref(), name.complete), ("Kit", false));
    assert_eq!(AdvertisingData::new(b"\x02\x01\x06").local_name(), None);
}

#[test]
fn services_of_all_lists_are_named_once_in_their_order() {
    let octets =
        [b"\x05\x03\x0F\x18\x0D\x18\x11\x06", &NUS.to_wire()[..], b"\x05\x02\x0D\x18\x09\x18"].concat();
    let data = AdvertisingData::new(&octets);
    assert_eq!(data.services(), [uuid16(0x180F), uuid16(0x180D), NUS, uuid16(0x1809)]);
    let solicited = AdvertisingData::new(b"\x03\x14\x0D\x18\x04\x16\x0F\x18\x63");
    assert_eq!(solicited.services(), [], "looked for, or with data, is not offered");
}

#[test]
fn a_pattern_matches_the_octets_from_its_start_on() {
    let data = AdvertisingData::new(b"\x05\xFF\x59\x00\x01\x02\x05\xFF\x4C\x00\x10\x05");
    let of = |start, ad_type, octets: &[u8]| data.matches_pattern(start, AdType(ad_type), octets);
    assert!(of(0, 0xFF, &[0x59, 0x00]));
    assert!(of(2, 0xFF, &[0x01, 0x02]));
    assert!(of(0, 0xFF, &[0x4C]), "the second structure of the type");
    assert!(!of(0, 0xFF, &[0x01, 0x02]) && !of(1, 0xFF, &[0x59]), "not elsewhere");
    assert!(!of(2, 0xFF, &[0x01, 0x02, 0x05]), "not past the structure");
    assert!(!of(0, 0x16, &[0x59]), "not in another type");
    assert!(!of(5, 0xFF, &[]) && !of(usize::MAX, 0xFF, &[0x59]), "not from past the end");
}

#[test]
fn zeros_up_to_the_end_are_padding() {
    for octets in [&b"\x02\x01\x06\0\0\0\0\0"[..], &[0; 31], b"\x02\x01\x06\0", b""] {
        let data = AdvertisingData::new(octets);
        assert!(!data.is_malformed(), "{octets:?}");
        assert_eq!(data.structures().count(), usize::from(octets.starts_with(&[2])));
    }
}

#[test]
fn d_ad_length_zero_stops_parsing() {
    let data = AdvertisingData::new(b"\x02\x01\x06\x00\x03\x09XY");
    assert_eq!(data.fields().collect::<Vec<_>>(), [AdField::Flags(Flags(0x06))]);
    assert!(data.is_malformed());
    assert_eq!(data.to_string(), "Flags 0x06, malformed from here");
}

#[test]
fn d_ad_length_past_the_end_keeps_the_fields_before() {
    for octets in [&b"\x02\x01\x06\x1E\x09abc"[..], b"\x02\x01\x06\x05", b"\x02\x01\x06\x02\x09"] {
        let data = AdvertisingData::new(octets);
        assert_eq!(data.fields().collect::<Vec<_>>(), [AdField::Flags(Flags(0x06))], "{octets:?}");
        assert!(data.is_malformed(), "{octets:?}");
    }
    let nothing = AdvertisingData::new(&[0xFF; 31]);
    assert!(nothing.structures().next().is_none() && nothing.is_malformed());
}

#[test]
fn d_ad_name_as_long_as_a_structure_can_be() {
    let octets = [&[0xFF, 0x09][..], &[b'n'; 254]].concat();
    let data = AdvertisingData::new(&octets);
    assert_eq!(data.local_name().expect("a name").to_str(), "n".repeat(254));
    let cut = AdvertisingData::new(&octets[..255]);
    assert!(cut.local_name().is_none() && cut.is_malformed());
}

#[test]
fn d_ad_name_of_invalid_utf8_is_lossy_text_and_raw_octets() {
    let data = AdvertisingData::new(b"\x07\x09bad\xFF\xFE\xC3");
    let name = data.local_name().expect("a name");
    assert_eq!(name.to_str(), "bad\u{FFFD}\u{FFFD}\u{FFFD}");
    assert_eq!(name.text.0, b"bad\xFF\xFE\xC3");
    let terminal = AdvertisingData::new(b"\x05\x09\x1B[2J").to_string();
    assert_eq!(terminal, "Complete Local Name \"\\u{1b}[2J\"", "no escape sequence reaches a terminal");
    assert_raw_beside_flags(AdType::Uri, b"\x17//\xFF");
}

#[test]
fn d_ad_uuid_list_of_odd_length_is_raw() {
    assert_raw_beside_flags(AdType::CompleteServices16, &[0x0D, 0x18, 0x0F]);
    assert_raw_beside_flags(AdType::IncompleteServices32, &[0x0D, 0x18]);
    assert_raw_beside_flags(AdType::CompleteServices128, &[0; 15]);
    assert_raw_beside_flags(AdType::SolicitedServices128, &[0; 17]);
    assert_raw_beside_flags(AdType::PublicTargetAddress, &[0; 7]);
    let odd = beside_flags(AdType::CompleteServices16, &[0x0D, 0x18, 0x0F]);
    assert_eq!(AdvertisingData::new(&odd).services(), []);
}

#[test]
fn d_ad_manufacturer_data_below_two_octets_is_raw() {
    assert_raw_beside_flags(AdType::ManufacturerSpecificData, &[0x59]);
    assert_raw_beside_flags(AdType::ManufacturerSpecificData, &[]);
    let octets = b"\x02\xFF\x59\x03\xFF\x59\x00";
    let all: Vec<_> = AdvertisingData::new(octets).manufacturer_data().collect();
    assert_eq!(all, [ManufacturerData { company: 0x0059, data: &[] }], "the short one hides no other");
}

#[test]
fn d_ad_short_service_data_is_raw() {
    assert_raw_beside_flags(AdType::ServiceData16, &[0x0F]);
    assert_raw_beside_flags(AdType::ServiceData32, &[1, 2, 3]);
    assert_raw_beside_flags(AdType::ServiceData128, &[0; 15]);
}

#[test]
fn d_ad_duplicated_types_are_all_kept_and_the_first_counts() {
    let data = AdvertisingData::new(b"\x04\x09one\x04\x09two\x02\x01\x06\x02\x01\x1A");
    assert_eq!(data.fields().count(), 4);
    assert_eq!(data.local_name().expect("a name").to_str(), "one");
    assert_eq!(data.flags(), Some(Flags(0x06)));
    let companies = AdvertisingData::new(b"\x03\xFF\x59\x00\x04\xFF\x59\x00\x01").manufacturer_data().count();
    assert_eq!(companies, 2);
}

#[test]
fn d_ad_tx_power_127_is_raw_and_no_power() {
    assert_raw_beside_flags(AdType::TxPowerLevel, &[127]);
    assert_raw_beside_flags(AdType::TxPowerLevel, &[]);
    assert_raw_beside_flags(AdType::TxPowerLevel, &[1, 2]);
    let tx_power = |level: u8| AdvertisingData::new(&[0x02, 0x0A, level]).tx_power();
    assert_eq!((tx_power(127), tx_power(126), tx_power(0x81)), (None, Some(126), Some(-127)));
}

#[test]
fn d_ad_extended_data_of_1650_octets_reads_in_full() {
    let structures: Vec<u8> =
        (0..6).flat_map(|n| [&[0xFF, 0xFF, 0xFF, 0xFF][..], &[n; 252]].concat()).collect();
    let octets = [&structures[..], &[113, 0x09], &[b'n'; 112]].concat();
    assert_eq!(octets.len(), MAX_LENGTH);
    let data = AdvertisingData::new(&octets);
    assert_eq!(data.manufacturer_data().filter(|m| m.company == 0xFFFF && m.data.len() == 252).count(), 6);
    assert_eq!(data.local_name().expect("a name").to_str().len(), 112);
    assert!(!data.is_malformed());
}

/// Longer flags are what a later supplement may send; the first octet means the same.
#[test]
fn d_ad_flags_of_other_than_one_octet() {
    assert_raw_beside_flags(AdType::Flags, &[]);
    assert_eq!(AdvertisingData::new(b"\x01\x01").flags(), None);
    assert_eq!(fields(b"\x03\x01\x06\x80"), [AdField::Flags(Flags(0x06))]);
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..1700), start: usize) {
        let data = AdvertisingDataBuf::from(Bytes::from(octets));
        let _ = (data.to_string(), format!("{data:?} {:?}", data.fields().collect::<Vec<_>>()));
        let _ = (data.flags(), data.local_name(), data.services(), data.tx_power(), data.appearance());
        let _ = (data.service_data().count(), data.manufacturer_data().count());
        let _ = data.matches_pattern(start, AdType::Flags, data.as_bytes());
    }

    #[test]
    fn structures_written_again_are_the_well_formed_beginning(
        structures in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        tail in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let write = |structures: &[(u8, Vec<u8>)]| {
            let builder = AdvertisingDataBuilder::with_limit(MAX_LENGTH);
            let builder = structures.iter().fold(builder, |b, (number, data)| b.raw(AdType(*number), data));
            builder.build().expect("fits").into_bytes().to_vec()
        };
        let written = write(&structures);
        let octets = [&written[..], &tail].concat();
        let data = AdvertisingData::new(&octets);
        let read: Vec<_> = data.structures().map(|s| (s.ad_type.0, s.data.to_vec())).collect();
        prop_assert!(read.starts_with(&structures));
        let again = write(&read);
        prop_assert!(octets.starts_with(&again));
        let rest = &octets[again.len()..];
        prop_assert!(AdvertisingData::new(rest).structures().next().is_none(), "it stopped where no structure is");
        prop_assert_eq!(data.is_malformed(), rest.iter().any(|&octet| octet != 0));
    }

    /// A content may be anything; the structures beside it read the same.
    #[test]
    fn no_content_touches_its_neighbours(ad_type: u8, content in prop::collection::vec(any::<u8>(), 0..60)) {
        let octets = beside_flags(AdType(ad_type), &content);
        let read = fields(&octets);
        prop_assert_eq!(read.len(), 2);
        prop_assert_eq!(read.last(), Some(&AdField::Flags(Flags(0x06))));
    }
}
