//! Clients that keep what they know of our table.

use super::*;
use baretooth::gatt::procedure::ReadByUuid;

/// A client that knows of robust caching is served nothing of a table that it does not know: it is told, reads the
/// hash, and goes on. The hash is that of the definitions: the same table has the same one.
#[test]
fn robust_caching_and_database_hash_are_served() {
    const DATABASE_HASH: Uuid = uuid16(0x2B2A);
    let (mut crowd, central, _, services) = two(Crowd::new(2));
    let hash = |crowd: &mut Crowd| {
        let found = crowd.gatt(CENTRAL, central, ReadByUuid::new(DATABASE_HASH)).expect("always answered");
        let [hash] = &found[..] else { panic!("{found:?}") };
        assert_eq!(hash.value.len(), 16);
        hash.value.clone()
    };
    let first = hash(&mut crowd);
    let features = at(&services, uuid16(0x2B29)).0;
    crowd.gatt(CENTRAL, central, Write::new(features, &[1][..]).expect("short")).expect("robust caching");
    let (level, stored) = (at(&services, LEVEL).0, at(&services, STORED).0);
    assert_eq!(crowd.gatt(CENTRAL, central, Read::new(level)), Ok(Bytes::from_static(&[7])));
    let other = Service::primary(uuid16(0x1815)).at(0x100);
    let other = Table::builder("served").service(other).build().expect("fits");
    serve(&mut crowd, PERIPHERAL, other);
    let refusal = crowd.gatt(CENTRAL, central, Read::new(3)).expect_err("out of sync");
    assert_eq!(refused(refusal), AttError::DatabaseOutOfSync);
    let second = hash(&mut crowd);
    assert_ne!(second, first);
    assert_eq!(crowd.gatt(CENTRAL, central, Read::new(3)), Ok(Bytes::from_static(b"served")));
    // The table of before, with other values, is the table of before.
    serve(&mut crowd, PERIPHERAL, table(8));
    assert_eq!(hash(&mut crowd), first);
    assert_eq!(crowd.gatt(CENTRAL, central, Read::new(stored)), Ok(Bytes::from(vec![8; 300])));
}
