//! A provider whose tokens are whatever a test wants.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, serve};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use lockstep::server::clock::now_ms;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ring::{digest, hmac};
use serde_json::{Value, json};

use super::browser::Page;

pub const CLIENT: &str = "lockstep";
pub const SECRET: &str = "s3cret of the client";

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// As it should be.
    Right,
    /// With another key under the same id.
    OtherKey,
    /// With a key that is not published, under its own id.
    UnknownKey,
    None,
    /// With the client's secret.
    Secret,
}

struct Key {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, made.as_ref(), &random);
        Self { id, pair: pair.expect("reads") }
    }

    fn public(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (part(&point[1..33]), part(&point[33..65]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": x, "y": y})
    }

    fn sign(&self, text: &str) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), text.as_bytes()).expect("signs").as_ref().to_vec()
    }
}

/// What a code is exchanged for, once.
struct Grant {
    challenge: String,
    answer: Value,
}

#[derive(Default)]
struct Inner {
    grants: BTreeMap<String, Grant>,
    published: Vec<Value>,
    keys_asked: usize,
    is_away: bool,
}

/// The provider, as long as the test's runtime lasts.
pub struct Hostile {
    pub issuer: String,
    right: Key,
    other: Key,
    unknown: Key,
    inner: Arc<Mutex<Inner>>,
}

impl Hostile {
    pub async fn start() -> Self {
        let listener =
            tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let (right, other, unknown) = (Key::new("right"), Key::new("right"), Key::new("unknown"));
        let published = vec![right.public()];
        let inner = Arc::new(Mutex::new(Inner { published, ..Inner::default() }));
        let metadata = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
            "authorization_response_iss_parameter_supported": true,
        });
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(async |State(inner): State<Arc<Mutex<Inner>>>| {
                    match inner.lock().expect("not poisoned").is_away {
                        true => Err(StatusCode::BAD_GATEWAY),
                        false => Ok(Json(metadata)),
                    }
                }),
            )
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(inner.clone());
        tokio::spawn(async move { serve(listener, router).await.expect("serves") });
        Self { issuer, right, other, unknown, inner }
    }

    pub fn set_away(&self, is_away: bool) {
        self.inner.lock().expect("not poisoned").is_away = is_away;
    }

    /// How often somebody asked for its keys.
    pub fn keys_asked(&self) -> usize {
        self.inner.lock().expect("not poisoned").keys_asked
    }

    /// Publishes the key that was unknown.
    pub fn rotate(&self) {
        self.inner.lock().expect("not poisoned").published.push(self.unknown.public());
    }

    /// Claims of a person who followed a sign-in here, as they should be.
    pub fn claims(&self, sign_in: &Page, subject: &str) -> Value {
        let now = now_ms() / 1_000;
        json!({
            "iss": self.issuer, "aud": CLIENT, "sub": subject, "iat": now, "exp": now + 300,
            "nonce": sign_in.parameter("nonce"), "name": subject, "email": format!("{subject}@example.com"),
            "email_verified": true,
        })
    }

    pub fn sign(&self, claims: &Value, signing: Signing) -> String {
        let (key, alg) = match signing {
            Signing::Right => (&self.right, "ES256"),
            Signing::OtherKey => (&self.other, "ES256"),
            Signing::UnknownKey => (&self.unknown, "ES256"),
            Signing::None => (&self.right, "none"),
            Signing::Secret => (&self.right, "HS256"),
        };
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": alg, "kid": key.id, "typ": "JWT"})), part(claims));
        let signature = match signing {
            Signing::None => Vec::new(),
            Signing::Secret => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
            }
            _ => key.sign(&signed),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A code that is exchanged for a token, once, by whoever began the sign-in.
    pub fn grant(&self, sign_in: &Page, token: Option<String>) -> String {
        let mut answer = json!({"access_token": "a", "token_type": "Bearer"});
        if let Some(token) = token {
            answer["id_token"] = json!(token);
        }
        assert_eq!(sign_in.parameter("code_challenge_method"), "S256");
        let challenge = sign_in.parameter("code_challenge");
        let mut inner = self.inner.lock().expect("not poisoned");
        let code = format!("code-{}-{}", inner.grants.len(), &challenge[..8]);
        inner.grants.insert(code.clone(), Grant { challenge, answer });
        code
    }
}

async fn keys(State(inner): State<Arc<Mutex<Inner>>>) -> Json<Value> {
    let mut inner = inner.lock().expect("not poisoned");
    inner.keys_asked += 1;
    Json(json!({"keys": inner.published}))
}

async fn token(
    State(inner): State<Arc<Mutex<Inner>>>,
    headers: HeaderMap,
    Form(form): Form<BTreeMap<String, String>>,
) -> (StatusCode, Json<Value>) {
    let refused = |why| (StatusCode::BAD_REQUEST, Json(json!({"error": why})));
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{}", SECRET.replace(' ', "+"))));
    if headers.get("authorization").is_none_or(|said| said.to_str().ok() != Some(&basic)) {
        return refused("invalid_client");
    }
    let text = |name: &str| form.get(name).cloned().unwrap_or_default();
    let mut inner = inner.lock().expect("not poisoned");
    let Some(grant) = inner.grants.remove(&text("code")) else { return refused("invalid_grant") };
    let hash = digest::digest(&digest::SHA256, text("code_verifier").as_bytes());
    if URL_SAFE_NO_PAD.encode(hash) != grant.challenge {
        return refused("invalid_grant");
    }
    (StatusCode::OK, Json(grant.answer))
}
