//! What each content says of itself to a tree and to JSON; a line has the words of its `Display`.

use super::*;
use crate::address::{Address, AddressKind};
use crate::codec::Field;
use crate::codec::show::{ListHead, Show, Units, View};

/// Bits of [`Flags`]. CSS Part A, 1.3.
const FLAGS: [&str; 5] = [
    "LE Limited Discoverable Mode",
    "LE General Discoverable Mode",
    "BR/EDR Not Supported",
    "Simultaneous LE and BR/EDR (Controller)",
    "previously Simultaneous LE and BR/EDR (Host)",
];

/// Bits of [`OobFlags`]. CSS Part A, 1.7.
const OOB_FLAGS: [&str; 4] = ["OOB data present", "LE supported", "", "random address"];

/// What an AD structure holds.
pub(in super::super) trait Content {
    fn show(&self, to: &mut dyn Show);
}

/// Rows of the form `Type |value, to| what it says;`.
macro_rules! contents {
    ($($name:ty, |$it:ident, $to:ident| $show:expr;)*) => { $(
        impl Content for $name {
            fn show(&self, $to: &mut dyn Show) {
                let $it = self;
                $show;
            }
        }
    )* }
}

contents! {
    Flags, |it, to| to.bits(it.0.into(), 1, &FLAGS);
    UuidList<'_>, |it, to| list(to, it.iter(), |uuid, to| to.uuid(uuid, assigned::service_name(uuid)));
    Text<'_>, |it, to| to.text(&it.to_str());
    TxPower, |it, to| to.number(it.0.into());
    ClassOfDevice, |it, to| to.hex(it.0.into(), 3);
    Octets<'_>, |it, to| to.octets(it.0);
    Key<'_>, |_it, to| to.secret();
    OobFlags, |it, to| to.bits(it.0.into(), 1, &OOB_FLAGS);
    Appearance, |it, to| to.named(it.0.into(), 2, assigned::appearance_name(it.0));
    Uri<'_>, |it, to| match it.scheme() {
        Some(scheme) => to.text(&format!("{scheme}{}", it.rest)),
        None => to.text(&format!("{}{}", it.scheme_code, it.rest)),
    };
    Address, |it, to| fields(to, |to| {
        to.field("address");
        to.address(it.bd_addr);
        to.field("address_type");
        let name = if it.kind == AddressKind::Public { "public" } else { "random" };
        to.named(u64::from(it.kind == AddressKind::Random), 1, Some(name));
    });
    AddressList<'_>, |it, to| list(to, it.iter(), |address, to| Content::show(&address, to));
    AdvertisingInterval, |it, to| Units::<625>::show(it.0, to);
    LeRole, |it, to| Field::show(it, to);
    ConnectionIntervalRange, |it, to| fields(to, |to| {
        for (name, bound) in [("min", it.min), ("max", it.max)] {
            to.field(name);
            match bound {
                0xFFFF => to.named(bound.into(), 2, Some("any")),
                bound => Units::<1250>::show(bound, to),
            }
        }
    });
    DeviceIdOrTk<'_>, |it, to| match it {
        DeviceIdOrTk::Tk(tk) => Content::show(tk, to),
        DeviceIdOrTk::DeviceId(id) => fields(to, |to| {
            to.field("vendor_id_source");
            to.number(id.vendor_id_source.into());
            for (name, value) in [("vendor_id", id.vendor_id), ("product_id", id.product_id), ("version", id.version)] {
                to.field(name);
                to.hex(value.into(), 2);
            }
        }),
    };
    ServiceData<'_>, |it, to| fields(to, |to| {
        to.field("service");
        to.uuid(it.service, assigned::service_name(it.service));
        to.field("data");
        to.octets(it.data);
    });
    ManufacturerData<'_>, |it, to| fields(to, |to| {
        to.field("company");
        to.named(it.company.into(), 2, assigned::company_name(it.company));
        to.field("data");
        to.octets(it.data);
    });
    EncryptedData<'_>, |it, to| fields(to, |to| {
        for (name, octets) in [("randomizer", &it.randomizer[..]), ("payload", it.payload), ("mic", &it.mic[..])] {
            to.field(name);
            to.octets(octets);
        }
    });
    ChannelMapUpdate, |it, to| fields(to, |to| {
        to.field("channel_map");
        to.octets(&it.channel_map);
        to.field("instant");
        to.number(it.instant.into());
    });
    ResponseTiming, |it, to| fields(to, |to| {
        to.field("rsp_aa");
        to.hex(it.rsp_aa.into(), 4);
        to.field("num_subevents");
        to.number(it.num_subevents.into());
        to.field("subevent_interval");
        Units::<1250>::show(it.subevent_interval, to);
        to.field("response_slot_delay");
        Units::<1250>::show(it.response_slot_delay, to);
        to.field("response_slot_spacing");
        Units::<125>::show(it.response_slot_spacing, to);
    });
}

fn fields(to: &mut dyn Show, show: impl FnOnce(&mut dyn Show)) {
    to.begin();
    show(to);
    to.end();
}

fn list<T>(to: &mut dyn Show, items: impl Iterator<Item = T>, show: impl Fn(T, &mut dyn Show)) {
    to.begin_list(ListHead::default());
    let mut there = 0;
    for item in items {
        to.item(there);
        show(item, to);
        there += 1;
    }
    to.end_list(ListHead::default(), there);
}
