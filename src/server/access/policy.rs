//! Policy of all routes: what whoever asks has to be, or may do, by method and path.
//!
//! One table, so that it can be read at a glance. A route of [`router`](crate::server::router) without a rule here
//! answers nobody.

use crate::app::access::{Role, Scope};

/// What a request needs on a server with accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing, also before there is any account.
    Nothing,
    /// A person; on a server without accounts everybody is one.
    Person,
    /// A person with an account. On a server without accounts there is nothing at the address.
    Account,
    /// An admin. On a server without accounts there is nothing at the address.
    Admin,
    /// An admin; on a server without accounts everybody.
    Operator,
    /// A role on the dashboard whose id stands in the path.
    Role(Role),
    /// A person who edits some dashboard, and so may ask sources.
    Query,
    /// A person who edits the dashboards of a team, and so may make another.
    Create,
    /// A token for pushing points, which the handler checks.
    PushToken,
}

/// What one route needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub method: &'static str,
    /// As the router has it.
    pub path: &'static str,
    pub needs: Needs,
    /// True where whoever came by a share link is answered, too, as far as the link goes.
    pub visitors: bool,
}

impl Rule {
    /// True where a person looks at the answer, who is led to sign in.
    pub fn is_page(&self) -> bool {
        let is_for_people =
            matches!(self.needs, Needs::Person | Needs::Account | Needs::Admin | Needs::Role(_));
        self.method == "GET" && is_for_people && !self.path.starts_with("/api/")
    }

    /// The scope that a token needs; `None` where no token may. What people do to accounts, to who may do what, and
    /// to whole dashboards is not for programs.
    pub fn token_scope(&self) -> Option<Scope> {
        match (self.method, self.path) {
            (
                "GET",
                "/api/v1/ws"
                | "/api/v1/dashboards"
                | "/api/v1/dashboards/list"
                | "/api/v1/dashboards/{id}"
                | "/api/v1/dashboards/{id}/export"
                | "/api/v1/dashboards/{id}/data",
            ) => Some(Scope::ReadDashboards),
            ("POST", "/api/v1/dashboards" | "/api/v1/dashboards/import")
            | ("PUT", "/api/v1/dashboards/{id}/document") => Some(Scope::WriteDashboards),
            (
                "GET",
                "/api/v1/sources"
                | "/api/v1/sources/{name}/values"
                | "/api/v1/sources//values"
                | "/api/v1/series",
            ) => Some(Scope::ReadSeries),
            ("GET", "/metrics") => Some(Scope::Metrics),
            _ if self.needs == Needs::PushToken => Some(Scope::Push),
            _ => None,
        }
    }
}

/// What counts of a person who makes a token, or whose token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maker {
    pub is_admin: bool,
    /// True where they edit some dashboard, and so may ask sources.
    pub edits: bool,
}

/// Whether somebody may give a token a scope, and whether the scope counts still. What a token may do on a dashboard its
/// team and its owner bound.
pub fn may_make(maker: Maker, scope: Scope) -> bool {
    match scope {
        Scope::Push | Scope::ReadSeries => maker.edits,
        Scope::ReadDashboards | Scope::WriteDashboards => true,
        Scope::Metrics => maker.is_admin,
    }
}

const fn rule(method: &'static str, path: &'static str, needs: Needs) -> Rule {
    Rule { method, path, needs, visitors: false }
}

/// The same also for those who came by a share link.
const fn shared(method: &'static str, path: &'static str, needs: Needs) -> Rule {
    Rule { visitors: true, ..rule(method, path, needs) }
}

const VIEWER: Needs = Needs::Role(Role::Viewer);
const EDITOR: Needs = Needs::Role(Role::Editor);
const OWNER: Needs = Needs::Role(Role::Owner);

/// All routes.
pub const RULES: &[Rule] = &[
    rule("GET", "/", Needs::Person),
    shared("GET", "/d/{id}", VIEWER),
    rule("GET", "/bin", Needs::Person),
    rule("GET", "/status", Needs::Person),
    rule("GET", "/account", Needs::Account),
    rule("GET", "/admin", Needs::Admin),
    rule("GET", "/admin/audit", Needs::Admin),
    rule("GET", "/sign-in", Needs::Nothing),
    rule("POST", "/sign-in", Needs::Nothing),
    rule("GET", "/oidc/sign-in", Needs::Nothing),
    rule("GET", "/oidc/callback", Needs::Nothing),
    rule("POST", "/sign-out", Needs::Nothing),
    rule("GET", "/setup", Needs::Nothing),
    rule("POST", "/setup", Needs::Nothing),
    rule("GET", "/invitation/{code}", Needs::Nothing),
    rule("POST", "/invitation/{code}", Needs::Nothing),
    rule("GET", "/reset/{code}", Needs::Nothing),
    rule("POST", "/reset/{code}", Needs::Nothing),
    rule("GET", "/s/{code}", Needs::Nothing),
    rule("POST", "/s/{code}", Needs::Nothing),
    // Nobody's, and the same for all.
    rule("GET", "/offline", Needs::Nothing),
    rule("GET", "/service-worker.js", Needs::Nothing),
    shared("GET", "/api/v1/ws", Needs::Person),
    rule("GET", "/api/v1/dashboards", Needs::Person),
    rule("POST", "/api/v1/dashboards", Needs::Create),
    rule("GET", "/api/v1/dashboards/list", Needs::Person),
    rule("POST", "/api/v1/dashboards/import", Needs::Create),
    shared("GET", "/api/v1/dashboards/{id}", VIEWER),
    rule("DELETE", "/api/v1/dashboards/{id}", OWNER),
    rule("GET", "/api/v1/dashboards/{id}/export", VIEWER),
    rule("PUT", "/api/v1/dashboards/{id}/document", EDITOR),
    shared("GET", "/api/v1/dashboards/{id}/data", VIEWER),
    rule("GET", "/api/v1/dashboards/{id}/access", VIEWER),
    rule("PUT", "/api/v1/dashboards/{id}/access", OWNER),
    rule("POST", "/api/v1/dashboards/{id}/links", OWNER),
    rule("DELETE", "/api/v1/dashboards/{id}/links/{link}", OWNER),
    rule("GET", "/api/v1/bin", Needs::Person),
    rule("DELETE", "/api/v1/bin/{id}", OWNER),
    rule("POST", "/api/v1/bin/{id}/restore", OWNER),
    rule("GET", "/api/v1/me", Needs::Account),
    shared("PUT", "/api/v1/me", Needs::Person),
    rule("PUT", "/api/v1/me/password", Needs::Account),
    rule("DELETE", "/api/v1/me/sessions", Needs::Account),
    rule("DELETE", "/api/v1/me/sessions/{session}", Needs::Account),
    rule("GET", "/api/v1/me/tokens", Needs::Account),
    rule("POST", "/api/v1/me/tokens", Needs::Account),
    rule("DELETE", "/api/v1/me/tokens/{token}", Needs::Account),
    rule("PUT", "/api/v1/me/favourites/{id}", VIEWER),
    rule("DELETE", "/api/v1/me/favourites/{id}", VIEWER),
    rule("GET", "/api/v1/admin/people", Needs::Admin),
    rule("PUT", "/api/v1/admin/people/{account}", Needs::Admin),
    rule("DELETE", "/api/v1/admin/people/{account}", Needs::Admin),
    rule("DELETE", "/api/v1/admin/people/{account}/sessions", Needs::Admin),
    rule("POST", "/api/v1/admin/people/{account}/reset", Needs::Admin),
    rule("POST", "/api/v1/admin/teams", Needs::Admin),
    rule("PUT", "/api/v1/admin/teams/{team}", Needs::Admin),
    rule("DELETE", "/api/v1/admin/teams/{team}", Needs::Admin),
    rule("PUT", "/api/v1/admin/teams/{team}/members/{account}", Needs::Admin),
    rule("POST", "/api/v1/admin/invitations", Needs::Admin),
    rule("DELETE", "/api/v1/admin/invitations/{invitation}", Needs::Admin),
    rule("GET", "/api/v1/admin/sign-in", Needs::Admin),
    rule("GET", "/api/v1/admin/tokens", Needs::Admin),
    rule("DELETE", "/api/v1/admin/tokens/{token}", Needs::Admin),
    rule("GET", "/api/v1/audit", Needs::Admin),
    rule("GET", "/api/v1/audit.ndjson", Needs::Admin),
    rule("GET", "/api/v1/dashboards/{id}/audit", OWNER),
    rule("GET", "/api/v1/sources", Needs::Query),
    rule("GET", "/api/v1/sources/{name}/values", Needs::Query),
    rule("GET", "/api/v1/sources//values", Needs::Query),
    rule("GET", "/api/v1/series", Needs::Query),
    rule("POST", "/api/v1/series", Needs::PushToken),
    rule("DELETE", "/api/v1/series", Needs::PushToken),
    rule("POST", "/write", Needs::PushToken),
    rule("GET", "/query", Needs::PushToken),
    rule("POST", "/query", Needs::PushToken),
    rule("POST", "/api/v2/write", Needs::PushToken),
    rule("GET", "/api/v2/buckets", Needs::PushToken),
    rule("POST", "/api/v2/buckets", Needs::PushToken),
    rule("GET", "/api/v2/orgs", Needs::PushToken),
    rule("POST", "/api/v3/write_lp", Needs::PushToken),
    rule("POST", "/api/v1/write", Needs::PushToken),
    rule("POST", "/v1/metrics", Needs::PushToken),
    rule("POST", "/api/v1/collectd", Needs::PushToken),
    rule("GET", "/ready", Needs::Nothing),
    rule("GET", "/health", Needs::Nothing),
    rule("GET", "/ping", Needs::Nothing),
    rule("GET", "/api/v1/status", Needs::Person),
    rule("GET", "/healthz", Needs::Nothing),
    rule("GET", "/readyz", Needs::Nothing),
    rule("GET", "/metrics", Needs::Operator),
];

/// The rule of a request by its method and the path that the router matched. `HEAD` is `GET` without a body.
pub fn find(method: &str, path: &str) -> Option<&'static Rule> {
    let method = if method == "HEAD" { "GET" } else { method };
    RULES.iter().find(|rule| rule.path == path && rule.method == method)
}

/// What stands in a path where the router's has a name in braces.
pub fn parameter<'p>(pattern: &str, path: &'p str, name: &str) -> Option<&'p str> {
    let mut parts = pattern.split('/').zip(path.split('/'));
    let is_meant = |part: &str| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) == Some(name);
    parts.find(|(part, _)| is_meant(part)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_one_rule_and_every_rule_a_route() {
        let router = include_str!("../router.rs").replace("SHELL,", "\"/offline\",");
        let mut routed = Vec::new();
        for route in router.split(".route(").skip(1) {
            let route = &route[..route.find("\n        .").unwrap_or(route.len())];
            let path = route.split('"').nth(1).expect("a path in quotes");
            for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
                let call = format!("{}(", method.to_ascii_lowercase());
                // A method's own function, or that of a method before it in a chain.
                let is_there = route.match_indices(&call).any(|(at, _)| {
                    !route[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':')
                });
                if is_there {
                    routed.push((method, path));
                }
            }
            assert!(!route.contains("any("), "{path}: each method has its own rule");
        }
        let mut ruled: Vec<(&str, &str)> = RULES.iter().map(|rule| (rule.method, rule.path)).collect();
        routed.sort_unstable();
        ruled.sort_unstable();
        assert_eq!(routed, ruled);
        ruled.dedup();
        assert_eq!(ruled.len(), RULES.len(), "one rule each");
    }

    #[test]
    fn a_role_is_asked_of_the_dashboard_in_the_path() {
        for rule in RULES {
            let names_one = rule.path.contains("{id}");
            assert_eq!(matches!(rule.needs, Needs::Role(_)), names_one, "{rule:?}");
        }
        assert_eq!(parameter("/api/v1/bin/{id}/restore", "/api/v1/bin/d1/restore", "id"), Some("d1"));
        assert_eq!(parameter("/api/v1/bin", "/api/v1/bin", "id"), None);
    }

    #[test]
    fn a11_no_token_reaches_accounts_sharing_or_pages() {
        for rule in RULES {
            let Some(scope) = rule.token_scope() else { continue };
            let is_apart = ["/api/v1/me", "/api/v1/admin", "/api/v1/bin", "/account", "/admin"]
                .iter()
                .any(|part| rule.path.starts_with(part))
                || rule.path.ends_with("/access")
                || rule.is_page();
            assert!(!is_apart, "{rule:?}");
            let fits = match rule.needs {
                Needs::Role(Role::Viewer) => scope == Scope::ReadDashboards,
                Needs::Role(Role::Editor) => scope == Scope::WriteDashboards,
                Needs::Query => scope == Scope::ReadSeries,
                Needs::Operator => scope == Scope::Metrics,
                Needs::PushToken => scope == Scope::Push,
                Needs::Person => scope == Scope::ReadDashboards,
                Needs::Create => scope == Scope::WriteDashboards,
                Needs::Nothing | Needs::Account | Needs::Admin | Needs::Role(Role::Owner) => false,
            };
            assert!(fits, "{rule:?}");
        }
        let scoped = |path: &str| {
            RULES.iter().filter(|rule| rule.path == path && rule.token_scope().is_some()).count()
        };
        assert_eq!((scoped("/api/v1/series"), scoped("/metrics"), scoped("/api/v1/ws")), (3, 1, 1));
    }

    #[test]
    fn a11_scopes_are_given_by_those_who_have_what_they_say() {
        let gives = |is_admin, edits| {
            let maker = Maker { is_admin, edits };
            Scope::ALL.map(|scope| may_make(maker, scope))
        };
        assert_eq!(gives(false, false), [false, true, true, false, false]);
        assert_eq!(gives(false, true), [true, true, true, true, false]);
        assert_eq!(gives(true, true), [true; 5]);
    }

    #[test]
    fn a10_visitors_reach_one_dashboard_as_it_shows_and_their_name() {
        let shared: Vec<_> = RULES.iter().filter(|rule| rule.visitors).collect();
        assert_eq!(shared.len(), 5);
        for rule in shared {
            let is_dashboard = rule.method == "GET" && rule.needs == VIEWER;
            let is_own = rule.needs == Needs::Person && ["/api/v1/ws", "/api/v1/me"].contains(&rule.path);
            assert!(is_dashboard || is_own, "{rule:?}");
        }
    }

    #[test]
    fn head_needs_what_get_does_and_other_methods_have_no_rule() {
        assert_eq!(find("HEAD", "/d/{id}"), find("GET", "/d/{id}"));
        assert_eq!(find("PATCH", "/d/{id}"), None);
        assert_eq!(find("GET", "/nowhere"), None);
    }
}
