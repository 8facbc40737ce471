//! What fits: options against the specification and against what the controller has.

use super::options::{AdvertiseMode, AdvertiseOptions};
use crate::BdAddr;
use crate::gap::advertising_data::{AdvertisingDataBuilder, MAX_LENGTH};
use crate::gap::privacy::OwnOnAir;
use crate::hci::Phy;
use std::time::Duration;

/// What the controller can do, and the addresses that there are to advertise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdvertiseSupport {
    /// It has the extended advertising commands. Legacy and extended ones must not be mixed between two resets
    /// ([Vol 4] Part E, 3.1.1), so this stays as it is until a reset.
    pub extended: bool,
    /// It has the LE 2M PHY.
    pub le_2m: bool,
    /// It has the LE Coded PHY.
    pub coded: bool,
    /// The most octets of data that extended PDUs have. [`Advertiser`](super::Advertiser) asks the controller and takes
    /// the lesser.
    pub max_data: usize,
    /// The addresses of the adapter, for sets that have none of their own.
    pub own: OwnOnAir,
}

impl AdvertiseSupport {
    /// A controller of Bluetooth 4.
    pub const LEGACY: Self = Self {
        extended: false,
        le_2m: false,
        coded: false,
        max_data: MAX_LENGTH,
        own: OwnOnAir::fixed(BdAddr::ANY),
    };
    /// One that has everything.
    pub const EXTENDED: Self = Self { extended: true, le_2m: true, coded: true, ..Self::LEGACY };
}

/// Options that this controller, or none, can follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAdvertising {
    /// The interval.
    #[error(
        "advertising every {min:?} to {max:?} is not allowed; 20 ms to {longest:?} is, the first not the longer"
    )]
    Interval {
        /// The shortest asked for.
        min: Duration,
        /// The longest asked for.
        max: Duration,
        /// What the commands of this controller can say.
        longest: Duration,
    },
    /// More data than fits.
    #[error(
        "the {part} of {length} octets is {over} more than the {limit} that fit{hint}",
        over = self.over(),
        hint = if *limit == AdvertisingDataBuilder::LEGACY_LIMIT { "; shorten it or use extended advertising" } else { "" }
    )]
    TooLong {
        /// Which data.
        part: DataPart,
        /// Octets in all.
        length: usize,
        /// Octets that fit.
        limit: usize,
    },
    /// Data where the PDUs have no place for any.
    #[error("{mode:?} has no {part} in {} PDUs", if *extended { "extended" } else { "legacy" })]
    NoPlace {
        /// Which data.
        part: DataPart,
        /// The mode.
        mode: AdvertiseMode,
        /// In which PDUs.
        extended: bool,
    },
    /// A scannable set in extended PDUs says nothing but its scan response, and has none.
    #[error("a scannable set in extended PDUs needs a scan response: all of its data stands there")]
    ScanResponseMissing,
    /// Only the extended commands can say it, and the controller has none.
    #[error("{0} needs extended advertising, which the controller lacks")]
    NeedsExtended(&'static str),
    /// High duty cycle is of legacy PDUs only.
    #[error("high duty cycle directed advertising is of legacy PDUs only")]
    HighDutyExtended,
    /// A peer could not answer.
    #[error("what is connectable or scannable cannot be anonymous")]
    Anonymous,
    /// A PHY that does not exist there, or that the controller lacks.
    #[error("cannot advertise on LE {phy} ({} channels)", if *primary { "primary" } else { "secondary" })]
    Phy {
        /// Which.
        phy: Phy,
        /// Of the primary channels, or of the data.
        primary: bool,
    },
    /// No channel at all.
    #[error("no channel to advertise on")]
    NoChannel,
    /// Number of the set on the air.
    #[error("advertising SID {0}; it is 0 to 15")]
    Sid(u8),
    /// The power.
    #[error("{0} dBm; it is -127 to 20")]
    TxPower(i8),
    /// Never, instead of some time.
    #[error("a time-out of zero, or a maximum of zero events")]
    NoTime,
}

impl InvalidAdvertising {
    /// How many octets of data have to go; 0 where it is not about their number.
    pub fn over(&self) -> usize {
        match self {
            Self::TooLong { length, limit, .. } => length.saturating_sub(*limit),
            _ => 0,
        }
    }
}

/// One of the two data of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataPart {
    /// What everyone hears.
    Advertising,
    /// What those hear who ask.
    ScanResponse,
}

impl std::fmt::Display for DataPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Advertising => "advertising data",
            Self::ScanResponse => "scan response data",
        })
    }
}

/// Of intervals, in microseconds.
const STEP: u128 = 625;
const SHORTEST: u32 = 0x20;
/// What two octets of the legacy command may say ([Vol 4] Part E, 7.8.5), and three of the extended one (7.8.53).
const LONGEST_LEGACY: u32 = 0x4000;
const LONGEST_EXTENDED: u32 = 0xFF_FFFF;

impl AdvertiseOptions {
    /// Whether a controller that has `support` can do this.
    ///
    /// # Errors
    /// When it cannot, with what is wrong; for data that is too long, [`InvalidAdvertising::over`] says by how much.
    pub fn check(&self, support: &AdvertiseSupport) -> Result<(), InvalidAdvertising> {
        self.check_commands(support)?;
        self.check_numbers()?;
        self.check_phys(support)?;
        self.interval_units(support.extended)?;
        self.check_data(support)
    }

    /// The interval in units of 0.625 ms.
    pub(super) fn interval_units(&self, extended: bool) -> Result<(u32, u32), InvalidAdvertising> {
        let longest = if extended { LONGEST_EXTENDED } else { LONGEST_LEGACY };
        let units = |time: Duration| {
            let units = u32::try_from(time.as_micros() / STEP).ok();
            units.filter(|units| (SHORTEST..=longest).contains(units))
        };
        let (min, max) = self.interval;
        match (units(min), units(max)) {
            (Some(min), Some(max)) if min <= max => Ok((min, max)),
            // Ignored there ([Vol 4] Part E, 7.8.5).
            _ if self.mode.is_high_duty() => Ok((SHORTEST, SHORTEST)),
            _ => {
                let longest = Duration::from_micros(625) * longest;
                Err(InvalidAdvertising::Interval { min, max, longest })
            }
        }
    }

    fn check_commands(&self, support: &AdvertiseSupport) -> Result<(), InvalidAdvertising> {
        let wishes = [
            (self.extended.is_some(), "an extended PDU"),
            (self.max_events.is_some(), "a maximum of events"),
            (self.random_address.is_some(), "a random address of the set's own"),
            (self.notify_scan_requests, "to be told of scan requests"),
        ];
        match wishes.iter().find(|(wished, _)| *wished && !support.extended) {
            Some((_, wish)) => Err(InvalidAdvertising::NeedsExtended(wish)),
            None => Ok(()),
        }
    }

    fn check_numbers(&self) -> Result<(), InvalidAdvertising> {
        if self.channels.bits() == 0 {
            return Err(InvalidAdvertising::NoChannel);
        }
        if let Some(sid) = self.sid.filter(|sid| *sid > 15) {
            return Err(InvalidAdvertising::Sid(sid));
        }
        if let Some(dbm) = self.tx_power.filter(|dbm| !(-127..=20).contains(dbm)) {
            return Err(InvalidAdvertising::TxPower(dbm));
        }
        if self.timeout == Some(Duration::ZERO) || self.max_events == Some(0) {
            return Err(InvalidAdvertising::NoTime);
        }
        Ok(())
    }

    fn check_phys(&self, support: &AdvertiseSupport) -> Result<(), InvalidAdvertising> {
        let Some(extended) = self.extended else { return Ok(()) };
        if self.mode.is_high_duty() {
            return Err(InvalidAdvertising::HighDutyExtended);
        }
        if extended.anonymous && (self.mode.is_connectable() || self.is_scannable()) {
            return Err(InvalidAdvertising::Anonymous);
        }
        let has = |phy, primary: bool| match phy {
            Phy::Le1M => true,
            Phy::Le2M => support.le_2m && !primary,
            Phy::LeCoded => support.coded,
            _ => false,
        };
        let phys = [(extended.primary_phy, true), (extended.secondary_phy, false)];
        match phys.into_iter().find(|&(phy, primary)| !has(phy, primary)) {
            Some((phy, primary)) => Err(InvalidAdvertising::Phy { phy, primary }),
            None => Ok(()),
        }
    }

    fn check_data(&self, support: &AdvertiseSupport) -> Result<(), InvalidAdvertising> {
        let limit = self.data_limit(support.max_data);
        let parts = [
            (DataPart::Advertising, self.data.as_bytes().len(), self.carries_data()),
            (DataPart::ScanResponse, self.scan_response.as_bytes().len(), self.is_scannable()),
        ];
        for (part, length, has_place) in parts {
            if length > 0 && !has_place {
                let extended = self.extended.is_some();
                return Err(InvalidAdvertising::NoPlace { part, mode: self.mode, extended });
            }
            if length > limit {
                return Err(InvalidAdvertising::TooLong { part, length, limit });
            }
        }
        let silent = self.scan_response.as_bytes().is_empty();
        if self.extended.is_some() && self.is_scannable() && silent {
            // Enabling it would be disallowed ([Vol 4] Part E, 7.8.56).
            return Err(InvalidAdvertising::ScanResponseMissing);
        }
        Ok(())
    }

    /// The most octets of data.
    pub(crate) fn data_limit(&self, max_data: usize) -> usize {
        let Some(extended) = self.extended else { return AdvertisingDataBuilder::LEGACY_LIMIT };
        if !self.mode.is_connectable() {
            return max_data;
        }
        // One AUX_ADV_IND without a chain ([Vol 6] Part B, 2.3.4): behind the length of the header and its flags come
        // our address, the ADI, the power, and the peer's address.
        let power = if extended.include_tx_power { 1 } else { 0 };
        let target = if self.mode.peer().is_some() { 6 } else { 0 };
        max_data.min(255 - 2 - 6 - 2 - power - target)
    }
}
