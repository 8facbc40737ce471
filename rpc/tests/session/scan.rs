//! Scanning, among the demo devices.

use super::client::Client;
use baretooth::Adapter;
use serde_json::{Value, json};

async fn client() -> Client {
    Client::new(Adapter::builder().seed(1).open("sim").await.expect("the virtual radio is always there"))
        .await
}

fn is_report(line: &Value) -> bool {
    line["method"] == "scan.report"
}

#[tokio::test(start_paused = true)]
async fn every_pdu_is_a_report_with_all_that_is_in_it() {
    let mut client = client().await;
    assert_eq!(client.call("scan.start", json!({})).await, json!({ "scan": 1 }));
    let at = client.position(|line| is_report(line) && line["params"]["name"] == "HR strap").await;
    let report = &client.lines[at]["params"];
    assert_eq!((&report["scan"], &report["missed"]), (&json!(1), &json!(0)));
    assert_eq!(
        (&report["address"], &report["address_type"]),
        (&json!("C0:BA:E7:70:00:01"), &json!("random"))
    );
    assert_eq!((&report["directed"], &report["truncated"]), (&json!(false), &json!(false)));
    let data = report["data"].as_str().expect("hexadecimal digits");
    assert!(data.contains("09094852207374726170"), "its name: {data}");
    client.position(|line| is_report(line) && line["params"]["scan_response"] == true).await;
}

#[tokio::test(start_paused = true)]
async fn no_report_follows_the_answer_to_a_stop() {
    let mut client = client().await;
    let all = json!({ "duplicates": true });
    let scan = client.call("scan.start", all.clone()).await["scan"].clone();
    client.position(is_report).await;
    assert_eq!(client.refused("scan.start", json!({})).await["kind"], "busy");
    let stop = client.send("scan.stop", json!({ "scan": scan })).await;
    client.answer(stop).await.expect("it was there");
    client.settle().await;
    let stopped = client.position(|line| line["id"] == stop).await;
    assert!(!client.lines[stopped..].iter().any(is_report));
    assert_eq!(client.refused("scan.stop", json!({ "scan": scan })).await["kind"], "not_found");
    assert_eq!(client.call("scan.start", all).await["scan"], 2, "a number of its own");
}

#[tokio::test(start_paused = true)]
async fn only_what_advertises_a_service_is_reported() {
    let mut client = client().await;
    let uuid = "0000180d-0000-1000-8000-00805f9b34fb";
    client
        .call("scan.start", json!({ "services": [uuid], "active": false, "interval": 0.1, "window": 0.05 }))
        .await;
    client.settle().await;
    let reports = client.lines.iter().filter(|line| is_report(line)).collect::<Vec<_>>();
    assert!(
        !reports.is_empty() && reports.iter().all(|line| line["params"]["address"] == "C0:BA:E7:70:00:01")
    );
    assert!(reports.iter().all(|line| line["params"]["scan_response"] == false), "nobody was asked");
}

#[tokio::test(start_paused = true)]
async fn what_no_controller_can_never_runs() {
    let mut client = client().await;
    for params in [
        json!({ "interval": 0.001 }),
        json!({ "interval": 0.01, "window": 0.02 }),
        json!({ "phys": [] }),
        json!({ "phys": ["2M"] }),
        json!({ "services": ["180d"] }),
        json!({ "active": 1 }),
        json!({ "actve": true }),
    ] {
        let error = client.try_call("scan.start", params.clone()).await.expect_err("it cannot be");
        assert_eq!(error["code"], -32602, "{params}");
    }
    assert_eq!(client.call("scan.start", json!({ "active": null })).await["scan"], 1, "null is the default");
}
