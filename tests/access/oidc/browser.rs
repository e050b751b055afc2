//! A browser without a page: it keeps cookies of each host, follows where it is led, and fills in forms.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use reqwest::{Client, Response, Url};

use crate::scene::client;

/// The address under which the server says that it is reached.
pub const PUBLIC_URL: &str = "http://wall.test";
/// The cookie of a session.
pub const SESSION: &str = "lockstep_session";
/// The cookie of a sign-in that waits.
pub const PENDING: &str = "lockstep_oidc";

pub struct Browser {
    http: Client,
    server: SocketAddr,
    /// From where it says that it comes, to the proxy that the server trusts.
    address: String,
    /// By host and port.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

/// An answer, read.
#[derive(Debug)]
pub struct Page {
    pub url: Url,
    pub status: u16,
    /// Where it leads.
    pub location: Option<Url>,
    pub body: String,
}

impl Page {
    /// What the query of where it leads says.
    pub fn parameter(&self, name: &str) -> String {
        let location = self.location.as_ref().unwrap_or_else(|| panic!("leads nowhere: {self:?}"));
        let found = location.query_pairs().find(|(key, _)| key == name);
        found.unwrap_or_else(|| panic!("no {name} in {location}")).1.into_owned()
    }
}

impl Browser {
    /// One that comes from an address of its own, by `n`.
    pub fn new(server: SocketAddr, n: u16) -> Self {
        let [high, low] = n.to_be_bytes();
        let address = format!("198.18.{high}.{low}");
        Self { http: client(), server, address, cookies: BTreeMap::new() }
    }

    /// A path of the server as an address.
    pub fn own(path: &str) -> Url {
        format!("{PUBLIC_URL}{path}").parse().expect("an address")
    }

    /// The value of a cookie that it has of the server.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        Some(self.cookies.get(&host(&Self::own("/")))?.get(name)?.as_str())
    }

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        let cookies = self.cookies.entry(host(&Self::own("/"))).or_default();
        cookies.insert(name.to_owned(), value.to_owned());
    }

    pub async fn get(&mut self, url: &Url) -> Page {
        self.send(url, None).await
    }

    pub async fn post(&mut self, url: &Url, form: &[(&str, &str)]) -> Page {
        self.send(url, Some(form)).await
    }

    async fn send(&mut self, url: &Url, form: Option<&[(&str, &str)]>) -> Page {
        let mut reached = url.clone();
        if host(url) == host(&Self::own("/")) {
            reached.set_ip_host(self.server.ip()).expect("a host");
            reached.set_port(Some(self.server.port())).expect("a port");
        }
        let request = match form {
            Some(form) => self.http.post(reached).form(form),
            None => self.http.get(reached),
        };
        let cookies = self.cookies.entry(host(url)).or_default();
        let carried: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("x-forwarded-for", &self.address).header("cookie", carried.join("; "));
        let answer = request.send().await.expect("an answer");
        for (name, value) in set_cookies(&answer) {
            match value.is_empty() {
                true => cookies.remove(&name),
                false => cookies.insert(name, value),
            };
        }
        let location = answer.headers().get("location").map(|to| to.to_str().expect("text"));
        let location = location.map(|to| url.join(to).expect("an address"));
        let status = answer.status().as_u16();
        Page { url: url.clone(), status, location, body: answer.text().await.expect("a body") }
    }

    /// Goes to an address and on wherever that leads; forms of other hosts it fills in as somebody.
    pub async fn visit(&mut self, url: &Url, login: &str) -> Page {
        const STEPS: usize = 20;
        let mut page = self.get(url).await;
        for _ in 0..STEPS {
            let own = host(&page.url) == host(&Self::own("/"));
            page = match &page.location {
                Some(location) => self.get(&location.clone()).await,
                None if own => return page,
                None => {
                    let (_, action) = page.body.split_once("action=\"").unwrap_or_else(|| panic!("{page:?}"));
                    let action = action.split('"').next().expect("an end");
                    let to = page.url.join(action).expect("an address");
                    let prompt = if page.body.contains("value=\"login\"") { "login" } else { "consent" };
                    self.post(&to, &[("prompt", prompt), ("login", login), ("password", "any")]).await
                }
            };
        }
        panic!("it goes on and on: {page:?}");
    }
}

fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().expect("a host"), url.port_or_known_default().expect("a port"))
}

fn set_cookies(answer: &Response) -> Vec<(String, String)> {
    let set = answer.headers().get_all("set-cookie").iter();
    let pair = |value: &str| {
        let (name, value) = value.split(';').next()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    set.filter_map(|value| pair(value.to_str().expect("text"))).collect()
}
