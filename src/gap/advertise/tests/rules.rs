//! What does not fit is refused, and by how much.

use super::*;

fn check(options: &AdvertiseOptions, support: &AdvertiseSupport) -> Result<(), InvalidAdvertising> {
    options.check(support)
}

#[test]
fn intervals_are_those_of_the_command_that_will_say_them() {
    let of = |min, max| AdvertiseOptions::new().interval(min, max);
    for (support, longest) in [(&LEGACY, ms(10_240)), (&EXTENDED, Duration::from_micros(10_485_759_375))] {
        assert_eq!(check(&of(ms(20), longest), support), Ok(()));
        let refused = [
            (Duration::from_micros(19_999), ms(100)),
            (ms(100), longest + Duration::from_micros(625)),
            (ms(200), ms(100)),
            (ms(20), Duration::MAX),
        ];
        for (min, max) in refused {
            let expected = InvalidAdvertising::Interval { min, max, longest };
            assert_eq!(check(&of(min, max), support), Err(expected));
        }
    }
    let peer = Address::public(BdAddr([1; 6]));
    let ignored = of(ms(1), ms(1)).mode(AdvertiseMode::DirectedHighDuty(peer));
    assert_eq!(check(&ignored, &LEGACY), Ok(()));
}

#[test]
fn legacy_data_is_31_octets_also_with_the_extended_commands() {
    for support in [&LEGACY, &EXTENDED] {
        let fits = AdvertiseOptions::new().data(octets(31)).scan_response(octets(31));
        assert_eq!(check(&fits, support), Ok(()));
        let error = check(&fits.clone().data(octets(36)), support).expect_err("too long");
        assert_eq!(error.over(), 5);
        assert!(error.to_string().contains("advertising data of 36 octets is 5 more than the 31"), "{error}");
        let error = check(&fits.scan_response(octets(32)), support).expect_err("too long");
        assert!(matches!(error, InvalidAdvertising::TooLong { part: DataPart::ScanResponse, .. }));
    }
}

#[test]
fn extended_data_is_what_the_controller_holds_and_one_pdu_where_it_is_connectable() {
    let support = AdvertiseSupport { max_data: 500, ..EXTENDED };
    let over =
        |options: AdvertiseOptions, pdus| check(&options.extended(pdus), &support).map_err(|e| e.over());
    let plain = ExtendedPdus::default();
    let of = |mode, length| AdvertiseOptions::new().mode(mode).data(octets(length));
    let directed = AdvertiseMode::Directed(Address::public(BdAddr([1; 6])));
    assert_eq!(over(of(AdvertiseMode::NonConnectable, 500), plain), Ok(()));
    assert_eq!(over(of(AdvertiseMode::NonConnectable, 507), plain), Err(7));
    assert_eq!(over(of(AdvertiseMode::Connectable, 245), plain), Ok(()));
    assert_eq!(over(of(AdvertiseMode::Connectable, 246), plain), Err(1));
    assert_eq!(over(of(directed, 239), plain), Ok(()));
    assert_eq!(over(of(directed, 239), ExtendedPdus { include_tx_power: true, ..plain }), Err(1));
}

#[test]
fn data_without_a_place_on_the_air_is_refused() {
    let peer = Address::public(BdAddr([1; 6]));
    let data = |mode| AdvertiseOptions::new().mode(mode).data(named("x"));
    let response = |mode| AdvertiseOptions::new().mode(mode).scan_response(named("x"));
    let part = |options: AdvertiseOptions| match check(&options, &EXTENDED) {
        Err(InvalidAdvertising::NoPlace { part, .. }) => Some(part),
        other => panic!("{other:?}"),
    };
    let (advertising, scan_response) = (Some(DataPart::Advertising), Some(DataPart::ScanResponse));
    assert_eq!(part(data(AdvertiseMode::Directed(peer))), advertising);
    assert_eq!(part(response(AdvertiseMode::NonConnectable)), scan_response);
    assert_eq!(part(response(AdvertiseMode::DirectedHighDuty(peer))), scan_response);
    let extended = ExtendedPdus::default();
    assert_eq!(
        part(response(AdvertiseMode::Connectable).extended(extended)),
        scan_response,
        "connectable extended PDUs are not scannable"
    );
    assert_eq!(part(data(AdvertiseMode::Scannable).extended(extended)), advertising);
    let silent = AdvertiseOptions::new().mode(AdvertiseMode::Scannable).extended(extended);
    assert_eq!(check(&silent, &EXTENDED), Err(InvalidAdvertising::ScanResponseMissing));
    assert_eq!(check(&response(AdvertiseMode::Scannable).extended(extended), &EXTENDED), Ok(()));
}

#[test]
fn what_only_the_extended_commands_can_say_is_refused_without_them() {
    let new = AdvertiseOptions::new;
    let wishes = [
        new().extended(ExtendedPdus::default()),
        new().max_events(3),
        new().random_address(BdAddr([1; 6])),
        new().notify_scan_requests(true),
    ];
    for wish in wishes {
        assert!(matches!(check(&wish, &LEGACY), Err(InvalidAdvertising::NeedsExtended(_))), "{wish:?}");
        assert_eq!(check(&wish, &EXTENDED), Ok(()));
    }
    assert_eq!(check(&new().tx_power(3), &LEGACY), Ok(()), "only a wish");
}

#[test]
fn phys_anonymity_and_high_duty_cycle_are_judged() {
    let of = |mode, pdus| check(&AdvertiseOptions::new().mode(mode).extended(pdus), &EXTENDED);
    let plain = ExtendedPdus::default();
    let anonymous = ExtendedPdus { anonymous: true, ..plain };
    assert_eq!(of(AdvertiseMode::NonConnectable, anonymous), Ok(()));
    assert_eq!(of(AdvertiseMode::Connectable, anonymous), Err(InvalidAdvertising::Anonymous));
    assert_eq!(of(AdvertiseMode::Scannable, anonymous), Err(InvalidAdvertising::Anonymous));
    let peer = Address::public(BdAddr([1; 6]));
    assert_eq!(of(AdvertiseMode::DirectedHighDuty(peer), plain), Err(InvalidAdvertising::HighDutyExtended));
    let phy = |primary_phy, secondary_phy, support: &AdvertiseSupport| {
        let pdus = ExtendedPdus { primary_phy, secondary_phy, ..plain };
        check(&AdvertiseOptions::new().extended(pdus), support)
    };
    let refused = |phy, primary| Err(InvalidAdvertising::Phy { phy, primary });
    assert_eq!(phy(Phy::LeCoded, Phy::Le2M, &EXTENDED), Ok(()));
    assert_eq!(phy(Phy::Le2M, Phy::Le2M, &EXTENDED), refused(Phy::Le2M, true));
    assert_eq!(phy(Phy::Le1M, Phy(9), &EXTENDED), refused(Phy(9), false));
    let poor = AdvertiseSupport { coded: false, le_2m: false, ..EXTENDED };
    assert_eq!(phy(Phy::Le1M, Phy::LeCoded, &poor), refused(Phy::LeCoded, false));
    assert_eq!(phy(Phy::Le1M, Phy::Le2M, &poor), refused(Phy::Le2M, false));
}

#[test]
fn numbers_out_of_range_are_refused() {
    let new = AdvertiseOptions::new;
    let refused = [
        (new().channels(AdvertiseChannels::NONE), InvalidAdvertising::NoChannel),
        (new().sid(16), InvalidAdvertising::Sid(16)),
        (new().tx_power(21), InvalidAdvertising::TxPower(21)),
        (new().tx_power(-128), InvalidAdvertising::TxPower(-128)),
        (new().timeout(Duration::ZERO), InvalidAdvertising::NoTime),
        (new().max_events(0), InvalidAdvertising::NoTime),
    ];
    for (options, error) in refused {
        assert_eq!(check(&options, &EXTENDED), Err(error));
    }
    let channels = AdvertiseChannels::CHANNEL_37 | AdvertiseChannels::CHANNEL_39;
    assert_eq!(format!("{channels:?}"), "[37, 39]");
}
