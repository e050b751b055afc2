"""Edits of a text said anew for one that has the same words under other ids, as an outside client may do it: by what
both texts read."""

from difflib import SequenceMatcher

from pycrdt import Doc, Text


def text_of(doc):
    return str(doc.get("text", type=Text))


def copy_of(doc):
    """The same text as another Yjs client would open it."""
    copy = Doc()
    copy.apply_update(doc.get_update())
    return copy


def apply_to(doc, updates):
    # Of one that builds on text that is not there pycrdt does not tell; but the text lacks it then.
    for update in updates:
        doc.apply_update(update)


def made_by(doc, edit):
    """The update that an edit of a text makes, in one transaction; None where it does nothing."""
    made = []
    text = doc.get("text", type=Text)
    subscription = doc.observe(lambda event: made.append(event.update))
    with doc.transaction():
        edit(text)
    doc.unobserve(subscription)
    # One of no blocks and no deletions is none.
    made = [update for update in made if update != b"\0\0"]
    return made[0] if made else None


class Character:
    """One of a text. What two texts have in common is the same one in both."""

    def __init__(self, character):
        self.character = character
        # pycrdt counts in bytes of UTF-8.
        self.length = len(character.encode())


def say_anew(older, groups, newer):
    """Updates that follow each other, in groups, made on a document `older`, as such of a document `newer`; a group may
    become empty."""
    before, after = copy_of(older), copy_of(newer)
    had = [Character(character) for character in text_of(before)]
    has = [Character(character) for character in text_of(after)]
    for a, b, length in SequenceMatcher(None, text_of(before), text_of(after), autojunk=False).get_matching_blocks():
        has[b : b + length] = had[a : a + length]
    said = [[say(update, before, after, had, has) for update in updates] for updates in groups]
    return [[update for update in updates if update] for updates in said]


def say(update, before, after, had, has):
    deltas = []
    text = before.get("text", type=Text)
    subscription = text.observe(lambda event: deltas.extend(event.delta))
    before.apply_update(update)
    text.unobserve(subscription)

    def edit(text):
        at = 0
        for part in deltas:
            if "retain" in part:
                at += characters_in(had, at, part["retain"])
            if "delete" in part:
                end = at + characters_in(had, at, part["delete"])
                for one in had[at:end]:
                    if one in has:
                        index = length(has[: has.index(one)])
                        del text[index : index + one.length]
                        has.remove(one)
                del had[at:end]
            if "insert" in part:
                written = [Character(character) for character in part["insert"]]
                # Behind what stands before it in both.
                left = next((one for one in reversed(had[:at]) if one in has), None)
                place = has.index(left) + 1 if left else 0
                text.insert(length(has[:place]), part["insert"])
                had[at:at] = written
                has[place:place] = written
                at += len(written)

    return made_by(after, edit)


def length(characters):
    return sum(one.length for one in characters)


def characters_in(characters, at, bytes):
    """How many characters from a place on have so many bytes."""
    count = 0
    while bytes > 0:
        bytes -= characters[at + count].length
        count += 1
    return count
