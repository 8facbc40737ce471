//! `echo-controller [OPTIONS]`: a controller with peripherals on its air, for any host that speaks H4 over TCP or a
//! unix socket. Serves one host after the other, each with a fresh controller. See the library's `controller`.
#![forbid(unsafe_code)]

use baretooth_benches::controller::{Connection, Options, serve};
use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::str::FromStr;

const USAGE: &str = "\
usage: echo-controller [OPTIONS]
  --port N             listen on 127.0.0.1:N; 0 (default) for any free port
  --unix PATH          listen on a unix socket instead
  --once               end after the first host
  --adv N              advertisers (500)
  --adv-len N          octets of advertising data (31)
  --adv-total N        reports of one scan (no limit)
  --adv-rate R         reports a second (no limit)
  --adv-per-event N    reports in one legacy event, 1 to 4 (1)
  --ext                extended advertising
  --notif-rate R       notifications a second (no limit)
  --acl-len N          ACL payload (251)      --acl-num N    ACL credits (64)
  --mtu N              ATT_MTU (517)          -v             print commands and counters
The first line on standard output is the address it listens on.";

#[derive(Default)]
struct Listen {
    port: u16,
    unix: Option<String>,
    once: bool,
}

fn main() -> ExitCode {
    let (listen, options) = match parse(std::env::args().skip(1)) {
        Ok(parsed) => parsed,
        Err(message) => {
            eprintln!("echo-controller: {message}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&listen, &options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo-controller: listen: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(listen: &Listen, options: &Options) -> io::Result<()> {
    if let Some(path) = &listen.unix {
        let listener = UnixListener::bind(path)?;
        announce(path)?;
        return each(listen.once, options, || listener.accept().map(|(stream, _)| stream));
    }
    let listener = TcpListener::bind(("127.0.0.1", listen.port))?;
    announce(&listener.local_addr()?.to_string())?;
    each(listen.once, options, || {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        Ok(stream)
    })
}

fn announce(address: &str) -> io::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "{address}")?;
    out.flush()
}

/// One session after the other. A session that breaks does not end the controller: floods always end with a host that
/// has gone.
fn each<C: Connection>(
    once: bool,
    options: &Options,
    mut accept: impl FnMut() -> io::Result<C>,
) -> io::Result<()> {
    loop {
        let result = serve(&mut accept()?, options.clone());
        match result {
            Ok(counters) if options.verbose => eprintln!("session ended: {counters:?}"),
            Err(error) if options.verbose => eprintln!("session broken: {error}"),
            _ => {}
        }
        if once {
            return Ok(());
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<(Listen, Options), String> {
    let (mut listen, mut options) = (Listen::default(), Options::default());
    while let Some(option) = arguments.next() {
        match option.as_str() {
            "--once" => listen.once = true,
            "--ext" => options.extended = true,
            "-v" => options.verbose = true,
            name => {
                let value = arguments.next();
                let value = value.as_deref();
                match name {
                    "--port" => listen.port = number(name, value)?,
                    "--unix" => listen.unix = Some(number(name, value)?),
                    "--adv" => options.advertisers = number(name, value)?,
                    "--adv-len" => options.advertising_length = number(name, value)?,
                    "--adv-total" => options.reports = Some(number(name, value)?),
                    "--adv-rate" => options.report_rate = Some(number(name, value)?),
                    "--adv-per-event" => options.reports_per_event = number(name, value)?,
                    "--notif-rate" => options.notification_rate = Some(number(name, value)?),
                    "--acl-len" => options.acl_length = number(name, value)?,
                    "--acl-num" => options.acl_number = number(name, value)?,
                    "--mtu" => options.mtu = number(name, value)?,
                    _ => return Err(format!("unknown option {name}")),
                }
            }
        }
    }
    Ok((listen, options))
}

fn number<T: FromStr>(name: &str, value: Option<&str>) -> Result<T, String> {
    let value = value.ok_or_else(|| format!("{name} has no value"))?;
    value.parse().map_err(|_| format!("{name} does not take {value}"))
}
