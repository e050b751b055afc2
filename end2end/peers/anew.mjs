// Edits of a text said anew for one that has the same words under other ids, as an outside client may do it: by what
// both texts read.
import * as Y from "yjs";

export function textOf(doc) {
  return doc.getText("text").toString();
}

/** The same text as another Yjs client would open it. */
export function copyOf(doc) {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

/** The update that an edit of a text makes, in one transaction; undefined where it does nothing. */
export function madeBy(doc, edit) {
  let made;
  const take = (update) => (made = update);
  doc.on("update", take);
  doc.transact(() => edit(doc.getText("text")));
  doc.off("update", take);
  return made;
}

/**
 * Updates that follow each other, in groups, made on a document `older`, as such of a document `newer`; a group may
 * become empty. Undefined where they build on text that is not there.
 */
export function sayAnew(older, groups, newer) {
  const [before, after] = [copyOf(older), copyOf(newer)];
  // A character that both have is the same object in both.
  const [had, has] = inCommon([...textOf(before)], [...textOf(after)]);
  const said = groups.map((updates) => updates.map((update) => say(update, before, after, had, has)).filter((update) => update));
  if (before.store.pendingStructs || before.store.pendingDs) return;
  return said;
}

function say(update, before, after, had, has) {
  let delta = [];
  const take = (event) => (delta = event.delta);
  before.getText("text").observe(take);
  Y.applyUpdate(before, update);
  before.getText("text").unobserve(take);
  return madeBy(after, (text) => {
    const unitsBefore = (place) => has.slice(0, place).reduce((units, { character }) => units + character.length, 0);
    let at = 0;
    for (const { retain, insert, delete: gone } of delta) {
      if (retain) at += charactersIn(had, at, retain);
      if (gone) {
        for (const one of had.splice(at, charactersIn(had, at, gone))) {
          const place = has.indexOf(one);
          if (place < 0) continue;
          text.delete(unitsBefore(place), one.character.length);
          has.splice(place, 1);
        }
      }
      if (insert) {
        const written = [...insert].map((character) => ({ character }));
        // Behind what stands before it in both.
        const left = had.slice(0, at).findLast((one) => has.includes(one));
        const place = left ? has.indexOf(left) + 1 : 0;
        text.insert(unitsBefore(place), insert);
        had.splice(at, 0, ...written);
        has.splice(place, 0, ...written);
        at += written.length;
      }
    }
  });
}

/** How many characters from a place on have so many UTF-16 units. */
function charactersIn(characters, at, units) {
  let count = 0;
  for (let left = units; left > 0; count++) left -= characters[at + count].character.length;
  return count;
}

/** Both texts as objects, the same ones for the longest common subsequence. */
function inCommon(a, b) {
  const lengths = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i][j] = a[i] === b[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  const [first, second] = [a, b].map((characters) => characters.map((character) => ({ character })));
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) second[j++] = first[i++];
    else if (lengths[i + 1][j] >= lengths[i][j + 1]) i++;
    else j++;
  }
  return [first, second];
}
