//! The simulated printer on its socket, with each of its faults as a driver meets it. Status is read with the agent's
//! parsers, so that both sides of the simulator's claims are seen.

use std::time::Duration;

use edge_agent::receipt::escpos::status::{
    Ask, OfflineCause, PaperStatus, PrinterStatus, Replies, Reply, ask_paper_in_order,
};
use tillway_tests::printer::{Fault, Paper, Printed, PrinterSim, Reader, SimOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longest wait for what comes at once unless the machine is busy.
pub const PATIENCE: Duration = Duration::from_secs(20);
const CUT: &[u8] = b"\x1dVB\0";

/// Prints without a socket.
pub fn print(bytes: &[u8]) -> Printed {
    let (mut reader, mut paper) = (Reader::default(), Paper::new(48));
    let mut commands = bytes.iter().filter_map(|byte| reader.push(*byte));
    commands.find_map(|(command, _)| paper.execute(command)).expect("a cut")
}

/// Width, height and pixels of a PNG.
pub fn pixels(png: &[u8]) -> (u32, u32, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    (frame.width, frame.height, pixels)
}

async fn plugged_in() -> (PrinterSim, TcpStream) {
    let printer = PrinterSim::start(SimOptions::default()).await.unwrap();
    let client = TcpStream::connect(printer.address).await.unwrap();
    (printer, client)
}

async fn send(client: &mut TcpStream, parts: &[&[u8]]) {
    client.write_all(&parts.concat()).await.unwrap();
}

async fn next(client: &mut TcpStream, replies: &mut Replies) -> Reply {
    loop {
        let byte = timeout(PATIENCE, client.read_u8()).await.expect("an answer in time").unwrap();
        if let Some(reply) = replies.push(byte) {
            return reply;
        }
    }
}

fn real_time(reply: Reply) -> u8 {
    match reply {
        Reply::RealTime(byte) => byte,
        Reply::Buffered(_) | Reply::Auto(_) => panic!("{reply:?}"),
    }
}

#[tokio::test]
async fn one_client_after_the_other() {
    let (printer, mut first) = plugged_in().await;
    let mut second = TcpStream::connect(printer.address).await.unwrap();
    send(&mut second, &[b"second\n", CUT]).await;
    send(&mut first, &[b"first\n", CUT, &Ask::Printer.request()]).await;
    let status = PrinterStatus::of(real_time(next(&mut first, &mut Replies::default()).await)).unwrap();
    assert!(!status.offline);
    let printed = printer.wait_for(1, PATIENCE).await.unwrap();
    assert_eq!(printed.last().unwrap().text(), "first");
    drop(first);
    assert_eq!(printer.wait_for(2, PATIENCE).await.unwrap().last().unwrap().text(), "second");
}

#[tokio::test]
async fn without_paper_it_says_so_and_prints_when_there_is_some() {
    let (printer, mut client) = plugged_in().await;
    let mut replies = Replies::default();
    printer.fault(Fault::PaperOut);
    send(&mut client, &[b"late\n", CUT, &ask_paper_in_order(), &Ask::Paper.request(), &Ask::Offline.request()]).await;
    let paper = PaperStatus::of(real_time(next(&mut client, &mut replies).await)).unwrap();
    assert!(paper.end);
    assert!(OfflineCause::of(real_time(next(&mut client, &mut replies).await)).unwrap().paper_stop);
    assert_eq!(printer.count(), 0);
    printer.mend(Fault::PaperOut);
    let proof = next(&mut client, &mut replies).await;
    assert_eq!(proof, Reply::Buffered(0), "the proof comes after the cut");
    assert_eq!(printer.receipts().last().unwrap().text(), "late");
}

#[tokio::test]
async fn a_plug_that_is_pulled_takes_what_was_accepted() {
    let (printer, mut client) = plugged_in().await;
    printer.fault_after(12, Fault::PowerOff);
    send(&mut client, &[b"one line\nand no more\n", CUT, &ask_paper_in_order()]).await;
    let mut rest = Vec::new();
    drop(timeout(PATIENCE, client.read_to_end(&mut rest)).await.expect("the connection ends"));
    assert!(rest.is_empty(), "{rest:x?}");
    assert_eq!((printer.count(), printer.torn()[0].text()), (0, "one line".to_owned()));
    printer.mend_all();
    let mut again = timeout(PATIENCE, connected(&printer)).await.unwrap();
    send(&mut again, &[b"anew\n", CUT]).await;
    assert_eq!(printer.wait_for(1, PATIENCE).await.unwrap()[0].text(), "anew");
}

/// A port opens a moment after the power is back.
async fn connected(printer: &PrinterSim) -> TcpStream {
    loop {
        if let Ok(stream) = TcpStream::connect(printer.address).await {
            return stream;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_silent_printer_prints_and_answers_nothing() {
    let (printer, mut client) = plugged_in().await;
    printer.fault(Fault::Silent);
    send(&mut client, &[&Ask::Printer.request(), b"hush\n", &ask_paper_in_order(), CUT]).await;
    printer.wait_for(1, PATIENCE).await.unwrap();
    printer.mend(Fault::Silent);
    send(&mut client, &[&Ask::Paper.request()]).await;
    let first = next(&mut client, &mut Replies::default()).await;
    assert_eq!(first, Reply::RealTime(0x12), "the first byte that ever came is the answer to the last question");
}

#[tokio::test]
async fn a_printer_that_stops_reading_holds_its_client_up() {
    let (printer, mut client) = plugged_in().await;
    printer.fault(Fault::StopsReading);
    // More than the buffers of both ends of a loopback connection.
    let much = [b"x".repeat(47), b"\n".to_vec()].concat().repeat(400_000);
    let writing = tokio::spawn(async move {
        client.write_all(&much).await.unwrap();
        client.write_all(CUT).await.unwrap();
        client
    });
    tokio::task::yield_now().await;
    assert!(!writing.is_finished());
    assert_eq!(printer.count(), 0);
    printer.fault(Fault::PowerOff);
    assert!(timeout(PATIENCE, writing).await.unwrap().is_err(), "what was not read is lost with the connection");
}

#[tokio::test]
async fn a_printer_that_refuses_lets_nobody_in_until_it_is_mended() {
    let printer =
        PrinterSim::start(SimOptions { faults: vec![Fault::Refuses], ..SimOptions::default() }).await.unwrap();
    let refused = async { while TcpStream::connect(printer.address).await.is_ok() {} };
    timeout(PATIENCE, refused).await.unwrap();
    printer.mend(Fault::Refuses);
    let mut client = timeout(PATIENCE, connected(&printer)).await.unwrap();
    send(&mut client, &[b"in\n", CUT]).await;
    assert_eq!(printer.wait_for(1, PATIENCE).await.unwrap()[0].text(), "in");
}

#[tokio::test]
async fn a_slow_printer_prints_in_the_end() {
    let (printer, mut client) = plugged_in().await;
    printer.fault(Fault::Slow(2_000));
    send(&mut client, &[&b"slowly\n".repeat(20), CUT]).await;
    assert_eq!(printer.wait_for(1, PATIENCE).await.unwrap()[0].lines().count(), 20);
}
