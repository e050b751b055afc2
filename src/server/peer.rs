//! Address of the peer: the other end of the TCP connection, or whom a trusted proxy names.
//!
//! What a proxy says of a request, `X-Forwarded-For` and `X-Forwarded-Proto`, anybody can say. It counts from
//! the proxies that the settings name only; of a peer on this machine the protocol counts too, as
//! it changes no more than whether a cookie is marked `Secure`. Over TLS of this server itself a request is secure, unless
//! such a proxy says that its own client's was not.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// Leading bits of an IPv6 address that stand for one customer: everybody gets at least that many
/// addresses, so to count each of them would bound nobody.
const IPV6_NETWORK: u32 = 64;
/// Leading bits of an IPv6 address that stand for one site: a company has that many, and so has whoever asks a tunnel for
/// them.
const IPV6_SITE: u32 = 48;

/// Who makes a request. In the extensions of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerAddr(pub IpAddr);

impl PeerAddr {
    /// The address under which rates and bounds count: of IPv6 the network, as one customer has all of it.
    pub fn network(self) -> IpAddr {
        self.leading(IPV6_NETWORK)
    }

    /// The same of what one site has, however many networks that is.
    pub fn site(self) -> IpAddr {
        self.leading(IPV6_SITE)
    }

    fn leading(self, bits: u32) -> IpAddr {
        match self.0.to_canonical() {
            IpAddr::V6(ip) => {
                let mask = u128::MAX << (128 - bits);
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
            }
            ip => ip,
        }
    }
}

/// Whether a request comes from a proxy that the settings trust. In the extensions of every request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FromProxy(pub bool);

/// Whether a request came over TLS of this server itself. In the extensions of every request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverTls(pub bool);

/// The proxies whose word about a request counts.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    /// Whether somebody else's word was passed over already: it is said once.
    passed_over: Arc<AtomicBool>,
}

impl TrustedProxies {
    pub fn new(networks: &[IpNet]) -> Self {
        Self { networks: networks.into(), passed_over: Arc::default() }
    }

    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.networks.iter().any(|network| network.contains(&ip))
    }

    /// Who sent a request that came over a connection from `tcp`: the right-most address of
    /// `X-Forwarded-For` that is no trusted proxy. Left of it stands what the peer may have made up.
    fn peer(&self, tcp: IpAddr, headers: &HeaderMap) -> PeerAddr {
        let mut peer = tcp.to_canonical();
        let said: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("?").split(','))
            .collect();
        for said in said.into_iter().rev() {
            if !self.contains(peer) {
                break;
            }
            let Some(before) = address(said.trim()) else { break };
            peer = before;
        }
        PeerAddr(peer)
    }
}

/// An address as proxies write it, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().ok().or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))?;
    Some(IpAddr::to_canonical(&ip))
}

/// Puts the [`PeerAddr`] into a request, and takes out what a peer said of itself without being trusted.
pub async fn load_peer(State(proxies): State<TrustedProxies>, mut request: Request, next: Next) -> Response {
    let tcp = request.extensions().get().map(|ConnectInfo(addr): &ConnectInfo<SocketAddr>| addr.ip());
    // Without a connection there is a test that calls the routes.
    let tcp = tcp.unwrap_or(IpAddr::V6(Ipv6Addr::LOCALHOST)).to_canonical();
    let peer = proxies.peer(tcp, request.headers());
    let from_proxy = FromProxy(proxies.contains(tcp));
    if from_proxy == FromProxy(false) {
        let headers = request.headers_mut();
        if headers.remove(FORWARDED_FOR).is_some() && !proxies.passed_over.swap(true, Relaxed) {
            tracing::warn!(
                %tcp,
                "X-Forwarded-For does not count, as it comes from no proxy of LOCKSTEP_TRUSTED_PROXIES: everybody \
                 behind that address shares one rate. Name the proxy there if it is yours."
            );
        }
        if !tcp.is_loopback() {
            headers.remove(FORWARDED_PROTO);
        }
    }
    let over_tls: OverTls = request.extensions().get().copied().unwrap_or_default();
    let is_said = from_proxy == FromProxy(true) && request.headers().contains_key(FORWARDED_PROTO);
    if over_tls == OverTls(true) && !is_said {
        request.headers_mut().insert(FORWARDED_PROTO, HeaderValue::from_static("https"));
    }
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(from_proxy);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::{Body, to_bytes};
    use axum::http::{Request as HttpRequest, StatusCode};
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;
    use crate::server::http::is_secure;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        let network =
            |text: &&str| text.parse().unwrap_or_else(|_| IpNet::from(text.parse::<IpAddr>().expect(text)));
        TrustedProxies::new(&networks.iter().map(network).collect::<Vec<_>>())
    }

    fn peer(proxies: &TrustedProxies, tcp: &str, said: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for said in said {
            headers.append(FORWARDED_FOR, said.parse().expect("a header"));
        }
        proxies.peer(tcp.parse().expect("an address"), &headers).0.to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_who_its_peer_is() {
        let none = proxies(&[]);
        assert_eq!(peer(&none, "127.0.0.1", &["203.0.113.9"]), "127.0.0.1");
        let own = proxies(&["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"]);
        assert_eq!(peer(&own, "203.0.113.7", &["203.0.113.9"]), "203.0.113.7");
        assert_eq!(peer(&own, "10.0.0.1", &["203.0.113.9"]), "203.0.113.9");
        assert_eq!(peer(&own, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_the_peer_made_up_stands_left_and_does_not_count() {
        let own = proxies(&["10.0.0.0/8", "fd00::/8"]);
        assert_eq!(peer(&own, "10.0.0.1", &["1.1.1.1, 203.0.113.9"]), "203.0.113.9");
        assert_eq!(peer(&own, "10.0.0.1", &["1.1.1.1", "203.0.113.9, 10.7.7.7"]), "203.0.113.9");
        assert_eq!(peer(&own, "::ffff:10.0.0.1", &["10.2.0.1"]), "10.2.0.1", "all of them are proxies");
        assert_eq!(peer(&own, "fd00::1", &["1.1.1.1, [2001:db8::5]:443"]), "2001:db8::5");
        assert_eq!(peer(&own, "10.0.0.1", &["203.0.113.9:5123"]), "203.0.113.9");
        for said in ["unknown", "", "1.1.1.1, _hidden", ", ,"] {
            assert_eq!(peer(&own, "10.0.0.1", &[said]), "10.0.0.1", "{said:?} names nobody");
        }
    }

    /// Whether the routes take a request for one that came over TLS, and whether it still has `X-Forwarded-For`.
    async fn seen(tcp: &str, over_tls: bool, proto: Option<&'static str>) -> (bool, bool) {
        let saw = |headers: HeaderMap| async move {
            (StatusCode::OK, format!("{} {}", is_secure(&headers), headers.contains_key(FORWARDED_FOR)))
        };
        let app =
            Router::new().route("/", get(saw)).layer(from_fn_with_state(proxies(&["10.0.0.1"]), load_peer));
        let mut request = HttpRequest::get("/").header(FORWARDED_FOR, "203.0.113.9");
        if let Some(proto) = proto {
            request = request.header(FORWARDED_PROTO, proto);
        }
        let mut request = request.body(Body::empty()).expect("a request");
        let tcp: IpAddr = tcp.parse().expect("an address");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((tcp, 9))));
        request.extensions_mut().insert(OverTls(over_tls));
        let answer = app.oneshot(request).await.expect("an answer");
        let body = to_bytes(answer.into_body(), 100).await.expect("a body");
        let text = String::from_utf8(body.to_vec()).expect("text");
        let (secure, has_for) = text.split_once(' ').expect("two words");
        (secure == "true", has_for == "true")
    }

    #[tokio::test]
    async fn what_is_forwarded_counts_from_trusted_proxies_and_the_connection_for_itself() {
        for (tcp, over_tls, proto, secure, has_for) in [
            ("10.0.0.1", false, Some("https"), true, true),
            ("10.0.0.1", false, None, false, true),
            ("203.0.113.7", false, Some("https"), false, false),
            ("127.0.0.1", false, Some("https"), true, false),
            ("203.0.113.7", true, None, true, false),
            ("203.0.113.7", true, Some("http"), true, false),
            ("127.0.0.1", true, Some("http"), true, false),
            ("10.0.0.1", true, None, true, true),
            ("10.0.0.1", true, Some("http"), false, true),
        ] {
            assert_eq!(seen(tcp, over_tls, proto).await, (secure, has_for), "{tcp} {over_tls} {proto:?}");
        }
    }

    #[test]
    fn one_customer_of_ipv6_counts_as_one() {
        let network = |text: &str| PeerAddr(text.parse().expect("an address")).network();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), network("2001:db8:1:2::9"));
        assert_ne!(network("2001:db8:1:2::9"), network("2001:db8:1:3::9"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        let site = |text: &str| PeerAddr(text.parse().expect("an address")).site();
        assert_eq!(site("2001:db8:1:2::9"), site("2001:db8:1:ffff::9"));
        assert_ne!(site("2001:db8:1:2::9"), site("2001:db8:2:2::9"));
        assert_ne!(site("192.0.2.1"), site("192.0.2.2"));
    }
}
