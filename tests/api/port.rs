//! A virtual controller at a port where it can be opened again and again, as the test has it.

use super::line::demo_devices;
use baretooth::sim::{
    ControllerId, ControllerOptions, Device, DeviceId, Radio, RadioHandle, RadioOptions, SimTransport,
};
use baretooth::transports::{HciPacket, SendQueue, Transport, TransportError, TransportRx, TransportTx};
use baretooth::{Adapter, AdapterBuilder, Recovery, Source};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

type SimRx = <SimTransport as Transport>::Rx;
type SimTx = <SimTransport as Transport>::Tx;

/// What comes of an attempt to open the port again.
pub enum Answer {
    /// The controller was off for a moment and is as new.
    Fresh,
    /// The controller is as it was.
    Unchanged,
    Fails(TransportError),
    /// Nothing ever.
    Hangs,
}

/// The test's hand on the port. Once [`Answer`]s are used up, the controller is as new each time.
#[derive(Clone)]
pub struct Port {
    pub radio: RadioHandle,
    pub controller: ControllerId,
    state: Arc<Mutex<State>>,
}

struct State {
    rx: Option<SimRx>,
    tx: Option<SimTx>,
    /// Each attempt to open it, and whether the port was to be reset.
    opened: Vec<bool>,
    answers: VecDeque<Answer>,
    limit: Recovery,
}

/// A radio with one controller at a port that can be reset, and the demo devices.
pub fn plug() -> (Port, Vec<DeviceId>) {
    plug_with(demo_devices())
}

pub fn plug_with(devices: Vec<Device>) -> (Port, Vec<DeviceId>) {
    let mut radio = Radio::new(RadioOptions { seed: 1, ..RadioOptions::default() });
    let controller = radio.add_controller(ControllerOptions::default());
    let devices = devices.into_iter().map(|device| radio.add_device(device)).collect();
    let (radio, mut transports) = baretooth::sim::spawn(radio);
    let (rx, tx) = transports.pop().expect("one controller").split();
    let (opened, answers) = (Vec::new(), VecDeque::from([Answer::Unchanged]));
    let state = State { rx: Some(rx), tx: Some(tx), opened, answers, limit: Recovery::ResetPort };
    (Port { radio, controller, state: Arc::new(Mutex::new(state)) }, devices)
}

impl Port {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the port")
    }

    pub async fn open(&self, builder: AdapterBuilder) -> Adapter {
        builder.open_source(self.clone()).await.expect("the virtual controller opens")
    }

    pub fn will(&self, answers: impl IntoIterator<Item = Answer>) {
        self.state().answers.extend(answers);
    }

    /// How far recovery can go with it.
    pub fn limit(&self, limit: Recovery) {
        self.state().limit = limit;
    }

    /// Each attempt to open it so far, and whether the port was to be reset.
    pub fn opened(&self) -> Vec<bool> {
        self.state().opened.clone()
    }

    /// Whether somebody has it open.
    pub fn is_open(&self) -> bool {
        let state = self.state();
        state.rx.is_none() || state.tx.is_none()
    }

    /// The controller says nothing more until it has been reset once more than `deaf_to` times, or is opened as new.
    pub async fn hang(&self, deaf_to: u32) {
        let controller = self.controller;
        self.act(move |radio| radio.hang(controller, deaf_to)).await;
    }

    pub async fn hardware_error(&self, code: u8) {
        let controller = self.controller;
        self.act(move |radio| radio.hardware_error(controller, code)).await;
    }

    pub async fn act<T: Send + 'static>(&self, act: impl FnOnce(&mut Radio) -> T + Send + 'static) -> T {
        self.radio.with(act).await.expect("the radio runs")
    }
}

impl Source for Port {
    type Transport = Plugged;

    async fn open(&mut self, reset_port: bool) -> Result<Plugged, TransportError> {
        let answer = {
            let mut state = self.state();
            state.opened.push(reset_port);
            state.answers.pop_front().unwrap_or(Answer::Fresh)
        };
        match answer {
            Answer::Fails(error) => return Err(error),
            Answer::Hangs => std::future::pending().await,
            Answer::Unchanged => {}
            Answer::Fresh => {
                let controller = self.controller;
                self.act(move |radio| radio.power_cycle(controller)).await;
            }
        }
        let mut state = self.state();
        let halves = state.rx.take().zip(state.tx.take());
        let busy = || TransportError::Busy { what: "the port".into(), hint: "it was not closed".into() };
        let (rx, tx) = halves.ok_or_else(busy)?;
        Ok(Plugged { rx, tx, port: self.clone() })
    }

    fn limit(&self) -> Recovery {
        self.state().limit
    }
}

/// The port, open.
pub struct Plugged {
    rx: SimRx,
    tx: SimTx,
    port: Port,
}

impl Transport for Plugged {
    type Rx = PluggedRx;
    type Tx = PluggedTx;

    fn split(self) -> (PluggedRx, PluggedTx) {
        let rx = PluggedRx { inner: Some(self.rx), port: self.port.clone() };
        (rx, PluggedTx { inner: Some(self.tx), port: self.port })
    }

    fn description(&self) -> String {
        "the port".into()
    }
}

pub struct PluggedRx {
    inner: Option<SimRx>,
    port: Port,
}

pub struct PluggedTx {
    inner: Option<SimTx>,
    port: Port,
}

impl TransportRx for PluggedRx {
    async fn recv(&mut self) -> Result<HciPacket, TransportError> {
        self.inner.as_mut().expect("there until the end").recv().await
    }

    fn recv_ready(&mut self) -> Option<HciPacket> {
        self.inner.as_mut()?.recv_ready()
    }
}

impl TransportTx for PluggedTx {
    async fn send(&mut self, queue: &mut SendQueue) -> Result<(), TransportError> {
        self.inner.as_mut().expect("there until the end").send(queue).await
    }
}

impl Drop for PluggedRx {
    fn drop(&mut self) {
        self.port.state().rx = self.inner.take();
    }
}

impl Drop for PluggedTx {
    fn drop(&mut self) {
        self.port.state().tx = self.inner.take();
    }
}
