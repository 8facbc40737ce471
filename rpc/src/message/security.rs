//! Security: how to pair, what pairings ask, what comes of them, and the bonds.

use super::{AddressText, AddressType};
use baretooth::LinkSecurity;
use baretooth::smp::{
    Bond, By, IoCapability, KeyDistribution, Keys, PairingError, PairingOptions, Passkey, SecureConnections,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What holds for pairings and links that start from now on. What is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureParams {
    /// Our Device Name, as the GATT server has it.
    pub name: Option<String>,
    /// Whether peers that we bond with know us by our public address or by the random static one.
    pub identity: Option<AddressType>,
    /// The longest ATT PDU to offer, 23 to 517; 517 at first.
    #[schemars(range(min = 23, max = 517))]
    pub mtu: Option<u16>,
    /// How to pair.
    #[serde(flatten)]
    pub pairing: PairingParams,
}

/// Which link to pair, and how: what is absent is as configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairParams {
    /// The link.
    pub connection: u32,
    /// How.
    #[serde(flatten)]
    pub pairing: PairingParams,
}

/// How to pair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PairingParams {
    /// What can be shown to the user and asked of them; `no-input-no-output` at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub io: Option<Io>,
    /// Whether to insist on a method that nobody in the middle survives; false at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mitm: Option<bool>,
    /// Whether the keys are kept for later links; true at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bond: Option<bool>,
    /// Whether LE Secure Connections is used: never, where the peer has it (at first), or always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secure_connections: Option<SecureConnectionsUse>,
    /// The keys that the central may distribute; `ltk` and `irk` at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiator_keys: Option<Vec<KeyName>>,
    /// The keys that the peripheral may distribute; `ltk` and `irk` at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responder_keys: Option<Vec<KeyName>>,
    /// The shortest encryption key to accept, in octets; 16 at first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 7, max = 16))]
    pub min_key_size: Option<u8>,
    /// Whether the client is asked before it is paired by Just Works, whoever begins; false at first: it is unseen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask: Option<bool>,
}

/// What can be shown to the user and asked of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Io {
    /// Six digits are shown.
    DisplayOnly,
    /// Six digits are shown, and the user can say yes or no.
    DisplayYesNo,
    /// The user can type six digits.
    KeyboardOnly,
    /// Nothing.
    NoInputNoOutput,
    /// Six digits are shown, and the user can type them.
    KeyboardDisplay,
}

/// When LE Secure Connections is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SecureConnectionsUse {
    /// Where the peer has it, or never.
    Allowed(bool),
    /// Always.
    Only(Only),
}

/// The word for always.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// `"only"`
    Only,
}

/// A key by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyName {
    /// The long-term key, which encrypts links.
    Ltk,
    /// The identity resolving key, with the identity address.
    Irk,
    /// The connection signature resolving key.
    Csrk,
    /// The link key of BR/EDR, derived from the long-term key.
    Link,
}

/// What a link has of security.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Security {
    /// The level of LE security mode 1.
    #[schemars(range(min = 1, max = 4))]
    pub level: u8,
    /// It is encrypted.
    pub encrypted: bool,
    /// By a key that was exchanged with protection against a man in the middle.
    pub authenticated: bool,
    /// By a key of LE Secure Connections.
    pub secure_connections: bool,
    /// Octets of the key, 7 to 16; 0 in the clear.
    pub key_size: u8,
    /// There is a bond with the peer.
    pub bonded: bool,
}

/// A link has other security than before, or had some when it came up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecurityChange {
    /// The link.
    pub connection: u32,
    /// What it has.
    #[serde(flatten)]
    pub security: Security,
}

/// A pairing is done, whoever began it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PairingDone {
    /// The link.
    pub connection: u32,
    /// What it has.
    #[serde(flatten)]
    pub security: Security,
}

/// A pairing has come to nothing, whoever began it. One that ends because the link goes down is not told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PairingFailed {
    /// The link.
    pub connection: u32,
    /// The reason of the Security Manager.
    pub code: u8,
    /// Its name, in lower case with underscores; `unknown` for one without a name.
    pub name: String,
    /// Who ended it.
    pub by: FailedBy,
}

/// Who ended a pairing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailedBy {
    /// The peer.
    Peer,
    /// We did, or our controller.
    Us,
    /// Nothing was said for 30 s. This link has no pairing any more.
    Timeout,
}

/// A pairing shows or asks something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PairingRequest {
    /// The link.
    pub connection: u32,
    /// What `pairing.reply` answers; null where nothing is asked.
    pub request: Option<u32>,
    /// What it is about.
    pub method: PairingMethod,
    /// The six digits that are to be shown, or compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub passkey: Option<String>,
}

/// How two devices are brought to trust each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairingMethod {
    /// The peer wants to pair, and nobody can see that it is the right one: whether it may.
    JustWorks,
    /// Whether the other device shows the same six digits.
    NumericComparison,
    /// The six digits are typed on the other device.
    PasskeyDisplay,
    /// The six digits that the other device shows are wanted.
    PasskeyEntry,
    /// Data are exchanged in another way.
    Oob,
}

/// The answer to a `pairing.request`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PairingReplyParams {
    /// Which.
    pub request: u32,
    /// Yes, or no: the pairing ends.
    pub accept: bool,
    /// The six digits, where these are wanted.
    pub passkey: Option<PasskeyText>,
}

/// Six digits, as a text or as a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PasskeyText {
    /// One to six digits, as a person types them.
    Text(#[schemars(regex(pattern = "^[0-9]{1,6}$"))] String),
    /// Their value.
    Number(#[schemars(range(max = 999_999))] u32),
}

/// A peripheral asks for security, and we are the central.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecurityRequested {
    /// The link.
    pub connection: u32,
    /// It wants a bond.
    pub bond: bool,
    /// It wants protection against a man in the middle.
    pub mitm: bool,
    /// It knows LE Secure Connections.
    pub secure_connections: bool,
}

/// The bonds that there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bonds {
    /// Each of another peer.
    pub bonds: Vec<Bonded>,
}

/// What is kept of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bonded {
    /// Its identity address.
    pub address: AddressText,
    /// The type.
    pub address_type: AddressType,
    /// The level of LE security mode 1 that a link has by it.
    #[schemars(range(min = 1, max = 4))]
    pub level: u8,
    /// The keys that are kept of the peer.
    pub keys: Vec<KeyName>,
}

/// Which bond to delete: that with one peer, or all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteBondsParams {
    /// The peer's identity address.
    pub address: Option<AddressText>,
    /// Its type.
    pub address_type: Option<AddressType>,
    /// All of them; false by default.
    pub all: Option<bool>,
}

notifications! {
    PairingRequest => "pairing.request";
    SecurityRequested => "security.request";
    PairingDone => "pairing.done";
    PairingFailed => "pairing.failed";
    SecurityChange => "security";
}

impl PairingParams {
    /// These, and what they leave open from `others`.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        let others = others.clone();
        Self {
            io: self.io.or(others.io),
            mitm: self.mitm.or(others.mitm),
            bond: self.bond.or(others.bond),
            secure_connections: self.secure_connections.or(others.secure_connections),
            initiator_keys: self.initiator_keys.or(others.initiator_keys),
            responder_keys: self.responder_keys.or(others.responder_keys),
            min_key_size: self.min_key_size.or(others.min_key_size),
            ask: self.ask.or(others.ask),
        }
    }

    /// As the library has them.
    ///
    /// # Errors
    /// What cannot be meant.
    pub fn options(&self) -> Result<PairingOptions, String> {
        let mut options = PairingOptions::new();
        if let Some(io) = self.io {
            options = options.io(io.into());
        }
        if let Some(mitm) = self.mitm {
            options = options.mitm(mitm);
        }
        if let Some(bond) = self.bond {
            options = options.bonding(bond);
        }
        if let Some(secure_connections) = self.secure_connections {
            options = options.secure_connections(secure_connections.into());
        }
        if let Some(keys) = &self.initiator_keys {
            options = options.initiator_keys(distribution(keys));
        }
        if let Some(keys) = &self.responder_keys {
            options = options.responder_keys(distribution(keys));
        }
        match self.min_key_size {
            Some(octets) if !(7..=16).contains(&octets) => {
                return Err(format!("a min_key_size of {octets} is not between 7 and 16"));
            }
            Some(octets) => options = options.min_key_size(octets),
            None => {}
        }
        options = options.consent(self.ask.unwrap_or(false));
        let mut keys = self.initiator_keys.iter().chain(&self.responder_keys).flatten();
        Ok(options.cross_transport(keys.any(|key| *key == KeyName::Link)))
    }
}

fn distribution(keys: &[KeyName]) -> KeyDistribution {
    keys.iter().fold(KeyDistribution::NONE, |all, key| {
        all | match key {
            KeyName::Ltk => KeyDistribution::ENC_KEY,
            KeyName::Irk => KeyDistribution::ID_KEY,
            KeyName::Csrk => KeyDistribution::SIGN_KEY,
            KeyName::Link => KeyDistribution::LINK_KEY,
        }
    })
}

impl From<Io> for IoCapability {
    fn from(io: Io) -> Self {
        match io {
            Io::DisplayOnly => Self::DisplayOnly,
            Io::DisplayYesNo => Self::DisplayYesNo,
            Io::KeyboardOnly => Self::KeyboardOnly,
            Io::NoInputNoOutput => Self::NoInputNoOutput,
            Io::KeyboardDisplay => Self::KeyboardDisplay,
        }
    }
}

impl From<SecureConnectionsUse> for SecureConnections {
    fn from(wanted: SecureConnectionsUse) -> Self {
        match wanted {
            SecureConnectionsUse::Allowed(false) => Self::Off,
            SecureConnectionsUse::Allowed(true) => Self::Allowed,
            SecureConnectionsUse::Only(_) => Self::Only,
        }
    }
}

impl From<LinkSecurity> for Security {
    fn from(security: LinkSecurity) -> Self {
        Self {
            level: number(security.level()),
            encrypted: security.encrypted,
            authenticated: security.authenticated,
            secure_connections: security.secure_connections,
            key_size: security.key_size,
            bonded: security.bonded,
        }
    }
}

/// A level as the specification counts it ([Vol 3] Part C, 10.2.1).
fn number(level: baretooth::smp::SecurityLevel) -> u8 {
    use baretooth::smp::SecurityLevel as Level;
    match level {
        Level::None => 1,
        Level::Encrypted => 2,
        Level::Authenticated => 3,
        Level::SecureConnections => 4,
    }
}

impl PairingFailed {
    /// Of this error.
    pub(crate) fn of(connection: u32, error: &PairingError) -> Self {
        let by = match error.by {
            By::Peer => FailedBy::Peer,
            By::Us | By::Link(_) => FailedBy::Us,
            By::Timeout => FailedBy::Timeout,
        };
        let name = error.reason.name().unwrap_or("unknown").to_lowercase();
        let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        Self { connection, code: error.reason.0, name: name.chars().map(letter).collect(), by }
    }
}

impl Bonded {
    /// Without its keys.
    pub(crate) fn of(bond: &Bond) -> Self {
        let Keys { peer_ltk, local_ltk, irk, csrk, link_key, .. } = &bond.keys;
        let keys = [
            (KeyName::Ltk, peer_ltk.is_some() || local_ltk.is_some()),
            (KeyName::Irk, irk.is_some()),
            (KeyName::Csrk, csrk.is_some()),
            (KeyName::Link, link_key.is_some()),
        ];
        Self {
            address: AddressText(bond.peer.bd_addr),
            address_type: bond.peer.kind.into(),
            level: number(bond.level()),
            keys: keys.into_iter().filter(|(_, kept)| *kept).map(|(name, _)| name).collect(),
        }
    }
}

impl PasskeyText {
    /// As the library has it; `None` for what is none.
    pub(crate) fn passkey(&self) -> Option<Passkey> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Number(number) => Passkey::new(*number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::smp::PairingFailedReason;

    fn read(json: &str) -> Result<PairParams, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_pairing_is_described_and_nothing_else_is() {
        let params =
            read(r#"{"connection":3,"io":"display-yes-no","secure_connections":"only","bond":null}"#);
        let params = params.expect("described");
        assert_eq!((params.connection, params.pairing.io), (3, Some(Io::DisplayYesNo)));
        assert_eq!(params.pairing.secure_connections, Some(SecureConnectionsUse::Only(Only::Only)));
        assert_eq!(params.pairing.bond, None);
        for wrong in [
            r#"{}"#,
            r#"{"connection":1,"passkey":1}"#,
            r#"{"connection":1,"io":"DisplayOnly"}"#,
            r#"{"connection":1,"secure_connections":"never"}"#,
            r#"{"connection":1,"mitm":"yes"}"#,
            r#"{"connection":1,"initiator_keys":["edr"]}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        let configure = |json| serde_json::from_str::<ConfigureParams>(json);
        assert!(configure(r#"{"name":"a","mitm":true,"mtu":64}"#).is_ok());
        assert!(configure(r#"{"name":"a","connection":1}"#).is_err());
    }

    #[test]
    fn what_is_said_once_goes_before_what_is_configured() {
        let configured = PairingParams { mitm: Some(true), bond: Some(false), ..Default::default() };
        let once = PairingParams { bond: Some(true), min_key_size: Some(7), ..Default::default() };
        let both = once.or(&configured);
        assert_eq!((both.mitm, both.bond, both.min_key_size), (Some(true), Some(true), Some(7)));
        assert!(both.options().is_ok());
        let short = PairingParams { min_key_size: Some(6), ..both };
        assert!(short.options().is_err());
    }

    #[test]
    fn a_failure_says_code_name_and_who() {
        let failed = |reason, by| PairingFailed::of(1, &PairingError { reason, by, cause: "" });
        let told = failed(PairingFailedReason::ConfirmValueFailed, By::Peer);
        assert_eq!((told.code, told.name.as_str(), told.by), (4, "confirm_value_failed", FailedBy::Peer));
        let told = failed(PairingFailedReason::BrEdrPairingInProgress, By::Us);
        assert_eq!(told.name, "br_edr_pairing_in_progress");
        assert_eq!(failed(PairingFailedReason(0x77), By::Timeout).name, "unknown");
    }

    #[test]
    fn six_digits_are_a_text_or_a_number() {
        let passkey = |json| serde_json::from_str::<PasskeyText>(json).ok().and_then(|text| text.passkey());
        assert_eq!(passkey("\"000123\"").map(|passkey| passkey.to_string()).as_deref(), Some("000123"));
        assert_eq!(passkey("123").map(|passkey| passkey.to_string()).as_deref(), Some("000123"));
        assert!(
            ["1000000", "\"1234567\"", "\"12a\"", "-1", "1.5", "true"]
                .map(passkey)
                .iter()
                .all(Option::is_none)
        );
    }
}
