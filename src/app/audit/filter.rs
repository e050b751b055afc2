//! Filter of the audit log, as the query of an address.

use serde::{Deserialize, Serialize};

use super::Action;
use crate::dashboard::DashboardId;

/// Which entries are asked for: the query of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditFilter {
    /// The id of whoever did it, or a part of their name, without regard to case; empty for all.
    pub who: String,
    pub what: Option<Action>,
    pub dashboard: Option<DashboardId>,
    /// Unix milliseconds, this one and later.
    pub from: Option<u64>,
    /// Unix milliseconds, earlier than this.
    pub to: Option<u64>,
}

impl AuditFilter {
    /// An address with this query, behind an entry or from the begin on.
    pub fn address(&self, path: &str, after: Option<u64>) -> String {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let pairs = [
            ("who", Some(self.who.clone()).filter(|who| !who.is_empty())),
            ("what", self.what.map(|what| what.name().to_owned())),
            ("dashboard", self.dashboard.as_ref().map(ToString::to_string)),
            ("from", number(self.from)),
            ("to", number(self.to)),
            ("after", number(after)),
        ];
        let mut address = path.to_owned();
        for (name, value) in pairs {
            let Some(value) = value else { continue };
            address.push(if address.len() == path.len() { '?' } else { '&' });
            address.push_str(name);
            address.push('=');
            push_encoded(&mut address, &value);
        }
        address
    }
}

/// A text as a part of an address, also on the server.
fn push_encoded(to: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            to.push(char::from(byte));
        } else {
            to.push('%');
            to.push(char::from(DIGITS[usize::from(byte >> 4)]));
            to.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_the_query_of_an_address() {
        assert_eq!(AuditFilter::default().address("/a", None), "/a");
        let filter = AuditFilter {
            who: "Grüße & co".to_owned(),
            what: Some(Action::SignIn),
            from: Some(5),
            ..AuditFilter::default()
        };
        let address = "/a?who=Gr%C3%BC%C3%9Fe%20%26%20co&what=sign_in&from=5&after=7";
        assert_eq!(filter.address("/a", Some(7)), address);
    }
}
