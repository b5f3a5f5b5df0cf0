"""A guestbook: visitors write in Markdown, and read what others wrote."""

import os
import secrets

import click
from flask import Flask, abort, redirect, render_template, request, session
from markdown_it import MarkdownIt
from markupsafe import Markup
from psycopg_pool import ConnectionPool
from werkzeug.wrappers import Response

SHOWN = 50
"""Entries on the page, the newest."""

TABLES = """
SELECT pg_advisory_xact_lock(1);  -- pods that start at the same time make them one after the other
CREATE TABLE IF NOT EXISTS entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    written timestamptz NOT NULL DEFAULT now(),
    name text NOT NULL,
    message text NOT NULL
);
CREATE TABLE IF NOT EXISTS digests (made timestamptz PRIMARY KEY DEFAULT now(), entries bigint NOT NULL);
"""

app = Flask(__name__)
# Signs the cookie, which any of the pods must be able to read: so it is the same for all.
app.secret_key = os.environ["SECRET_KEY"]
app.config.update(MAX_FORM_MEMORY_SIZE=1 << 16, SESSION_COOKIE_SAMESITE="Lax")
markdown = MarkdownIt("js-default")  # which shows HTML as text
pool = ConnectionPool(os.environ["DATABASE_URL"], max_size=4, check=ConnectionPool.check_connection, open=True)
with pool.connection() as database:
    database.execute(TABLES)


@app.get("/healthz")
def health() -> str:
    """Say that the program answers; a database that is away for a moment is no reason to start it anew."""
    return "ok"


@app.get("/")
def show() -> str:
    """Show the newest entries, and what the job counted last."""
    with pool.connection() as database:
        rows = database.execute(
            "SELECT name, written, message FROM entries ORDER BY id DESC LIMIT %s", [SHOWN]
        ).fetchall()
        digest = database.execute("SELECT made, entries FROM digests ORDER BY made DESC LIMIT 1").fetchone()
    entries = [(name, written, Markup(markdown.render(message))) for name, written, message in rows]  # noqa: S704
    session.setdefault("token", secrets.token_urlsafe())
    return render_template("guestbook.html", entries=entries, digest=digest)


@app.post("/")
def write() -> Response:
    """Add an entry; only from the page itself, whose form has what the cookie has."""
    if not secrets.compare_digest(request.form.get("token", ""), session.get("token") or secrets.token_urlsafe()):
        abort(403)
    name, message = request.form.get("name", "").strip(), request.form.get("message", "").strip()
    if not (1 <= len(name) <= 80 and 1 <= len(message) <= 2000):
        abort(400)
    with pool.connection() as database:
        database.execute("INSERT INTO entries (name, message) VALUES (%s, %s)", [name, message])
    session["name"] = name
    return redirect("/", 303)


@app.cli.command()
def digest() -> None:
    """Count the entries."""
    with pool.connection() as database:
        made = database.execute(
            "INSERT INTO digests (entries) SELECT count(*) FROM entries RETURNING entries"
        ).fetchone()
    click.echo(f"{made[0]} entries" if made else "nothing was counted")
