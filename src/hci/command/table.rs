//! Every HCI command of an LE host, and those of BR/EDR that hold secrets, once: opcode, bit in Read Local Supported Commands
//! ([Vol 4] Part E, 6.27), name, parameters, and what the controller answers.

use super::*;
use crate::BdAddr;
use crate::codec::show::{Advertising, Units};
use crate::codec::{HexInt, List, Prefixed, Rest, Secret, U24};
use crate::hci::meanings::{
    Company, CoreVersion, EventMask, EventMaskPage2, InitiatorFilterPolicy, LeEventMask, LeFeatures,
    LocalName, PhyMask, ScanType, ScanningFilterPolicy, Undisclosed,
};
use crate::hci::{AddressType, ConnectionHandle, ErrorCode, OwnAddressType, Phy};

hci_commands! {
    /// [Vol 4] Part E, 7.1.6.
    0x0406 (0, 5) "Disconnect" Disconnect {
        connection_handle: ConnectionHandle, reason: ErrorCode
    } => Status;
    /// [Vol 4] Part E, 7.1.10. Of BR/EDR, here for its secret.
    0x040B (1, 2) "Link Key Request Reply" LinkKeyRequestReply<'a> {
        bd_addr: BdAddr, link_key: Secret<'a, 16>
    } => AddressReturn;
    /// [Vol 4] Part E, 7.1.12. Of BR/EDR, here for its secret.
    0x040D (1, 4) "PIN Code Request Reply" PinCodeRequestReply<'a> {
        bd_addr: BdAddr, pin_code_length: u8, pin_code: Secret<'a, 16>
    } => AddressReturn;
    /// [Vol 4] Part E, 7.1.23.
    0x041D (2, 7) "Read Remote Version Information" ReadRemoteVersionInformation {
        connection_handle: ConnectionHandle
    } => Status;
    /// [Vol 4] Part E, 7.1.34. Of BR/EDR, here for its secret.
    0x0430 (19, 4) "Remote OOB Data Request Reply" RemoteOobDataRequestReply<'a> {
        bd_addr: BdAddr, c: &'a [u8; 16], r: Secret<'a, 16>
    } => AddressReturn;
    /// [Vol 4] Part E, 7.1.53. Of BR/EDR, here for its secret.
    0x0445 (32, 1) "Remote OOB Extended Data Request Reply" RemoteOobExtendedDataRequestReply<'a> {
        bd_addr: BdAddr, c_192: &'a [u8; 16], r_192: Secret<'a, 16>, c_256: &'a [u8; 16],
        r_256: Secret<'a, 16>
    } => AddressReturn;
    /// [Vol 4] Part E, 7.3.1.
    0x0C01 (5, 6) "Set Event Mask" SetEventMask { event_mask: HexInt<u64> as EventMask } => StatusReturn;
    /// [Vol 4] Part E, 7.3.2.
    0x0C03 (5, 7) "Reset" Reset {} => StatusReturn;
    /// [Vol 4] Part E, 7.3.3.
    0x0C05 (6, 0) "Set Event Filter" SetEventFilter<'a> {
        filter_type: u8, filter_condition: Rest<'a>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.3. Of BR/EDR, here for its secret.
    0x0C11 (6, 6) "Write Stored Link Key" WriteStoredLinkKey<'a> {
        keys: List<'a, StoredLinkKey<'a>>
    }
        => (WriteStoredLinkKeyReturn { status: ErrorCode, num_keys_written: u8 });
    /// [Vol 4] Part E, 7.3.11.
    0x0C13 (7, 0) "Write Local Name" WriteLocalName<'a> { local_name: &'a [u8; 248] as LocalName } => StatusReturn;
    /// [Vol 4] Part E, 7.3.12.
    0x0C14 (7, 1) "Read Local Name" ReadLocalName {}
        => (ReadLocalNameReturn<'a> { status: ErrorCode, local_name: &'a [u8; 248] as LocalName });
    /// [Vol 4] Part E, 7.3.18.
    0x0C1A (7, 7) "Write Scan Enable" WriteScanEnable { scan_enable: u8 } => StatusReturn;
    /// [Vol 4] Part E, 7.3.25.
    0x0C23 (9, 0) "Read Class Of Device" ReadClassOfDevice {}
        => (ReadClassOfDeviceReturn { status: ErrorCode, class_of_device: [u8; 3] });
    /// [Vol 4] Part E, 7.3.26.
    0x0C24 (9, 1) "Write Class Of Device" WriteClassOfDevice { class_of_device: [u8; 3] } => StatusReturn;
    /// [Vol 4] Part E, 7.3.
    0x0C2D (10, 2) "Read Transmit Power Level" ReadTransmitPowerLevel {
        connection_handle: ConnectionHandle, power_type: u8
    }
        => (ReadTransmitPowerLevelReturn {
            status: ErrorCode, connection_handle: ConnectionHandle, tx_power_level: i8
        });
    /// [Vol 4] Part E, 7.3.38.
    0x0C31 (10, 5) "Set Controller To Host Flow Control" SetControllerToHostFlowControl {
        flow_control_enable: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.3.39.
    0x0C33 (10, 6) "Host Buffer Size" HostBufferSize {
        host_acl_data_packet_length: u16, host_synchronous_data_packet_length: u8,
        host_total_num_acl_data_packets: u16, host_total_num_synchronous_data_packets: u16
    } => StatusReturn;
    /// [Vol 4] Part E, 7.3.
    0x0C35 (10, 7) "Host Number Of Completed Packets" HostNumberOfCompletedPackets<'a> {
        handles: List<'a, CompletedPackets>
    } => Nothing;
    /// [Vol 4] Part E, 7.3.60. Of BR/EDR, here for its secret.
    0x0C57 (17, 7) "Read Local OOB Data" ReadLocalOobData {}
        => (ReadLocalOobDataReturn<'a> { status: ErrorCode, c: &'a [u8; 16], r: Secret<'a, 16> });
    /// [Vol 4] Part E, 7.3.69.
    0x0C63 (22, 2) "Set Event Mask Page 2" SetEventMaskPage2 {
        event_mask_page_2: HexInt<u64> as EventMaskPage2
    } => StatusReturn;
    /// [Vol 4] Part E, 7.3.78.
    0x0C6C (24, 5) "Read LE Host Support" ReadLeHostSupport {}
        => (ReadLeHostSupportReturn { status: ErrorCode, le_supported_host: u8, unused: u8 });
    /// [Vol 4] Part E, 7.3.79.
    0x0C6D (24, 6) "Write LE Host Support" WriteLeHostSupport {
        le_supported_host: u8, unused: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.3.92.
    0x0C7A (32, 3) "Write Secure Connections Host Support" WriteSecureConnectionsHostSupport {
        secure_connections_host_support: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.3.
    0x0C7B (32, 4) "Read Authenticated Payload Timeout" ReadAuthenticatedPayloadTimeout {
        connection_handle: ConnectionHandle
    }
        => (ReadAuthenticatedPayloadTimeoutReturn {
            status: ErrorCode, connection_handle: ConnectionHandle,
            authenticated_payload_timeout: u16 as Units<10_000>
        });
    /// [Vol 4] Part E, 7.3.94.
    0x0C7C (32, 5) "Write Authenticated Payload Timeout" WriteAuthenticatedPayloadTimeout {
        connection_handle: ConnectionHandle, authenticated_payload_timeout: u16 as Units<10_000>
    } => HandleReturn;
    /// [Vol 4] Part E, 7.3.95. Of BR/EDR, here for its secret.
    0x0C7D (32, 6) "Read Local OOB Extended Data" ReadLocalOobExtendedData {}
        => (ReadLocalOobExtendedDataReturn<'a> {
            status: ErrorCode, c_192: &'a [u8; 16], r_192: Secret<'a, 16>, c_256: &'a [u8; 16],
            r_256: Secret<'a, 16>
        });
    /// [Vol 4] Part E, 7.3.
    // Layout not confirmed by a second source.
    0x0C84 (45, 7) "Set Min Encryption Key Size" SetMinEncryptionKeySize {
        min_encryption_key_size: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.4.1.
    0x1001 (14, 3) "Read Local Version Information" ReadLocalVersionInformation {}
        => (ReadLocalVersionInformationReturn {
            status: ErrorCode, hci_version: u8 as CoreVersion, hci_subversion: u16,
            lmp_version: u8 as CoreVersion, company_identifier: HexInt<u16> as Company, lmp_subversion: u16
        });
    /// [Vol 4] Part E, 7.4.2.
    0x1002 - "Read Local Supported Commands" ReadLocalSupportedCommands {}
        => (ReadLocalSupportedCommandsReturn<'a> { status: ErrorCode, supported_commands: &'a [u8; 64] });
    /// [Vol 4] Part E, 7.4.3.
    0x1003 (14, 5) "Read Local Supported Features" ReadLocalSupportedFeatures {}
        => (ReadLocalSupportedFeaturesReturn { status: ErrorCode, lmp_features: HexInt<u64> });
    /// [Vol 4] Part E, 7.4.4.
    0x1004 (14, 6) "Read Local Extended Features" ReadLocalExtendedFeatures { page_number: u8 }
        => (ReadLocalExtendedFeaturesReturn {
            status: ErrorCode, page_number: u8, max_page_number: u8, extended_lmp_features: HexInt<u64>
        });
    /// [Vol 4] Part E, 7.4.5.
    0x1005 (14, 7) "Read Buffer Size" ReadBufferSize {}
        => (ReadBufferSizeReturn {
            status: ErrorCode, acl_data_packet_length: u16, synchronous_data_packet_length: u8,
            total_num_acl_data_packets: u16, total_num_synchronous_data_packets: u16
        });
    /// [Vol 4] Part E, 7.4.6.
    0x1009 (15, 1) "Read BD_ADDR" ReadBdAddr {} => (ReadBdAddrReturn { status: ErrorCode, bd_addr: BdAddr });
    /// [Vol 4] Part E, 7.5.4.
    0x1405 (15, 5) "Read RSSI" ReadRssi { connection_handle: ConnectionHandle }
        => (ReadRssiReturn { status: ErrorCode, connection_handle: ConnectionHandle, rssi: i8 });
    /// [Vol 4] Part E, 7.5.7.
    0x1408 (20, 4) "Read Encryption Key Size" ReadEncryptionKeySize { connection_handle: ConnectionHandle }
        => (ReadEncryptionKeySizeReturn {
            status: ErrorCode, connection_handle: ConnectionHandle, key_size: u8
        });
    /// [Vol 4] Part E, 7.8.1.
    0x2001 (25, 0) "LE Set Event Mask" LeSetEventMask { le_event_mask: HexInt<u64> as LeEventMask } => StatusReturn;
    /// [Vol 4] Part E, 7.8.2.
    0x2002 (25, 1) "LE Read Buffer Size [v1]" LeReadBufferSize {}
        => (LeReadBufferSizeReturn {
            status: ErrorCode, le_acl_data_packet_length: u16, total_num_le_acl_data_packets: u8
        });
    /// [Vol 4] Part E, 7.8.3.
    0x2003 (25, 2) "LE Read Local Supported Features Page 0" LeReadLocalSupportedFeaturesPage0 {}
        => (LeReadLocalSupportedFeaturesPage0Return { status: ErrorCode, le_features: HexInt<u64> as LeFeatures });
    /// [Vol 4] Part E, 7.8.4.
    0x2005 (25, 4) "LE Set Random Address" LeSetRandomAddress { random_address: BdAddr } => StatusReturn;
    /// [Vol 4] Part E, 7.8.5.
    0x2006 (25, 5) "LE Set Advertising Parameters" LeSetAdvertisingParameters {
        advertising_interval_min: u16 as Units<625>, advertising_interval_max: u16 as Units<625>,
        advertising_type: u8, own_address_type: OwnAddressType, peer_address_type: AddressType,
        peer_address: BdAddr, advertising_channel_map: u8, advertising_filter_policy: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.6.
    0x2007 (25, 6) "LE Read Advertising Physical Channel Tx Power" LeReadAdvertisingPhysicalChannelTxPower {}
        => (LeReadAdvertisingPhysicalChannelTxPowerReturn { status: ErrorCode, tx_power_level: i8 });
    /// [Vol 4] Part E, 7.8.7.
    0x2008 (25, 7) "LE Set Advertising Data" LeSetAdvertisingData<'a> {
        advertising_data_length: u8, advertising_data: &'a [u8; 31] as Advertising
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.8.
    0x2009 (26, 0) "LE Set Scan Response Data" LeSetScanResponseData<'a> {
        scan_response_data_length: u8, scan_response_data: &'a [u8; 31] as Advertising
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.9.
    0x200A (26, 1) "LE Set Advertising Enable" LeSetAdvertisingEnable {
        advertising_enable: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.10.
    0x200B (26, 2) "LE Set Scan Parameters" LeSetScanParameters {
        le_scan_type: u8 as ScanType, le_scan_interval: u16 as Units<625>, le_scan_window: u16 as Units<625>,
        own_address_type: OwnAddressType, scanning_filter_policy: u8 as ScanningFilterPolicy
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.11.
    0x200C (26, 3) "LE Set Scan Enable" LeSetScanEnable {
        le_scan_enable: u8, filter_duplicates: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.12.
    0x200D (26, 4) "LE Create Connection" LeCreateConnection {
        le_scan_interval: u16 as Units<625>, le_scan_window: u16 as Units<625>,
        initiator_filter_policy: u8 as InitiatorFilterPolicy, peer_address_type: AddressType,
        peer_address: BdAddr, own_address_type: OwnAddressType, connection_interval_min: u16 as Units<1250>,
        connection_interval_max: u16 as Units<1250>, max_latency: u16,
        supervision_timeout: u16 as Units<10_000>, min_ce_length: u16 as Units<625>,
        max_ce_length: u16 as Units<625>
    } => Status;
    /// [Vol 4] Part E, 7.8.13.
    0x200E (26, 5) "LE Create Connection Cancel" LeCreateConnectionCancel {} => StatusReturn;
    /// [Vol 4] Part E, 7.8.14.
    0x200F (26, 6) "LE Read Filter Accept List Size" LeReadFilterAcceptListSize {}
        => (LeReadFilterAcceptListSizeReturn { status: ErrorCode, filter_accept_list_size: u8 });
    /// [Vol 4] Part E, 7.8.15.
    0x2010 (26, 7) "LE Clear Filter Accept List" LeClearFilterAcceptList {} => StatusReturn;
    /// [Vol 4] Part E, 7.8.16.
    0x2011 (27, 0) "LE Add Device To Filter Accept List" LeAddDeviceToFilterAcceptList {
        address_type: AddressType, address: BdAddr
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.17.
    0x2012 (27, 1) "LE Remove Device From Filter Accept List" LeRemoveDeviceFromFilterAcceptList {
        address_type: AddressType, address: BdAddr
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.18.
    0x2013 (27, 2) "LE Connection Update" LeConnectionUpdate {
        connection_handle: ConnectionHandle, connection_interval_min: u16 as Units<1250>,
        connection_interval_max: u16 as Units<1250>, max_latency: u16,
        supervision_timeout: u16 as Units<10_000>, min_ce_length: u16 as Units<625>,
        max_ce_length: u16 as Units<625>
    } => Status;
    /// [Vol 4] Part E, 7.8.
    0x2014 (27, 3) "LE Set Host Channel Classification" LeSetHostChannelClassification {
        channel_map: [u8; 5]
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x2015 (27, 4) "LE Read Channel Map" LeReadChannelMap { connection_handle: ConnectionHandle }
        => (LeReadChannelMapReturn {
            status: ErrorCode, connection_handle: ConnectionHandle, channel_map: [u8; 5]
        });
    /// [Vol 4] Part E, 7.8.21.
    0x2016 (27, 5) "LE Read Remote Features Page 0" LeReadRemoteFeaturesPage0 {
        connection_handle: ConnectionHandle
    } => Status;
    /// [Vol 4] Part E, 7.8.
    0x2017 (27, 6) "LE Encrypt" LeEncrypt<'a> { key: Secret<'a, 16>, plaintext_data: &'a [u8; 16] }
        => (LeEncryptReturn<'a> { status: ErrorCode, encrypted_data: &'a [u8; 16] });
    /// [Vol 4] Part E, 7.8.23.
    0x2018 (27, 7) "LE Rand" LeRand {} => (LeRandReturn { status: ErrorCode, random_number: [u8; 8] });
    /// [Vol 4] Part E, 7.8.24.
    0x2019 (28, 0) "LE Enable Encryption" LeEnableEncryption<'a> {
        connection_handle: ConnectionHandle, random_number: [u8; 8], encrypted_diversifier: u16,
        long_term_key: Secret<'a, 16>
    } => Status;
    /// [Vol 4] Part E, 7.8.25.
    0x201A (28, 1) "LE Long Term Key Request Reply" LeLongTermKeyRequestReply<'a> {
        connection_handle: ConnectionHandle, long_term_key: Secret<'a, 16>
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.26.
    0x201B (28, 2) "LE Long Term Key Request Negative Reply" LeLongTermKeyRequestNegativeReply {
        connection_handle: ConnectionHandle
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.27.
    0x201C (28, 3) "LE Read Supported States" LeReadSupportedStates {}
        => (LeReadSupportedStatesReturn { status: ErrorCode, le_states: HexInt<u64> });
    /// [Vol 4] Part E, 7.8.
    0x201D (28, 4) "LE Receiver Test [v1]" LeReceiverTest { rx_channel: u8 } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x201E (28, 5) "LE Transmitter Test [v1]" LeTransmitterTest {
        tx_channel: u8, test_data_length: u8, packet_payload: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x201F (28, 6) "LE Test End" LeTestEnd {} => (LeTestEndReturn { status: ErrorCode, num_packets: u16 });
    /// [Vol 4] Part E, 7.8.31.
    0x2020 (33, 4) "LE Remote Connection Parameter Request Reply" LeRemoteConnectionParameterRequestReply {
        connection_handle: ConnectionHandle, interval_min: u16 as Units<1250>,
        interval_max: u16 as Units<1250>, max_latency: u16, timeout: u16 as Units<10_000>,
        min_ce_length: u16 as Units<625>, max_ce_length: u16 as Units<625>
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.32.
    0x2021 (33, 5) "LE Remote Connection Parameter Request Negative Reply" LeRemoteConnectionParameterRequestNegativeReply {
        connection_handle: ConnectionHandle, reason: ErrorCode
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.33.
    0x2022 (33, 6) "LE Set Data Length" LeSetDataLength {
        connection_handle: ConnectionHandle, tx_octets: u16, tx_time: u16 as Units<1>
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.34.
    0x2023 (33, 7) "LE Read Suggested Default Data Length" LeReadSuggestedDefaultDataLength {}
        => (LeReadSuggestedDefaultDataLengthReturn {
            status: ErrorCode, suggested_max_tx_octets: u16, suggested_max_tx_time: u16 as Units<1>
        });
    /// [Vol 4] Part E, 7.8.35.
    0x2024 (34, 0) "LE Write Suggested Default Data Length" LeWriteSuggestedDefaultDataLength {
        suggested_max_tx_octets: u16, suggested_max_tx_time: u16 as Units<1>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.36.
    0x2025 (34, 1) "LE Read Local P-256 Public Key" LeReadLocalP256PublicKey {} => Status;
    /// [Vol 4] Part E, 7.8.
    0x2026 (34, 2) "LE Generate DHKey [v1]" LeGenerateDhKey<'a> {
        key_x_coordinate: &'a [u8; 32], key_y_coordinate: &'a [u8; 32]
    } => Status;
    /// [Vol 4] Part E, 7.8.38.
    0x2027 (34, 3) "LE Add Device To Resolving List" LeAddDeviceToResolvingList<'a> {
        peer_identity_address_type: AddressType, peer_identity_address: BdAddr, peer_irk: Secret<'a, 16>,
        local_irk: Secret<'a, 16>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x2028 (34, 4) "LE Remove Device From Resolving List" LeRemoveDeviceFromResolvingList {
        peer_identity_address_type: AddressType, peer_identity_address: BdAddr
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.40.
    0x2029 (34, 5) "LE Clear Resolving List" LeClearResolvingList {} => StatusReturn;
    /// [Vol 4] Part E, 7.8.41.
    0x202A (34, 6) "LE Read Resolving List Size" LeReadResolvingListSize {}
        => (LeReadResolvingListSizeReturn { status: ErrorCode, resolving_list_size: u8 });
    /// [Vol 4] Part E, 7.8.
    0x202B (34, 7) "LE Read Peer Resolvable Address" LeReadPeerResolvableAddress {
        peer_identity_address_type: AddressType, peer_identity_address: BdAddr
    } => (LeReadPeerResolvableAddressReturn { status: ErrorCode, peer_resolvable_address: BdAddr });
    /// [Vol 4] Part E, 7.8.
    0x202C (35, 0) "LE Read Local Resolvable Address" LeReadLocalResolvableAddress {
        peer_identity_address_type: AddressType, peer_identity_address: BdAddr
    } => (LeReadLocalResolvableAddressReturn { status: ErrorCode, local_resolvable_address: BdAddr });
    /// [Vol 4] Part E, 7.8.44.
    0x202D (35, 1) "LE Set Address Resolution Enable" LeSetAddressResolutionEnable {
        address_resolution_enable: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.45.
    0x202E (35, 2) "LE Set Resolvable Private Address Timeout [v1]" LeSetResolvablePrivateAddressTimeout {
        rpa_timeout: u16 as Units<1_000_000>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.46.
    0x202F (35, 3) "LE Read Maximum Data Length" LeReadMaximumDataLength {}
        => (LeReadMaximumDataLengthReturn {
            status: ErrorCode, supported_max_tx_octets: u16, supported_max_tx_time: u16 as Units<1>,
            supported_max_rx_octets: u16, supported_max_rx_time: u16 as Units<1>
        });
    /// [Vol 4] Part E, 7.8.47.
    0x2030 (35, 4) "LE Read PHY" LeReadPhy { connection_handle: ConnectionHandle }
        => (LeReadPhyReturn {
            status: ErrorCode, connection_handle: ConnectionHandle, tx_phy: Phy, rx_phy: Phy
        });
    /// [Vol 4] Part E, 7.8.48.
    0x2031 (35, 5) "LE Set Default PHY" LeSetDefaultPhy {
        all_phys: u8, tx_phys: u8 as PhyMask, rx_phys: u8 as PhyMask
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.49.
    0x2032 (35, 6) "LE Set PHY" LeSetPhy {
        connection_handle: ConnectionHandle, all_phys: u8, tx_phys: u8 as PhyMask, rx_phys: u8 as PhyMask, phy_options: u16
    } => Status;
    /// [Vol 4] Part E, 7.8.
    0x2033 (35, 7) "LE Receiver Test [v2]" LeReceiverTestV2 {
        rx_channel: u8, phy: Phy, modulation_index: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x2034 (36, 0) "LE Transmitter Test [v2]" LeTransmitterTestV2 {
        tx_channel: u8, test_data_length: u8, packet_payload: u8, phy: Phy
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.52.
    0x2035 (36, 1) "LE Set Advertising Set Random Address" LeSetAdvertisingSetRandomAddress {
        advertising_handle: u8, random_address: BdAddr
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.53.
    0x2036 (36, 2) "LE Set Extended Advertising Parameters [v1]" LeSetExtendedAdvertisingParameters {
        advertising_handle: u8, advertising_event_properties: u16,
        primary_advertising_interval_min: U24 as Units<625>,
        primary_advertising_interval_max: U24 as Units<625>, primary_advertising_channel_map: u8,
        own_address_type: OwnAddressType, peer_address_type: AddressType, peer_address: BdAddr,
        advertising_filter_policy: u8, advertising_tx_power: i8, primary_advertising_phy: Phy,
        secondary_advertising_max_skip: u8, secondary_advertising_phy: Phy, advertising_sid: u8,
        scan_request_notification_enable: u8
    } => (LeSetExtendedAdvertisingParametersReturn { status: ErrorCode, selected_tx_power: i8 });
    /// [Vol 4] Part E, 7.8.54.
    0x2037 (36, 3) "LE Set Extended Advertising Data" LeSetExtendedAdvertisingData<'a> {
        advertising_handle: u8, operation: u8, fragment_preference: u8,
        advertising_data: Prefixed<'a, 251> as Advertising
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.55.
    0x2038 (36, 4) "LE Set Extended Scan Response Data" LeSetExtendedScanResponseData<'a> {
        advertising_handle: u8, operation: u8, fragment_preference: u8,
        scan_response_data: Prefixed<'a, 251> as Advertising
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.56.
    0x2039 (36, 5) "LE Set Extended Advertising Enable" LeSetExtendedAdvertisingEnable<'a> {
        enable: u8, sets: List<'a, AdvertisingSetEnable>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.57.
    0x203A (36, 6) "LE Read Maximum Advertising Data Length" LeReadMaximumAdvertisingDataLength {}
        => (LeReadMaximumAdvertisingDataLengthReturn { status: ErrorCode, max_advertising_data_length: u16 });
    /// [Vol 4] Part E, 7.8.58.
    0x203B (36, 7) "LE Read Number Of Supported Advertising Sets" LeReadNumberOfSupportedAdvertisingSets {}
        => (LeReadNumberOfSupportedAdvertisingSetsReturn {
            status: ErrorCode, num_supported_advertising_sets: u8
        });
    /// [Vol 4] Part E, 7.8.59.
    0x203C (37, 0) "LE Remove Advertising Set" LeRemoveAdvertisingSet {
        advertising_handle: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.60.
    0x203D (37, 1) "LE Clear Advertising Sets" LeClearAdvertisingSets {} => StatusReturn;
    /// [Vol 4] Part E, 7.8.61.
    0x203E (37, 2) "LE Set Periodic Advertising Parameters [v1]" LeSetPeriodicAdvertisingParameters {
        advertising_handle: u8, periodic_advertising_interval_min: u16 as Units<1250>,
        periodic_advertising_interval_max: u16 as Units<1250>, periodic_advertising_properties: u16
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.62.
    0x203F (37, 3) "LE Set Periodic Advertising Data" LeSetPeriodicAdvertisingData<'a> {
        advertising_handle: u8, operation: u8, advertising_data: Prefixed<'a, 251> as Advertising
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.63.
    0x2040 (37, 4) "LE Set Periodic Advertising Enable" LeSetPeriodicAdvertisingEnable {
        enable: u8, advertising_handle: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.64.
    0x2041 (37, 5) "LE Set Extended Scan Parameters" LeSetExtendedScanParameters<'a> {
        own_address_type: OwnAddressType, scanning_filter_policy: u8 as ScanningFilterPolicy,
        scanning_phys: List<'a, ScanPhyParameters, true>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.65.
    0x2042 (37, 6) "LE Set Extended Scan Enable" LeSetExtendedScanEnable {
        enable: u8, filter_duplicates: u8, duration: u16 as Units<10_000>, period: u16 as Units<1_280_000>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.66.
    0x2043 (37, 7) "LE Extended Create Connection [v1]" LeExtendedCreateConnection<'a> {
        initiator_filter_policy: u8 as InitiatorFilterPolicy, own_address_type: OwnAddressType,
        peer_address_type: AddressType, peer_address: BdAddr,
        initiating_phys: List<'a, InitiatingPhyParameters, true>
    } => Status;
    /// [Vol 4] Part E, 7.8.67.
    0x2044 (38, 0) "LE Periodic Advertising Create Sync" LePeriodicAdvertisingCreateSync {
        options: u8, advertising_sid: u8, advertiser_address_type: AddressType, advertiser_address: BdAddr,
        skip: u16, sync_timeout: u16 as Units<10_000>, sync_cte_type: u8
    } => Status;
    /// [Vol 4] Part E, 7.8.68.
    0x2045 (38, 1) "LE Periodic Advertising Create Sync Cancel" LePeriodicAdvertisingCreateSyncCancel {

    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.69.
    0x2046 (38, 2) "LE Periodic Advertising Terminate Sync" LePeriodicAdvertisingTerminateSync {
        sync_handle: HexInt<u16>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x2047 (38, 3) "LE Add Device To Periodic Advertiser List" LeAddDeviceToPeriodicAdvertiserList {
        advertiser_address_type: AddressType, advertiser_address: BdAddr, advertising_sid: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x2048 (38, 4) "LE Remove Device From Periodic Advertiser List" LeRemoveDeviceFromPeriodicAdvertiserList {
        advertiser_address_type: AddressType, advertiser_address: BdAddr, advertising_sid: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x2049 (38, 5) "LE Clear Periodic Advertiser List" LeClearPeriodicAdvertiserList {} => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x204A (38, 6) "LE Read Periodic Advertiser List Size" LeReadPeriodicAdvertiserListSize {}
        => (LeReadPeriodicAdvertiserListSizeReturn { status: ErrorCode, periodic_advertiser_list_size: u8 });
    /// [Vol 4] Part E, 7.8.74.
    0x204B (38, 7) "LE Read Transmit Power" LeReadTransmitPower {}
        => (LeReadTransmitPowerReturn { status: ErrorCode, min_tx_power: i8, max_tx_power: i8 });
    /// [Vol 4] Part E, 7.8.
    0x204C (39, 0) "LE Read RF Path Compensation" LeReadRfPathCompensation {}
        => (LeReadRfPathCompensationReturn {
            status: ErrorCode, rf_tx_path_compensation_value: i16, rf_rx_path_compensation_value: i16
        });
    /// [Vol 4] Part E, 7.8.
    0x204D (39, 1) "LE Write RF Path Compensation" LeWriteRfPathCompensation {
        rf_tx_path_compensation_value: i16, rf_rx_path_compensation_value: i16
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.77.
    0x204E (39, 2) "LE Set Privacy Mode" LeSetPrivacyMode {
        peer_identity_address_type: AddressType, peer_identity_address: BdAddr, privacy_mode: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x204F (39, 3) "LE Receiver Test [v3]" LeReceiverTestV3<'a> { parameters: Rest<'a> } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2050 (39, 4) "LE Transmitter Test [v3]" LeTransmitterTestV3<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed by a second source.
    0x2051 (39, 5) "LE Set Connectionless CTE Transmit Parameters" LeSetConnectionlessCteTransmitParameters<'a> {
        advertising_handle: u8, cte_length: u8, cte_type: u8, cte_count: u8, antenna_ids: List<'a, u8>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    0x2052 (39, 6) "LE Set Connectionless CTE Transmit Enable" LeSetConnectionlessCteTransmitEnable {
        advertising_handle: u8, cte_enable: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2053 (39, 7) "LE Set Connectionless IQ Sampling Enable" LeSetConnectionlessIqSamplingEnable<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2054 (40, 0) "LE Set Connection CTE Receive Parameters" LeSetConnectionCteReceiveParameters<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2055 (40, 1) "LE Set Connection CTE Transmit Parameters" LeSetConnectionCteTransmitParameters<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2056 (40, 2) "LE Connection CTE Request Enable" LeConnectionCteRequestEnable<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    0x2057 (40, 3) "LE Connection CTE Response Enable" LeConnectionCteResponseEnable {
        connection_handle: ConnectionHandle, enable: u8
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.
    0x2058 (40, 4) "LE Read Antenna Information" LeReadAntennaInformation {}
        => (LeReadAntennaInformationReturn {
            status: ErrorCode, supported_switching_sampling_rates: u8, num_antennae: u8,
            max_switching_pattern_length: u8, max_cte_length: u8
        });
    /// [Vol 4] Part E, 7.8.88.
    0x2059 (40, 5) "LE Set Periodic Advertising Receive Enable" LeSetPeriodicAdvertisingReceiveEnable {
        sync_handle: HexInt<u16>, enable: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.89.
    0x205A (40, 6) "LE Periodic Advertising Sync Transfer" LePeriodicAdvertisingSyncTransfer {
        connection_handle: ConnectionHandle, service_data: u16, sync_handle: HexInt<u16>
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.90.
    0x205B (40, 7) "LE Periodic Advertising Set Info Transfer" LePeriodicAdvertisingSetInfoTransfer {
        connection_handle: ConnectionHandle, service_data: u16, advertising_handle: u8
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.91.
    0x205C (41, 0) "LE Set Periodic Advertising Sync Transfer Parameters" LeSetPeriodicAdvertisingSyncTransferParameters {
        connection_handle: ConnectionHandle, mode: u8, skip: u16, sync_timeout: u16 as Units<10_000>,
        cte_type: u8
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.92.
    0x205D (41, 1) "LE Set Default Periodic Advertising Sync Transfer Parameters" LeSetDefaultPeriodicAdvertisingSyncTransferParameters {
        mode: u8, skip: u16, sync_timeout: u16 as Units<10_000>, cte_type: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed by a second source.
    0x205E (41, 2) "LE Generate DHKey [v2]" LeGenerateDhKeyV2<'a> {
        key_x_coordinate: &'a [u8; 32], key_y_coordinate: &'a [u8; 32], key_type: u8
    } => Status;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed by a second source.
    0x205F (41, 4) "LE Modify Sleep Clock Accuracy" LeModifySleepClockAccuracy { action: u8 } => StatusReturn;
    /// [Vol 4] Part E, 7.8.2.
    0x2060 (41, 5) "LE Read Buffer Size [v2]" LeReadBufferSizeV2 {}
        => (LeReadBufferSizeV2Return {
            status: ErrorCode, le_acl_data_packet_length: u16, total_num_le_acl_data_packets: u8,
            iso_data_packet_length: u16, total_num_iso_data_packets: u8
        });
    /// [Vol 4] Part E, 7.8.96.
    // Layout not confirmed: carried as octets.
    0x2061 (41, 6) "LE Read ISO TX Sync" LeReadIsoTxSync<'a> { parameters: Rest<'a> } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.97.
    // Layout not confirmed: carried as octets.
    0x2062 (41, 7) "LE Set CIG Parameters" LeSetCigParameters<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2063 (42, 0) "LE Set CIG Parameters Test" LeSetCigParametersTest<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.99.
    // Layout not confirmed: carried as octets.
    0x2064 (42, 1) "LE Create CIS" LeCreateCis<'a> { parameters: Rest<'a> } => Status;
    /// [Vol 4] Part E, 7.8.100.
    0x2065 (42, 2) "LE Remove CIG" LeRemoveCig { cig_id: u8 }
        => (LeRemoveCigReturn { status: ErrorCode, cig_id: u8 });
    /// [Vol 4] Part E, 7.8.101.
    0x2066 (42, 3) "LE Accept CIS Request" LeAcceptCisRequest {
        connection_handle: ConnectionHandle
    } => Status;
    /// [Vol 4] Part E, 7.8.102.
    0x2067 (42, 4) "LE Reject CIS Request" LeRejectCisRequest {
        connection_handle: ConnectionHandle, reason: ErrorCode
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.103.
    0x2068 (42, 5) "LE Create BIG" LeCreateBig<'a> {
        big_handle: u8, advertising_handle: u8, num_bis: u8, sdu_interval: U24 as Units<1>, max_sdu: u16,
        max_transport_latency: u16 as Units<1000>, rtn: u8, phy: u8 as PhyMask, packing: u8, framing: u8,
        encryption: u8, broadcast_code: Secret<'a, 16>
    } => Status;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets. A Broadcast_Code is among them.
    0x2069 (42, 6) "LE Create BIG Test" LeCreateBigTest<'a> { parameters: Rest<'a> as Undisclosed } => Status;
    /// [Vol 4] Part E, 7.8.105.
    0x206A (42, 7) "LE Terminate BIG" LeTerminateBig { big_handle: u8, reason: ErrorCode } => Status;
    /// [Vol 4] Part E, 7.8.106.
    0x206B (43, 0) "LE BIG Create Sync" LeBigCreateSync<'a> {
        big_handle: u8, sync_handle: HexInt<u16>, encryption: u8, broadcast_code: Secret<'a, 16>, mse: u8,
        big_sync_timeout: u16 as Units<10_000>, bis: List<'a, u8>
    } => Status;
    /// [Vol 4] Part E, 7.8.107.
    0x206C (43, 1) "LE BIG Terminate Sync" LeBigTerminateSync { big_handle: u8 }
        => (LeBigTerminateSyncReturn { status: ErrorCode, big_handle: u8 });
    /// [Vol 4] Part E, 7.8.
    0x206D (43, 2) "LE Request Peer SCA" LeRequestPeerSca { connection_handle: ConnectionHandle } => Status;
    /// [Vol 4] Part E, 7.8.109.
    // Layout not confirmed: carried as octets.
    0x206E (43, 3) "LE Setup ISO Data Path" LeSetupIsoDataPath<'a> { parameters: Rest<'a> } => HandleReturn;
    /// [Vol 4] Part E, 7.8.110.
    0x206F (43, 4) "LE Remove ISO Data Path" LeRemoveIsoDataPath {
        connection_handle: ConnectionHandle, data_path_direction: u8
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2070 (43, 5) "LE ISO Transmit Test" LeIsoTransmitTest<'a> { parameters: Rest<'a> } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2071 (43, 6) "LE ISO Receive Test" LeIsoReceiveTest<'a> { parameters: Rest<'a> } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2072 (43, 7) "LE ISO Read Test Counters" LeIsoReadTestCounters<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2073 (44, 0) "LE ISO Test End" LeIsoTestEnd<'a> { parameters: Rest<'a> } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.115.
    0x2074 (44, 1) "LE Set Host Feature [v1]" LeSetHostFeature {
        bit_number: u8, bit_value: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2075 (44, 2) "LE Read ISO Link Quality" LeReadIsoLinkQuality<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    0x2076 (44, 3) "LE Enhanced Read Transmit Power Level" LeEnhancedReadTransmitPowerLevel {
        connection_handle: ConnectionHandle, phy: Phy
    }
        => (LeEnhancedReadTransmitPowerLevelReturn {
            status: ErrorCode, connection_handle: ConnectionHandle, phy: Phy, current_tx_power_level: i8,
            max_tx_power_level: i8
        });
    /// [Vol 4] Part E, 7.8.
    0x2077 (44, 4) "LE Read Remote Transmit Power Level" LeReadRemoteTransmitPowerLevel {
        connection_handle: ConnectionHandle, phy: Phy
    } => Status;
    /// [Vol 4] Part E, 7.8.
    0x2078 (44, 5) "LE Set Path Loss Reporting Parameters" LeSetPathLossReportingParameters {
        connection_handle: ConnectionHandle, high_threshold: u8, high_hysteresis: u8, low_threshold: u8,
        low_hysteresis: u8, min_time_spent: u16
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.
    0x2079 (44, 6) "LE Set Path Loss Reporting Enable" LeSetPathLossReportingEnable {
        connection_handle: ConnectionHandle, enable: u8
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.
    0x207A (44, 7) "LE Set Transmit Power Reporting Enable" LeSetTransmitPowerReportingEnable {
        connection_handle: ConnectionHandle, local_enable: u8, remote_enable: u8
    } => HandleReturn;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x207B (45, 0) "LE Transmitter Test [v4]" LeTransmitterTestV4<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    0x207C (45, 6) "LE Set Data Related Address Changes" LeSetDataRelatedAddressChanges {
        advertising_handle: u8, change_reasons: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.123.
    0x207D (46, 0) "LE Set Default Subrate" LeSetDefaultSubrate {
        subrate_min: u16, subrate_max: u16, max_latency: u16, continuation_number: u16,
        supervision_timeout: u16 as Units<10_000>
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.124.
    0x207E (46, 1) "LE Subrate Request" LeSubrateRequest {
        connection_handle: ConnectionHandle, subrate_min: u16, subrate_max: u16, max_latency: u16,
        continuation_number: u16, supervision_timeout: u16 as Units<10_000>
    } => Status;
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed by a second source.
    0x207F (46, 2) "LE Set Extended Advertising Parameters [v2]" LeSetExtendedAdvertisingParametersV2 {
        advertising_handle: u8, advertising_event_properties: u16,
        primary_advertising_interval_min: U24 as Units<625>,
        primary_advertising_interval_max: U24 as Units<625>, primary_advertising_channel_map: u8,
        own_address_type: OwnAddressType, peer_address_type: AddressType, peer_address: BdAddr,
        advertising_filter_policy: u8, advertising_tx_power: i8, primary_advertising_phy: Phy,
        secondary_advertising_max_skip: u8, secondary_advertising_phy: Phy, advertising_sid: u8,
        scan_request_notification_enable: u8, primary_advertising_phy_options: u8,
        secondary_advertising_phy_options: u8
    } => (LeSetExtendedAdvertisingParametersV2Return { status: ErrorCode, selected_tx_power: i8 });
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2080 (46, 3) "LE Set Decision Data" LeSetDecisionData<'a> { parameters: Rest<'a> } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed: carried as octets.
    0x2081 (46, 4) "LE Set Decision Instructions" LeSetDecisionInstructions<'a> {
        parameters: Rest<'a>
    } => (UnknownReturn<'a>);
    /// [Vol 4] Part E, 7.8.
    0x2082 (46, 5) "LE Set Periodic Advertising Subevent Data" LeSetPeriodicAdvertisingSubeventData<'a> {
        advertising_handle: u8, subevents: List<'a, SubeventData<'a>>
    } => (LeSetPeriodicAdvertisingSubeventDataReturn { status: ErrorCode, advertising_handle: u8 });
    /// [Vol 4] Part E, 7.8.
    0x2083 (46, 6) "LE Set Periodic Advertising Response Data" LeSetPeriodicAdvertisingResponseData<'a> {
        sync_handle: HexInt<u16>, request_event: u16, request_subevent: u8, response_subevent: u8,
        response_slot: u8, response_data: Prefixed<'a, 251>
    } => (LeSetPeriodicAdvertisingResponseDataReturn { status: ErrorCode, sync_handle: HexInt<u16> });
    /// [Vol 4] Part E, 7.8.
    0x2084 (46, 7) "LE Set Periodic Sync Subevent" LeSetPeriodicSyncSubevent<'a> {
        sync_handle: HexInt<u16>, periodic_advertising_properties: u16, subevents: List<'a, u8>
    } => (LeSetPeriodicSyncSubeventReturn { status: ErrorCode, sync_handle: HexInt<u16> });
    /// [Vol 4] Part E, 7.8.
    0x2085 (47, 0) "LE Extended Create Connection [v2]" LeExtendedCreateConnectionV2<'a> {
        advertising_handle: u8, subevent: u8, initiator_filter_policy: u8 as InitiatorFilterPolicy,
        own_address_type: OwnAddressType, peer_address_type: AddressType, peer_address: BdAddr,
        initiating_phys: List<'a, InitiatingPhyParameters, true>
    } => Status;
    /// [Vol 4] Part E, 7.8.
    0x2086 (47, 1) "LE Set Periodic Advertising Parameters [v2]" LeSetPeriodicAdvertisingParametersV2 {
        advertising_handle: u8, periodic_advertising_interval_min: u16 as Units<1250>,
        periodic_advertising_interval_max: u16 as Units<1250>, periodic_advertising_properties: u16,
        num_subevents: u8, subevent_interval: u8 as Units<1250>, response_slot_delay: u8 as Units<1250>,
        response_slot_spacing: u8 as Units<125>, num_response_slots: u8
    } => (LeSetPeriodicAdvertisingParametersV2Return { status: ErrorCode, advertising_handle: u8 });
    /// [Vol 4] Part E, 7.8.128.
    0x2087 (47, 2) "LE Read All Local Supported Features" LeReadAllLocalSupportedFeatures {}
        => (LeReadAllLocalSupportedFeaturesReturn<'a> {
            status: ErrorCode, max_page: u8, le_features: &'a [u8; 248]
        });
    /// [Vol 4] Part E, 7.8.
    // Layout not confirmed by a second source.
    0x2088 (47, 3) "LE Read All Remote Features" LeReadAllRemoteFeatures {
        connection_handle: ConnectionHandle, pages_requested: u8
    } => Status;
    /// [Vol 4] Part E, 7.8.
    0x2097 (47, 4) "LE Set Host Feature [v2]" LeSetHostFeatureV2 {
        bit_number: u16, bit_value: u8
    } => StatusReturn;
    /// [Vol 4] Part E, 7.8.151.
    // Layout not confirmed by a second source.
    0x209D (48, 1) "LE Frame Space Update" LeFrameSpaceUpdate {
        connection_handle: ConnectionHandle, frame_space_min: u16 as Units<1>,
        frame_space_max: u16 as Units<1>, phys: u8, spacing_types: u16
    } => Status;
}
