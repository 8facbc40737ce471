//! `decode --live`: what passes on the adapters of this machine, as the monitor channel of Linux tells it.

use super::Printer;
use crate::failure::Failure;
use crate::global::Global;

/// Prints until the user interrupts, or nobody reads any more.
#[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
pub async fn run(global: &Global, printer: Printer) -> Result<(), Failure> {
    listener::run(global, printer).await
}

/// Says that there is nothing to listen to.
#[cfg(not(all(feature = "hci-socket", any(target_os = "linux", target_os = "android"))))]
pub async fn run(_: &Global, _: Printer) -> Result<(), Failure> {
    let message = "--live needs the monitor channel of Linux, which this build or system does not have";
    Err(Failure::Usage(message.to_owned()))
}

#[cfg(all(feature = "hci-socket", any(target_os = "linux", target_os = "android")))]
mod listener {
    use super::{Failure, Global, Printer};
    use crate::failure::Report;
    use crate::global::or_interrupted;
    use crate::live;
    use baretooth::Error;
    use baretooth::capture::{Format, Link, Record, Writer};
    use baretooth::transports::{AdapterSpec, Monitor, MonitorRecord, TransportError};
    use std::fs::File;
    use std::io::{self, BufWriter, Write};

    pub async fn run(global: &Global, mut printer: Printer) -> Result<(), Failure> {
        if let Some(other) = global.adapter.as_ref().filter(|spec| **spec != AdapterSpec::Monitor) {
            let message =
                format!("--live listens to all adapters of the system: --adapter monitor:, not {other}");
            return Err(Failure::Usage(message));
        }
        let mut monitor = Monitor::open().map_err(failed)?;
        let (mut capture, done) = Capture::create(global)?;
        let result = or_interrupted(listen(&mut monitor, &mut capture, &mut printer)).await;
        // What was heard is kept, however it ended.
        let kept = capture.finish();
        printer.output.flush()?;
        if let Some(mut done) = done {
            // Its reader gets all there is. One that takes for ever can be interrupted.
            let _ = or_interrupted(async { Ok(done.wait().await) }).await;
        }
        match monitor.lost() {
            0 => {}
            lost => eprintln!(
                "decoding monitor: {lost} records were lost, they came faster than they were written"
            ),
        }
        match result {
            Err(Failure::Interrupted) => kept.and(result),
            result => result.and(kept),
        }
    }

    /// Prints and keeps records as they come; never ends by itself.
    async fn listen(
        monitor: &mut Monitor,
        capture: &mut Capture,
        printer: &mut Printer,
    ) -> Result<(), Failure> {
        loop {
            let first = monitor.recv().await.map_err(failed)?;
            take(first, capture, printer)?;
            // All that is here is written at once, in bounded batches.
            for record in std::iter::from_fn(|| monitor.recv_ready()).take(BATCH) {
                take(record, capture, printer)?;
            }
            printer.output.flush()?;
            capture.flush()?;
        }
    }

    fn take(record: MonitorRecord, capture: &mut Capture, printer: &mut Printer) -> Result<(), Failure> {
        // The kernel cuts no record.
        if let Some(record) = Record::from_monitor(record.time.into(), record.octets) {
            capture.write(&record)?;
            printer.print(&record)?;
        }
        Ok(())
    }

    /// Records between two writes, at most.
    const BATCH: usize = 256;

    fn failed(source: TransportError) -> Failure {
        Error::Transport { operation: "listening to the adapters of the system".to_owned(), source }.into()
    }

    /// The capture of what is heard, if there is to be one.
    struct Capture {
        writer: Option<Writer<BufWriter<Box<dyn Write>>>>,
        name: String,
    }

    impl Capture {
        /// Begins the file; on standard output with who tells when all is written.
        fn create(global: &Global) -> Result<(Self, Option<live::Done>), Failure> {
            let Some(path) = &global.capture else {
                return Ok((Self { writer: None, name: String::new() }, None));
            };
            let name = path.display().to_string();
            let (to, format, done): (Box<dyn Write>, _, _) = match global.capture_file() {
                Some(path) => {
                    let format =
                        Format::of_name(path).map_err(|unknown| Failure::Usage(unknown.to_string()))?;
                    let file = File::create(path).map_err(|error| unwritable(&name, &error))?;
                    (Box::new(file), format, None)
                }
                None => {
                    let (pipe, done) = global.standard_output()?;
                    (Box::new(pipe), Format::PCAP, Some(done))
                }
            };
            // Of several adapters, with what the monitor says beside packets, where the file can hold that.
            let format = format.with_link(Link::Monitor).unwrap_or(format);
            // A buffer that is full is written without the record that it has no room for: records stay whole.
            let writer = Writer::new(BufWriter::with_capacity(1 << 16, to), format);
            let writer = writer.map_err(|error| unwritable(&name, &error))?;
            Ok((Self { writer: Some(writer), name }, done))
        }

        fn write(&mut self, record: &Record) -> Result<(), Failure> {
            let Some(writer) = &mut self.writer else { return Ok(()) };
            // What a format has no place for is left out, as everywhere.
            writer.write(record).map(drop).map_err(|error| unwritable(&self.name, &error))
        }

        fn flush(&mut self) -> Result<(), Failure> {
            let Some(writer) = &mut self.writer else { return Ok(()) };
            writer.flush().map_err(|error| unwritable(&self.name, &error))
        }

        /// Writes what is left and ends it.
        fn finish(mut self) -> Result<(), Failure> {
            self.flush()
        }
    }

    fn unwritable(name: &str, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Failure::BrokenPipe;
        }
        let message = format!("writing {name} failed: {error}");
        Failure::Failed(Report { kind: "io", message, ..Report::default() })
    }
}
