//! Any octets as advertising data: every field prints on one line, every question has an answer, and the structures
//! that were read make the same data again.

#![no_main]

use baretooth::gap::advertising_data::{AdType, AdvertisingData, AdvertisingDataBuf, AdvertisingDataBuilder};
use baretooth_fuzz::assert_line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| {
    let data = AdvertisingData::new(octets);
    assert_line(&data.to_string());

    let mut builder = AdvertisingDataBuilder::with_limit(octets.len());
    let mut read = 0;
    for structure in data.structures() {
        assert_eq!(structure.field().ad_type(), structure.ad_type);
        assert!(data.matches_pattern(0, structure.ad_type, structure.data));
        builder = builder.raw(structure.ad_type, structure.data);
        read += 2 + structure.data.len();
    }
    let again = builder.build().expect("no longer than what was read");
    assert_eq!(again.view().as_bytes(), &octets[..read]);
    assert_eq!(data.is_malformed(), octets[read..].iter().any(|&octet| octet != 0));

    for service in data.services() {
        assert!(data.has_service(service), "{service}");
    }
    let owned = AdvertisingDataBuf::from(data);
    assert_eq!(owned.view(), data);
    let _ = data.local_name().map(|name| name.to_str().into_owned());
    let _ = (data.flags(), data.tx_power(), data.appearance());
    let _ = (data.service_data().count(), data.manufacturer_data().count());
    let _ = data.matches_pattern(usize::MAX, AdType(0xFF), octets);
});
