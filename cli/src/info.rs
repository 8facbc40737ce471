//! `info`: what the controller says of itself.

use crate::failure::Failure;
use crate::global::Global;
use crate::output::hex;
use baretooth::assigned;
use serde::Serialize;

/// `info` has no options of its own.
#[derive(Debug, clap::Args)]
pub struct Args {}

#[derive(Serialize)]
struct Info<'a> {
    r#type: &'static str,
    adapter: &'a str,
    public_address: Option<String>,
    random_address: String,
    hci_version: u8,
    hci_subversion: u16,
    lmp_subversion: u16,
    company_identifier: u16,
    company: Option<&'static str>,
    /// Bits of the LE feature set, and their names.
    le_features: String,
    le_feature_names: Vec<String>,
    acl_length: u16,
    acl_count: u16,
    shared_buffers: bool,
    extended: bool,
    /// The bits of Read Local Supported Commands.
    supported_commands: String,
    supported_command_count: u32,
    /// What firmware it seems to be without, and how to get it.
    firmware: Option<String>,
}

pub async fn run(global: &Global, _: Args) -> Result<(), Failure> {
    global
        .session(async |adapter| {
            let controller = adapter.controller();
            let info = Info {
                r#type: "info",
                adapter: adapter.description(),
                public_address: controller.public_address.map(|address| address.bd_addr.to_string()),
                random_address: controller.random_address.bd_addr.to_string(),
                hci_version: controller.hci_version,
                hci_subversion: controller.hci_subversion,
                lmp_subversion: controller.lmp_subversion,
                company_identifier: controller.company_identifier,
                company: assigned::company_name(controller.company_identifier),
                le_features: format!("{:016x}", controller.features.0),
                le_feature_names: controller.features.names().map(str::to_owned).collect(),
                acl_length: controller.acl_length,
                acl_count: controller.acl_count,
                shared_buffers: controller.shared_buffers,
                extended: controller.extended,
                supported_commands: hex(controller.supported_commands.as_slice()),
                supported_command_count: controller
                    .supported_commands
                    .iter()
                    .map(|set| set.count_ones())
                    .sum(),
                firmware: controller.firmware().map(|hint| hint.to_string()),
            };
            let mut output = global.output();
            if output.is_json() {
                output.object(&info)?;
            } else {
                print(&info, |name, text| output.line(format_args!("{name:<20} {text}")))?;
            }
            Ok(output.flush()?)
        })
        .await
}

fn print(info: &Info<'_>, mut line: impl FnMut(&str, String) -> std::io::Result<()>) -> std::io::Result<()> {
    line("adapter", info.adapter.to_owned())?;
    line("public address", info.public_address.clone().unwrap_or_else(|| "none".to_owned()))?;
    line("random address", info.random_address.clone())?;
    let version = assigned::core_version_name(info.hci_version).unwrap_or("unknown version");
    line("Bluetooth version", format!("{version} (HCI revision 0x{:04x})", info.hci_subversion))?;
    let company = info.company.unwrap_or("unknown company");
    let subversion = info.lmp_subversion;
    line(
        "manufacturer",
        format!("{company} (0x{:04x}), subversion 0x{subversion:04x}", info.company_identifier),
    )?;
    line("LE features", info.le_feature_names.join(", "))?;
    let shared = if info.shared_buffers { ", shared with BR/EDR" } else { "" };
    line("ACL buffers", format!("{} of {} octets{shared}", info.acl_count, info.acl_length))?;
    line("supported commands", info.supported_command_count.to_string())?;
    line("advertising PDUs", if info.extended { "legacy and extended" } else { "legacy" }.to_owned())?;
    info.firmware.as_ref().map_or(Ok(()), |hint| line("firmware", hint.clone()))
}
