"""Pages in a real browser: how wide they are where, and how many sheets they print on."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from report_pages import chromium

from privacy.presentation.texts import LANGUAGES

#: CSS pixels: small phones, phones, tablets, desks.
WIDTHS = (320, 390, 768, 1280)

#: Opens every page at every width in every language, with all that folds unfolded, and notes what is too wide.
_MEASURE = """
function broken(page, texts, tell) {
  var range = page.createRange(), word = /\\b[A-Za-z]{3,}\\b/g, node, hit;
  while ((node = texts.nextNode())) {
    if (node.parentElement.closest("svg")) continue;
    range.selectNodeContents(node);
    if (range.getClientRects().length < 2) continue;
    while ((hit = word.exec(node.data))) {
      range.setStart(node, hit.index);
      range.setEnd(node, hit.index + hit[0].length);
      if (range.getClientRects().length > 1) tell(hit[0]);
    }
  }
}
onload = function () {
  var found = [];
  document.querySelectorAll("iframe").forEach(function (frame) {
    var page = frame.contentDocument, root = page.documentElement;
    page.querySelectorAll("details").forEach(function (part) { part.open = true; });
    LANGUAGES.forEach(function (language) {
      page.getElementById("lang-" + language).checked = true;
      WIDTHS.forEach(function (width) {
        frame.style.width = width + "px";
        if (root.clientWidth !== width || root.scrollWidth > root.clientWidth)
          found.push(frame.dataset.name + " " + language + ": " + root.scrollWidth + " in " + width);
        if (width < 500)
          broken(page, document.createTreeWalker(page.getElementById("page-" + language), NodeFilter.SHOW_TEXT),
            function (word) { found.push(frame.dataset.name + " " + language + ": " + word + " broken in " + width); });
      });
    });
  });
  var said = document.createElement("pre");
  said.id = "found";
  said.textContent = JSON.stringify(found);
  document.body.appendChild(said);
};
"""


def _browser(folder: Path, address: str, *options: str) -> str:
    done = subprocess.run(
        [
            chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
            "--hide-scrollbars", "--disable-background-networking", "--disable-component-update",
            "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", *options, address,
        ],
        capture_output=True, text=True, timeout=120, check=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    return done.stdout


def misfits(pages: Mapping[str, str], folder: Path) -> list[str]:
    """Where a page must be scrolled sideways or breaks a word of letters; one browser for all pages.

    A window is not made narrower than 500 pixels; a frame is.
    """
    frames = "".join(
        f'<iframe data-name="{name}" srcdoc="{html.escape(page)}" style="border: 0; height: 900px"></iframe>'
        for name, page in pages.items()
    )
    script = _MEASURE.replace("LANGUAGES", json.dumps(LANGUAGES)).replace("WIDTHS", json.dumps(WIDTHS))
    harness = folder / "frames.html"
    harness.write_text(f'<!DOCTYPE html><meta charset="utf-8">{frames}<script>{script}</script>', encoding="utf-8")
    seen = _browser(folder, harness.as_uri(), "--dump-dom", "--window-size=1400,900")
    said = re.search(r'<pre id="found">(.*?)</pre>', seen[seen.rindex("</iframe>") :], re.S)
    assert said is not None
    return list(json.loads(html.unescape(said[1])))


def sheets(page: str, folder: Path, language: str) -> int:
    """How many sheets of A4 a page prints on."""
    source, target = folder / "page.html", folder / "page.pdf"
    source.write_text(page, encoding="utf-8")
    _browser(folder, f"{source.as_uri()}#{language}", "--no-pdf-header-footer", f"--print-to-pdf={target}")
    return len(re.findall(rb"/Type /Page\b", target.read_bytes()))
