//! A digest of what a dashboard shows, so that two copies can be compared by a few bytes (S11).

use super::Dashboard;

/// FNV-1a, 64 bits: no secret to keep, only a difference to find.
struct Fnv(u64);

impl Fnv {
    fn part(&mut self, text: &str) {
        // 0xff is in no UTF-8 text, so parts cannot run into each other.
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn number(&mut self, number: u64) {
        for byte in number.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl Dashboard {
    /// 16 hex digits that agree where two copies show the same: titles, settings, widgets with their
    /// frames, options and text, tombstones, and which conflicts are open.
    pub fn digest(&self) -> String {
        let mut hash = Fnv(0xcbf2_9ce4_8422_2325);
        hash.part(&self.title);
        for (name, value) in &self.settings {
            hash.part(name);
            hash.part(&value.to_string());
        }
        hash.number(self.widgets.len() as u64);
        for (id, widget) in &self.widgets {
            hash.part(id.as_str());
            hash.part(widget.kind.name());
            hash.part(&widget.title);
            let frame = widget.frame;
            for unit in [frame.x, frame.y, frame.w, frame.h] {
                hash.number(u64::from(unit));
            }
            for (name, value) in &widget.options {
                hash.part(name);
                hash.part(&value.to_string());
            }
            hash.part(widget.text.as_ref().map_or("", |text| text.plain()));
        }
        for (id, removed) in &self.removed {
            hash.part(id.as_str());
            hash.number(removed.revision);
        }
        for (id, conflict) in &self.conflicts {
            hash.part(id.as_str());
            hash.number(u64::from(conflict.settled.is_some()));
        }
        format!("{:016x}", hash.0)
    }
}
