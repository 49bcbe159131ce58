//! The HTTP side of the API server: one axum router, used in the process and on loopback.

use super::access::Account;
use super::discovery;
use super::failure::{Cause, Failure};
use super::faults::{Disturbance, Faults};
use super::forms::Form;
use super::page::{self, Page};
use super::patch::{PatchKind, read_body};
use super::protobuf;
use super::request::{Address, Place, Query, locate};
use super::resources::{self, SERVICES};
use super::scale;
use super::select::Selection;
use super::store::Store;
use super::watch;
use super::write::{self, DeleteOptions, Part, Target};
use crate::model::name_of;
use crate::sim::wire::Traffic;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const JSON: &str = "application/json";
/// The largest request body; the real server refuses about this too.
const MAX_BODY: usize = 3 * 1024 * 1024;

/// Everything a request needs.
pub struct Server {
    /// The objects.
    pub store: Arc<Store>,
    /// Who answers queries of the metrics source.
    pub traffic: Arc<dyn Traffic>,
    /// Trouble on request.
    pub faults: Arc<Faults>,
    /// Ends watches and requests that wait for ever.
    pub stop: CancellationToken,
}

/// A request that has been read.
struct Incoming {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    account: Account,
}

/// Builds the router. Every request must carry an [`Account`] in its extensions, else it is answered with 401.
pub fn router(server: Arc<Server>) -> Router {
    Router::new().fallback(handle).with_state(server)
}

async fn handle(State(server): State<Arc<Server>>, request: Request) -> Response {
    let mut response = respond(&server, request).await;
    if let Ok(date) = HeaderValue::from_str(&server.store.clock().http_date()) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn respond(server: &Arc<Server>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(account) = parts.extensions.get::<Account>().cloned() else {
        return refuse(&Failure::unauthorized());
    };
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return refuse(&Failure::new(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"));
    };
    let incoming = Incoming { method: parts.method, uri: parts.uri, headers: parts.headers, body, account };
    let path = incoming.uri.path_and_query().map(|p| p.as_str().to_owned()).unwrap_or_default();
    let spoiled = |code: u16| refuse(&Failure::new(code, "InternalError", "the embedded cluster was told to fail"));
    match server.faults.meet(incoming.method.as_str(), &path) {
        None => server.answer(&incoming),
        Some(Disturbance::Slow(time)) => {
            tokio::time::sleep(time).await;
            server.answer(&incoming)
        }
        Some(Disturbance::Refused(code)) => spoiled(code),
        Some(Disturbance::AnswerSpoiled(code)) => {
            drop(server.answer(&incoming));
            spoiled(code)
        }
        Some(Disturbance::RequestLost) => server.silence().await,
        Some(Disturbance::AnswerLost) => {
            drop(server.answer(&incoming));
            server.silence().await
        }
        Some(Disturbance::LandsLate(time)) => {
            let later = server.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = later.stop.cancelled() => {}
                    () = tokio::time::sleep(time) => drop(later.answer(&incoming)),
                }
            });
            server.silence().await
        }
    }
}

impl Server {
    /// Never answers; only the end of the cluster does.
    async fn silence(&self) -> Response {
        tokio::select! {
            () = self.stop.cancelled() => refuse(&Failure::new(503, "ServiceUnavailable", "the cluster has ended")),
            never = pending() => never,
        }
    }

    fn answer(&self, incoming: &Incoming) -> Response {
        self.dispatch(incoming).unwrap_or_else(|failure| refuse(&failure))
    }

    fn dispatch(&self, incoming: &Incoming) -> Result<Response, Failure> {
        let path = incoming.uri.path();
        if matches!(path, "/healthz" | "/livez" | "/readyz") {
            return Ok(Response::new(Body::from("ok")));
        }
        let accept = text_header(&incoming.headers, header::ACCEPT);
        if let Some((value, aggregated)) = discovery::discover(path, accept.contains("as=APIGroupDiscoveryList")) {
            let kind = if aggregated { discovery::AGGREGATED } else { JSON };
            return Ok(reply(200, kind, &value));
        }
        match locate(path).ok_or_else(Failure::no_such_path)? {
            Place::Review(_, plural) if incoming.method == Method::POST => {
                let review = incoming.account.review(&plural, json_body(incoming)?);
                Ok(json_reply(201, &review.ok_or_else(Failure::no_such_path)?))
            }
            Place::Review(..) => Err(Failure::method_not_allowed()),
            Place::Proxy { namespace, service, path } => self.proxy(incoming, &namespace, &service, &path),
            Place::Objects(address) => self.objects(incoming, &address),
        }
    }

    fn objects(&self, incoming: &Incoming, at: &Address) -> Result<Response, Failure> {
        let query = Query::parse(&incoming.uri);
        let collection = at.name.is_empty();
        let watching = incoming.method == Method::GET && query.flag("watch");
        let verb = match (incoming.method.as_str(), collection) {
            ("GET", _) if watching => "watch",
            ("GET", true) => "list",
            ("GET", false) => "get",
            ("POST", true) => "create",
            ("PUT", false) => "update",
            ("PATCH", false) => "patch",
            ("DELETE", false) => "delete",
            ("DELETE", true) => "deletecollection",
            _ => return Err(Failure::method_not_allowed()),
        };
        if !at.resource.verbs().contains(&verb) {
            return Err(Failure::method_not_allowed());
        }
        incoming.account.require(verb, at.resource, &at.sub, &at.namespace, &at.name)?;
        let dry_run = match query.get("dryRun") {
            None => false,
            Some("All") => true,
            Some(other) => {
                return Err(Failure::bad_request(format!("invalid dryRun {other:?}: the one allowed value is All")));
            }
        };
        if at.sub == "log" {
            return self.log(at, verb, query.flag("timestamps"));
        }
        let part = if at.sub == "status" { Part::Status } else { Part::Main };
        let manager = Some(manager(incoming, &query));
        let (namespace, name, sub) = (at.namespace.as_str(), at.name.as_str(), at.sub.as_str());
        let target = Target { resource: at.resource, namespace, name, part, sub, manager, dry_run };
        match verb {
            "watch" => self.watch(incoming, at, &query),
            "list" => self.list(incoming, at, &query),
            "get" => {
                let found = self.store.get(at.resource, &at.namespace, &at.name);
                let object = found.ok_or_else(|| Failure::not_found(at.resource, &at.name))?;
                if at.sub == "scale" {
                    return Ok(json_reply(200, &scale::of(&object)));
                }
                Ok(self.shown(incoming, at, 200, &object))
            }
            "delete" if !at.sub.is_empty() => Err(Failure::method_not_allowed()),
            "update" if at.sub == "scale" => {
                let object = scale::replace(&self.store, target, &json_body(incoming)?)?;
                Ok(json_reply(200, &object))
            }
            "patch" if at.sub == "scale" => {
                let kind = patch_kind(incoming, at)?;
                let object = scale::patch(&self.store, target, kind, &read_body(kind, &incoming.body)?)?;
                Ok(json_reply(200, &object))
            }
            "create" if at.resource.namespaced && at.namespace.is_empty() => Err(Failure::method_not_allowed()),
            "create" => {
                let object = write::create(&self.store, target, json_body(incoming)?)?;
                Ok(self.shown(incoming, at, 201, &object))
            }
            "update" => {
                let object = write::replace(&self.store, target, json_body(incoming)?)?;
                Ok(self.shown(incoming, at, 200, &object))
            }
            "patch" => {
                let kind = patch_kind(incoming, at)?;
                check_options(kind, &query)?;
                let change = read_body(kind, &incoming.body)?;
                if kind == PatchKind::Apply {
                    let (object, created) = write::apply(&self.store, target, change, query.flag("force"))?;
                    return Ok(self.shown(incoming, at, if created { 201 } else { 200 }, &object));
                }
                let object = write::patch(&self.store, target, kind, &change)?;
                Ok(self.shown(incoming, at, 200, &object))
            }
            "deletecollection" => self.delete_all(incoming, at, target, &query),
            _ => self.delete(incoming, at, target, &query),
        }
    }

    fn list(&self, incoming: &Incoming, at: &Address, query: &Query) -> Result<Response, Failure> {
        let selection = selection(at, query)?;
        let Page { objects, metadata } = page::read(&self.store, at.resource, &selection, query)?;
        let objects: Vec<&Value> = objects.iter().map(AsRef::as_ref).collect();
        let list = form(incoming, query).list(at.resource, &objects, &metadata, self.store.clock().now());
        Ok(text_reply(200, JSON, list))
    }

    fn watch(&self, incoming: &Incoming, at: &Address, query: &Query) -> Result<Response, Failure> {
        let from = match query.get("resourceVersion") {
            None => None,
            Some(text) => Some(text.parse().map_err(|_| {
                Failure::bad_request(format!("Invalid value: {text:?}: resourceVersion must be a number"))
            })?),
        };
        let mut selection = selection(at, query)?;
        if !at.name.is_empty() {
            let name = format!("metadata.name={}", at.name);
            selection = Selection::parse(at.resource, Some(&at.namespace), query.get("labelSelector"), Some(&name))?;
        }
        let ask = watch::Ask {
            resource: at.resource,
            selection,
            from,
            timeout: query.get("timeoutSeconds").and_then(|t| t.parse().ok()).filter(|t| *t > 0),
            bookmarks: query.flag("allowWatchBookmarks"),
            initial: query.flag("sendInitialEvents"),
            form: form(incoming, query),
        };
        let lines = watch::open(self.store.clone(), ask, self.faults.breaks(), self.stop.clone());
        let mut response = Response::new(Body::from_stream(lines));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
        Ok(response)
    }

    fn delete(
        &self,
        incoming: &Incoming,
        at: &Address,
        target: Target<'_>,
        query: &Query,
    ) -> Result<Response, Failure> {
        if at.resource == &resources::NAMESPACES {
            // Deleting a namespace would have to delete everything in it; nobody needs that here.
            return Err(Failure::method_not_allowed());
        }
        let (options, dry_run) = delete_options(incoming, query)?;
        let dry_run = dry_run || target.dry_run;
        let (object, gone) = write::delete(&self.store, Target { dry_run, ..target }, &options)?;
        if !gone || matches!(at.resource.plural, "pods" | "services") {
            return Ok(self.shown(incoming, at, 200, &object));
        }
        let details = json!({
            "name": at.name, "group": at.resource.group, "kind": at.resource.plural, "uid": object["metadata"]["uid"],
        });
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
        });
        Ok(json_reply(200, &status))
    }

    /// Deletes what a list with the same selectors shows, and returns that list.
    fn delete_all(
        &self,
        incoming: &Incoming,
        at: &Address,
        target: Target<'_>,
        query: &Query,
    ) -> Result<Response, Failure> {
        if at.resource.namespaced && at.namespace.is_empty() {
            return Err(Failure::method_not_allowed());
        }
        let (options, dry_run) = delete_options(incoming, query)?;
        let dry_run = dry_run || target.dry_run;
        let listed = self.list(incoming, at, query)?;
        let selection = selection(at, query)?;
        for object in self.store.list(at.resource).1.iter().filter(|object| selection.takes(object)) {
            // Whoever is gone meanwhile needs nothing more.
            let _ = write::delete(&self.store, Target { name: name_of(object), dry_run, ..target }, &options);
        }
        Ok(listed)
    }

    /// The log of a pod, which is one line: no process runs behind it.
    fn log(&self, at: &Address, verb: &str, timed: bool) -> Result<Response, Failure> {
        if verb != "get" {
            return Err(Failure::method_not_allowed());
        }
        let found = self.store.get(at.resource, &at.namespace, &at.name);
        found.ok_or_else(|| Failure::not_found(at.resource, &at.name))?;
        let time = if timed { format!("{} ", self.store.clock().now()) } else { String::new() };
        let line = format!("{time}pods of the embedded cluster are simulated and write no log\n");
        let mut response = Response::new(Body::from(line));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ok(response)
    }

    /// The proxy of a Service; only the metrics source has somebody who answers.
    fn proxy(&self, incoming: &Incoming, namespace: &str, service: &str, path: &str) -> Result<Response, Failure> {
        let verb = if incoming.method == Method::GET { "get" } else { "create" };
        let name = match service.split(':').collect::<Vec<_>>().as_slice() {
            [name] | [name, _] | [_, name, _] => *name,
            _ => return Err(Failure::no_such_path()),
        };
        incoming.account.require(verb, &SERVICES, "proxy", namespace, service)?;
        let found = self.store.get(&SERVICES, namespace, name).ok_or_else(|| Failure::not_found(&SERVICES, name))?;
        if incoming.method != Method::GET {
            return Err(Failure::method_not_allowed());
        }
        if found["metadata"]["labels"]["app.kubernetes.io/name"] != "prometheus" {
            let message = format!("no endpoints available for service {service:?}");
            return Err(Failure::new(503, "ServiceUnavailable", message));
        }
        if !matches!(path, "/api/v1/query" | "/api/v1/query_range") {
            return Err(Failure::no_such_path());
        }
        let (code, value) = self.traffic.prometheus(path, incoming.uri.query().unwrap_or_default());
        Ok(json_reply(code, &value))
    }

    fn shown(&self, incoming: &Incoming, at: &Address, code: u16, object: &Value) -> Response {
        if incoming.method != Method::GET {
            return json_reply(code, object);
        }
        let form = form(incoming, &Query::parse(&incoming.uri));
        json_reply(code, &form.one(at.resource, object, self.store.clock().now()))
    }
}

fn delete_options(incoming: &Incoming, query: &Query) -> Result<(DeleteOptions, bool), Failure> {
    let body = if incoming.body.is_empty() { json!({}) } else { json_body(incoming)? };
    let text = |value: &Value| value.as_str().filter(|v| !v.is_empty()).map(str::to_owned);
    let grace = query.get("gracePeriodSeconds").and_then(|grace| grace.parse().ok());
    let options = DeleteOptions {
        uid: text(&body["preconditions"]["uid"]),
        resource_version: text(&body["preconditions"]["resourceVersion"]),
        grace: body["gracePeriodSeconds"].as_i64().or(grace),
    };
    Ok((options, body["dryRun"] == json!(["All"])))
}

fn selection(at: &Address, query: &Query) -> Result<Selection, Failure> {
    let namespace = Some(at.namespace.as_str()).filter(|ns| !ns.is_empty());
    Selection::parse(at.resource, namespace, query.get("labelSelector"), query.get("fieldSelector"))
}

/// Who the fields of a write belong to: `fieldManager`, else the first word of the `User-Agent`, else `unknown`.
fn manager<'a>(incoming: &'a Incoming, query: &'a Query) -> &'a str {
    let agent = text_header(&incoming.headers, header::USER_AGENT);
    let agent = agent.split('/').next().filter(|word| !word.is_empty()).unwrap_or("unknown");
    query.get("fieldManager").unwrap_or(agent)
}

/// Only server-side apply can be forced, and only it must name its manager.
fn check_options(kind: PatchKind, query: &Query) -> Result<(), Failure> {
    match (kind, query.get("fieldManager"), query.get("force")) {
        (PatchKind::Apply, None, _) => Err(Failure::no_manager()),
        (PatchKind::Apply, Some(_), _) | (_, _, None) => Ok(()),
        (_, _, Some(_)) => Err(Failure::bad_options(&Cause {
            reason: "FieldValueForbidden",
            field: "force".into(),
            message: "Forbidden: may not be specified for non-apply patch".into(),
        })),
    }
}

fn patch_kind(incoming: &Incoming, at: &Address) -> Result<PatchKind, Failure> {
    let content = text_header(&incoming.headers, header::CONTENT_TYPE);
    match PatchKind::parse(content) {
        Some(kind) if kind != PatchKind::Strategic || !at.resource.custom => Ok(kind),
        _ => Err(Failure::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - {content:?} is not supported here"),
        )),
    }
}

fn json_body(incoming: &Incoming) -> Result<Value, Failure> {
    let content = text_header(&incoming.headers, header::CONTENT_TYPE);
    // Typed clients in Go send protobuf, and read the answer as JSON.
    if let Some(object) =
        Some(&incoming.body).filter(|_| content.contains("protobuf")).and_then(|b| protobuf::object(b))
    {
        return Ok(object);
    }
    if !content.is_empty() && !content.contains("json") {
        return Err(Failure::new(
            415,
            "UnsupportedMediaType",
            format!("the body of the request was in an unknown format - {content:?} is not supported here"),
        ));
    }
    serde_json::from_slice(&incoming.body)
        .map_err(|e| Failure::bad_request(format!("the object provided is unrecognized: {e}")))
}

fn form(incoming: &Incoming, query: &Query) -> Form {
    Form::parse(text_header(&incoming.headers, header::ACCEPT), query.get("includeObject"))
}

fn text_header(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

fn refuse(failure: &Failure) -> Response {
    json_reply(failure.code, &failure.to_status())
}

fn json_reply(code: u16, value: &Value) -> Response {
    reply(code, JSON, value)
}

fn reply(code: u16, kind: &'static str, value: &Value) -> Response {
    text_reply(code, kind, value.to_string())
}

fn text_reply(code: u16, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
