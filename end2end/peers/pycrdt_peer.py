"""A peer on pycrdt (yrs in Python): a client of the public protocol (docs/protocol.md) that edits notes. It does what
it reads from its input, a JSON object a line, and answers each with one on its output. What no peer may meet ends it.

    python pycrdt_peer.py SERVER DASHBOARD CLIENT NAME
"""

import asyncio
import base64
import json
import os
import sys
from dataclasses import dataclass

import websockets
from pycrdt import Doc, Text

from anew import apply_to, copy_of, made_by, say_anew, text_of

SERVER, DASHBOARD, CLIENT, NAME = sys.argv[1:5]


def fail(why):
    print(f"{NAME}: {why}", file=sys.stderr, flush=True)
    os._exit(1)


@dataclass
class Note:
    """What the log says of a note (`log`, of a generation), and that with this peer's pending edits on top (`view`)."""

    log: Doc
    generation: int | None
    view: Doc | None = None


@dataclass
class Change:
    """A change that the log does not have yet, of one note. It is `sent` on this connection. Said `anew` after that, it
    will be in the log under other ids than its updates have here."""

    seq: int
    base: int
    note: str
    updates: list[bytes]
    sent: bool = False
    anew: bool = False

    def as_pushed(self):
        ops = [
            {"op": "edit_text", "id": self.note, "update": base64.b64encode(update).decode()} for update in self.updates
        ]
        return {"seq": self.seq, "base": self.base, "ops": ops}


class Peer:
    def __init__(self):
        self.notes: dict[str, Note] = {}
        # Of what a reload forgot, the notes on which pending edits were made.
        self.kept: dict[str, Note] = {}
        self.pending: list[Change] = []
        # The last number that was answered, as far as it is known.
        self.answered = 0
        # The log has this peer's changes up to this number; those of them that are pending only wait for the answer.
        self.logged = 0
        # Where the log was last heard; None while there is no copy of it.
        self.position = None
        # Compactions that it has followed.
        self.followed = 0
        self.me = None
        self.socket = None
        self.joined = False
        # Coroutines of commands wait here until something came.
        self.news = asyncio.Condition()

    async def look(self):
        async with self.news:
            self.news.notify_all()

    async def until(self, ready):
        async with self.news:
            await self.news.wait_for(ready)

    def rebase(self, name, older=None):
        """Puts what is pending on top of what the log says. The new document is another Yjs client, whose clocks begin
        anew. Where that was made on an older text, whose ids the log has not, it is said anew."""
        note = self.notes[name]
        changes = [change for change in self.pending if change.note == name and change.seq > self.logged]
        if older and changes:
            said = say_anew(older, [change.updates for change in changes], note.log)
            for change, updates in zip(changes, said, strict=True):
                change.updates, change.anew = updates, change.anew or change.sent
        note.view = copy_of(note.log)
        for change in changes:
            apply_to(note.view, change.updates)

    def learn(self, name, text):
        """Takes a note as the log has it."""
        text = text or {}
        log = Doc()
        if text.get("state"):
            apply_to(log, [base64.b64decode(text["state"])])
        if text_of(log) != text.get("plain", ""):
            fail(f"the state of {name} reads {text_of(log)}, its text {text.get('plain')}")
        known = self.notes.get(name) or self.kept.pop(name, None)
        self.notes[name] = note = Note(log, text.get("generation"))
        # Of what was pushed and said anew since, the log has what the room made of it.
        there = [change for change in self.pending if change.note == name and change.seq <= self.logged]
        if known and (known.generation != note.generation or any(change.anew for change in there)):
            older = copy_of(known.log)
            for change in there:
                apply_to(older, change.updates)
            self.rebase(name, older)
        else:
            self.rebase(name)

    def follow(self, commit, op):
        """Puts a new document in the place of a note's, with what a compaction inserts and nothing else."""
        note = self.notes[op["id"]]
        older, plain = note.log, text_of(note.log)
        edited = copy_of(older)
        apply_to(edited, [base64.b64decode(op["update"])])
        if text_of(edited) != plain:
            fail(f"the compaction {commit['revision']} of {plain} reads {text_of(edited)}")
        if commit["client"] != "compaction" or commit["by"]["id"] != "compaction":
            fail(f"compacted by {commit}")
        # What it inserts is all that is left of it.
        note.log = Doc(client_id=op["compacted"])
        if plain:
            note.log.get("text", type=Text).insert(0, plain)
        note.generation = op["compacted"]
        self.followed += 1
        self.rebase(op["id"], older)

    def apply(self, commit):
        if commit.get("refused"):
            fail(f"refused: {commit}")
        mine = None
        if commit["client"] == self.me and self.pending and commit["seq"] == self.pending[0].seq:
            mine = self.pending.pop(0)
            self.answered = mine.seq
        # A change that came again is answered with the commit that it has; what it did is here.
        if commit["revision"] <= self.position["revision"]:
            return
        if commit["revision"] != self.position["revision"] + 1:
            fail(f"revision {commit['revision']} came after {self.position['revision']}")
        self.position["revision"] = commit["revision"]
        older = None
        if mine and [base64.b64decode(op["update"]) for op in commit["ops"]] != mine.updates:
            # What the log has of an edit may be other bytes than were made here: pending ones build on these.
            older = copy_of(self.notes[mine.note].log)
            apply_to(older, mine.updates)
        for op in commit["ops"]:
            if op["op"] == "add_widget" and op["widget"]["kind"] == "note":
                self.learn(op["id"], op["widget"].get("text"))
            if op["op"] != "edit_text":
                continue
            if op.get("compacted"):
                self.follow(commit, op)
                continue
            update = base64.b64decode(op["update"])
            apply_to(self.notes[op["id"]].log, [update])
            if not mine:
                apply_to(self.notes[op["id"]].view, [update])
        if older:
            self.rebase(mine.note, older)

    async def push(self):
        """Pushes what is not on its way, but for what builds on changes that the log will have under other ids. What is
        no edit any more, as others have removed the same, is left out."""
        if not self.joined or any(change.sent and change.anew for change in self.pending):
            return
        self.pending = [
            change for change in self.pending if change.sent or change.seq <= self.logged or change.updates
        ]
        last = max(self.answered, self.logged)
        for change in self.pending:
            if not change.sent and change.seq > self.logged:
                change.seq = last + 1
            last = max(last, change.seq)
        changes = [change for change in self.pending if not change.sent]
        if not changes:
            return
        for change in changes:
            change.sent = True
        await self.send(
            {"type": "push", "dashboard": DASHBOARD, "changes": [change.as_pushed() for change in changes]}
        )

    async def take(self, message):
        kind = message["type"]
        if kind == "welcome":
            self.me = message["client"]
            join = {"type": "join", "dashboard": DASHBOARD, "compactions": True}
            if self.position:
                join["resume"] = self.position
            await self.send(join)
        elif kind == "joined":
            self.join(message)
        elif kind == "commits":
            if message.get("forgotten"):
                fail(f"forgotten: {message}")
            for commit in message["commits"]:
                self.apply(commit)
            if message.get("token"):
                self.position["token"] = message["token"]
        elif kind == "rejected":
            # A server that drains takes nothing more; what is pending is pushed again after the next join.
            if message["code"] not in ("internal", "out_of_order"):
                fail(message)
        elif kind == "error" and not message.get("retry_after_ms"):
            fail(message)

    def join(self, message):
        position = {name: message[name] for name in ("epoch", "revision", "token")}
        last = message["last_seq"]
        for change in self.pending:
            change.sent = False
        if "snapshot" in message:
            self.logged, self.position = last, position
            for name, widget in message["snapshot"]["widgets"].items():
                if widget["kind"] == "note":
                    self.learn(name, widget.get("text"))
        else:
            for commit in message["commits"]:
                self.apply(commit)
            if self.position["revision"] != position["revision"]:
                fail(f"the tail ends at {self.position['revision']}, not at {position['revision']}")
            if self.position["epoch"] != position["epoch"]:
                fail("a tail of another log")
            if any(self.logged < change.seq <= last for change in self.pending):
                fail(f"the tail lacks what I pushed up to {last}")
            self.position = position
        # The log does not have them: they are pushed as they are said now.
        for change in self.pending:
            if change.seq > last:
                change.anew = False
        self.joined = True

    async def send(self, message):
        try:
            if self.socket:
                await self.socket.send(json.dumps(message))
        except websockets.ConnectionClosed:
            pass

    async def listen(self, mine):
        beat = None
        try:
            await self.send({"type": "hello", "protocol": 1, "client": CLIENT, "name": NAME})
            async for text in mine:
                if self.socket is not mine:
                    break
                message = json.loads(text)
                await self.take(message)
                await self.push()
                if message["type"] == "welcome":
                    beat = asyncio.create_task(self.beat(message["heartbeat_ms"] / 1000))
                await self.look()
        except websockets.ConnectionClosed:
            pass
        except Exception as error:  # A task's error would else wait for somebody who asks.
            fail(repr(error))
        if beat:
            beat.cancel()
        if self.socket is mine:
            self.socket, self.joined = None, False
        await self.look()

    async def beat(self, every):
        while True:
            await asyncio.sleep(every)
            await self.send({"type": "ping", "id": 1})

    async def made(self, name, updates):
        """What was made in the view of a note is pending, and pushed."""
        last = self.pending[-1].seq if self.pending else max(self.answered, self.logged)
        self.pending.append(Change(last + 1, self.position["revision"], name, updates))
        await self.push()

    # What it is told to do.

    async def connect(self, _):
        """Answers once it has joined, or once that failed."""
        await self.leave(_)
        try:
            url = SERVER.replace("http", "ws", 1) + "/api/v1/ws"
            self.socket = mine = await websockets.connect(url, max_size=None, ping_interval=None)
        except (OSError, websockets.InvalidHandshake, websockets.InvalidMessage):
            return {"joined": False}
        self.listening = asyncio.create_task(self.listen(mine))
        await self.until(lambda: self.joined or self.socket is None)
        return {"joined": self.joined}

    async def leave(self, _):
        """Ends the connection as a cut line does."""
        mine, self.socket, self.joined = self.socket, None, False
        if mine:
            mine.transport.abort()
        return {}

    async def reload(self, command):
        """Forgets what a tab forgets: all but its client, what is pending, and its copy where one is stored. Where none
        is, it keeps the texts on which the pending edits were made."""
        await self.leave(command)
        if command["stored"]:
            for name, note in self.notes.items():
                note.log = copy_of(note.log)
                self.rebase(name)
        else:
            self.position = None
            edited = {change.note for change in self.pending}
            self.kept |= {name: note for name, note in self.notes.items() if name in edited}
            self.notes = {}
        return {}

    async def edit(self, command):
        """Edits a note in one transaction; what it removed, None where the note is not here."""
        note = self.notes.get(command["note"])
        if not note:
            return {"removed": None}
        text, insert = text_of(note.view), command["insert"]
        start = int(command["at"] * (len(text) + 1))
        removed = text[start : start + command["remove"]]
        if not removed and not insert:
            return {"removed": removed}
        index, end = (len(part.encode()) for part in (text[:start], text[:start] + removed))

        def edit(text):
            if removed:
                del text[index:end]
            if insert:
                text.insert(index, insert)

        await self.made(command["note"], [made_by(note.view, edit)])
        return {"removed": removed}

    async def age(self, command):
        """Writes letters in each other's place, each as another Yjs client, and removes the last; None where the note
        is not here."""
        note = self.notes.get(command["note"])
        if not note:
            return {"removed": None}
        letters, text = command["letters"], text_of(note.view)
        index = len(text[: int(command["at"] * (len(text) + 1))].encode())
        updates = []
        for gone, new in zip(["", *letters], [*letters, ""], strict=True):

            def edit(text):
                if new:
                    text.insert(index, new)
                if gone:
                    del text[index + len(new.encode()) : index + len(new.encode()) + len(gone.encode())]

            note.view = copy_of(note.view)
            updates.append(made_by(note.view, edit))
        await self.made(command["note"], updates)
        return {"removed": letters}

    async def texts(self, command):
        """Answers with the texts once nothing is pending and a revision of the log is here."""
        await self.until(
            lambda: self.joined and not self.pending and self.position["revision"] >= command["revision"]
        )

        def of(note):
            vector = base64.b64encode(note.log.get_state()).decode()
            return {"log": text_of(note.log), "view": text_of(note.view), "vector": vector}

        return {"texts": {name: of(note) for name, note in self.notes.items()}, "followed": self.followed}


async def main():
    peer = Peer()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        command = json.loads(line)
        answer = await getattr(peer, command["do"])(command)
        print(json.dumps({"id": command["id"], **answer}), flush=True)


asyncio.run(main())
