//! Table of what was done on the day, and of what did not hold.

/// Rows as they came about.
#[derive(Default)]
pub struct Table {
    rows: Vec<(String, String)>,
    broken: Vec<String>,
}

impl Table {
    /// Something was done, and counted.
    pub fn row(&mut self, what: &str, counted: String) {
        eprintln!("bad day: {what}: {counted}");
        self.rows.push((what.to_owned(), counted));
    }

    /// Something cannot be done on this machine.
    pub fn skipped(&mut self, what: &str, why: &str) {
        self.row(what, format!("SKIPPED, this machine cannot: {why}"));
    }

    /// A promise did not hold.
    pub fn broken(&mut self, why: &str) {
        eprintln!("bad day: BROKEN: {why}");
        self.broken.push(why.to_owned());
    }

    pub fn held(&self) -> bool {
        self.broken.is_empty()
    }

    pub fn print(&mut self) {
        println!("\n| what happened | counted |\n|---|---|");
        for (what, counted) in &self.rows {
            println!("| {what} | {counted} |");
        }
        for why in &self.broken {
            println!("BROKEN: {why}");
        }
        println!("bad day: {}", if self.held() { "everything held" } else { "something did not hold" });
    }
}
