//! A central that pairs: raw PDUs in the order of the specification, with cryptography of its own. It shares nothing with
//! the responder that it pairs with.

use crate::room::*;
use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit as _};
use baretooth::codec::Secret;
use baretooth::hci::command::*;
use baretooth::hci::*;
use baretooth::sim::*;
use baretooth::{Address, AddressKind, BdAddr};
use cmac::{Cmac, Mac};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use std::collections::VecDeque;

/// The address on the air; its kind and order matter to the confirm values.
pub const CENTRAL: Address = Address::public(bd_addr(1));
pub const MITM: u8 = 0x04;
pub const SC: u8 = 0x08;
pub const IRK: [u8; 16] = [0x1C; 16];
pub const CSRK: [u8; 16] = [0x5C; 16];
pub const LTK: [u8; 16] = [0x2D; 16];
pub const EDIV: u16 = 0x4321;
pub const RAND: [u8; 8] = [9, 8, 7, 6, 5, 4, 3, 2];

/// How the user of the central does their part.
#[derive(Clone, Copy)]
pub enum User {
    Nothing,
    /// Reads the passkey from the device's display and types it.
    Reads,
    /// This passkey, shown or typed here.
    Passkey(u32),
    /// Legacy out of band.
    TemporaryKey([u8; 16]),
    /// What came from the device out of band, and whether the device has ours.
    OutOfBand(Option<OutOfBand>, bool),
}

/// What the central has when it is done.
#[derive(Debug, Default)]
pub struct Outcome {
    pub response: Vec<u8>,
    /// STK of legacy pairing, LTK of Secure Connections.
    pub link_key: [u8; 16],
    pub number: u32,
    /// The PDUs of the third phase, as they came.
    pub keys: Vec<Vec<u8>>,
}

pub struct Central {
    pub room: Room,
    pub host: ControllerId,
    pub handle: ConnectionHandle,
    pub device: DeviceId,
    peer: Address,
    inbox: VecDeque<Vec<u8>>,
    private: SecretKey,
    oob_random: [u8; 16],
}

/// What came in the place of the PDU that was to come.
pub type Instead = Option<Vec<u8>>;

impl Central {
    pub fn new(device: Device) -> Self {
        let mut room = Room::new(RadioOptions { seed: 6, ..RadioOptions::default() });
        let host = room.controller(ControllerOptions::default().address(CENTRAL.bd_addr));
        let peer = device.address;
        let device = room.radio.add_device(device);
        let handle = room.connect(host, peer);
        let private = SecretKey::from_slice(&[0x77; 32]).expect("below the order");
        let inbox = VecDeque::new();
        Self { room, host, handle, device, peer, inbox, private, oob_random: [0x0B; 16] }
    }

    pub fn with(responder: Responder) -> Self {
        Self::new(Device::new(random(1)).server(battery()).pairing(responder))
    }

    pub fn responder(&self) -> &Responder {
        self.room.radio.device(self.device).expect("there").responder().expect("it pairs")
    }

    pub fn paired(&self) -> &Paired {
        self.responder().paired().expect("a pairing that came to its end")
    }

    /// What the device is to be given out of band.
    pub fn out_of_band(&self) -> OutOfBand {
        let x = self.public().0;
        OutOfBand { confirm: f4(&x, &x, &self.oob_random, 0), random: self.oob_random }
    }

    pub fn public(&self) -> ([u8; 32], [u8; 32]) {
        let point = self.private.public_key().to_sec1_point(false);
        let octets: Vec<u8> = point.as_bytes().to_vec();
        (turned(octets[1..33].try_into().expect("32")), turned(octets[33..].try_into().expect("32")))
    }

    pub fn say(&mut self, pdu: &[u8]) {
        self.room.send_frame(self.host, self.handle, 6, pdu);
        self.run(40);
    }

    pub fn run(&mut self, time: u64) {
        self.room.run(ms(time));
        let frames = self.room.frames(self.host);
        self.inbox.extend(frames.into_iter().filter(|(channel, _)| *channel == 6).map(|(_, pdu)| pdu));
    }

    /// The next PDU of the security manager's channel.
    pub fn hear(&mut self) -> Option<Vec<u8>> {
        self.inbox.pop_front()
    }

    /// Everything that came.
    pub fn all(&mut self) -> Vec<Vec<u8>> {
        self.inbox.drain(..).collect()
    }

    fn expect(&mut self, code: u8, length: usize) -> Result<Vec<u8>, Instead> {
        while self.inbox.front().is_some_and(|pdu| pdu[0] == 0x0E) {
            self.inbox.pop_front();
        }
        match self.hear() {
            Some(pdu) if pdu[0] == code && pdu.len() == 1 + length => Ok(pdu[1..].to_vec()),
            other => Err(other),
        }
    }

    /// Asks for one value over ATT, and gives its answer.
    pub fn read(&mut self, handle: u8) -> Vec<u8> {
        self.run(10);
        self.room.send_frame(self.host, self.handle, 4, &[0x0A, handle, 0]);
        self.room.run(ms(40));
        let mut frames = self.room.frames(self.host);
        frames.retain(|(channel, _)| *channel == 4);
        assert_eq!(frames.len(), 1, "one answer");
        frames.remove(0).1
    }

    /// Encrypts the link and says whether that worked.
    pub fn encrypt(&mut self, key: &[u8; 16], ediv: u16, rand: [u8; 8]) -> Result<(), ErrorCode> {
        let changes = |room: &Room, id| {
            room.all(id, |event| match event {
                Event::EncryptionChange(e) => Some(e.status),
                Event::EncryptionKeyRefreshComplete(e) => Some(e.status),
                Event::DisconnectionComplete(e) => Some(e.reason),
                _ => None,
            })
        };
        let before = changes(&self.room, self.host).len();
        let command = LeEnableEncryption {
            connection_handle: self.handle,
            random_number: rand,
            encrypted_diversifier: ediv,
            long_term_key: Secret(key),
        };
        self.room.ok(self.host, &command);
        self.run(60);
        match changes(&self.room, self.host)[before..] {
            [ErrorCode::Success] => Ok(()),
            [status] => Err(status),
            ref other => panic!("{other:?} of one encryption"),
        }
    }

    /// Ends the link and connects anew.
    pub fn reconnect(&mut self) {
        if !self.room.disconnections(self.host).iter().any(|(handle, _)| *handle == self.handle) {
            let reason = ErrorCode::RemoteUserTerminatedConnection;
            self.room.ok(self.host, &Disconnect { connection_handle: self.handle, reason });
        }
        self.room.run(ms(100));
        self.handle = self.room.connect(self.host, self.peer);
        self.inbox.clear();
        self.run(40);
    }

    /// A whole pairing: `[io, oob, auth, size, initiator's keys, responder's keys]`.
    pub fn pair(&mut self, features: [u8; 6], user: User) -> Result<Outcome, Instead> {
        let mut outcome = self.agree(features, user)?;
        self.encrypt(&outcome.link_key, 0, [0; 8]).expect("equal keys");
        outcome.keys = self.all();
        let secure = features[2] & outcome.response[3] & SC != 0;
        let owed = outcome.response[5] & !u8::from(secure);
        if owed & 1 != 0 {
            self.say(&[&[0x06], &LTK[..]].concat());
            self.say(&[&[0x07][..], &EDIV.to_le_bytes(), &RAND].concat());
        }
        if owed & 2 != 0 {
            self.say(&[&[0x08], &IRK[..]].concat());
            self.say(&[&[0x09, 0], &CENTRAL.bd_addr.0[..]].concat());
        }
        if owed & 4 != 0 {
            self.say(&[&[0x0A], &CSRK[..]].concat());
        }
        Ok(outcome)
    }

    /// The first two phases: up to the key of the link.
    pub fn agree(&mut self, features: [u8; 6], user: User) -> Result<Outcome, Instead> {
        let request = [&[0x01], &features[..]].concat();
        self.say(&request);
        let response = [&[0x02], &self.expect(0x02, 6)?[..]].concat();
        let secure = features[2] & response[3] & SC != 0;
        let size = usize::from(features[3].min(response[4]));
        let mut outcome = Outcome { response: response.clone(), ..Outcome::default() };
        let passkey = match user {
            User::Reads => Some(self.responder().shown_passkey().expect("it shows one")),
            User::Passkey(passkey) => Some(passkey),
            _ => None,
        };
        if secure {
            let io = |octets: &[u8]| [octets[1], octets[2], octets[3]];
            let number = match user {
                User::Reads | User::Passkey(_) => self.passkey_rounds(passkey.unwrap_or_default())?,
                User::OutOfBand(..) => self.one_round(true)?,
                _ => self.one_round(false)?,
            };
            let Nonces { own, peer, peer_x, dh_key } = number;
            outcome.number = self.number(&peer_x, &own, &peer);
            let (mac_key, key) = f5(&dh_key, &own, &peer, CENTRAL, self.peer);
            let (mut ra, mut rb) = ([0; 16], [0; 16]);
            if let Some(passkey) = passkey {
                ra[..4].copy_from_slice(&passkey.to_le_bytes());
                rb = ra;
            }
            if let User::OutOfBand(data, device_has_ours) = user {
                rb = data.map_or([0; 16], |data| data.random);
                ra = if device_has_ours { self.oob_random } else { [0; 16] };
                if let Some(data) = data {
                    assert_eq!(f4(&peer_x, &peer_x, &data.random, 0), data.confirm);
                }
            }
            let check = f6(&mac_key, &own, &peer, &rb, io(&request), CENTRAL, self.peer);
            self.say(&[&[0x0D], &check[..]].concat());
            let theirs = self.expect(0x0D, 16)?;
            if theirs != f6(&mac_key, &peer, &own, &ra, io(&response), self.peer, CENTRAL) {
                return Err(Some([&[0x0D], &theirs[..]].concat()));
            }
            outcome.link_key = key;
        } else {
            let mut key = [0; 16];
            match user {
                User::TemporaryKey(octets) => key = octets,
                _ => key[..4].copy_from_slice(&passkey.unwrap_or_default().to_le_bytes()),
            }
            let own = [0xC0; 16];
            let confirm = c1(&key, &own, &request, &response, CENTRAL, self.peer);
            self.say(&[&[0x03], &confirm[..]].concat());
            let theirs = self.expect(0x03, 16)?;
            self.say(&[&[0x04], &own[..]].concat());
            let random: [u8; 16] = self.expect(0x04, 16)?.try_into().expect("16");
            assert_eq!(theirs, c1(&key, &random, &request, &response, CENTRAL, self.peer));
            let mut both = [0; 16];
            both[..8].copy_from_slice(&own[..8]);
            both[8..].copy_from_slice(&random[..8]);
            outcome.link_key = e(&key, &both);
        }
        outcome.link_key[size..].fill(0);
        Ok(outcome)
    }

    /// Public keys both ways: the X of the peer and the secret.
    pub fn exchange_keys(&mut self) -> Result<([u8; 32], [u8; 32]), Instead> {
        let (x, y) = self.public();
        self.say(&[&[0x0C], &x[..], &y].concat());
        let peer = self.expect(0x0C, 64)?;
        let sec1 = [
            &[4],
            &turned::<32>(peer[..32].try_into().expect("32"))[..],
            &turned::<32>(peer[32..].try_into().expect("32")),
        ]
        .concat();
        let point =
            p256::PublicKey::from_sec1_bytes(&sec1).map_err(|_| Some([&[0x0C], &peer[..]].concat()))?;
        let shared = p256::ecdh::diffie_hellman(self.private.to_nonzero_scalar(), point.as_affine());
        let dh_key = turned(<[u8; 32]>::from(*shared.raw_secret_bytes()));
        Ok((peer[..32].try_into().expect("32"), dh_key))
    }

    /// What both displays show.
    pub fn number(&self, peer_x: &[u8; 32], own: &[u8; 16], peer: &[u8; 16]) -> u32 {
        g2(&self.public().0, peer_x, own, peer)
    }

    fn one_round(&mut self, out_of_band: bool) -> Result<Nonces, Instead> {
        let (peer_x, dh_key) = self.exchange_keys()?;
        let confirm = if out_of_band { None } else { Some(self.expect(0x03, 16)?) };
        let own = [0xA5; 16];
        self.say(&[&[0x04], &own[..]].concat());
        let peer: [u8; 16] = self.expect(0x04, 16)?.try_into().expect("16");
        if let Some(confirm) = confirm
            && confirm != f4(&peer_x, &self.public().0, &peer, 0)
        {
            return Err(Some([&[0x04], &peer[..]].concat()));
        }
        Ok(Nonces { own, peer, peer_x, dh_key })
    }

    fn passkey_rounds(&mut self, passkey: u32) -> Result<Nonces, Instead> {
        let (peer_x, dh_key) = self.exchange_keys()?;
        let x = self.public().0;
        let (mut own, mut peer) = ([0; 16], [0; 16]);
        for round in 0..20u8 {
            let z = 0x80 | u8::from(passkey >> round & 1 == 1);
            own = [round; 16];
            self.say(&[&[0x03], &f4(&x, &peer_x, &own, z)[..]].concat());
            let confirm = self.expect(0x03, 16)?;
            self.say(&[&[0x04], &own[..]].concat());
            peer = self.expect(0x04, 16)?.try_into().expect("16");
            if confirm != f4(&peer_x, &x, &peer, z) {
                return Err(Some([&[0x04, round], &peer[..]].concat()));
            }
        }
        Ok(Nonces { own, peer, peer_x, dh_key })
    }
}

struct Nonces {
    own: [u8; 16],
    peer: [u8; 16],
    peer_x: [u8; 32],
    dh_key: [u8; 32],
}

/// A battery level for all, one for encrypted links and one for authenticated ones: values at 3, 6 and 8.
pub fn battery() -> Server {
    Table::default()
        .service(baretooth::uuid16(0x180F))
        .characteristic(baretooth::uuid16(0x2A19), property::READ | property::NOTIFY, [87])
        .characteristic(baretooth::uuid16(0x2A1A), property::READ, [88])
        .adjust(|attribute| attribute.permissions.encrypted = true)
        .characteristic(baretooth::uuid16(0x2A1B), property::READ, [89])
        .adjust(|attribute| {
            (attribute.permissions.authenticated, attribute.permissions.key_size) = (true, 16);
        })
        .build()
}

pub fn turned<const N: usize>(mut octets: [u8; N]) -> [u8; N] {
    octets.reverse();
    octets
}

/// The security function e, least significant octet first.
pub fn e(key: &[u8; 16], plaintext: &[u8; 16]) -> [u8; 16] {
    let mut block = turned(*plaintext).into();
    Aes128::new(&turned(*key).into()).encrypt_block(&mut block);
    turned(block.into())
}

fn xor(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    std::array::from_fn(|n| a[n] ^ b[n])
}

fn kind(address: Address) -> u8 {
    u8::from(address.kind == AddressKind::Random)
}

fn c1(k: &[u8; 16], r: &[u8; 16], request: &[u8], response: &[u8], ia: Address, ra: Address) -> [u8; 16] {
    let p1: Vec<u8> = [&[kind(ia), kind(ra)], request, response].concat();
    let p2 = [&ra.bd_addr.0[..], &ia.bd_addr.0, &[0; 4]].concat();
    let once = e(k, &xor(*r, p1.try_into().expect("16")));
    e(k, &xor(once, p2.try_into().expect("16")))
}

/// AES-CMAC of parts that are least significant octet first, the last of the list least significant.
fn hash(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    let mut mac = <Cmac<Aes128> as cmac::KeyInit>::new(&turned(*key).into());
    for part in parts {
        let printed: Vec<u8> = part.iter().rev().copied().collect();
        mac.update(&printed);
    }
    turned(mac.finalize().into_bytes().into())
}

fn f4(u: &[u8; 32], v: &[u8; 32], x: &[u8; 16], z: u8) -> [u8; 16] {
    hash(x, &[u, v, &[z]])
}

fn address(of: Address) -> [u8; 7] {
    let BdAddr([a, b, c, d, e, f]) = of.bd_addr;
    [a, b, c, d, e, f, kind(of)]
}

fn f5(w: &[u8; 32], n1: &[u8; 16], n2: &[u8; 16], a1: Address, a2: Address) -> ([u8; 16], [u8; 16]) {
    let salt: u128 = 0x6C888391AAF5A53860370BDB5A6083BE;
    let t = hash(&salt.to_le_bytes(), &[w]);
    let key = |counter: u8| {
        hash(&t, &[&[counter], b"eltb", n1, n2, &address(a1), &address(a2), &256u16.to_le_bytes()])
    };
    (key(0), key(1))
}

fn f6(
    w: &[u8; 16],
    n1: &[u8; 16],
    n2: &[u8; 16],
    r: &[u8; 16],
    io: [u8; 3],
    a1: Address,
    a2: Address,
) -> [u8; 16] {
    hash(w, &[n1, n2, r, &io, &address(a1), &address(a2)])
}

fn g2(u: &[u8; 32], v: &[u8; 32], x: &[u8; 16], y: &[u8; 16]) -> u32 {
    let [a, b, c, d, ..] = hash(x, &[u, v, y]);
    u32::from_le_bytes([a, b, c, d]) % 1_000_000
}
