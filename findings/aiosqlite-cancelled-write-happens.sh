#!/usr/bin/env bash
# aiosqlite: a write that was cancelled, or timed out, is carried out all the same, and the next commit keeps it.
#
# Expected: asyncio documents that wait_for() cancels the awaited call on a timeout; a statement that still waits in the
#   connection's queue, and has not begun, is then not run, or the caller is told that it cannot be stopped.
# Happens: only the waiting ends. The thread behind the connection runs the statement later, its error or result is
#   dropped, and whoever commits next on that connection commits it.
# Who is hurt: a server with a deadline for each request: the client is told 503 and tries again, and the row is there twice.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check aiosqlite==0.22.1
cat > show.py <<'EOF'
import asyncio, sqlite3, threading
import aiosqlite

async def main():
    print("aiosqlite", aiosqlite.__version__, "SQLite", sqlite3.sqlite_version)
    async with aiosqlite.connect("orders.db") as db:
        await db.execute("CREATE TABLE orders (id TEXT)")
        await db.commit()
        began, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def hold():  # stands for any slow statement of another request
            loop.call_soon_threadsafe(began.set)
            go_on.wait(60)

        await db.create_function("hold", 0, hold)
        slow = asyncio.create_task(db.execute_fetchall("SELECT hold()"))
        await began.wait()
        try:
            await asyncio.wait_for(db.execute("INSERT INTO orders VALUES ('timed out')"), 0.1)
            print("the INSERT was done in time")
        except asyncio.TimeoutError:
            print("the INSERT timed out while another statement ran, before it began")
        go_on.set()
        await slow
        await db.execute("INSERT INTO orders VALUES ('another request')")
        await db.commit()
        rows = [row for row, in await db.execute_fetchall("SELECT id FROM orders")]
        print("after another request's INSERT and commit:", rows)
        assert rows == ["timed out", "another request"], "CHANGED"

asyncio.run(main())
EOF
venv/bin/python show.py
