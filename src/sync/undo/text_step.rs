//! Undo step of what was typed into one note: taken back by its places as long as the
//! text is as the step left it, and else by the characters beside it, wherever others have moved them.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::dashboard::splice::{Splice, Splices, cut};
use crate::dashboard::text::Bounds;
use crate::dashboard::{NoteText, WidgetId};

/// The typing of one step in one note.
#[derive(Clone, Debug)]
pub struct TextStep {
    pub id: WidgetId,
    splices: Splices,
    /// Of the text that the step left.
    left: u64,
    /// That text itself, until the characters beside the splices are noted.
    text: Option<NoteText>,
    bounds: Vec<Bounds>,
}

impl TextStep {
    /// Begins with a text as it is.
    pub fn new(id: WidgetId, text: &NoteText) -> Self {
        let left = fingerprint(text);
        Self { id, splices: Splices::default(), left, text: Some(text.clone()), bounds: Vec::new() }
    }

    /// The text that the step left, until the characters beside the splices are noted.
    pub fn text(&self) -> Option<&NoteText> {
        self.text.as_ref()
    }

    /// How many places it changed.
    pub fn places(&self) -> usize {
        self.splices.all().len()
    }

    /// Bytes of what takes it back, about, once the characters beside the splices are noted.
    pub fn bytes(&self) -> usize {
        const PLACE_BYTES: usize = 160;
        self.splices.all().iter().map(|one| PLACE_BYTES + one.removed.len() + one.inserted.len()).sum()
    }

    /// True where there is nothing to take back.
    pub fn is_empty(&self) -> bool {
        self.splices.is_empty()
    }

    /// Adds what was done next, and the text that this left. False, and nothing is added, where others
    /// wrote so in between that it is another step.
    pub fn fold(&mut self, before: &NoteText, splices: &[Splice], after: &NoteText) -> bool {
        if self.left != fingerprint(before) {
            let Some(places) = self.found(before) else { return false };
            self.splices = places;
        }
        splices.iter().for_each(|splice| self.splices.fold(splice));
        self.left = fingerprint(after);
        self.text = Some(after.clone());
        true
    }

    /// Notes the characters beside the splices, so that the text itself need not be kept.
    pub fn seal(&mut self) {
        if let Some(text) = self.text.take() {
            self.bounds = text.bounds(self.splices.all());
        }
    }

    /// Notes these characters anew where the text is as the step left it: what was removed and brought back
    /// has other ones.
    pub fn refresh(&mut self, text: &NoteText) {
        if self.left == fingerprint(text) {
            self.bounds = text.bounds(self.splices.all());
        }
    }

    /// The noted characters.
    pub fn bounds_mut(&mut self) -> impl Iterator<Item = &mut Bounds> {
        self.bounds.iter_mut()
    }

    /// What takes the step back in a text, from the last place to the first. What others wrote into, or
    /// removed, is left out.
    pub fn back(&self, text: &NoteText) -> Vec<Splice> {
        let turned = |at: u32, one: &Splice| Splice {
            at,
            removed: one.inserted.clone(),
            inserted: one.removed.clone(),
        };
        let all = self.splices.all();
        let mut back: Vec<Splice> = match self.left == fingerprint(text) {
            true => all.iter().map(|one| turned(one.at, one)).collect(),
            false => self.find(text).zip(all).filter_map(|(at, one)| Some(turned(at?, one))).collect(),
        };
        back.reverse();
        back
    }

    /// The splices where they are in a text that others have written in; `None` where one of them is not
    /// there as it was.
    fn found(&self, text: &NoteText) -> Option<Splices> {
        let places: Option<Vec<u32>> = self.find(text).collect();
        let mut found = Splices::default();
        for (at, one) in places?.into_iter().zip(self.splices.all()) {
            found.fold(&Splice { at, ..one.clone() });
        }
        Some(found)
    }

    fn find(&self, text: &NoteText) -> impl Iterator<Item = Option<u32>> {
        let noted;
        let bounds = match &self.text {
            Some(left) => {
                noted = left.bounds(self.splices.all());
                &noted
            }
            None => &self.bounds,
        };
        let places = text.find(bounds).into_iter().zip(self.splices.all());
        let whole = places.map(|(place, one)| {
            let (start, end) = place?;
            (cut(text.plain(), start, end) == one.inserted).then_some(start)
        });
        whole.collect::<Vec<_>>().into_iter()
    }
}

fn fingerprint(text: &NoteText) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.plain().hash(&mut hasher);
    hasher.finish()
}
