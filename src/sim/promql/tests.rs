//! Queries against hand-computed answers.

use super::labels::{Labels, NAME};
use super::{Store, answer};
use serde_json::Value;

/// A store with these series (written as PromQL selectors) and their samples.
fn store(series: &[(&str, &[(i64, f64)])]) -> Store {
    let mut store = Store::default();
    for (written, points) in series {
        let (name, rest) = written.split_once('{').unwrap_or((written, "}"));
        let pairs = rest.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
        let all = pairs.chain([(NAME, name)]).map(|(k, v)| (k.to_owned(), v.to_owned()));
        let id = store.register(Labels::new(all));
        for (at, value) in *points {
            store.append(id, *at, *value);
        }
    }
    store
}

fn encode(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

fn ask(store: &Store, query: &str, at_ms: i64) -> (u16, Value) {
    answer(store, "/api/v1/query", &format!("query={}", encode(query)), at_ms)
}

/// The result as sorted lines `{labels} value`, or the error.
fn lines(store: &Store, query: &str, at_ms: i64) -> Vec<String> {
    let (code, body) = ask(store, query, at_ms);
    if code != 200 {
        return vec![format!("{code} {}", body["errorType"].as_str().unwrap())];
    }
    let data = &body["data"];
    if data["resultType"] == "scalar" {
        return vec![data["result"][1].as_str().unwrap().to_owned()];
    }
    let shown = |row: &Value| {
        let metric: Vec<String> =
            row["metric"].as_object().unwrap().iter().map(|(k, v)| format!("{k}={}", v.as_str().unwrap())).collect();
        format!("{{{}}} {}", metric.join(","), row["value"][1].as_str().unwrap())
    };
    let mut all: Vec<String> = data["result"].as_array().unwrap().iter().map(shown).collect();
    all.sort();
    all
}

fn requests() -> Store {
    store(&[
        ("req{pod=p1,slot=a,code=200}", &[(0, 0.0), (10_000, 100.0), (20_000, 200.0)]),
        ("req{pod=p2,slot=a,code=200}", &[(0, 0.0), (10_000, 50.0), (20_000, 100.0)]),
        ("req{pod=p3,slot=b,code=200}", &[(0, 0.0), (10_000, 30.0), (20_000, 60.0)]),
        ("req{pod=p3,slot=b,code=500}", &[(10_000, 1.0), (20_000, 11.0)]),
        ("up{pod=p1,slot=a}", &[(20_000, 1.0)]),
        ("up{pod=p3,slot=b}", &[(20_000, 0.0)]),
        ("info{pod=p3,version=v2}", &[(20_000, 1.0)]),
        ("bad{pod=p1}", &[(20_000, f64::NAN)]),
    ])
}

#[test]
fn matchers_choose_series_and_a_missing_label_is_the_empty_one() {
    let s = requests();
    assert_eq!(lines(&s, r#"req{code=~"5.."}"#, 20_000), ["{__name__=req,code=500,pod=p3,slot=b} 11"]);
    assert_eq!(lines(&s, r#"up{code="",slot!="a"}"#, 20_000), ["{__name__=up,pod=p3,slot=b} 0"]);
    assert_eq!(lines(&s, r#"{__name__="up",pod!~"p3|p4"}"#, 20_000), ["{__name__=up,pod=p1,slot=a} 1"]);
    assert_eq!(lines(&s, r#"req{pod="p1"} offset 10s"#, 20_000), ["{__name__=req,code=200,pod=p1,slot=a} 100"]);
    assert_eq!(lines(&s, r#"req{pod="p1"} @ 10"#, 20_000), ["{__name__=req,code=200,pod=p1,slot=a} 100"]);
    assert_eq!(lines(&s, "nothing", 20_000), [""; 0]);
}

#[test]
fn rates_are_summed_over_the_labels_asked_for() {
    let s = requests();
    assert_eq!(lines(&s, r#"sum by (slot) (rate(req{code="200"}[20s]))"#, 20_000), ["{slot=a} 15", "{slot=b} 3"]);
    // The series was born in the window: one second before its first sample it would have been zero.
    assert_eq!(lines(&s, r#"increase(req{code="500"}[20s])"#, 20_000), ["{code=500,pod=p3,slot=b} 11"]);
    assert_eq!(lines(&s, "sum without (pod, code) (req)", 20_000), ["{slot=a} 300", "{slot=b} 71"]);
    assert_eq!(lines(&s, "count(req)", 20_000), ["{} 4"]);
    assert_eq!(lines(&s, "avg by (slot) (req)", 20_000), ["{slot=a} 150", "{slot=b} 35.5"]);
    assert_eq!(lines(&s, "quantile(0.5, req)", 20_000), ["{} 80"]);
    assert_eq!(lines(&s, "stddev(up)", 20_000), ["{} 0.5"]);
    assert_eq!(
        lines(&s, "topk(2, req)", 20_000),
        ["{__name__=req,code=200,pod=p1,slot=a} 200", "{__name__=req,code=200,pod=p2,slot=a} 100"]
    );
    let ties = store(&[("t{p=1}", &[(0, 5.0)]), ("t{p=2}", &[(0, 5.0)]), ("t{p=3}", &[(0, 9.0)])]);
    assert_eq!(lines(&ties, "topk(2, t)", 0), ["{__name__=t,p=2} 5", "{__name__=t,p=3} 9"], "as Prometheus' heap");
    assert_eq!(lines(&s, r#"count_values("v", up)"#, 20_000), ["{v=0} 1", "{v=1} 1"]);
}

#[test]
fn an_error_ratio_without_errors_is_empty_and_not_zero() {
    let s = requests();
    let ratio = r#"sum by (slot) (rate(req{code=~"5.."}[20s])) / sum by (slot) (rate(req[20s]))"#;
    // 11 of 71 requests in the window; slot a never had an error.
    assert_eq!(lines(&s, ratio, 20_000), [format!("{{slot=b}} {}", 0.55 / 3.55)]);
    assert_eq!(lines(&s, "0 / 0", 0), ["NaN"]);
    assert_eq!(lines(&s, "bad", 20_000), ["{__name__=bad,pod=p1} NaN"]);
}

#[test]
fn comparisons_filter_unless_bool_is_asked() {
    let s = requests();
    assert_eq!(lines(&s, "up == 1", 20_000), ["{__name__=up,pod=p1,slot=a} 1"]);
    assert_eq!(lines(&s, "up == bool 1", 20_000), ["{pod=p1,slot=a} 1", "{pod=p3,slot=b} 0"]);
    assert_eq!(lines(&s, "50 < req", 20_000).len(), 3);
    assert_eq!(lines(&s, "2 > bool 1", 0), ["1"]);
    assert_eq!(lines(&s, "bad == bad", 20_000), [""; 0]);
}

#[test]
fn vectors_match_on_their_labels() {
    let s = requests();
    assert_eq!(lines(&s, r#"up * on (pod) group_left (version) info"#, 20_000), ["{pod=p3,slot=b,version=v2} 0"]);
    assert_eq!(lines(&s, r#"req{code="500"} / ignoring (code) req{code="200"}"#, 20_000)[0][..15], *"{pod=p3,slot=b}");
    assert_eq!(lines(&s, "up and on (pod) info", 20_000), ["{__name__=up,pod=p3,slot=b} 0"]);
    assert_eq!(lines(&s, "up unless on (pod) info", 20_000), ["{__name__=up,pod=p1,slot=a} 1"]);
    assert_eq!(lines(&s, r#"up{slot="a"} or up"#, 20_000).len(), 2);
    assert_eq!(lines(&s, "up + on (slot) req", 20_000), ["422 execution"]);
    assert_eq!(lines(&s, "req + on (slot) up", 20_000), ["422 execution"]);
    assert_eq!(lines(&s, "req + on (slot) group_left () up", 20_000).len(), 4);
}

#[test]
fn operators_bind_as_in_prometheus() {
    let s = Store::default();
    for (query, value) in [
        ("-2^2", "-4"),
        ("2^3^2", "512"),
        ("1 - 1 - 1", "-1"),
        ("7 % 4 * 2", "6"),
        ("-7 % 4", "-3"),
        ("1 + 2 * 3", "7"),
    ] {
        assert_eq!(lines(&s, query, 0), [value], "{query}");
    }
}

#[test]
fn functions_over_a_range_see_gaps_resets_and_ends() {
    let mut s = store(&[("c{pod=p1}", &[(0, 5.0), (10_000, 8.0), (20_000, 2.0), (50_000, 4.0)])]);
    assert_eq!(lines(&s, "resets(c[1m])", 60_000), ["{pod=p1} 1"]);
    assert_eq!(lines(&s, "changes(c[1m])", 60_000), ["{pod=p1} 3"]);
    assert_eq!(lines(&s, "last_over_time(c[1m])", 60_000), ["{__name__=c,pod=p1} 4"]);
    assert_eq!(lines(&s, "max_over_time(c[30s] offset 30s)", 60_000), ["{pod=p1} 8"]);
    assert_eq!(lines(&s, "quantile_over_time(0.5, c[1m])", 60_000), ["{pod=p1} 4.5"]);
    assert_eq!(lines(&s, "max_over_time(sum(c)[1m:10s])", 60_000), ["{} 8"]);
    assert_eq!(lines(&s, "time() - timestamp(c)", 60_000), ["{pod=p1} 10"]);
    let id = s.register(Labels::of(&[(NAME, "c"), ("pod", "p1")]));
    s.end(id, 60_000);
    assert_eq!(lines(&s, "c", 60_000), [""; 0]);
    assert_eq!(lines(&s, "count_over_time(c[1m])", 60_000), ["{pod=p1} 4"]);
    assert_eq!(lines(&s, r#"absent(c{pod="p1",x=~"y"})"#, 60_000), ["{pod=p1} 1"]);
    assert_eq!(lines(&s, r#"absent_over_time(c{pod="p1"}[1m])"#, 60_000), [""; 0]);
}

#[test]
fn simple_functions_compute_elementwise() {
    let s = store(&[("x{a=1}", &[(0, -2.5)]), ("x{a=2}", &[(0, 7.25)])]);
    assert_eq!(lines(&s, "abs(x)", 0), ["{a=1} 2.5", "{a=2} 7.25"]);
    assert_eq!(lines(&s, "-x", 0), ["{a=1} 2.5", "{a=2} -7.25"]);
    assert_eq!(lines(&s, "clamp(x, 0, 5)", 0), ["{a=1} 0", "{a=2} 5"]);
    assert_eq!(lines(&s, "clamp(x, 5, 0)", 0), [""; 0]);
    assert_eq!(lines(&s, "round(x, 0.5)", 0), ["{a=1} -2.5", "{a=2} 7.5"]);
    assert_eq!(lines(&s, "ceil(x) - floor(x)", 0), ["{a=1} 1", "{a=2} 1"]);
    assert_eq!(lines(&s, r#"scalar(x{a="2"}) + 1"#, 0), ["8.25"]);
    assert_eq!(lines(&s, "scalar(x)", 0), ["NaN"]);
    assert_eq!(lines(&s, "vector(time())", 1_500), ["{} 1.5"]);
    let (_, body) = ask(&s, "sort_desc(x)", 0);
    assert_eq!(body["data"]["result"][0]["metric"]["a"], "2");
}

#[test]
fn histogram_quantiles_come_from_rates_of_buckets() {
    let s = store(&[
        ("h{le=0.1,slot=a}", &[(0, 0.0), (10_000, 50.0)]),
        ("h{le=0.5,slot=a}", &[(0, 0.0), (10_000, 100.0)]),
        ("h{le=+Inf,slot=a}", &[(0, 0.0), (10_000, 100.0)]),
    ]);
    let query = "histogram_quantile(0.75, sum by (le, slot) (rate(h[10s])))";
    assert_eq!(lines(&s, query, 10_000), [format!("{{slot=a}} {}", 0.1 + 0.4 * 0.5)]);
}

#[test]
fn what_is_not_supported_is_refused_even_where_nothing_would_match() {
    let s = Store::default();
    for query in [
        r#"label_replace(x, "a", "$1", "b", "(.*)")"#,
        "predict_linear(x[5m], 60)",
        "limitk(2, x)",
        "max_over_time(x[5m:])",
        "histogram_stddev(x)",
        "hour()",
        "x atan2 y",
        r#"x{a="1" or b="2"}"#,
        "x and on (a) limit_ratio(0.5, x)",
        "x[5m] + 1",
        "rate(x)",
        "1 and 2",
        "sum(1)",
        "1 < 2",
        "x{",
        "",
        r#"{a=~".*"}"#,
    ] {
        assert_eq!(lines(&s, query, 0), ["400 bad_data"], "{query}");
    }
}

#[test]
fn a_range_selector_gives_the_true_scrape_times() {
    let s = store(&[("x{pod=p}", &[(1_000, 1.0), (2_250, 2.0), (9_000, 3.0)])]);
    let (code, body) = ask(&s, "x[5s]", 6_000);
    assert_eq!(code, 200);
    let expected =
        r#"{"resultType":"matrix","result":[{"metric":{"__name__":"x","pod":"p"},"values":[[1,"1"],[2.25,"2"]]}]}"#;
    assert_eq!(body["data"], serde_json::from_str::<Value>(expected).unwrap());
}

#[test]
fn a_range_query_leaves_gaps_where_nothing_is_known() {
    let mut s = store(&[("x{pod=p}", &[(0, 1.0), (30_000, 2.0)])]);
    let id = s.register(Labels::of(&[(NAME, "x"), ("pod", "p")]));
    s.end(id, 31_000);
    s.append(id, 60_000, 5.0);
    let (code, body) = answer(&s, "/api/v1/query_range", "query=x%7B%7D&start=0&end=60&step=15s", 0);
    assert_eq!(code, 200);
    assert_eq!(body["data"]["result"][0]["values"], serde_json::json!([[0, "1"], [15, "1"], [30, "2"], [60, "5"]]));
    let scalar = answer(&s, "/api/v1/query_range", "query=1%2B1&start=0&end=1&step=1", 0).1;
    assert_eq!(scalar["data"]["result"][0]["values"], serde_json::json!([[0, "2"], [1, "2"]]));
}

#[test]
fn wrong_parameters_are_named() {
    let s = Store::default();
    let refused = |path: &str, query: &str| {
        let (code, body) = answer(&s, path, query, 0);
        (code, body["error"].as_str().unwrap_or_default().to_owned())
    };
    for (query, named) in [
        ("query=x&start=0&end=20000&step=1", "11,000 points"),
        ("query=x&start=5&end=1&step=1", "\"end\""),
        ("query=x&start=0&end=1&step=0", "\"step\""),
        ("query=x&start=0&end=1", "\"step\""),
        ("query=x&start=zero&end=1&step=1", "\"start\""),
        ("query=x%5B5m%5D&start=0&end=1&step=1", "range vector"),
        ("query=x&start=0&end=1&step=1&limit=3", "\"limit\""),
    ] {
        let (code, error) = refused("/api/v1/query_range", query);
        assert_eq!(code, 400, "{query}");
        assert!(error.contains(named), "{query}: {error}");
    }
    assert_eq!(refused("/api/v1/query", "query=%ZZ").0, 400);
    assert_eq!(refused("/api/v1/series", "").0, 404);
    let rfc = answer(&s, "/api/v1/query", "query=time()&time=1970-01-01T00:00:05.5Z&timeout=2s", 0).1;
    assert_eq!(rfc["data"]["result"], serde_json::json!([5.5, "5.5"]));
}

#[test]
fn numbers_are_written_without_exponents() {
    let s = Store::default();
    for (query, value) in
        [("1e21", "1000000000000000000000"), ("1/3", "0.3333333333333333"), ("-1/0", "-Inf"), ("-0", "-0")]
    {
        assert_eq!(lines(&s, query, 0), [value], "{query}");
    }
}
