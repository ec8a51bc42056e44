//! One call, and all that comes back of it.

use headend_wire::xmlrpc::{self, Limits, Response, Value};
use reqwest::Method;

/// A client with a token or without.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) base: String,
    pub(super) token: Option<String>,
}

/// Status and all bytes that could tell something, without what differs from one moment to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) status: i64,
    pub(super) headers: Vec<String>,
    pub(super) body: String,
}

impl Got {
    /// Everything as text.
    pub(super) fn text(&self) -> String {
        format!("{} {}\n{}", self.status, self.headers.join(" "), self.body)
    }

    /// The code of an XML-RPC answer; the status if HTTP has refused the call.
    pub(super) fn code(&self) -> i64 {
        if self.status != 200 {
            return self.status;
        }
        match xmlrpc::parse_response(self.body.as_bytes(), &Limits::default()).unwrap() {
            Response::Value(Value::Array(items)) => match items.first() {
                Some(Value::Int(code)) => *code,
                // `system.listMethods` gives names alone.
                _ => 0,
            },
            other => panic!("this is no answer of the document: {other:?}"),
        }
    }
}

impl Caller {
    /// `call` and `given` as in rest.txt, with all names filled in.
    pub(super) async fn rest(&self, call: &str, given: &str) -> Got {
        let mut words = call.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.request(method, path);
        for header in words {
            let (name, value) = header.split_once('=').unwrap();
            request = request.header(name, value);
        }
        request = match given {
            "-" => request,
            json if !json.starts_with("raw:") => {
                let known = call.contains("content-type=");
                let request = if known { request } else { request.header("content-type", "application/json") };
                request.body(json.to_owned())
            }
            raw => request.body(raw["raw:".len()..].to_owned()),
        };
        self.send(request).await
    }

    /// `given`: the arguments as a list in JSON.
    pub(super) async fn remote(&self, method: &str, given: &str) -> Got {
        let given: serde_json::Value = serde_json::from_str(given).unwrap_or_else(|e| panic!("{given}: {e}"));
        let Value::Array(arguments) = value(given) else { panic!("{method}: the arguments are no list") };
        let request = self.request(Method::POST, "/").header("content-type", "text/xml");
        self.send(request.body(xmlrpc::write_call(method, &arguments))).await
    }

    pub(super) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = reqwest::Client::new().request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Got {
        let response = request.send().await.unwrap();
        let told = |name: &str| !matches!(name, "date" | "content-length" | "x-request-id");
        let mut headers: Vec<String> = (response.headers().iter())
            .filter(|(name, _)| told(name.as_str()))
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        headers.sort();
        let status = i64::from(response.status().as_u16());
        // The feed has no end; what it tells has a test of its own.
        let endless = headers.iter().any(|header| header.contains("text/event-stream"));
        let body = if endless { Vec::new() } else { response.bytes().await.unwrap().to_vec() };
        Got { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
    }
}

fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => Value::Bool(flag),
        serde_json::Value::Number(number) => Value::Int(number.as_i64().unwrap()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => Value::Array(items.into_iter().map(value).collect()),
        serde_json::Value::Object(_) => panic!("the document has no structs"),
    }
}
