//! A certified provider, as others made it, up to the session.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::browser::{Browser, PUBLIC_URL};
use super::hostile::SECRET;
use super::{me, role, roles, settings};
use crate::scene::Scene;

const SET_UP: &str = "scripts/setup.sh --test installs what this test runs";

/// The provider as a process; dropping it ends it.
struct Real {
    child: Child,
    issuer: String,
    /// Held, as a process that writes to nobody ends.
    _output: BufReader<ChildStdout>,
}

impl Real {
    fn start() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/access/oidc/provider.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(format!("{PUBLIC_URL}/oidc/callback")).env("SECRET", SECRET);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect(SET_UP);
        let mut output = BufReader::new(child.stdout.take().expect("its output is ours"));
        let mut lines = output.by_ref().lines().map_while(Result::ok);
        let issuer = lines.find(|line| line.starts_with("http://")).expect(SET_UP);
        Self { child, issuer, _output: output }
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a7_a_certified_provider_signs_people_in() {
    let provider = tokio::task::spawn_blocking(Real::start).await.expect("no panic");
    let more = [("LOCKSTEP_OIDC_GROUPS", "ops=Ops:editor")];
    let scene = Scene::start_with(&[&settings(&provider.issuer)[..], &more].concat()).await;
    scene.make_team("Ops").await;
    for (n, login, team, gets, email) in [
        (1, "grace", "Ops", "editor", "grace@example.com"),
        (2, "bob", "Everyone", "viewer", "bob@example.com"),
        // Of whom the provider does not know that the address is theirs.
        (3, "mallory", "Everyone", "viewer", ""),
    ] {
        let mut browser = Browser::new(scene.program.addr, n);
        let page = browser.visit(&Browser::own("/oidc/sign-in?to=/account"), login).await;
        assert_eq!((page.status, page.url.path()), (200, "/account"), "{login}: {}", page.body);
        let person = me(&scene, &browser).await["person"].clone();
        assert_eq!(person["name"], format!("{login} of the provider"), "{person}");
        assert_eq!(person["email"], email, "{person}");
        assert_eq!(roles(&scene, &browser).await, [role(team, gets)], "{login}");
    }
    let (_, state) = scene.get("/api/v1/admin/sign-in", &scene.admin).await;
    assert!(state["provider"]["reachable_since"].is_u64(), "{state}");
}
