//! Reading back: at the pace of sending, out of the same budget, and never a write.

use super::*;

fn read(endpoint: &'static str) -> Request {
    Request { endpoint: endpoint.into(), path: format!("/{endpoint}"), ..Toy.request(&[&operation("single", "lane", "k0")]).unwrap() }
}

async fn look(bench: &Bench, endpoint: &'static str, operations: &[Operation]) -> (Vec<Result<Held, ErrorCode>>, u32) {
    let looked = bench.delivery.look(&read(endpoint), &operations.iter().collect::<Vec<_>>(), &bench.stop).await;
    (looked.held.into_iter().map(|held| held.map_err(|error| error.code())).collect(), looked.requests)
}

fn one() -> Vec<Operation> {
    lanes("single", 1..2).collect()
}

#[tokio::test(start_paused = true)]
async fn one_read_answers_for_all_that_it_shows() {
    let bench = Bench::new(Settings::default(), |_, _| says(200, &[], "k1 k2"));
    let operations: Vec<Operation> = lanes("single", 1..4).collect();
    let (held, requests) = look(&bench, "shown", &operations).await;
    assert_eq!(held, [Ok(Held::Same), Ok(Held::Same), Ok(Held::Missing)]);
    assert_eq!((requests, bench.platform.seen().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_table_does_not_call_a_read_is_not_sent() {
    let bench = Bench::new(Settings::default(), |_, _| says(200, &[], "k1"));
    for endpoint in ["single", "bulk", "unheard of"] {
        assert_eq!(look(&bench, endpoint, &one()).await, (vec![Err(ErrorCode::Internal)], 0), "{endpoint}");
    }
    assert!(bench.platform.seen().is_empty());
}

#[tokio::test(start_paused = true)]
async fn reads_and_sendings_spend_of_one_budget() {
    let bench = Bench::new(Settings::default(), |_, _| says(200, &[], "{}"));
    bench.accept(lanes("shared1", 0..10));
    let reads = async {
        for _ in 0..10 {
            look(&bench, "shown", &one()).await;
        }
    };
    let (drained, ()) = tokio::join!(bench.drain(), reads);
    assert_eq!(drained.delivered, 10);
    let seen = bench.platform.seen();
    assert_eq!(seen.len(), 20);
    // Ten a second, whoever asks.
    for pair in seen.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(85), "{:?} then {:?}", pair[0].at, pair[1].at);
    }
    assert!(seen[19].at >= Duration::from_millis(1_850), "{:?}", seen[19].at);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_put_off_is_asked_again() {
    let bench = Bench::new(Settings::default(), |_, count| match count {
        1 => says(429, &[("retry-after", "5")], ""),
        2 => status(503),
        _ => says(200, &[], "k1"),
    });
    assert_eq!(look(&bench, "shown", &one()).await, (vec![Ok(Held::Same)], 3));
    assert!(bench.platform.seen()[1].at >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_throttled_makes_sending_rest_too() {
    let bench = Bench::new(Settings::default(), |_, count| match count {
        1 => says(429, &[("retry-after", "60")], ""),
        _ => says(200, &[], "{}"),
    });
    let sending = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        bench.accept(lanes("shared1", 0..1));
        bench.drain().await;
    };
    let operations = one();
    tokio::join!(look(&bench, "shown", &operations), sending);
    let seen = bench.platform.seen();
    assert!(seen.len() == 3 && seen[1..].iter().all(|seen| seen.at >= Duration::from_secs(60)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_read_ends_with_the_code_that_says_why() {
    for (answer, code) in [(401, ErrorCode::Unauthorized), (503, ErrorCode::Unavailable), (429, ErrorCode::RateLimited)] {
        let bench = Bench::new(Settings::default(), move |_, _| status(answer));
        let (held, requests) = look(&bench, "shown", &one()).await;
        assert_eq!(held, [Err(code)]);
        assert_eq!(requests == 1, code == ErrorCode::Unauthorized, "{requests}");
    }
    let gone = Bench::new(Settings::default(), |_, _| (Duration::ZERO, Err(TransportFailure::BeforeSending("refused".into()))));
    assert_eq!(look(&gone, "shown", &one()).await.0, [Err(ErrorCode::Network)]);
    assert!(gone.delivery.is_down());
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_waiting() {
    let bench = Bench::new(Settings::default(), |_, _| status(503));
    let (stop, operations) = (bench.stop.clone(), one());
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(11)).await;
        stop.stop();
    };
    let (looked, ()) = tokio::join!(look(&bench, "shown", &operations), stopping);
    assert_eq!(looked.0, [Err(ErrorCode::Cancelled)]);
}
