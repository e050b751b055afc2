//! The settings of sign-in with an OpenID Connect provider.

use std::collections::BTreeMap;

use axum::http::Uri;

use super::secret::Secret;
use super::settings::Setting;
use super::values::truth;
use super::{ConfigError, Found, Place, is_empty, misfit};
use crate::app::access::Role;
use crate::app::address::BasePath;
use crate::server::access::Mode;
use crate::server::access::identities::MAX_ISSUER_BYTES;
use crate::server::origin::Origin;

pub(super) const ISSUER: &str = "oidc_issuer";
const CLIENT_ID: &str = "oidc_client_id";
pub(super) const CLIENT_SECRET: &str = "oidc_client_secret";
const CLIENT_SECRET_FILE: &str = "oidc_client_secret_file";
const NAME: &str = "oidc_name";
const SCOPES: &str = "oidc_scopes";
const GROUPS_CLAIM: &str = "oidc_groups_claim";
const GROUPS: &str = "oidc_groups";
const ALLOWED_DOMAINS: &str = "oidc_allowed_domains";
const JOIN_BY_EMAIL: &str = "oidc_join_by_email";
const SIGN_UP: &str = "oidc_sign_up";

const DEFAULT_NAME: &str = "Single sign-on";
const DEFAULT_SCOPES: &str = "openid profile email";
const DEFAULT_GROUPS_CLAIM: &str = "groups";
/// Groups that are mapped to roles.
const MAX_GROUPS: usize = 1_000;
/// Characters of the provider's name: what fits on a button.
const MAX_NAME_CHARS: usize = 40;
const GROUPS_FIT: &str = "groups with a team and a role each, such as ops=Ops:editor, separated by commas, or a table \
                          [lockstep.oidc_groups] with entries such as \"ops\" = { team = \"Ops\", role = \"editor\" }";

pub(super) const SETTINGS: [Setting; 11] = [
    Setting {
        name: ISSUER,
        value: "URL",
        help: "The OpenID Connect provider by which people sign in, by its issuer, such as https://id.example.com",
        default: "none",
    },
    Setting { name: CLIENT_ID, value: "ID", help: "What the provider calls this server", default: "none" },
    Setting {
        name: CLIENT_SECRET,
        value: "SECRET",
        help: "The secret that the provider gave to this server",
        default: "none",
    },
    Setting {
        name: CLIENT_SECRET_FILE,
        value: "PATH",
        help: "The file with that secret, where it is not in the settings themselves",
        default: "none",
    },
    Setting { name: NAME, value: "NAME", help: "What people call the provider", default: DEFAULT_NAME },
    Setting {
        name: SCOPES,
        value: "SCOPES",
        help: "Scopes that it is asked for, separated by spaces",
        default: DEFAULT_SCOPES,
    },
    Setting {
        name: GROUPS_CLAIM,
        value: "CLAIM",
        help: "The claim in which it tells a person's groups",
        default: DEFAULT_GROUPS_CLAIM,
    },
    Setting {
        name: GROUPS,
        value: "GROUP=TEAM:ROLE",
        help: "Roles in teams that its groups give, separated by commas",
        default: "none",
    },
    Setting {
        name: ALLOWED_DOMAINS,
        value: "DOMAINS",
        help: "Domains of mail addresses whose people get an account by it, separated by commas",
        default: "none: all of its people",
    },
    Setting {
        name: JOIN_BY_EMAIL,
        value: "BOOL",
        help: "Whether people of those domains sign in to an account that has their mail address already",
        default: "false",
    },
    Setting {
        name: SIGN_UP,
        value: "BOOL",
        help: "Whether it makes accounts for people who have none",
        default: "true",
    },
];

/// A provider, and what its word counts for.
#[derive(Clone, Debug, PartialEq)]
pub struct Oidc {
    /// As the provider writes it: compared byte by byte.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Secret,
    /// Where the provider leads people back to.
    pub redirect: String,
    /// For people.
    pub name: String,
    /// Without `openid`, which is always asked for.
    pub scopes: Vec<String>,
    pub groups_claim: String,
    pub groups: GroupRoles,
    /// In lower case; empty for any.
    pub allowed_domains: Vec<String>,
    pub join_by_email: bool,
    pub sign_up: bool,
}

/// Roles in teams, by the groups of the provider that give them.
pub type GroupRoles = BTreeMap<String, Vec<TeamRole>>;

/// A role in a team.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamRole {
    /// The team's name or id.
    pub team: String,
    pub role: Role,
}

impl Found {
    /// The provider; `None` where no issuer is set. Takes what it needs of the other settings.
    pub(super) fn oidc(
        &mut self,
        public_url: Option<&Origin>,
        base_path: &BasePath,
        access: Option<Mode>,
    ) -> Result<Option<Oidc>, ConfigError> {
        let wants = format!(
            "an address that begins with https:// (http:// on this machine alone), without `?` and `#`, of at most {MAX_ISSUER_BYTES} bytes"
        );
        let issuer = self.parse(ISSUER, &wants, |text| fits_issuer(text).then(|| text.to_owned()))?;
        let secrets = [CLIENT_SECRET, CLIENT_SECRET_FILE];
        if let Some((place, _)) = secrets.into_iter().flat_map(|name| self.places(name)).find(is_empty) {
            return Err(ConfigError::EmptySecret { place });
        }
        let Some(issuer) = issuer else {
            let alone = SETTINGS.iter().find_map(|setting| Some(self.get(setting.name)?.0));
            return match alone {
                None => Ok(None),
                Some(place) => Err(ConfigError::Needs { place, needs: ISSUER }),
            };
        };
        let place = self.get(ISSUER).map_or(Place::Flag(ISSUER), |(place, _)| place);
        if !crate::openid::IS_BUILT_IN {
            return Err(ConfigError::NotBuiltIn { place, feature: "oidc" });
        }
        let needs = |needs| ConfigError::Needs { place: place.clone(), needs };
        if access == Some(Mode::Open) {
            return Err(ConfigError::Contradiction { place, reason: "nobody signs in with access = open" });
        }
        let public_url = public_url.ok_or_else(|| needs("public_url"))?;
        let client_id = self.parse(CLIENT_ID, "what the provider calls this server", |text| {
            text.chars().all(|c| !c.is_control()).then(|| text.to_owned())
        })?;
        let client_id = client_id.ok_or_else(|| needs(CLIENT_ID))?;
        let (_, secret) =
            self.secret(CLIENT_SECRET, CLIENT_SECRET_FILE)?.ok_or_else(|| needs(CLIENT_SECRET))?;
        let allowed_domains =
            self.parse(ALLOWED_DOMAINS, "domains such as example.com, separated by commas", domains)?;
        let allowed_domains = allowed_domains.unwrap_or_default();
        let join_by_email = self.parse(JOIN_BY_EMAIL, "true or false", truth)?.unwrap_or(false);
        if join_by_email && allowed_domains.is_empty() {
            let place = self.get(JOIN_BY_EMAIL).map_or(place, |(place, _)| place);
            return Err(ConfigError::Needs { place, needs: ALLOWED_DOMAINS });
        }
        let name_fits = format!("a name of at most {MAX_NAME_CHARS} characters");
        let name = self.parse(NAME, &name_fits, |text| {
            let fits = text.chars().count() <= MAX_NAME_CHARS && !text.chars().any(char::is_control);
            fits.then(|| text.to_owned())
        })?;
        let scopes = self.parse(SCOPES, "scopes separated by spaces, `openid` among them", scopes)?;
        let claim = self.parse(GROUPS_CLAIM, "the name of a claim", |text| Some(text.to_owned()))?;
        Ok(Some(Oidc {
            issuer,
            client_id,
            client_secret: Secret::new(secret.trim()),
            redirect: format!("{public_url}{}", base_path.to("/oidc/callback")),
            name: name.unwrap_or_else(|| DEFAULT_NAME.to_owned()),
            scopes: scopes.or_else(|| self::scopes(DEFAULT_SCOPES)).unwrap_or_default(),
            groups_claim: claim.unwrap_or_else(|| DEFAULT_GROUPS_CLAIM.to_owned()),
            groups: self.oidc_groups()?,
            allowed_domains,
            join_by_email,
            sign_up: self.parse(SIGN_UP, "true or false", truth)?.unwrap_or(true),
        }))
    }

    /// Roles by groups, out of the table of the file where neither a flag nor a variable says so.
    fn oidc_groups(&self) -> Result<GroupRoles, ConfigError> {
        let elsewhere = self.get(GROUPS).is_some_and(|(place, _)| !matches!(place, Place::File { .. }));
        if let Some(toml::Value::Table(table)) = self.file.get(GROUPS).filter(|_| !elsewhere) {
            return read_table(table).map_err(|group| {
                let place = Place::File { name: GROUPS, path: self.path.clone() };
                misfit(GROUPS, place, &group, GROUPS_FIT)
            });
        }
        Ok(self.parse(GROUPS, GROUPS_FIT, read_list)?.unwrap_or_default())
    }
}

/// Whether a text can be an issuer. Over plain HTTP anybody on the way could put keys of their own in.
fn fits_issuer(text: &str) -> bool {
    let is_plain = text.len() <= MAX_ISSUER_BYTES && !text.contains(['?', '#', '@']);
    let Some(uri) = text.parse::<Uri>().ok().filter(|_| is_plain) else { return false };
    match (uri.scheme_str(), uri.host()) {
        (Some("https"), Some(_)) => true,
        (Some("http"), Some(host)) => is_loopback(host),
        _ => false,
    }
}

/// True for a host that is this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn domains(text: &str) -> Option<Vec<String>> {
    let read = |one: &str| {
        let fits = one.contains(|c: char| c.is_alphanumeric())
            && !one.contains(|c: char| c == '@' || c == '*' || c.is_whitespace() || c.is_control());
        fits.then(|| one.to_lowercase())
    };
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(read).collect()
}

fn scopes(text: &str) -> Option<Vec<String>> {
    let all: Vec<&str> = text.split_whitespace().collect();
    let has_openid = all.contains(&"openid");
    has_openid.then(|| all.into_iter().filter(|scope| *scope != "openid").map(str::to_owned).collect())
}

fn role(text: &str) -> Option<Role> {
    match text {
        "viewer" => Some(Role::Viewer),
        "editor" => Some(Role::Editor),
        "owner" => Some(Role::Owner),
        _ => None,
    }
}

/// Reads `ops=Ops:editor, ops=Everyone:viewer`.
fn read_list(text: &str) -> Option<GroupRoles> {
    let mut groups = GroupRoles::new();
    for one in text.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (group, gives) = one.split_once('=')?;
        let (team, text) = gives.rsplit_once(':')?;
        let (group, team) = (group.trim(), team.trim());
        if group.is_empty() || team.is_empty() {
            return None;
        }
        let given = TeamRole { team: team.to_owned(), role: role(text.trim())? };
        groups.entry(group.to_owned()).or_default().push(given);
    }
    (groups.len() <= MAX_GROUPS).then_some(groups)
}

/// Reads the table of groups; of each a team with a role, or a list of them. Errors with the group that does not read.
fn read_table(table: &toml::Table) -> Result<GroupRoles, String> {
    if table.len() > MAX_GROUPS {
        return Err(format!("{} groups", table.len()));
    }
    let read_one = |value: &toml::Value| {
        let given = value.as_table().filter(|given| given.len() == 2)?;
        let team = given.get("team")?.as_str().filter(|team| !team.trim().is_empty())?;
        Some(TeamRole { team: team.trim().to_owned(), role: role(given.get("role")?.as_str()?)? })
    };
    let read = |value: &toml::Value| match value {
        toml::Value::Array(all) => all.iter().map(read_one).collect::<Option<Vec<_>>>(),
        one => Some(vec![read_one(one)?]),
    };
    table
        .iter()
        .map(|(group, value)| Ok((group.clone(), read(value).ok_or_else(|| group.clone())?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(role: Role) -> TeamRole {
        TeamRole { team: "Ops".to_owned(), role }
    }

    #[test]
    fn a7_an_issuer_is_reached_over_tls_or_on_this_machine() {
        for fits in [
            "https://id.example.com",
            "https://id.example.com/realms/a/",
            "http://127.0.0.1:4000",
            "http://[::1]:4000/a",
            "http://localhost",
        ] {
            assert!(fits_issuer(fits), "{fits}");
        }
        let long = format!("https://a/{}", "x".repeat(MAX_ISSUER_BYTES));
        for bad in [
            "id.example.com",
            "http://id.example.com",
            "http://10.0.0.1",
            "ftp://a",
            "https://a?b",
            "https://a#b",
            "https://u@a",
            "http://localhost.example.com",
            &long,
        ] {
            assert!(!fits_issuer(bad), "{bad}");
        }
    }

    #[test]
    fn a7_groups_read_from_a_line_and_from_a_table() {
        let line = read_list("ops=Ops:editor, staff=Everyone:viewer,ops=a: b:owner").expect("reads");
        assert_eq!(line["ops"], [ops(Role::Editor), TeamRole { team: "a: b".to_owned(), role: Role::Owner }]);
        assert_eq!(line["staff"].len(), 1);
        let table = "\"cn=ops,dc=x\" = { team = 'Ops', role = 'viewer' }\nboth = [{ team = 'Ops', role = 'owner' }, { team = 'B', role = 'viewer' }]";
        let table = read_table(&table.parse().expect("TOML")).expect("reads");
        assert_eq!((&table["cn=ops,dc=x"], table["both"].len()), (&vec![ops(Role::Viewer)], 2));
        for bad in ["ops", "ops=Ops", "=Ops:viewer", "ops=:viewer", "ops=Ops:admin"] {
            assert_eq!(read_list(bad), None, "{bad}");
        }
        for bad in [
            "a = 1",
            "a = { team = 'x' }",
            "a = { team = 'x', role = 'y' }",
            "a = { team = 'x', role = 'owner', z = 1 }",
            "a = [1]",
        ] {
            assert_eq!(read_table(&bad.parse().expect("TOML")), Err("a".to_owned()), "{bad}");
        }
    }

    #[test]
    fn domains_and_scopes_are_plain() {
        assert_eq!(
            domains("Example.com, b.example"),
            Some(vec!["example.com".to_owned(), "b.example".to_owned()])
        );
        for bad in ["@example.com", "*.example.com", "a b"] {
            assert_eq!(domains(bad), None, "{bad}");
        }
        assert_eq!(scopes("openid  email"), Some(vec!["email".to_owned()]));
        assert_eq!(scopes("email"), None);
    }
}
