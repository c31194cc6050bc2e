"""The HTML page in a real browser: it draws its figures, has its rows, and asks nobody for anything."""

import shutil
import subprocess

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--virtual-time-budget=2000"]
# A browser asks its maker for news by itself, and nothing here leaves the machine.
FLAGS += ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic", "--no-first-run"]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine: the page is not looked at")


@pytest.fixture(scope="module")
def page(baton, shaky, tmp_path_factory):
    """The page of a small sweep with failures."""
    folder = tmp_path_factory.mktemp("page")
    saved, page = folder / "run.json", folder / "run.html"
    said = baton(
        "bench", "-u", shaky.base_url, "-m", "claude-x", "-c", "2,8", "-d", "3s", "--warmup", "500ms",
        "--fail-if", "ttft.p99 > 5s", "--save", saved,
    )
    assert said.code in (0, 1, 98), said
    said = baton("report", "show", saved, "--format", "html", "-o", page)
    assert said.code == 0, said
    return page


def in_browser(page, profile, *more):
    command = [BROWSER, *FLAGS, f"--user-data-dir={profile}", *more, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90)


# What the browser itself makes of the page: counted after it has been laid out, written where --dump-dom shows it.
PROBE = """
<script>
const box = (node) => node.getBoundingClientRect();
const drawn = [...document.querySelectorAll('figure svg')].filter((svg) => box(svg).width > 300 && box(svg).height > 100);
const marks = (id) => document.querySelectorAll(`#${id} svg circle, #${id} svg polygon`).length;
const ink = getComputedStyle(document.querySelector('svg text')).fill;
const paper = getComputedStyle(document.body).backgroundColor;
const wide = document.documentElement.scrollWidth <= innerWidth;
document.body.dataset.seen = JSON.stringify({
  drawn: drawn.length, curve: marks('curve'), distribution: marks('distribution'), timeline: marks('timeline'),
  rows: document.querySelectorAll('#levels tbody tr').length,
  seconds: document.querySelectorAll('#timeline tbody tr').length,
  verdicts: document.querySelectorAll('#verdicts tbody tr').length,
  json: JSON.parse(document.querySelector('#json').textContent).schema,
  fetched: performance.getEntriesByType('resource').length, ink, paper, wide });
</script>
"""


def seen(page, tmp_path, *more):
    import html
    import json
    import re

    probed = tmp_path / "probed.html"
    probed.write_text(page.read_text().replace("</body>", PROBE + "</body>"))
    dom = in_browser(probed, tmp_path / "profile", "--dump-dom", *more)
    found = re.search(r'data-seen="([^"]*)"', dom.stdout)
    assert found, dom.stderr[-2000:]
    return json.loads(html.unescape(found.group(1)))


def test_the_browser_draws_every_figure_and_row(page, tmp_path):
    what = seen(page, tmp_path)
    assert what["drawn"] == 5, what
    assert what["curve"] == 4, what
    assert what["distribution"] > 10 and what["timeline"] > 12, what
    assert what["rows"] == 2 and what["verdicts"] == 1, what
    assert what["seconds"] >= 6, what
    assert what["json"] == "baton.bench/1" and what["fetched"] == 0, what
    assert what["wide"], what


def test_the_figures_follow_the_reader_s_colours(page, tmp_path):
    light = seen(page, tmp_path)
    dark = seen(page, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert light["paper"] == "rgb(255, 255, 255)" and light["ink"] == "rgb(27, 31, 36)", light
    assert dark["paper"] == "rgb(13, 17, 23)" and dark["ink"] == "rgb(230, 237, 243)", dark


def test_a_phone_shows_the_page_without_scrolling_sideways(page, tmp_path):
    assert seen(page, tmp_path, "--window-size=500,900")["wide"]
