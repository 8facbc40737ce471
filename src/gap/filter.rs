//! Which reports a subscriber of a scan wants.

use super::advertising_data::{AdType, AdvertisingData};
use super::device_table::Device;
use super::report::Report;
use crate::{Address, AddressKind, BdAddr, Uuid};

/// Conditions on reports. All that are given must hold; of several values given for one condition, one is enough.
///
/// Conditions on the data hold when they do for the report or for all that its device said: the name may stand in the
/// scan response and the service in the advertisement.
///
/// ```
/// use baretooth::gap::filter::Filter;
/// use baretooth::uuid16;
/// let straps = Filter::new().service(uuid16(0x180D)).name("HR *").min_rssi(-70);
/// assert!(!straps.is_empty() && Filter::new().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Filter {
    services: Vec<Uuid>,
    names: Vec<Glob>,
    addresses: Vec<(BdAddr, Option<AddressKind>)>,
    min_rssi: Option<i8>,
    manufacturers: Vec<u16>,
    patterns: Vec<Pattern>,
    connectable: Option<bool>,
    legacy: Option<bool>,
}

/// Octets to be found in an AD structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// Where they begin, counted from the octet after the type.
    pub start: usize,
    /// Type of the structure.
    pub ad_type: AdType,
    /// The octets.
    pub octets: Vec<u8>,
}

impl Filter {
    /// Passes every report.
    pub fn new() -> Self {
        Self::default()
    }

    /// The device advertises this service, in any list and of any width.
    pub fn service(mut self, service: Uuid) -> Self {
        self.services.push(service);
        self
    }

    /// The device's name, complete or shortened, matches: `*` is any text, `?` any one character, `\` takes the next
    /// character as it is. Upper and lower case differ.
    pub fn name(mut self, pattern: &str) -> Self {
        self.names.push(Glob::new(pattern));
        self
    }

    /// The report is from this address, or from whom it is the identity.
    pub fn address(mut self, address: Address) -> Self {
        self.addresses.push((address.bd_addr, Some(address.kind)));
        self
    }

    /// The report is from these 48 bits, public or random, or from whom they are the identity.
    pub fn bd_addr(mut self, bd_addr: BdAddr) -> Self {
        self.addresses.push((bd_addr, None));
        self
    }

    /// The report was heard with this strength in dBm or a greater one; one whose strength is not known fails.
    pub fn min_rssi(mut self, dbm: i8) -> Self {
        self.min_rssi = Some(dbm);
        self
    }

    /// The device sends data of this company.
    pub fn manufacturer(mut self, company: u16) -> Self {
        self.manufacturers.push(company);
        self
    }

    /// The device sends an AD structure with these octets.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.patterns.push(pattern);
        self
    }

    /// The device's last advertisement accepted connections, or did not.
    pub fn connectable(mut self, connectable: bool) -> Self {
        self.connectable = Some(connectable);
        self
    }

    /// The report is of a legacy PDU, or of an extended one.
    pub fn legacy(mut self, legacy: bool) -> Self {
        self.legacy = Some(legacy);
        self
    }

    /// Whether it passes every report.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a device that is refused may pass later with the same data: the reports of one strength only say so.
    pub(super) fn judges_each_report(&self) -> bool {
        self.min_rssi.is_some()
    }

    /// Whether the report of this device passes.
    #[inline]
    pub fn matches(&self, report: &Report, device: &Device) -> bool {
        self.matches_report(report, device)
            && any(&self.services, |&service| either(report, device, |data| data.has_service(service)))
            && any(&self.names, |name| either(report, device, |data| name.matches_name(data)))
            && any(&self.manufacturers, |&company| {
                either(report, device, |data| data.manufacturer_data().any(|of| of.company == company))
            })
            && any(&self.patterns, |p| {
                either(report, device, |data| data.matches_pattern(p.start, p.ad_type, &p.octets))
            })
    }

    /// The conditions that are not on the data.
    fn matches_report(&self, report: &Report, device: &Device) -> bool {
        self.min_rssi.is_none_or(|min| report.rssi.is_some_and(|rssi| rssi >= min))
            && self.connectable.is_none_or(|wanted| device.connectable == wanted)
            && self.legacy.is_none_or(|wanted| report.legacy == wanted)
            && any(&self.addresses, |&(bd_addr, kind)| {
                let named = |a: Address| a.bd_addr == bd_addr && kind.is_none_or(|kind| a.kind == kind);
                report.address.is_some_and(named) || report.identity.is_some_and(named)
            })
    }
}

/// Whether the condition has no values, or holds for one of them.
fn any<T>(values: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(holds)
}

fn either(report: &Report, device: &Device, holds: impl Fn(AdvertisingData<'_>) -> bool) -> bool {
    holds(report.data.view()) || holds(device.data())
}

/// A text with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Character(char),
    /// `?`
    Any,
    /// `*`
    Run,
}

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            tokens.push(match character {
                '*' => Token::Run,
                '?' => Token::Any,
                '\\' => Token::Character(characters.next().unwrap_or('\\')),
                other => Token::Character(other),
            });
        }
        Self(tokens)
    }

    fn matches_name(&self, data: AdvertisingData<'_>) -> bool {
        data.local_name().is_some_and(|name| self.matches(&name.to_str()))
    }

    /// Goes back to the last `*` only, which is enough, so the time is at most pattern times text.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (mut tokens, mut text) = (&self.0[..], text.chars());
        // What is left to match behind the last run, and the text that the run may begin to swallow.
        let mut retry = None;
        loop {
            match tokens.split_first() {
                Some((Token::Run, rest)) => {
                    tokens = rest;
                    retry = Some((rest, text.clone()));
                    continue;
                }
                None if text.as_str().is_empty() => return true,
                Some((token, rest)) => match text.next() {
                    Some(c) if *token == Token::Any || *token == Token::Character(c) => {
                        tokens = rest;
                        continue;
                    }
                    // No text is left: swallowing more of it does not help.
                    None => return false,
                    Some(_) => {}
                },
                None => {}
            }
            let Some((rest, from)) = &mut retry else { return false };
            if from.next().is_none() {
                return false;
            }
            (tokens, text) = (rest, from.clone());
        }
    }
}

#[cfg(test)]
mod tests;
