//! One life of the broker and what follows it: ports and threads are freed, a panic is noticed, names come back.

use super::*;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

async fn until(mut is: impl FnMut() -> bool) {
    let look = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, look).await.expect("in time");
}

fn answers(address: SocketAddr) -> bool {
    std::net::TcpStream::connect(address).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_ends_frees_its_ports_and_its_router() {
    super::super::spare_its_panics();
    let generation = Generation::open(1).await.unwrap();
    let Upstream { v4, v5, .. } = *generation.upstream;
    assert!(generation.is_alive() && answers(v4) && answers(v5));
    let router = LinkWatch(Arc::clone(&generation.router_is_alive));
    generation.end();
    until(|| !router.is_alive() && !answers(v4) && !answers(v5)).await;
}

struct LinkWatch(Arc<dyn Fn() -> bool + Send + Sync>);

impl LinkWatch {
    fn is_alive(&self) -> bool {
        (self.0)()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_router_that_panics_is_noticed_and_another_takes_its_place() {
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let (mut current, sick, keeper) = super::super::start(stopping);
    let first = timeout(PATIENCE, current.wait_for(Option::is_some)).await.unwrap().unwrap().clone().unwrap();
    assert_eq!(first.number, 1);
    first.crash();
    let next = |current: &Option<Arc<Upstream>>| current.as_ref().is_some_and(|upstream| upstream.number == 2);
    let second = timeout(PATIENCE, current.wait_for(next)).await.unwrap().unwrap().clone().unwrap();
    let name = second.name().unwrap();
    upstream::probe(&second, Version::V5, &name).await.unwrap();
    // Three who get no answer are enough.
    for _ in 0..3 {
        sick.send(2).await.unwrap();
    }
    let third = |current: &Option<Arc<Upstream>>| current.as_ref().is_some_and(|upstream| upstream.number == 3);
    timeout(PATIENCE, current.wait_for(third)).await.unwrap().unwrap();
    stop.send_replace(true);
    timeout(PATIENCE, keeper).await.unwrap().unwrap();
    assert!(current.borrow().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn names_come_back_only_when_they_were_given_back() {
    super::super::spare_its_panics();
    let generation = Generation::open(1).await.unwrap();
    let upstream = Arc::clone(&generation.upstream);
    let burnt = upstream.burnt();
    let (one, two) = (upstream.name().unwrap(), upstream.name().unwrap());
    let stream = upstream::open(&upstream, Version::V4, &one).await.unwrap();
    upstream::close(stream, one, None).await;
    assert_eq!(upstream.burnt(), burnt);
    drop(two);
    assert_eq!(upstream.burnt(), burnt + 1);
    assert!((0..limits::MQTT_BROKER_FILTERS).all(|number| upstream.admit_filter(&number.to_string())));
    assert!(upstream.admit_filter("7") && !upstream.admit_filter("one too many") && upstream.is_worn());
    generation.end();
}
