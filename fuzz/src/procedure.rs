//! Any GATT procedure with any arguments.

use arbitrary::Arbitrary;
use baretooth::gatt::GattError;
use baretooth::gatt::procedure::{
    Delivery, Discover, DiscoverCharacteristics, DiscoverDescriptors, DiscoverIncluded, DiscoverServices,
    ExchangeMtu, Read, ReadBlob, ReadByUuid, ReadMultiple, ReadMultipleVariable, Running, Subscribe,
    Unsubscribe, Write, WriteLong,
};
use baretooth::{Uuid, uuid16};

/// A procedure, before it is made.
#[derive(Arbitrary, Debug)]
pub enum AnyProcedure {
    ExchangeMtu,
    Discover { names: bool },
    DiscoverOnly { services: Vec<u16>, names: bool },
    DiscoverPrimary,
    DiscoverPrimaryOf { service: u16 },
    DiscoverSecondary,
    DiscoverIncluded { start: u16, end: u16 },
    DiscoverCharacteristics { start: u16, end: u16 },
    DiscoverDescriptors { start: u16, end: u16 },
    Read { handle: u16 },
    ReadBlob { handle: u16, offset: u16 },
    ReadByUuid { uuid: u128, start: u16, end: u16 },
    ReadMultiple { handles: Vec<u16> },
    ReadMultipleVariable { handles: Vec<u16> },
    Write { handle: u16, value: Vec<u8> },
    WriteLong { handle: u16, length: u16 },
    WriteReliably { values: Vec<(u16, Vec<u8>)> },
    Subscribe { cccd: u16, indicate: bool },
    SubscribeSearching { value_handle: u16, end_handle: u16, indicate: bool },
    Unsubscribe { cccd: u16 },
}

impl AnyProcedure {
    /// The procedure, or why its arguments are refused.
    pub fn make(self) -> Result<Running, GattError> {
        Ok(match self {
            Self::ExchangeMtu => ExchangeMtu::new().into(),
            Self::Discover { names: true } => Discover::all().with_user_descriptions().into(),
            Self::Discover { names: false } => Discover::all().into(),
            Self::DiscoverOnly { services, names } => {
                let discover = Discover::only(services.into_iter().map(uuid16));
                if names { discover.with_user_descriptions().into() } else { discover.into() }
            }
            Self::DiscoverPrimary => DiscoverServices::primary().into(),
            Self::DiscoverPrimaryOf { service } => DiscoverServices::primary_of(uuid16(service)).into(),
            Self::DiscoverSecondary => DiscoverServices::secondary().into(),
            Self::DiscoverIncluded { start, end } => DiscoverIncluded::within(start, end).into(),
            Self::DiscoverCharacteristics { start, end } => {
                DiscoverCharacteristics::within(start, end).into()
            }
            Self::DiscoverDescriptors { start, end } => DiscoverDescriptors::within(start, end).into(),
            Self::Read { handle } => Read::new(handle).into(),
            Self::ReadBlob { handle, offset } => ReadBlob::new(handle, offset).into(),
            Self::ReadByUuid { uuid, start, end } => {
                ReadByUuid::within(Uuid::from_u128(uuid), start, end).into()
            }
            Self::ReadMultiple { handles } => ReadMultiple::new(&handles)?.into(),
            Self::ReadMultipleVariable { handles } => ReadMultipleVariable::new(&handles)?.into(),
            Self::Write { handle, value } => Write::new(handle, value)?.into(),
            Self::WriteLong { handle, length } => {
                WriteLong::new(handle, vec![0x5A; usize::from(length)])?.into()
            }
            Self::WriteReliably { values } => {
                let values: Vec<_> =
                    values.into_iter().map(|(handle, value)| (handle, value.into())).collect();
                WriteLong::reliable(values)?.into()
            }
            Self::Subscribe { cccd, indicate } => Subscribe::at(cccd, delivery(indicate)).into(),
            Self::SubscribeSearching { value_handle, end_handle, indicate } => {
                Subscribe::searching(value_handle, end_handle, delivery(indicate))?.into()
            }
            Self::Unsubscribe { cccd } => Unsubscribe::at(cccd).into(),
        })
    }
}

fn delivery(indicate: bool) -> Delivery {
    if indicate { Delivery::Indicate } else { Delivery::Notify }
}
