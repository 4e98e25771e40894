//! The relay does what it is told, and with the same seed the same.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::{Relay, Weather};

async fn udp_echo() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            socket.send_to(&buffer[..length], from).await.unwrap();
        }
    });
    address
}

async fn tcp_echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.into_split();
                drop(tokio::io::copy(&mut from, &mut to).await);
            });
        }
    });
    address
}

/// Sends `count` numbered packets and returns what came back until 200 ms of silence.
async fn volley(relay: &Relay, count: u16) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(relay.address()).await.unwrap();
    for number in 0..count {
        socket.send(&number.to_be_bytes()).await.unwrap();
    }
    let (mut buffer, mut came) = ([0; 64], Vec::new());
    while let Ok(Ok(length)) = tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut buffer)).await {
        came.push(buffer[..length].to_vec());
    }
    came
}

#[tokio::test]
async fn fair_weather_changes_nothing() {
    let relay = Relay::udp(udp_echo().await, 1).await.unwrap();
    let came = volley(&relay, 50).await;
    let sent: Vec<Vec<u8>> = (0..50_u16).map(|number| number.to_be_bytes().to_vec()).collect();
    assert_eq!(came, sent);
    assert_eq!(relay.counters().passed.load(Ordering::Relaxed), 100);
}

#[tokio::test]
async fn datagrams_are_lost_doubled_overtaken_and_mangled() {
    let relay = Relay::udp(udp_echo().await, 7).await.unwrap();
    relay.set(Weather { lose: 300_000, ..Weather::default() });
    let came = volley(&relay, 100).await.len();
    assert!((20..80).contains(&came), "half should come back of 0.7 x 0.7, {came} did");
    relay.set(Weather { duplicate: 1_000_000, ..Weather::default() });
    assert_eq!(volley(&relay, 10).await.len(), 40, "doubled there and doubled back");
    relay.set(Weather { reorder: 300_000, ..Weather::default() });
    let came = volley(&relay, 60).await;
    assert_eq!(came.len(), 60);
    assert!(came.windows(2).any(|pair| pair[0] > pair[1]), "none was overtaken");
    relay.set(Weather { mangle: 1_000_000, ..Weather::default() });
    volley(&relay, 5).await;
    assert_eq!(relay.counters().mangled.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn the_same_seed_decides_the_same() {
    let echo = udp_echo().await;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let relay = Relay::udp(echo, 42).await.unwrap();
        let weather = Weather { lose: 500_000, ..Weather::default() };
        relay.set(weather);
        // One at a time, so that both directions draw in one order.
        let mut fates = Vec::new();
        for _ in 0..40 {
            fates.push(relay.shared.fate(8).copies);
        }
        runs.push(fates);
    }
    assert_eq!(runs[0], runs[1]);
    assert!(runs[0].contains(&0) && runs[0].contains(&1));
}

#[tokio::test]
async fn a_cut_holds_until_it_is_mended() {
    let relay = Relay::udp(udp_echo().await, 1).await.unwrap();
    relay.cut();
    assert!(volley(&relay, 5).await.is_empty());
    relay.restore();
    assert_eq!(volley(&relay, 5).await.len(), 5);

    let relay = Relay::tcp(tcp_echo().await, 1).await.unwrap();
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    stream.write_all(b"before").await.unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"before");
    relay.cut();
    assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)), "a cut ends the connection");
    relay.restore();
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    stream.write_all(b"after!").await.unwrap();
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"after!");
}

#[tokio::test]
async fn delay_and_rate_take_their_time_and_keep_the_order_of_a_stream() {
    let relay = Relay::tcp(tcp_echo().await, 1).await.unwrap();
    let delay = Duration::from_millis(40);
    relay.set(Weather { delay, jitter: Duration::from_millis(10), ..Weather::default() });
    let mut stream = TcpStream::connect(relay.address()).await.unwrap();
    let (began, sent) = (Instant::now(), (0..60_000_u32).map(|n| n.to_le_bytes()[0]).collect::<Vec<u8>>());
    stream.write_all(&sent).await.unwrap();
    let mut came = vec![0; sent.len()];
    stream.read_exact(&mut came).await.unwrap();
    assert!(came == sent && began.elapsed() >= delay * 2, "{:?}", began.elapsed());

    relay.set(Weather { rate: 200_000, ..Weather::default() });
    let began = Instant::now();
    stream.write_all(&sent).await.unwrap();
    stream.read_exact(&mut came).await.unwrap();
    assert!(came == sent && began.elapsed() >= Duration::from_millis(280), "{:?}", began.elapsed());
}
