//! Pairs with the door lock of the virtual radio, which shows a passkey to be typed, and reads what it tells no other.
//! With a store the second session needs no passkey.
//!
//! `cargo run -p baretooth --example pair`

use baretooth::bonds::MemoryStore;
use baretooth::sim::demo::{DOOR_LOCK_ADDRESS, DOOR_LOCK_PASSKEY, LOCKED};
use baretooth::smp::{IoCapability, PairingOptions, Passkey};
use baretooth::{Adapter, Error, Prompt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    // A `JsonStore` keeps bonds in files that nobody else can read.
    let store = MemoryStore::new();
    let adapter = Adapter::builder().store(store.clone()).open("sim").await?;
    let lock = adapter.connect(DOOR_LOCK_ADDRESS).await?;
    let mut pairing = lock.pair_with(PairingOptions::new().io(IoCapability::KeyboardOnly).mitm(true));
    while let Some(prompt) = pairing.next().await {
        println!("{prompt}");
        // A program would ask its user; a prompt that is dropped is refused.
        if let (Prompt::EnterPasskey(answer), Some(passkey)) = (prompt, Passkey::new(DOOR_LOCK_PASSKEY)) {
            answer.enter(passkey);
        }
    }
    let summary = pairing.finish().await?;
    println!("paired with {} by {}", summary.peer, summary.method);
    let locked = lock.discover().await?.find(LOCKED)?;
    println!("locked: {}", lock.read(&locked).await?[0] == 1);
    adapter.close().await;

    // Nobody is asked again, and nothing was said before the link was encrypted.
    let adapter = Adapter::builder().store(store).open("sim").await?;
    for bond in adapter.bonds().await? {
        println!("known: {}, {}", bond.peer, bond.level());
    }
    adapter.close().await;
    Ok(())
}
