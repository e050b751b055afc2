//! The settings of databases that can be asked.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use sqlx::postgres::PgConnectOptions;

use super::secret::Secret;
use super::tables::{self, check_name, decoded};

/// One database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql {
    pub name: String,
    pub database: Database,
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    Postgres(Login),
    /// The file.
    Sqlite(PathBuf),
}

/// The address of a PostgreSQL database, and who asks where that does not stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    pub url: Secret,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

impl Sql {
    /// A database under a name; paths begin at `dir`. Errors say what would fit.
    fn new(name: &str, url: &str, dir: &Path) -> Result<Self, String> {
        check_name(name)?;
        let database = if let Some(path) = url.strip_prefix("sqlite:") {
            let path = decoded(path.strip_prefix("//").unwrap_or(path));
            (!path.is_empty() && !path.contains('?')).then(|| Database::Sqlite(dir.join(path)))
        } else {
            let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
            let fits = is_postgres && PgConnectOptions::from_str(url).is_ok();
            let login = || Login { url: Secret::new(url), user: None, password: None };
            fits.then(|| Database::Postgres(login()))
        };
        let fits = "an address such as postgres://reader@127.0.0.1/shop or sqlite:/var/lib/shop.db";
        let database = database.ok_or_else(|| format!("{fits} (of {name:?})"))?;
        Ok(Self { name: name.to_owned(), database })
    }
}

/// Reads `shop=postgres://reader:password@127.0.0.1/shop,lab=sqlite:/var/lib/lab.db`.
pub(super) fn read_list(text: &str, dir: &Path) -> Option<Vec<Sql>> {
    tables::read_list(text, |name, url| Sql::new(name, url, dir))
}

/// Reads the tables of `[lockstep.sql.shop]`: `url`, and of PostgreSQL `user` and `password`, which may stand in a
/// file, `password_file`. With the databases come warnings. Errors say what would fit.
pub(super) fn read_tables(tables: &toml::Table, dir: &Path) -> Result<(Vec<Sql>, Vec<String>), String> {
    let known = ["url", "user", "password", "password_file"];
    tables::read_tables("sql", tables, dir, &known, |table| {
        let mut database = Sql::new(table.name, &table.url()?, dir)?;
        let (user, password) = (table.text("user")?, table.secret("password")?);
        match &mut database.database {
            Database::Postgres(login) => {
                (login.user, login.password) = (user, password.as_deref().map(Secret::new));
            }
            Database::Sqlite(_) if user.is_some() || password.is_some() => {
                return Err(table.wants("no `user` and `password` beside a file"));
            }
            Database::Sqlite(_) => {}
        }
        Ok(database)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_read_from_a_line_or_from_tables() {
        let line =
            "shop=postgres://ada:s3cret@db.example.com:5433/shop, lab=sqlite:lab.db,b=sqlite:///var/b%20c.db";
        let read = read_list(line, Path::new("/etc")).expect("reads");
        assert!(!format!("{read:?}").contains("s3cret"));
        assert!(
            matches!(&read[0].database, Database::Postgres(login) if login.url.reveal().contains("s3cret"))
        );
        assert_eq!(read[1].database, Database::Sqlite("/etc/lab.db".into()));
        assert_eq!(read[2].database, Database::Sqlite("/var/b c.db".into()));
        let file =
            "[shop]\nurl = 'postgres://db/shop'\nuser = 'ada'\npassword = 'p'\n[lab]\nurl = 'sqlite:lab.db'";
        let (read, _) = read_tables(&file.parse().expect("TOML"), Path::new("")).expect("reads");
        let Database::Postgres(login) = &read[1].database else { panic!("{read:?}") };
        assert_eq!(login.user.as_deref(), Some("ada"));
        assert_eq!(login.password.as_ref().map(Secret::reveal), Some("p"));
    }

    #[test]
    fn what_is_no_database_is_refused() {
        for line in [
            "a=mysql://b/c",
            "a=sqlite:",
            "a=/b.db",
            "table=sqlite:a",
            "a=sqlite:b,a=sqlite:c",
            "a=postgres://[",
            "a=sqlite:b?mode=rw",
        ] {
            assert_eq!(read_list(line, Path::new("")), None, "{line}");
        }
        for file in ["[a]", "[a]\nurl='sqlite:b'\nuser='c'", "[a]\nurl='sqlite:b'\nother=1", "a=1"] {
            assert!(read_tables(&file.parse().expect("TOML"), Path::new("")).is_err(), "{file}");
        }
    }
}
