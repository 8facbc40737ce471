//! Every HCI event of an LE host and every LE Meta subevent, once: code, name, parameters.

use super::*;
use crate::BdAddr;
use crate::codec::show::Units;
use crate::codec::{HexInt, List, Prefixed, Rest, Secret};
use crate::hci::command::StoredLinkKey;
use crate::hci::meanings::{
    ClockAccuracy, Company, CoreVersion, DataStatus, EncryptionEnabled, LeFeatures, LinkType,
};
use crate::hci::{AddressType, CompletedPackets, ConnectionHandle, ErrorCode, Opcode, Phy, Role};

crate::coded_table! {
    /// An HCI event ([Vol 4] Part E, 7.7).
    pub enum Event, front, crate::assigned::event_name;
    /// [Vol 4] Part E, 7.7.3. Of BR/EDR: captures of phones and computers have it.
    0x03 "Connection Complete" ConnectionComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, bd_addr: BdAddr, link_type: u8 as LinkType,
        encryption_enabled: u8 as EncryptionEnabled
    };
    /// [Vol 4] Part E, 7.7.5.
    0x05 "Disconnection Complete" DisconnectionComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, reason: ErrorCode
    };
    /// [Vol 4] Part E, 7.7.8.
    0x08 "Encryption Change [v1]" EncryptionChange {
        status: ErrorCode, connection_handle: ConnectionHandle, encryption_enabled: u8 as EncryptionEnabled
    };
    /// [Vol 4] Part E, 7.7.12.
    0x0C "Read Remote Version Information Complete" ReadRemoteVersionInformationComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, version: u8 as CoreVersion,
        company_identifier: HexInt<u16> as Company, subversion: u16
    };
    /// [Vol 4] Part E, 7.7.14.
    0x0E "Command Complete" CommandComplete<'a> {
        num_hci_command_packets: u8, command_opcode: Opcode, return_parameters: Rest<'a>
    };
    /// [Vol 4] Part E, 7.7.15.
    0x0F "Command Status" CommandStatus {
        status: ErrorCode, num_hci_command_packets: u8, command_opcode: Opcode
    };
    /// [Vol 4] Part E, 7.7.
    0x10 "Hardware Error" HardwareError { hardware_code: u8 };
    /// [Vol 4] Part E, 7.7.19.
    0x13 "Number Of Completed Packets" NumberOfCompletedPackets<'a> { handles: List<'a, CompletedPackets> };
    /// [Vol 4] Part E, 7.7.21. Of BR/EDR, here for its secret.
    0x15 "Return Link Keys" ReturnLinkKeys<'a> { keys: List<'a, StoredLinkKey<'a>> };
    /// [Vol 4] Part E, 7.7.24. Of BR/EDR, here for its secret.
    0x18 "Link Key Notification" LinkKeyNotification<'a> {
        bd_addr: BdAddr, link_key: Secret<'a, 16>, key_type: u8
    };
    /// [Vol 4] Part E, 7.7.
    0x1A "Data Buffer Overflow" DataBufferOverflow { link_type: u8 as LinkType };
    /// [Vol 4] Part E, 7.7.39.
    0x30 "Encryption Key Refresh Complete" EncryptionKeyRefreshComplete {
        status: ErrorCode, connection_handle: ConnectionHandle
    };
    /// [Vol 4] Part E, 7.7.65.
    0x3E "LE Meta" LeMeta<'a> { subevent: LeEvent<'a> };
    /// [Vol 4] Part E, 7.7.
    0x57 "Authenticated Payload Timeout Expired" AuthenticatedPayloadTimeoutExpired {
        connection_handle: ConnectionHandle
    };
    /// [Vol 4] Part E, 7.7.8.
    0x59 "Encryption Change [v2]" EncryptionChangeV2 {
        status: ErrorCode, connection_handle: ConnectionHandle, encryption_enabled: u8 as EncryptionEnabled,
        encryption_key_size: u8
    };
    /// [Vol 4] Part E, 7.7.
    0xFF "Vendor Specific" VendorSpecific<'a> { parameters: Rest<'a> };
}

crate::coded_table! {
    /// What an LE Meta event carries, by its subevent code ([Vol 4] Part E, 7.7.65).
    pub enum LeEvent, front, crate::assigned::le_event_name;
    /// [Vol 4] Part E, 7.7.65.1.
    0x01 "LE Connection Complete" LeConnectionComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, role: Role, peer_address_type: AddressType,
        peer_address: BdAddr, connection_interval: u16 as Units<1250>, peripheral_latency: u16,
        supervision_timeout: u16 as Units<10_000>, central_clock_accuracy: u8 as ClockAccuracy
    };
    /// [Vol 4] Part E, 7.7.65.2.
    0x02 "LE Advertising Report" LeAdvertisingReport<'a> { reports: List<'a, AdvertisingReport<'a>> };
    /// [Vol 4] Part E, 7.7.65.3.
    0x03 "LE Connection Update Complete" LeConnectionUpdateComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, connection_interval: u16 as Units<1250>,
        peripheral_latency: u16, supervision_timeout: u16 as Units<10_000>
    };
    /// [Vol 4] Part E, 7.7.65.4.
    0x04 "LE Read Remote Features Page 0 Complete" LeReadRemoteFeaturesPage0Complete {
        status: ErrorCode, connection_handle: ConnectionHandle, le_features: HexInt<u64> as LeFeatures
    };
    /// [Vol 4] Part E, 7.7.65.5.
    0x05 "LE Long Term Key Request" LeLongTermKeyRequest {
        connection_handle: ConnectionHandle, random_number: [u8; 8], encrypted_diversifier: u16
    };
    /// [Vol 4] Part E, 7.7.65.6.
    0x06 "LE Remote Connection Parameter Request" LeRemoteConnectionParameterRequest {
        connection_handle: ConnectionHandle, interval_min: u16 as Units<1250>,
        interval_max: u16 as Units<1250>, max_latency: u16, timeout: u16 as Units<10_000>
    };
    /// [Vol 4] Part E, 7.7.65.7.
    0x07 "LE Data Length Change" LeDataLengthChange {
        connection_handle: ConnectionHandle, max_tx_octets: u16, max_tx_time: u16 as Units<1>,
        max_rx_octets: u16, max_rx_time: u16 as Units<1>
    };
    /// [Vol 4] Part E, 7.7.65.
    0x08 "LE Read Local P-256 Public Key Complete" LeReadLocalP256PublicKeyComplete<'a> {
        status: ErrorCode, key_x_coordinate: &'a [u8; 32], key_y_coordinate: &'a [u8; 32]
    };
    /// [Vol 4] Part E, 7.7.65.
    0x09 "LE Generate DHKey Complete" LeGenerateDhKeyComplete<'a> {
        status: ErrorCode, dh_key: Secret<'a, 32>
    };
    /// [Vol 4] Part E, 7.7.65.10.
    0x0A "LE Enhanced Connection Complete [v1]" LeEnhancedConnectionComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, role: Role, peer_address_type: AddressType,
        peer_address: BdAddr, local_resolvable_private_address: BdAddr,
        peer_resolvable_private_address: BdAddr, connection_interval: u16 as Units<1250>,
        peripheral_latency: u16, supervision_timeout: u16 as Units<10_000>,
        central_clock_accuracy: u8 as ClockAccuracy
    };
    /// [Vol 4] Part E, 7.7.65.
    0x0B "LE Directed Advertising Report" LeDirectedAdvertisingReport<'a> {
        reports: List<'a, DirectedAdvertisingReport>
    };
    /// [Vol 4] Part E, 7.7.65.12.
    0x0C "LE PHY Update Complete" LePhyUpdateComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, tx_phy: Phy, rx_phy: Phy
    };
    /// [Vol 4] Part E, 7.7.65.13.
    0x0D "LE Extended Advertising Report" LeExtendedAdvertisingReport<'a> {
        reports: List<'a, ExtendedAdvertisingReport<'a>>
    };
    /// [Vol 4] Part E, 7.7.65.14.
    0x0E "LE Periodic Advertising Sync Established [v1]" LePeriodicAdvertisingSyncEstablished {
        status: ErrorCode, sync_handle: HexInt<u16>, advertising_sid: u8,
        advertiser_address_type: AddressType, advertiser_address: BdAddr, advertiser_phy: Phy,
        periodic_advertising_interval: u16 as Units<1250>, advertiser_clock_accuracy: u8 as ClockAccuracy
    };
    /// [Vol 4] Part E, 7.7.65.15.
    0x0F "LE Periodic Advertising Report [v1]" LePeriodicAdvertisingReport<'a> {
        sync_handle: HexInt<u16>, tx_power: i8, rssi: i8, cte_type: u8, data_status: u8 as DataStatus,
        data: Prefixed<'a>
    };
    /// [Vol 4] Part E, 7.7.65.16.
    0x10 "LE Periodic Advertising Sync Lost" LePeriodicAdvertisingSyncLost { sync_handle: HexInt<u16> };
    /// [Vol 4] Part E, 7.7.65.
    0x11 "LE Scan Timeout" LeScanTimeout {};
    /// [Vol 4] Part E, 7.7.65.18.
    0x12 "LE Advertising Set Terminated" LeAdvertisingSetTerminated {
        status: ErrorCode, advertising_handle: u8, connection_handle: ConnectionHandle,
        num_completed_extended_advertising_events: u8
    };
    /// [Vol 4] Part E, 7.7.65.
    0x13 "LE Scan Request Received" LeScanRequestReceived {
        advertising_handle: u8, scanner_address_type: AddressType, scanner_address: BdAddr
    };
    /// [Vol 4] Part E, 7.7.65.20.
    0x14 "LE Channel Selection Algorithm" LeChannelSelectionAlgorithm {
        connection_handle: ConnectionHandle, channel_selection_algorithm: u8
    };
    /// [Vol 4] Part E, 7.7.65.
    // Layout not confirmed: carried as octets.
    0x15 "LE Connectionless IQ Report" LeConnectionlessIqReport<'a> { parameters: Rest<'a> };
    /// [Vol 4] Part E, 7.7.65.
    // Layout not confirmed: carried as octets.
    0x16 "LE Connection IQ Report" LeConnectionIqReport<'a> { parameters: Rest<'a> };
    /// [Vol 4] Part E, 7.7.65.
    0x17 "LE CTE Request Failed" LeCteRequestFailed {
        status: ErrorCode, connection_handle: ConnectionHandle
    };
    /// [Vol 4] Part E, 7.7.65.24.
    0x18 "LE Periodic Advertising Sync Transfer Received [v1]" LePeriodicAdvertisingSyncTransferReceived {
        status: ErrorCode, connection_handle: ConnectionHandle, service_data: u16, sync_handle: HexInt<u16>,
        advertising_sid: u8, advertiser_address_type: AddressType, advertiser_address: BdAddr,
        advertiser_phy: Phy, periodic_advertising_interval: u16 as Units<1250>,
        advertiser_clock_accuracy: u8 as ClockAccuracy
    };
    /// [Vol 4] Part E, 7.7.65.25.
    // Layout not confirmed: carried as octets.
    0x19 "LE CIS Established [v1]" LeCisEstablished<'a> { parameters: Rest<'a> };
    /// [Vol 4] Part E, 7.7.65.26.
    0x1A "LE CIS Request" LeCisRequest {
        acl_connection_handle: ConnectionHandle, cis_connection_handle: ConnectionHandle, cig_id: u8,
        cis_id: u8
    };
    /// [Vol 4] Part E, 7.7.65.27.
    // Layout not confirmed: carried as octets.
    0x1B "LE Create BIG Complete" LeCreateBigComplete<'a> { parameters: Rest<'a> };
    /// [Vol 4] Part E, 7.7.65.28.
    0x1C "LE Terminate BIG Complete" LeTerminateBigComplete { big_handle: u8, reason: ErrorCode };
    /// [Vol 4] Part E, 7.7.65.29.
    // Layout not confirmed: carried as octets.
    0x1D "LE BIG Sync Established" LeBigSyncEstablished<'a> { parameters: Rest<'a> };
    /// [Vol 4] Part E, 7.7.65.30.
    0x1E "LE BIG Sync Lost" LeBigSyncLost { big_handle: u8, reason: ErrorCode };
    /// [Vol 4] Part E, 7.7.65.
    0x1F "LE Request Peer SCA Complete" LeRequestPeerScaComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, peer_clock_accuracy: u8 as ClockAccuracy
    };
    /// [Vol 4] Part E, 7.7.65.
    0x20 "LE Path Loss Threshold" LePathLossThreshold {
        connection_handle: ConnectionHandle, current_path_loss: u8, zone_entered: u8
    };
    /// [Vol 4] Part E, 7.7.65.
    0x21 "LE Transmit Power Reporting" LeTransmitPowerReporting {
        status: ErrorCode, connection_handle: ConnectionHandle, reason: ErrorCode, phy: Phy,
        tx_power_level: i8, tx_power_level_flag: u8, delta: i8
    };
    /// [Vol 4] Part E, 7.7.65.34.
    // Layout not confirmed: carried as octets.
    0x22 "LE BIGInfo Advertising Report" LeBigInfoAdvertisingReport<'a> { parameters: Rest<'a> };
    /// [Vol 4] Part E, 7.7.65.35.
    0x23 "LE Subrate Change" LeSubrateChange {
        status: ErrorCode, connection_handle: ConnectionHandle, subrate_factor: u16, peripheral_latency: u16,
        continuation_number: u16, supervision_timeout: u16 as Units<10_000>
    };
    /// [Vol 4] Part E, 7.7.65.14.
    0x24 "LE Periodic Advertising Sync Established [v2]" LePeriodicAdvertisingSyncEstablishedV2 {
        status: ErrorCode, sync_handle: HexInt<u16>, advertising_sid: u8,
        advertiser_address_type: AddressType, advertiser_address: BdAddr, advertiser_phy: Phy,
        periodic_advertising_interval: u16 as Units<1250>, advertiser_clock_accuracy: u8 as ClockAccuracy,
        num_subevents: u8, subevent_interval: u8 as Units<1250>, response_slot_delay: u8 as Units<1250>,
        response_slot_spacing: u8 as Units<125>
    };
    /// [Vol 4] Part E, 7.7.65.15.
    0x25 "LE Periodic Advertising Report [v2]" LePeriodicAdvertisingReportV2<'a> {
        sync_handle: HexInt<u16>, tx_power: i8, rssi: i8, cte_type: u8, periodic_event_counter: u16,
        subevent: u8, data_status: u8 as DataStatus, data: Prefixed<'a>
    };
    /// [Vol 4] Part E, 7.7.65.24.
    0x26 "LE Periodic Advertising Sync Transfer Received [v2]" LePeriodicAdvertisingSyncTransferReceivedV2 {
        status: ErrorCode, connection_handle: ConnectionHandle, service_data: u16, sync_handle: HexInt<u16>,
        advertising_sid: u8, advertiser_address_type: AddressType, advertiser_address: BdAddr,
        advertiser_phy: Phy, periodic_advertising_interval: u16 as Units<1250>,
        advertiser_clock_accuracy: u8 as ClockAccuracy, num_subevents: u8,
        subevent_interval: u8 as Units<1250>, response_slot_delay: u8 as Units<1250>,
        response_slot_spacing: u8 as Units<125>
    };
    /// [Vol 4] Part E, 7.7.65.
    0x27 "LE Periodic Advertising Subevent Data Request" LePeriodicAdvertisingSubeventDataRequest {
        advertising_handle: u8, subevent_start: u8, subevent_data_count: u8
    };
    /// [Vol 4] Part E, 7.7.65.
    0x28 "LE Periodic Advertising Response Report" LePeriodicAdvertisingResponseReport<'a> {
        advertising_handle: u8, subevent: u8, tx_status: u8, responses: List<'a, ResponseReport<'a>>
    };
    /// [Vol 4] Part E, 7.7.65.10.
    0x29 "LE Enhanced Connection Complete [v2]" LeEnhancedConnectionCompleteV2 {
        status: ErrorCode, connection_handle: ConnectionHandle, role: Role, peer_address_type: AddressType,
        peer_address: BdAddr, local_resolvable_private_address: BdAddr,
        peer_resolvable_private_address: BdAddr, connection_interval: u16 as Units<1250>,
        peripheral_latency: u16, supervision_timeout: u16 as Units<10_000>,
        central_clock_accuracy: u8 as ClockAccuracy, advertising_handle: u8, sync_handle: HexInt<u16>
    };
    /// [Vol 4] Part E, 7.7.65.
    // Layout not confirmed by a second source.
    0x2B "LE Read All Remote Features Complete" LeReadAllRemoteFeaturesComplete<'a> {
        status: ErrorCode, connection_handle: ConnectionHandle, max_remote_page: u8, max_valid_page: u8,
        le_features: &'a [u8; 248]
    };
    /// [Vol 4] Part E, 7.7.65.
    // Layout not confirmed by a second source.
    0x35 "LE Frame Space Update Complete" LeFrameSpaceUpdateComplete {
        status: ErrorCode, connection_handle: ConnectionHandle, initiator: u8, frame_space: u16 as Units<1>,
        phys: u8, spacing_types: u16
    };
}
