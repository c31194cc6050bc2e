"""Configuration in step between two regions: two nginx servers, and files signed with the minisign tool."""

import json
import os
import shutil
import subprocess
import time

import pytest

from conftest import BATON, Said, clean_environment, embedded
from nginx import Nginx

FILE = """version = {version}
not-after = 2999-01-01T00:00:00Z

[[endpoint]]
url = "{url}"
zone = "eu-1"
weight = 3
"""


class Operator:
    """Who signs, by the tool that operators use."""

    def __init__(self, folder):
        self.secret, self.public = folder / "minisign.key", folder / "minisign.pub"
        subprocess.run(["minisign", "-G", "-W", "-s", self.secret, "-p", self.public], check=True, capture_output=True)

    def key(self):
        return self.public.read_text().splitlines()[1]

    def roll_out(self, root, version, url="https://eu.relay.example", age=0):
        """Writes a signed file into a server's folder, the signature first, each under its name at once."""
        draft = root / "draft.toml"
        draft.write_text(FILE.format(version=version, url=url))
        subprocess.run(["minisign", "-S", "-s", self.secret, "-m", draft], check=True, capture_output=True)
        then = time.time() - age
        os.utime(draft, (then, then))
        os.replace(root / "draft.toml.minisig", root / "b.toml.minisig")
        os.replace(draft, root / "b.toml")


class World:
    def __init__(self, folder):
        self.folder, self.servers = folder, {}
        self.operator = Operator(folder)
        for name in ("eu", "us"):
            root = folder / name
            root.mkdir()
            site = f"location /sync/ {{ alias {root}/; }}"
            self.operator.roll_out(root, 7)
            (folder / f"nginx-{name}").mkdir()
            self.servers[name] = Nginx(folder / f"nginx-{name}", "http://127.0.0.1:1", server_more=site)
        self.configure()

    def root(self, name):
        return self.folder / name

    def configure(self, more=""):
        places = "".join(f'{name} = "{server.url()}/sync/b.toml"\n' for name, server in self.servers.items())
        text = f'[profile.work]\nconfig-key = "{self.operator.key()}"\nallowed-hosts = ["*.relay.example", "127.0.0.1"]\n{more}\n'
        (self.folder / "config.toml").write_text(f"{text}[profile.work.config-url]\n{places}")

    def command(self, *arguments):
        command = [str(BATON), *arguments, "--profile", "work", "--config", str(self.folder / "config.toml")]
        return command, clean_environment(XDG_STATE_HOME=str(self.folder / "state"))

    def once(self):
        command, environment = self.command("config", "sync", "--once", "--format", "json")
        said = Said(subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True))
        report = said.json()
        verdicts = {source["name"]: source["verdict"] for source in report["sources"]}
        return said.code, (report["in_force"] or {}).get("version"), verdicts, said

    def requests(self, name):
        """How the server answered, by its own log: the path's end and the status of each request."""
        lines = (self.folder / f"nginx-{name}" / "access.log").read_text().splitlines()
        return [(line.split('"')[1].split()[1].rsplit("/")[-1], int(line.split('"')[2].split()[0])) for line in lines]

    def stop(self):
        for server in self.servers.values():
            server.stop()


@pytest.fixture
def world(tmp_path):
    assert shutil.which("minisign"), "apt-get install minisign"
    world = World(tmp_path)
    yield world
    world.stop()


def test_regions_are_followed_and_told_apart(world):
    for name in ("eu", "us"):
        world.operator.roll_out(world.root(name), 7, age=60)
    assert world.once()[:3] == (0, 7, {"eu": "new", "us": "new"})
    assert world.once()[:3] == (0, 7, {"eu": "unchanged", "us": "unchanged"})
    # By nginx's own entity tag, the second look costs one request without a body.
    assert world.requests("eu") == [("b.toml", 200), ("b.toml.minisig", 200), ("b.toml", 304)]
    # Two servers with different versions.
    world.operator.roll_out(world.root("eu"), 8)
    assert world.once()[:3] == (0, 8, {"eu": "new", "us": "stale"})
    world.operator.roll_out(world.root("us"), 8)
    code, version, verdicts, _ = world.once()
    # The same words under the same version were signed apart, and are the same file.
    assert (code, version, verdicts) == (0, 8, {"eu": "unchanged", "us": "new"})


def test_a_rolled_back_version_is_refused(world):
    # nginx makes its tag of the second and the size, so that all of these have the same.
    world.operator.roll_out(world.root("eu"), 8)
    world.operator.roll_out(world.root("us"), 8)
    assert world.once()[:2] == (0, 8)
    for name in ("eu", "us"):
        world.operator.roll_out(world.root(name), 7)
    code, version, verdicts, _ = world.once()
    assert (code, version, verdicts) == (0, 8, {"eu": "rolled-back", "us": "rolled-back"})


def test_a_bad_signature_and_a_truncated_file_are_refused(world):
    (world.folder / "other").mkdir()
    stranger = Operator(world.folder / "other")
    stranger.roll_out(world.root("eu"), 9)
    file = world.root("us") / "b.toml"
    world.operator.roll_out(world.root("us"), 9)
    file.write_bytes(file.read_bytes()[:-5])
    code, version, verdicts, said = world.once()
    assert (code, version, verdicts) == (2, None, {"eu": "bad-signature", "us": "truncated"}), said
    assert "another key" in said.out and "ends within a line" in said.out, said
    world.operator.roll_out(world.root("us"), 10)
    assert world.once()[:3] == (0, 10, {"eu": "bad-signature", "us": "new"})
    # A byte changed on the server, after the signature.
    text = (world.root("us") / "b.toml").read_text()
    (world.root("us") / "b.toml").write_text(text.replace("weight = 3", "weight = 9"))
    assert world.once()[:3] == (0, 10, {"eu": "bad-signature", "us": "bad-signature"})


def test_a_host_that_this_machine_does_not_allow_is_refused(world):
    for name in ("eu", "us"):
        world.operator.roll_out(world.root(name), 8, url="https://evil.example")
    code, version, verdicts, said = world.once()
    assert (code, version, verdicts) == (2, None, {"eu": "refused", "us": "refused"}), said
    assert "b.toml:5: endpoint.url: the host evil.example is not allowed" in said.out, said


def test_with_both_sources_gone_the_last_version_is_used_for_a_time(world):
    assert world.once()[:2] == (0, 7)
    world.stop()
    code, version, verdicts, said = world.once()
    assert (code, version, verdicts) == (0, 7, {"eu": "unreachable", "us": "unreachable"}), said
    assert "no source serves version 7 now" in said.err, said
    world.configure('config-max-age = "1ms"')
    code, version, _, said = world.once()
    assert (code, version) == (2, None), said
    assert "config-max-age is 1 ms" in said.err, said
    world.configure()
    for server in world.servers.values():
        assert server.start()
    assert world.once()[:3] == (0, 7, {"eu": "new", "us": "new"})


def test_a_batch_under_way_follows_what_the_servers_serve(world, tmp_path):
    relays = []
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        relays.append(embedded(tmp_path / name, "ttft=0,gap=0,tokens=2,slots=inf"))
    for name in ("eu", "us"):
        world.operator.roll_out(world.root(name), 8, url=relays[0].base_url)
    world.configure('config-poll = "200ms"\nmodel = "m"')
    command, environment = world.command("batch", "--text", "--unordered", "--attempts", "1", "--events", "/dev/stderr")
    batch = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )

    def ask(row):
        batch.stdin.write(f"row {row}\n")
        batch.stdin.flush()
        return json.loads(batch.stdout.readline())

    def hear(version):
        return next(line for line in batch.stderr if f"version {version} of the synced configuration" in line)

    try:
        hear(8)
        assert all(ask(row)["error"] is None for row in range(5))
        # One region is enough, and a stranger's file in the other changes nothing.
        (world.folder / "other").mkdir()
        Operator(world.folder / "other").roll_out(world.root("us"), 10)
        world.operator.roll_out(world.root("eu"), 9, url=relays[1].base_url)
        hear(9)
        assert all(ask(row)["error"] is None for row in range(5, 12))
        batch.stdin.close()
        assert batch.wait(60) == 0
    finally:
        batch.kill()
        batch.wait()
        for relay in relays:
            relay.stop()
    asked = [len(relay.log.read_text().splitlines()) for relay in relays]
    assert asked == [5, 7]
