//! What a read, a write or a message means when it names something of a peer.

use crate::Uuid;
use crate::gatt::{Characteristic, Descriptor};

/// Something with a handle: a characteristic stands for its value, a descriptor and a number for themselves.
pub trait Attribute {
    /// The handle.
    fn handle(&self) -> u16;

    /// The type, where it is known.
    fn uuid(&self) -> Option<Uuid> {
        None
    }

    /// How messages name it.
    fn describe(&self) -> String {
        let handle = self.handle();
        match self.uuid().and_then(crate::assigned::attribute_name) {
            Some(name) => format!("0x{handle:04X} ({name})"),
            None => format!("0x{handle:04X}"),
        }
    }
}

impl Attribute for u16 {
    fn handle(&self) -> u16 {
        *self
    }
}

impl Attribute for Characteristic {
    #[allow(clippy::misnamed_getters)] // the value is what one reads and writes
    fn handle(&self) -> u16 {
        self.value_handle
    }
    fn uuid(&self) -> Option<Uuid> {
        Some(self.uuid)
    }
}

impl Attribute for Descriptor {
    fn handle(&self) -> u16 {
        self.handle
    }
    fn uuid(&self) -> Option<Uuid> {
        Some(self.uuid)
    }
}

impl<A: Attribute> Attribute for &A {
    fn handle(&self) -> u16 {
        (**self).handle()
    }
    fn uuid(&self) -> Option<Uuid> {
        (**self).uuid()
    }
}
