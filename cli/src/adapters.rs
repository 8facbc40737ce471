//! `adapters`: what could be opened on this machine, found without opening it.
//!
//! Also the choice of an adapter when none is named: the only usable piece of hardware. A dongle that is there twice,
//! as a USB device and as the kernel's, is one piece, and then the kernel's is taken: it has its firmware already, and
//! the kernel has it back however this program ends. A serial port is never taken unasked: what is behind it cannot be
//! seen, and the first octets would go to whatever that is.

use crate::failure::Failure;
use crate::global::Global;
use baretooth::ErrorKind;
use baretooth::transports::{AdapterSpec, Candidate, candidates};
use serde::Serialize;

/// `adapters` has no options of its own.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// One adapter, and why it cannot be used if it cannot.
#[derive(Debug, Serialize)]
struct Found {
    r#type: &'static str,
    adapter: String,
    description: String,
    usable: bool,
    reason: Option<String>,
    /// What to do about it.
    hint: Option<String>,
    /// Another name of the same piece of hardware.
    same_as: Option<String>,
}

pub async fn run(global: &Global, _: Args) -> Result<(), Failure> {
    let mut output = global.output();
    for found in list(&candidates()) {
        if output.is_json() {
            output.object(&found)?;
        } else {
            output.line(format_args!("{}", line(&found)))?;
        }
    }
    Ok(output.flush()?)
}

/// The adapter to take when none is named.
pub fn only() -> Result<AdapterSpec, Failure> {
    choose(&candidates())
}

fn list(candidates: &[Candidate]) -> Vec<Found> {
    let hardware = candidates.iter().map(|candidate| Found {
        r#type: "adapter",
        adapter: candidate.spec.to_string(),
        description: candidate.description.clone(),
        usable: candidate.problem.is_none(),
        reason: candidate.problem.as_ref().map(|problem| problem.reason.clone()),
        hint: candidate.problem.as_ref().map(|problem| problem.hint.clone()),
        same_as: twin(candidates, candidate).map(|twin| twin.spec.to_string()),
    });
    let sim = Found {
        r#type: "adapter",
        adapter: AdapterSpec::Sim.to_string(),
        description: "virtual radio with demo devices".to_owned(),
        usable: true,
        reason: None,
        hint: None,
        same_as: None,
    };
    hardware.chain([sim]).collect()
}

fn line(found: &Found) -> String {
    let mut line = format!("{:<16} {}", found.adapter, found.description);
    if let Some(twin) = &found.same_as {
        line += &format!("; the same as {twin}");
    }
    match (&found.reason, &found.hint) {
        (Some(reason), Some(hint)) => line + &format!("; not usable: {reason}; {hint}"),
        _ => line + "; usable",
    }
}

fn choose(candidates: &[Candidate]) -> Result<AdapterSpec, Failure> {
    let takes_asking =
        |candidate: &&Candidate| !matches!(candidate.spec, AdapterSpec::Uart(_) | AdapterSpec::H5(_));
    let mut usable: Vec<_> =
        candidates.iter().filter(takes_asking).filter(|candidate| candidate.problem.is_none()).collect();
    let is_second_best = |candidate: &Candidate| {
        matches!(candidate.spec, AdapterSpec::Usb(_))
            && twin(candidates, candidate).is_some_and(|twin| twin.problem.is_none())
    };
    usable.retain(|candidate| !is_second_best(candidate));
    if let [only] = usable[..] {
        return Ok(only.spec.clone());
    }
    let state = |candidate: &Candidate| match &candidate.problem {
        Some(problem) => format!("{} ({}; {})", candidate.spec, problem.reason, problem.hint),
        None => candidate.spec.to_string(),
    };
    let found = match (candidates, &usable[..]) {
        ([], _) => "none was found".to_owned(),
        (_, []) => {
            format!("none is usable unasked: {}", candidates.iter().map(state).collect::<Vec<_>>().join(", "))
        }
        _ => {
            format!("there are {}", usable.iter().map(|c| c.spec.to_string()).collect::<Vec<_>>().join(", "))
        }
    };
    let hint = "name one with --adapter; --adapter sim is a virtual radio that needs no hardware";
    Err(Failure::new(ErrorKind::NotFound, format!("choosing an adapter failed: {found}; {hint}")))
}

/// The same piece of hardware under its other name.
fn twin<'a>(candidates: &'a [Candidate], candidate: &Candidate) -> Option<&'a Candidate> {
    candidate.device.as_ref()?;
    candidates.iter().find(|other| other.device == candidate.device && other.spec != candidate.spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use baretooth::transports::Problem;

    fn found(name: &str, device: Option<&str>, reason: Option<&str>) -> Candidate {
        let mut candidate = Candidate::new(name.parse().expect("a name"), format!("the {name}"));
        candidate.device = device.map(str::to_owned);
        candidate.problem = reason.map(|reason| Problem::new(reason, "do something"));
        candidate
    }

    fn chosen(candidates: &[Candidate]) -> Result<String, String> {
        choose(candidates).map(|spec| spec.to_string()).map_err(|failure| match failure {
            Failure::Failed(report) => report.message,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn the_only_usable_adapter_is_taken_unasked() {
        let usb = found("usb:0a12:0001", Some("usb 1-2"), None);
        let blocked = found("hci1", None, Some("blocked"));
        assert_eq!(chosen(&[usb.clone(), blocked]).as_deref(), Ok("usb:0a12:0001"));
        let message = chosen(&[usb, found("hci1", Some("usb 1-3"), None)]).expect_err("two");
        assert_eq!(
            message,
            "choosing an adapter failed: there are usb:0a12:0001, hci1; name one with --adapter; --adapter sim is a \
             virtual radio that needs no hardware"
        );
    }

    #[test]
    fn a_dongle_that_the_kernel_has_too_is_one_adapter() {
        let twins = |usb, kernel| {
            [found("usb:0a12:0001", Some("usb 1-2"), usb), found("hci0", Some("usb 1-2"), kernel)]
        };
        assert_eq!(chosen(&twins(None, None)).as_deref(), Ok("hci0"));
        assert_eq!(chosen(&twins(None, Some("no permission"))).as_deref(), Ok("usb:0a12:0001"));
        assert_eq!(chosen(&twins(Some("no permission"), None)).as_deref(), Ok("hci0"));
        let message = chosen(&twins(Some("no permission"), Some("blocked"))).expect_err("none");
        let told = "none is usable unasked: usb:0a12:0001 (no permission; do something), hci0 (blocked; do something);";
        assert!(message.contains(told), "{message}");
    }

    #[test]
    fn a_serial_port_is_listed_and_never_taken_unasked() {
        let port = found("uart:/dev/ttyUSB0,1000000", None, None);
        assert!(list(std::slice::from_ref(&port))[0].usable);
        let message = chosen(std::slice::from_ref(&port)).expect_err("not unasked");
        assert!(message.contains("none is usable unasked: uart:/dev/ttyUSB0,1000000;"), "{message}");
        assert_eq!(chosen(&[port, found("hci0", None, None)]).as_deref(), Ok("hci0"));
        assert!(chosen(&[]).expect_err("none").contains("none was found"));
    }

    #[test]
    fn a_line_says_what_it_is_whether_it_is_usable_and_what_to_do() {
        let candidates = [
            found("usb:0a12:0001", Some("usb 1-2"), None),
            found("hci0", Some("usb 1-2"), Some("no permission")),
        ];
        let lines: Vec<_> = list(&candidates).iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "usb:0a12:0001    the usb:0a12:0001; the same as hci0; usable",
                "hci0             the hci0; the same as usb:0a12:0001; not usable: no permission; do something",
                "sim              virtual radio with demo devices; usable",
            ]
        );
    }
}
