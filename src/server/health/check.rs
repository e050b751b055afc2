//! `lockstep healthcheck`: asks the server on this machine, for supervisors that run a program to know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use crate::app::address::BasePath;
use crate::server::config::Config;

/// How long an answer is waited for: less than supervisors wait for this program.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server does not count as well.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("addr: with port 0 the server takes a free one, which only its log says. Name the port.")]
    FreePort,
    #[error("{url} does not answer: {error}")]
    Silent { url: String, error: reqwest::Error },
    #[error("{url} answers {status}: {body}")]
    Unwell { url: String, status: u16, body: String },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Asks the server of a configuration, and ends with 0 where all is well, else with 1 and the reason on standard error.
pub fn run(config: &Config, ready: bool) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let url = url(config.addr, config.tls.is_some(), &config.base_path, ready);
    let outcome = url.and_then(|url| runtime.map_err(CheckError::Io)?.block_on(ask(url)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lockstep: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn ask(url: String) -> Result<(), CheckError> {
    let silent = |error: reqwest::Error| CheckError::Silent { url: url.clone(), error: error.without_url() };
    // What is on this machine is behind no proxy, whatever the environment says.
    let client = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
    // A certificate is for the names by which others reach the server, and nothing secret is said here.
    let client = client.danger_accept_invalid_certs(true).build().map_err(silent)?;
    let answer = client.get(&url).send().await.map_err(silent)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let body = answer.text().await.map_err(silent)?;
    Err(CheckError::Unwell { url, status: status.as_u16(), body })
}

/// The address to ask at: the loopback one where the server listens on all.
fn url(addr: SocketAddr, is_tls: bool, base: &BasePath, ready: bool) -> Result<String, CheckError> {
    if addr.port() == 0 {
        return Err(CheckError::FreePort);
    }
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let scheme = if is_tls { "https" } else { "http" };
    let path = base.to(if ready { "/readyz" } else { "/healthz" });
    Ok(format!("{scheme}://{}{path}", SocketAddr::new(ip, addr.port())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_where_the_server_listens() {
        let at = |addr: &str, is_tls, base: &BasePath, ready| {
            url(addr.parse().expect("an address"), is_tls, base, ready)
        };
        let url = |addr: &str, ready| at(addr, false, &BasePath::default(), ready);
        assert_eq!(url("0.0.0.0:3000", false).expect("an address"), "http://127.0.0.1:3000/healthz");
        assert_eq!(url("[::]:80", true).expect("an address"), "http://[::1]:80/readyz");
        assert_eq!(url("10.0.0.7:3000", false).expect("an address"), "http://10.0.0.7:3000/healthz");
        let base = BasePath::read("/dash").expect("a path");
        let below = at("0.0.0.0:443", true, &base, true).expect("an address");
        assert_eq!(below, "https://127.0.0.1:443/dash/readyz");
        assert!(url("127.0.0.1:0", false).expect_err("no port").to_string().contains("Name the port"));
    }
}
