//! Pairings of hosts in a crowd, with users who see what is shown and type it on the other side.

use super::Crowd;
use baretooth::host::{
    ConnectionId, Event, LinkSecurity, OpError, Output, PairingSummary, Request, SecurityEvent,
    SecurityOptions, SecurityRequest,
};
use baretooth::smp::{Answer, Bond, PairingOptions, Passkey, Prompt, PromptId};

/// A prompt that some host has shown.
struct Shown {
    station: usize,
    connection: ConnectionId,
    id: PromptId,
    prompt: Prompt,
}

impl Crowd {
    pub fn configure(&mut self, n: usize, options: SecurityOptions) {
        assert_eq!(self.ask(n, SecurityRequest::Configure(options)), Ok(Output::Done));
    }

    pub fn agent(&mut self, n: usize) {
        assert_eq!(self.ask(n, SecurityRequest::Agent(true)), Ok(Output::Done));
    }

    /// The bonds of a host.
    pub fn bonds(&self, n: usize) -> Vec<Bond> {
        self.stations[n].host.bonds().cloned().collect()
    }

    /// Has a host know nobody but these.
    pub fn load(&mut self, n: usize, bonds: Vec<Bond>) {
        let identity = self.stations[n].host.identity();
        assert_eq!(self.ask(n, SecurityRequest::Load { identity, bonds }), Ok(Output::Done));
    }

    /// What a host has told of security, in order.
    pub fn security_events(&self, n: usize) -> Vec<SecurityEvent> {
        self.stations[n].events(|event| match event {
            Event::Security(event) => Some(event.clone()),
            _ => None,
        })
    }

    /// What a link has by the last that was told.
    pub fn security(&self, n: usize, connection: ConnectionId) -> LinkSecurity {
        let told = self.stations[n].events(|event| match event {
            Event::Connected(info) if info.connection == connection => Some(info.security),
            Event::Security(SecurityEvent::Changed { connection: c, security }) if *c == connection => {
                Some(*security)
            }
            _ => None,
        });
        *told.last().expect("a link that was told of")
    }

    /// Pairs from one side; the users of all hosts do what they are asked.
    pub fn pair(
        &mut self,
        n: usize,
        connection: ConnectionId,
        options: PairingOptions,
    ) -> Result<PairingSummary, OpError> {
        let pair = SecurityRequest::Pair { connection, options: Box::new(options) };
        match self.attended(n, pair)? {
            Output::Paired(summary) => {
                // The last keys are on their way.
                self.run(super::ms(200));
                Ok(summary)
            }
            other => panic!("{other:?} of a pairing"),
        }
    }

    /// Submits a request and lets time pass until it is over; what its host and the others ask meanwhile is answered.
    pub fn attended(&mut self, n: usize, request: impl Into<Request>) -> Result<Output, OpError> {
        let mut seen: Vec<_> = self.stations.iter().map(|station| station.told.events.len()).collect();
        let op = self.submit(n, request);
        let mut passkey = None;
        let mut waiting = Vec::new();
        let mut answered: Vec<(usize, PromptId, ConnectionId)> = Vec::new();
        for _ in 0..10_000 {
            if let Some(result) = self.stations[n].told.result(op) {
                return result.clone();
            }
            for (station, seen) in seen.iter_mut().enumerate() {
                let events = &self.stations[station].told.events;
                for event in &events[*seen..] {
                    if let Event::Security(SecurityEvent::Prompt { connection, id, prompt }) = event {
                        let (connection, id, prompt) = (*connection, *id, prompt.clone());
                        waiting.push(Shown { station, connection, id, prompt });
                    }
                }
                *seen = events.len();
            }
            for Shown { station, connection, id, prompt } in std::mem::take(&mut waiting) {
                if answered.contains(&(station, id, connection)) {
                    continue;
                }
                let answer = match prompt {
                    Prompt::DisplayPasskey(shown) => {
                        passkey = Some(shown);
                        continue;
                    }
                    Prompt::EnterPasskey => match passkey.clone() {
                        Some(passkey) => Answer::Passkey(passkey),
                        None => {
                            waiting.push(Shown { station, connection, id, prompt });
                            continue;
                        }
                    },
                    Prompt::ConfirmNumber(_) | Prompt::Consent => Answer::Yes,
                    Prompt::Keypress(_) => continue,
                };
                answered.push((station, id, connection));
                self.submit(station, SecurityRequest::Answer { connection, prompt: id, answer });
            }
            // Two keyboards: the users agree on a number.
            if waiting.len() == 2 && passkey.is_none() {
                passkey = Passkey::new(7_007);
                continue;
            }
            if self.stations[n].told.result(op).is_none() {
                let end = self.now + super::seconds(120);
                assert!(self.drive(end), "a request goes on for ever");
            }
        }
        panic!("a request without end");
    }
}
