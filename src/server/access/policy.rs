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
    /// A television that was paired. On a server without accounts there is nothing at the address.
    Screen,
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
    /// True where guest mode answers people without an account, too.
    pub guests: bool,
    /// True where a screen is answered, too, as far as what it shows goes.
    pub screens: bool,
}

impl Rule {
    /// True where a person looks at the answer, who is led to sign in.
    pub fn is_page(&self) -> bool {
        let is_for_people =
            matches!(self.needs, Needs::Person | Needs::Account | Needs::Admin | Needs::Role(_));
        self.method == "GET" && is_for_people && !self.path.starts_with("/api/")
    }

    /// True where the first request of somebody whom the proxy in front names opens their session: one for a page that
    /// shows them, or that leads to one.
    pub fn opens_session(&self) -> bool {
        let leads_on = ["/sign-in", "/invitation/{code}", "/s/{code}"].contains(&self.path);
        self.is_page() || self.method == "GET" && leads_on
    }

    /// True where people sign in by something else than the word of a proxy in front.
    pub fn signs_in(&self) -> bool {
        let ways = ["/sign-in", "/sign-in/code", "/invitation/{code}", "/reset/{code}"];
        ways.contains(&self.path) || self.path.starts_with("/oidc/")
    }

    /// True where somebody is answered who has to set a second factor up before anything else.
    pub fn is_before_second_factor(&self) -> bool {
        match self.needs {
            Needs::PushToken => true,
            // What these give they give to an account.
            Needs::Nothing => !["/invitation/{code}", "/s/{code}"].contains(&self.path),
            _ => self.path.starts_with(SECOND_FACTOR),
        }
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
    Rule { method, path, needs, visitors: false, guests: false, screens: false }
}

/// The same also for guests: by a share link, or by guest mode.
const fn shared(method: &'static str, path: &'static str, needs: Needs) -> Rule {
    Rule { visitors: true, guests: true, ..rule(method, path, needs) }
}

/// The same also for people without an account, where guest mode lets them in.
const fn public(method: &'static str, path: &'static str, needs: Needs) -> Rule {
    Rule { guests: true, ..rule(method, path, needs) }
}

/// The same also for those and for screens.
const fn shown(method: &'static str, path: &'static str, needs: Needs) -> Rule {
    Rule { screens: true, ..shared(method, path, needs) }
}

/// The page of one's own second factor.
pub const SECOND_FACTOR: &str = "/account/second-factor";

const VIEWER: Needs = Needs::Role(Role::Viewer);
const EDITOR: Needs = Needs::Role(Role::Editor);
const OWNER: Needs = Needs::Role(Role::Owner);

/// All routes.
pub const RULES: &[Rule] = &[
    public("GET", "/", Needs::Person),
    shown("GET", "/d/{id}", VIEWER),
    rule("GET", "/d/{id}/audit", OWNER),
    rule("GET", "/bin", Needs::Person),
    rule("GET", "/status", Needs::Person),
    rule("GET", "/account", Needs::Account),
    rule("GET", "/screens", Needs::Account),
    rule("GET", SECOND_FACTOR, Needs::Account),
    rule("GET", "/account/second-factor/set-up", Needs::Account),
    rule("POST", "/account/second-factor/set-up", Needs::Account),
    rule("POST", "/account/second-factor/recovery-codes", Needs::Account),
    rule("POST", "/account/second-factor/remove", Needs::Account),
    rule("GET", "/admin", Needs::Admin),
    rule("GET", "/admin/audit", Needs::Admin),
    rule("GET", "/sign-in", Needs::Nothing),
    rule("POST", "/sign-in", Needs::Nothing),
    rule("GET", "/sign-in/code", Needs::Nothing),
    rule("POST", "/sign-in/code", Needs::Nothing),
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
    rule("GET", "/screen", Needs::Nothing),
    // Nobody's, and the same for all.
    rule("GET", "/offline", Needs::Nothing),
    rule("GET", "/service-worker.js", Needs::Nothing),
    shown("GET", "/api/v1/ws", Needs::Person),
    public("GET", "/api/v1/dashboards", Needs::Person),
    rule("POST", "/api/v1/dashboards", Needs::Create),
    public("GET", "/api/v1/dashboards/list", Needs::Person),
    rule("POST", "/api/v1/dashboards/import", Needs::Create),
    shown("GET", "/api/v1/dashboards/{id}", VIEWER),
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
    rule("GET", "/api/v1/screens", Needs::Account),
    rule("POST", "/api/v1/screens", Needs::Account),
    rule("PUT", "/api/v1/screens/{screen}", Needs::Account),
    rule("DELETE", "/api/v1/screens/{screen}", Needs::Account),
    rule("POST", "/api/v1/pairings/find", Needs::Account),
    rule("GET", "/api/v1/screen", Needs::Screen),
    rule("GET", "/api/v1/me", Needs::Account),
    shared("PUT", "/api/v1/me", Needs::Person),
    rule("PUT", "/api/v1/me/password", Needs::Account),
    rule("DELETE", "/api/v1/me/sessions", Needs::Account),
    rule("DELETE", "/api/v1/me/sessions/{session}", Needs::Account),
    rule("DELETE", "/api/v1/me/identities/{identity}", Needs::Account),
    rule("GET", "/api/v1/me/tokens", Needs::Account),
    rule("POST", "/api/v1/me/tokens", Needs::Account),
    rule("DELETE", "/api/v1/me/tokens/{token}", Needs::Account),
    rule("PUT", "/api/v1/me/favourites/{id}", VIEWER),
    rule("DELETE", "/api/v1/me/favourites/{id}", VIEWER),
    rule("GET", "/api/v1/admin/people", Needs::Admin),
    rule("PUT", "/api/v1/admin/people/{account}", Needs::Admin),
    rule("DELETE", "/api/v1/admin/people/{account}", Needs::Admin),
    rule("DELETE", "/api/v1/admin/people/{account}/sessions", Needs::Admin),
    rule("DELETE", "/api/v1/admin/people/{account}/identities/{identity}", Needs::Admin),
    rule("POST", "/api/v1/admin/people/{account}/reset", Needs::Admin),
    rule("DELETE", "/api/v1/admin/people/{account}/second-factor", Needs::Admin),
    rule("POST", "/api/v1/admin/teams", Needs::Admin),
    rule("PUT", "/api/v1/admin/teams/{team}", Needs::Admin),
    rule("DELETE", "/api/v1/admin/teams/{team}", Needs::Admin),
    rule("PUT", "/api/v1/admin/teams/{team}/members/{account}", Needs::Admin),
    rule("POST", "/api/v1/admin/invitations", Needs::Admin),
    rule("DELETE", "/api/v1/admin/invitations/{invitation}", Needs::Admin),
    rule("GET", "/api/v1/admin/sessions", Needs::Admin),
    rule("DELETE", "/api/v1/admin/sessions/{session}", Needs::Admin),
    rule("GET", "/api/v1/admin/links", Needs::Admin),
    rule("DELETE", "/api/v1/admin/links/{link}", Needs::Admin),
    rule("GET", "/api/v1/admin/sign-in", Needs::Admin),
    rule("GET", "/api/v1/admin/tokens", Needs::Admin),
    rule("DELETE", "/api/v1/admin/tokens/{token}", Needs::Admin),
    rule("GET", "/api/v1/audit", Needs::Admin),
    rule("GET", "/api/v1/audit.ndjson", Needs::Admin),
    rule("GET", "/api/v1/dashboards/{id}/audit", OWNER),
    rule("GET", "/api/v1/dashboards/{id}/audit.ndjson", OWNER),
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

/// A path without the secret in it: of one that begins as a route with a secret does, that route.
pub fn without_secret(path: &str) -> &str {
    fn first(path: &str) -> Option<&str> {
        path.split('/').find(|part| !part.is_empty())
    }
    let Some(own) = first(path) else { return path };
    let is_alike = |rule: &&Rule| first(rule.path).is_some_and(|part| part.eq_ignore_ascii_case(own));
    let mut with_secret = RULES.iter().filter(|rule| rule.path.ends_with("/{code}"));
    with_secret.find(is_alike).map_or(path, |rule| rule.path)
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
            let is_apart = ["/api/v1/me", "/api/v1/admin", "/api/v1/bin", "/account", "/admin", "/screens"]
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
                Needs::Nothing | Needs::Account | Needs::Admin | Needs::Screen | Needs::Role(Role::Owner) => {
                    false
                }
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
    fn a12_guests_reach_the_list_and_what_visitors_reach() {
        let public: Vec<_> = RULES.iter().filter(|rule| rule.guests && !rule.visitors).collect();
        assert!(RULES.iter().all(|rule| rule.guests || !rule.visitors));
        let paths: Vec<_> = public.iter().map(|rule| (rule.method, rule.path)).collect();
        assert_eq!(paths, [("GET", "/"), ("GET", "/api/v1/dashboards"), ("GET", "/api/v1/dashboards/list")]);
    }

    #[test]
    fn a8_pages_alone_open_a_session() {
        for rule in RULES.iter().filter(|rule| rule.opens_session()) {
            assert!(rule.method == "GET" && !rule.path.starts_with("/api/"), "{rule:?}");
        }
        let opens = |path| find("GET", path).is_some_and(Rule::opens_session);
        assert!(
            opens("/") && opens("/d/{id}") && opens("/sign-in") && !opens("/healthz") && !opens("/setup")
        );
    }

    #[test]
    fn screens_reach_dashboards_as_they_show_and_what_to_show() {
        let shown = RULES.iter().filter(|rule| rule.screens || rule.needs == Needs::Screen);
        let paths: Vec<_> = shown.map(|rule| (rule.method, rule.path)).collect();
        let dashboards = ["/d/{id}", "/api/v1/ws", "/api/v1/dashboards/{id}", "/api/v1/screen"];
        assert_eq!(paths, dashboards.map(|path| ("GET", path)));
    }

    #[test]
    fn a4_before_a_second_factor_is_set_up_nothing_of_an_account_is_reached() {
        for rule in RULES.iter().filter(|rule| rule.is_before_second_factor()) {
            let is_nobodys = [Needs::Nothing, Needs::PushToken].contains(&rule.needs);
            assert!(is_nobodys || rule.path.starts_with("/account/second-factor"), "{rule:?}");
        }
        let is_open =
            |method, path| find(method, path).is_some_and(|rule: &Rule| rule.is_before_second_factor());
        assert!(is_open("GET", SECOND_FACTOR) && is_open("POST", "/sign-out") && is_open("POST", "/sign-in"));
        assert!(!is_open("GET", "/account") && !is_open("GET", "/api/v1/ws") && !is_open("GET", "/"));
        assert!(!is_open("POST", "/invitation/{code}") && !is_open("GET", "/s/{code}"));
    }

    #[test]
    fn head_needs_what_get_does_and_other_methods_have_no_rule() {
        assert_eq!(find("HEAD", "/d/{id}"), find("GET", "/d/{id}"));
        assert_eq!(find("PATCH", "/d/{id}"), None);
        assert_eq!(find("GET", "/nowhere"), None);
    }
}
