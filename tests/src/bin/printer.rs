//! `printer`: a receipt printer on a TCP port, with faults at will; each receipt becomes a picture.

use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tillway_tests::cli::{say, tell};
use tillway_tests::printer::{FAULTS, Fault, PrinterSim, SimOptions};
use tokio::sync::mpsc;

/// A receipt printer that is not there: it listens like a network printer on port 9100, understands ESC/POS, and
/// writes every receipt as a picture and as text.
///
/// Try it: `printer --out receipts`, then in another window `printf 'Hello\n\n\x1dV\x00' | nc -q1 127.0.0.1 9100`, and
/// look at receipts/0001.png.
///
/// While it runs, type the name of a fault and Enter to let it happen, `mend` to put everything right, `drawer` to
/// push the drawer shut, `status` to see how it is.
#[derive(Parser)]
#[command(version, after_help = faults_help())]
struct Arguments {
    /// Where it listens.
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// The folder for pictures and texts of the receipts; made if it is not there.
    #[arg(long, default_value = "receipts")]
    out: PathBuf,
    /// Characters of a line: 32 on 58 mm paper, 42 or 48 on 80 mm.
    #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u8).range(24..=64))]
    columns: u8,
    /// What is wrong with it from the start; may be given more than once. `paper-out@200` happens after 200 bytes.
    #[arg(long, value_name = "FAULT[@BYTES]")]
    fault: Vec<String>,
}

fn faults_help() -> String {
    let lines = FAULTS.iter().map(|(name, what)| format!("  {name:<14}{what}"));
    format!("Faults:\n{}", lines.collect::<Vec<String>>().join("\n"))
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { listen, out, columns, fault } = arguments;
    let options = SimOptions { listen, columns: columns.into(), out: Some(out.clone()), ..SimOptions::default() };
    let printer = PrinterSim::start(options).await?;
    for word in &fault {
        apply(&printer, word)?;
    }
    say(&format!("listening on {}, receipts in {}", printer.address, out.display()));
    let mut typed = typed_lines();
    // Without a person at it, it runs until it is stopped.
    let (mut told, mut typing) = (0, true);
    loop {
        tokio::select! {
            line = typed.recv(), if typing => match line {
                Some(line) => match apply(&printer, line.trim()) {
                    Ok(said) => say(&said),
                    Err(error) => tell(&format!("{error:#}")),
                },
                None => typing = false,
            },
            printed = printer.wait_for(told + 1, Duration::from_secs(3_600)) => if printed.is_ok() {
                told = printer.count();
                say(&format!("receipt {told}: {}", out.join(format!("{told:04}.png")).display()));
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

fn apply(printer: &PrinterSim, word: &str) -> anyhow::Result<String> {
    if let Some((fault, bytes)) = word.split_once('@') {
        printer.fault_after(bytes.parse()?, fault.parse()?);
        return Ok(format!("{fault} in {bytes} bytes"));
    }
    match word {
        "mend" => printer.mend_all(),
        "drawer" => printer.shut_drawer(),
        "" | "status" => {
            let (open, pulses) = printer.drawer();
            let drawer = if open { "open" } else { "shut" };
            return Ok(format!("{} receipts; the drawer is {drawer} (told to open {pulses} times)", printer.count()));
        }
        name => {
            let fault: Fault = name.parse()?;
            printer.fault(fault);
            return Ok(format!("{fault}; `mend` puts it right"));
        }
    }
    Ok("done".to_owned())
}

/// Lines of stdin; reading it blocks, so that a thread of its own does.
fn typed_lines() -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receive
}
