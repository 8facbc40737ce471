//! What we offer channels for, and what a link must be like for it. Policy only: it knows of no link and no channel.

use super::{ChannelOptions, InvalidOptions, MIN_SIZE};
use crate::l2cap::signaling::CreditConnectionResult;
use std::collections::BTreeMap;

/// The protocols that peers may open channels for, by SPSM; one value serves all links.
#[derive(Clone, Debug, Default)]
pub struct Servers(BTreeMap<u16, Offer>);

#[derive(Clone, Copy, Debug)]
struct Offer {
    server: Server,
    enhanced_only: bool,
}

/// How channels of one SPSM are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// What each of them takes. Of an enhanced channel MTU and MPS are at least 64.
    pub options: ChannelOptions,
    /// What the link must be like.
    pub security: RequiredSecurity,
    /// Channels of one link at a time; the next one is refused for lack of resources.
    pub most: usize,
}

/// The default options, on links as they are, for 8 channels of a link.
impl Default for Server {
    fn default() -> Self {
        Self { options: ChannelOptions::default(), security: RequiredSecurity::None, most: 8 }
    }
}

/// What is asked of the link's encryption before a channel is accepted ([Vol 3] Part C, 10.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequiredSecurity {
    /// Nothing.
    #[default]
    None,
    /// Encrypted with a key of at least so many octets (7 to 16).
    Encrypted {
        /// Octets of the key.
        key_size: u8,
    },
    /// Encrypted with a key of at least so many octets that came from an authenticated pairing.
    Authenticated {
        /// Octets of the key.
        key_size: u8,
    },
}

/// What a link is like now. The default is a link that never was paired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkSecurity {
    /// There is a key for this peer, used or not.
    pub has_key: bool,
    /// The key in use; `None` while the link is in the clear.
    pub encryption: Option<LinkEncryption>,
}

/// The key that encrypts a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkEncryption {
    /// Its octets.
    pub key_size: u8,
    /// Whether its pairing was authenticated.
    pub authenticated: bool,
}

/// Why an SPSM is not listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// No SPSM of LE.
    #[error("SPSM {0:#06x} is none of LE, which has 0x0001 to 0x00ff")]
    InvalidSpsm(u16),
    /// Somebody listens already.
    #[error("SPSM {0:#06x} is listened on already")]
    Taken(u16),
    /// No channel has such options.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
}

impl Servers {
    /// Offers channels for an SPSM.
    ///
    /// # Errors
    /// When the SPSM is none or is taken, or the options are none.
    pub fn listen(&mut self, spsm: u16, server: Server) -> Result<(), ListenError> {
        self.offer(spsm, Offer { server, enhanced_only: false })
    }

    /// Offers enhanced channels alone: to a request for another kind the SPSM is not there.
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub fn listen_enhanced(&mut self, spsm: u16, server: Server) -> Result<(), ListenError> {
        self.offer(spsm, Offer { server, enhanced_only: true })
    }

    fn offer(&mut self, spsm: u16, offer: Offer) -> Result<(), ListenError> {
        if !is_spsm(spsm) {
            return Err(ListenError::InvalidSpsm(spsm));
        }
        if self.0.contains_key(&spsm) {
            return Err(ListenError::Taken(spsm));
        }
        offer.server.options.check(MIN_SIZE)?;
        self.0.insert(spsm, offer);
        Ok(())
    }

    /// Offers no more; channels that are open stay. Whether there was an offer.
    pub fn stop(&mut self, spsm: u16) -> bool {
        self.0.remove(&spsm).is_some()
    }

    /// The server of an SPSM, or why it serves no such link. The numbers mean the same in both variants.
    pub(super) fn judge(
        &self,
        spsm: u16,
        enhanced: bool,
        link: LinkSecurity,
    ) -> Result<&Server, CreditConnectionResult> {
        let offer = self.0.get(&spsm).filter(|offer| enhanced || !offer.enhanced_only);
        let server = &offer.ok_or(CreditConnectionResult::SpsmNotSupported)?.server;
        let (key_size, authenticated) = match server.security {
            RequiredSecurity::None => return Ok(server),
            RequiredSecurity::Encrypted { key_size } => (key_size, false),
            RequiredSecurity::Authenticated { key_size } => (key_size, true),
        };
        match link.encryption {
            None if link.has_key => Err(CreditConnectionResult::InsufficientEncryption),
            None => Err(CreditConnectionResult::InsufficientAuthentication),
            Some(key) if authenticated && !key.authenticated => {
                Err(CreditConnectionResult::InsufficientAuthentication)
            }
            Some(key) if key.key_size < key_size => Err(CreditConnectionResult::EncryptionKeySizeTooShort),
            Some(_) => Ok(server),
        }
    }
}

/// Whether LE has such an SPSM ([Vol 3] Part A, 4.22).
pub(super) fn is_spsm(spsm: u16) -> bool {
    (0x0001..=0x00FF).contains(&spsm)
}
