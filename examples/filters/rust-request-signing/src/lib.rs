//! Signs requests, so that the application behind the proxy knows they came through it and when.
//!
//! The signature is HMAC-SHA256 over timestamp, method, authority and path, one a line, under a key
//! that the configuration names and the application shares.

use hmac_sha256::HMAC;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::UNIX_EPOCH;
use tinyjson::JsonValue;

const FILTER: &str = concat!("request-signing@", env!("CARGO_PKG_VERSION"));
/// RFC 2104 advises against keys shorter than the hash; half of it is what we put up with.
const KEY_BYTES: usize = 16;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Signing { config: None }));
}}

struct Config {
    key: Vec<u8>,
    key_id: String,
    header: String,
}

struct Signing {
    config: Option<Rc<Config>>,
}

impl Context for Signing {}

impl RootContext for Signing {
    fn on_configure(&mut self, _size: usize) -> bool {
        match read(&self.get_plugin_configuration().unwrap_or_default()) {
            Ok(config) => {
                self.config = Some(Rc::new(config));
                true
            }
            Err(problem) => {
                log_error(&problem);
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        let config = self.config.clone()?;
        Some(Box::new(Request { config }))
    }
}

struct Request {
    config: Rc<Config>,
}

impl Context for Request {}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        let seconds = match self.get_current_time().duration_since(UNIX_EPOCH) {
            Ok(since) => since.as_secs(),
            Err(_) => 0,
        };
        let part = |name| self.get_http_request_header(name).unwrap_or_default();
        let signed = format!(
            "{seconds}\n{}\n{}\n{}",
            part(":method"),
            part(":authority"),
            part(":path"),
        );
        let code = HMAC::mac(signed.as_bytes(), &self.config.key);
        let value = format!("keyId={},t={seconds},v1={}", self.config.key_id, hex(&code));
        // Replaces: what a client sent under this name was not signed here.
        self.set_http_request_header(&self.config.header, Some(&value));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.set_http_response_header("x-denim-filter", Some(FILTER));
        Action::Continue
    }
}

/// `{"key": text, "keyId": text, "header": name}`; a key is wanted, the rest has defaults.
fn read(bytes: &[u8]) -> Result<Config, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the configuration is not UTF-8")?;
    let json: JsonValue = text
        .parse()
        .map_err(|problem| format!("the configuration is not JSON: {problem}"))?;
    let fields: HashMap<String, JsonValue> = json
        .try_into()
        .map_err(|_| "the configuration is not an object")?;
    let field = |name: &str, default: &str| match fields.get(name) {
        None => Ok(default.to_string()),
        Some(JsonValue::String(text)) => Ok(text.clone()),
        Some(_) => Err(format!("\"{name}\" is no string")),
    };
    let key = field("key", "")?.into_bytes();
    if key.len() < KEY_BYTES {
        return Err(format!(
            "\"key\" has {} bytes; wanted at least {KEY_BYTES}, for example from: openssl rand -hex 32",
            key.len(),
        ));
    }
    Ok(Config {
        key,
        key_id: field("keyId", "denim")?,
        header: field("header", "x-signature")?,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn log_error(problem: &str) {
    // The host may be gone while it shuts down; nothing depends on this line.
    let _ = proxy_wasm::hostcalls::log(LogLevel::Error, problem);
}
