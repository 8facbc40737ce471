//! A line of a client: it is a call, or it has an answer that names an id of it or none. No panic, and what is a call
//! says the same when it is written again.

#![no_main]

use baretooth_rpc::line::parse_line;
use baretooth_rpc::message::error::RpcError;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|line: &[u8]| {
    let Some(said) = parse_line(line) else {
        assert!(line.trim_ascii().is_empty());
        return;
    };
    match said {
        Ok(call) => {
            let mut again = json!({ "jsonrpc": "2.0", "method": call.method, "params": call.params });
            if let Some(id) = &call.id {
                again["id"] = serde_json::to_value(id).expect("an id is JSON");
            }
            let again = parse_line(again.to_string().as_bytes()).expect("it is no space");
            assert_eq!(again.expect("it is a call"), call);
        }
        Err(refusal) => {
            let known = [RpcError::PARSE_ERROR, RpcError::INVALID_REQUEST, RpcError::INVALID_PARAMS];
            assert!(known.contains(&refusal.error.code));
            let id = serde_json::to_value(&refusal.id).expect("an id is JSON");
            let said = serde_json::from_slice::<Value>(line).ok();
            assert!(id.is_null() || said.is_some_and(|said| said["id"] == id));
        }
    }
});
