//! Sending queries to the Prometheus HTTP API, all of a round at once.

use super::auth::Credentials;
use super::decode::decode;
use crate::model::{LabelledPoints, MetricsEndpoint, MetricsSource, Reading, Span, Timestamp};
use futures::future::join_all;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use std::time::Duration;

/// How long one query may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(4);

/// The longest answer that is read.
const LONGEST: usize = 64 << 20;

/// A question in PromQL.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    /// The expression.
    pub query: String,
    /// Over which times; `None` = at the source's own now.
    pub range: Option<Range>,
}

/// The times of a range query, in whole seconds, as the client library takes them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    /// The first.
    pub start: i64,
    /// The last.
    pub end: i64,
    /// How far apart.
    pub step: u32,
}

/// A Prometheus HTTP API.
pub(super) struct Prometheus {
    transport: Transport,
    credentials: Credentials,
}

enum Transport {
    Url(Box<prometheus_http_query::Client>),
    Proxy {
        client: kube::Client,
        root: String,
    },
    /// No question can be asked; why.
    None(String),
}

/// What is kept of the series of an answer, by the place of its question.
pub(super) type Keep<'k, T> = &'k (dyn Fn(usize, Vec<LabelledPoints>) -> Vec<T> + Sync);

impl Prometheus {
    /// Prepares a source; `client` is for one behind the API server's proxy. A source that cannot be used answers
    /// every question with the reason.
    pub fn new(source: &MetricsSource, client: Option<kube::Client>) -> Self {
        let transport = match (&source.endpoint, client) {
            (MetricsEndpoint::Url(url), _) => match http_client(url) {
                Ok(client) => Transport::Url(Box::new(client)),
                Err(why) => Transport::None(format!("the metrics URL cannot be used: {why}")),
            },
            (MetricsEndpoint::ServiceProxy { service, namespace }, Some(client)) => {
                // The rights are given for the full name, so it is always asked for by that.
                let service = match service.split(':').count() {
                    2 => format!("http:{service}"),
                    _ => service.clone(),
                };
                Transport::Proxy { client, root: format!("/api/v1/namespaces/{namespace}/services/{service}/proxy") }
            }
            (MetricsEndpoint::ServiceProxy { .. }, None) => {
                Transport::None("the metrics Service is behind the API server, to which there is no client".into())
            }
            (MetricsEndpoint::None, _) => {
                Transport::None("the plan names no metrics source: set spec.metrics.source".into())
            }
        };
        // Through the API server's proxy the Authorization header is the API server's.
        Self { transport, credentials: Credentials::new(source.auth.clone()) }
    }

    /// Asks all questions at once; each has its answer at the same place, reduced to what `keep` makes of its series as
    /// soon as it is there: those of thousands of customers are megabytes. Those that are refused with 401 are asked again
    /// with a new token, once.
    pub async fn ask<T>(&mut self, now: Timestamp, questions: &[Question], keep: Keep<'_, T>) -> Vec<Reading<Vec<T>>> {
        let all: Vec<(usize, &Question)> = questions.iter().enumerate().collect();
        let mut answers = match self.attempt(now, &all, keep).await {
            Ok(answers) => answers,
            Err(why) => return questions.iter().map(|_| Reading::Error(why.clone())).collect(),
        };
        let is_denied = |(place, _): &(usize, &Question)| answers.get(*place).is_some_and(|answer| answer.denied);
        let denied: Vec<(usize, &Question)> = all.into_iter().filter(is_denied).collect();
        if !denied.is_empty() && matches!(self.transport, Transport::Url(_)) && self.credentials.refused() {
            match self.attempt(now, &denied, keep).await {
                Ok(new) => {
                    for ((place, _), answer) in denied.into_iter().zip(new) {
                        if let Some(old) = answers.get_mut(place) {
                            *old = answer;
                        }
                    }
                }
                Err(why) => {
                    for answer in answers.iter_mut().filter(|answer| answer.denied) {
                        answer.reading = Reading::Error(why.clone());
                    }
                }
            }
        }
        answers.into_iter().map(|answer| answer.reading).collect()
    }

    async fn attempt<T>(
        &mut self,
        now: Timestamp,
        questions: &[(usize, &Question)],
        keep: Keep<'_, T>,
    ) -> Result<Vec<Answer<T>>, String> {
        let header = match &self.transport {
            Transport::Url(_) => self.credentials.header(now).await?,
            Transport::Proxy { .. } | Transport::None(_) => None,
        };
        let one = |(place, question)| self.one(question, header.as_ref(), move |series| keep(place, series));
        Ok(join_all(questions.iter().copied().map(one)).await)
    }

    async fn one<T>(
        &self,
        question: &Question,
        header: Option<&HeaderValue>,
        keep: impl FnOnce(Vec<LabelledPoints>) -> Vec<T>,
    ) -> Answer<T> {
        let exchange = async {
            match &self.transport {
                Transport::Url(client) => by_url(client, question, header).await,
                Transport::Proxy { client, root } => by_proxy(client, root, question).await,
                Transport::None(why) => Err(why.clone()),
            }
        };
        match tokio::time::timeout(QUERY_TIMEOUT, exchange).await {
            Ok(Ok((status, body))) => Answer { denied: status == 401, reading: decode(status, &body).map(keep) },
            Ok(Err(why)) => Answer { denied: false, reading: Reading::Error(why) },
            Err(_) => {
                let why = format!("no answer within {}", Span(QUERY_TIMEOUT));
                Answer { denied: false, reading: Reading::Error(why) }
            }
        }
    }
}

struct Answer<T> {
    reading: Reading<Vec<T>>,
    denied: bool,
}

fn http_client(url: &str) -> Result<prometheus_http_query::Client, String> {
    // A redirect leads to a login page, or would carry the token elsewhere; it is shown instead of followed.
    let mut builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let parsed = reqwest::Url::parse(url).map_err(|e| e.to_string())?;
    if matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        // A port-forward is never behind the proxy of the environment.
        builder = builder.no_proxy();
    }
    let client = builder.build().map_err(|e| chain(&e.without_url()))?;
    prometheus_http_query::Client::from(client, url).map_err(|e| e.to_string())
}

async fn by_url(
    client: &prometheus_http_query::Client,
    question: &Question,
    authorization: Option<&HeaderValue>,
) -> Result<(u16, Vec<u8>), String> {
    let sent = match question.range {
        None => {
            let builder = client.query(&question.query);
            let builder = match authorization {
                Some(value) => builder.header(header::AUTHORIZATION, value.clone()),
                None => builder,
            };
            builder.get_raw().await
        }
        Some(range) => {
            let builder = client.query_range(&question.query, range.start, range.end, f64::from(range.step));
            let builder = match authorization {
                Some(value) => builder.header(header::AUTHORIZATION, value.clone()),
                None => builder,
            };
            builder.get_raw().await
        }
    };
    let mut response = sent.map_err(|e| unsent(&e))?;
    let status = response.status().as_u16();
    if response.status().is_redirection() {
        let to = response.headers().get(header::LOCATION).and_then(|v| v.to_str().ok()).unwrap_or("nowhere");
        let to: String = to.split('?').next().unwrap_or_default().chars().take(120).collect();
        return Err(format!(
            "HTTP {status}: redirected to {to}: a login stands before it, or the URL in the plan is not the final one"
        ));
    }
    let mut body = Vec::new();
    while let Some(chunk) =
        response.chunk().await.map_err(|e| format!("the answer broke off: {}", chain(&e.without_url())))?
    {
        body.extend_from_slice(&chunk);
        if body.len() > LONGEST {
            return Err("the answer is longer than 64 MiB".into());
        }
    }
    Ok((status, body))
}

async fn by_proxy(client: &kube::Client, root: &str, question: &Question) -> Result<(u16, Vec<u8>), String> {
    let mut parameters = vec![("query", question.query.clone())];
    let endpoint = match question.range {
        None => "query",
        Some(Range { start, end, step }) => {
            parameters.extend([("start", start.to_string()), ("end", end.to_string()), ("step", step.to_string())]);
            "query_range"
        }
    };
    let url = reqwest::Url::parse_with_params("http://server", &parameters).map_err(|e| e.to_string())?;
    // A plus sign for a space is the form encoding; the plain one is understood everywhere.
    let parameters = url.query().unwrap_or_default().replace('+', "%20");
    let path = format!("{root}/api/v1/{endpoint}?{parameters}");
    let request = Request::builder().uri(path).header(header::ACCEPT, "application/json").body(Body::empty());
    let request = request.map_err(|e| format!("the metrics Service has a name that fits no path: {e}"))?;
    let response = client
        .send(request)
        .await
        .map_err(|e| format!("the API server's proxy cannot be reached: {}", crate::cluster::innermost(&e)))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let body = body.map_err(|e| format!("the answer broke off: {}", chain(e.as_ref())))?;
    Ok((status, body.to_bytes().into()))
}

fn unsent(error: &prometheus_http_query::Error) -> String {
    // Its own text has the whole URL in it, and a URL may have a password in it.
    match error {
        prometheus_http_query::Error::Client(inner) => match inner.inner().and_then(std::error::Error::source) {
            Some(cause) => format!("it cannot be reached: {}", crate::cluster::innermost(cause)),
            None => "it cannot be reached".to_owned(),
        },
        other => other.to_string(),
    }
}

/// Writes an error with its causes, each once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = cause.source();
    }
    texts.join(": ")
}
