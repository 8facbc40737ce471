//! What happens, as one JSON object a line on standard output.

use serde_json::{Value, json};
use std::io::Write;

/// Prints an event with its members, an object.
pub fn tell(event: &str, mut members: Value) {
    members["event"] = json!(event);
    let mut output = std::io::stdout().lock();
    // Without a driver there is nobody to tell.
    let _ = writeln!(output, "{members}").and_then(|()| output.flush());
}
