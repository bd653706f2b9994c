"""Make the pictures of docs/pictures from real sales: ``python docs/make_pictures.py --data FOLDER``.

FOLDER holds ``online_retail_ii/online_retail_ii.parquet`` (UCI Online Retail II, CC BY 4.0). The one shop is parted
into four holders, by country and customer number, customers get new ids, and one study runs for three months, in
process. Then Chromium takes the study report, one holder's page and the auditor's report: parts of them at 1280 px,
phones at 390 px, pages printed to A4, in English and Chinese. A study of clusters runs for the last two of the months,
and one of tables for the last, for pages of their own. At last the holder draws up two lists and runs tags for five
weeks, in which the countries of its customers become known, and its page is taken once more.
Needs Chromium, Poppler's ``pdftoppm`` and a CJK font. ``--only`` takes the pictures of some pages, not of all.

With ``--workspace`` the federation is kept there, and used again where it is there already.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from PIL import Image, ImageChops

from clients.campaigns.lists import begin_group
from clients.labels.config import ContactSettings, Labels
from clients.report.files import write_holder_report
from clients.tagging.running import run_tags
from clients.tagging.setting import TagSetting, begin_tags
from privacy.audit.export import export
from privacy.audit.report.render import render_audit
from privacy.audit.timeline import read_story
from privacy.audit.verify import verify
from privacy.protocol.study import Study
from privacy.results import StudyResult
from server.report.render import render_report
from simulations.worlds.local import Workspace, run_local

SALES = Path("online_retail_ii") / "online_retail_ii.parquet"
#: Which rows a holder has; ``part`` is a customer's, from 0 to 9.
HOLDERS = {
    "abroad": "country <> 'United Kingdom'",
    "uk-north": "country = 'United Kingdom' and part < 5",
    "uk-south": "country = 'United Kingdom' and part between 5 and 7",
    "uk-online": "country = 'United Kingdom' and part > 7",
}
#: Whose page is shown.
HOLDER = "abroad"
DAYS = (dt.date(2011, 10, 1), dt.date(2011, 11, 1), dt.date(2011, 12, 1))
NAME, CLUSTERS, TABLES = "monthly-rfm", "monthly-clusters", "monthly-tables"
#: One file per holder: no row twice where the two years overlap, customers renumbered.
COPY = """
copy (
    with numbered as (
        select customer_id, row_number() over (order by hash(customer_id)) as number
        from read_parquet('{sales}') where customer_id is not null group by customer_id
    )
    select 20000 + number as customer, invoice, stock_code, invoice_date, quantity, price, country
    from read_parquet('{sales}') as sales
    left join (select *, number % 10 as part from numbered) as numbered using (customer_id)
    where not overlap_repeat and {rows}
) to '{target}' (format parquet)
"""
HOLDER_TOML = """\
holder = "{holder}"
[source]
url = "sales.parquet"
time_zone = "Europe/London"
currency_code = "GBP"
[columns]
customer = "customer"
order = "invoice"
time = "invoice_date"
quantity = "quantity"
price = "price"
product = "stock_code"
"""

#: A group of tags, two lists of it, and the weeks in which tags are run.
TAGS = """
[coverage]
complete = ["region"]
[[group]]
code = "gone_quiet"
when = "orders >= 2 and 45 <= days_since(order) < 240"
en = "Regulars gone quiet"
zh = "沉默的老客"
"""
LISTS = (dt.date(2011, 10, 3), dt.date(2011, 11, 14))
WEEKS = tuple(dt.date(2011, 10, 31) + dt.timedelta(weeks=week) for week in range(5))
PEOPLE = """
copy (
    select customer, case when customer % 10 < {known} then any_value(country) end as country
    from read_parquet('{sales}') where customer is not null and invoice_date < '{day}' group by customer
) to '{target}' (format parquet)
"""
PEOPLE_TOML = """
[customers]
url = "people.parquet"
columns = {customer = "customer", region = "country"}
"""

#: The pages that pictures are taken of.
PAGES = ("study", "holder", "groups", "tables", "figures", "audit", "week")
#: Widths of a desk's and a phone's window, in CSS pixels.
DESK, PHONE = 1280, 390
#: What a picture shows of a long page at most, and the gap between pages side by side.
TALL, GAP = 1500, 24
GREY = (150, 150, 150)
LIMIT, COLOURS = 1 << 20, 64


@dataclass(frozen=True, kw_only=True)
class Part:
    """Sections of a page at a desk's width: ``name`` of the picture, ``sections`` by the end of their ids."""

    name: str
    sections: tuple[str, ...]
    language: str = "en"
    without_colour: bool = False


STUDY_PARTS = (
    *(Part(name=f"study-glance-{lang}", sections=("summary", "eight"), language=lang) for lang in ("en", "zh")),
    *(Part(name=f"study-trend-{lang}", sections=("trend",), language=lang) for lang in ("en", "zh")),
    Part(name="study-cuts-en", sections=("cuts",)),
    Part(name="study-cuts-grey", sections=("cuts",), without_colour=True),
)
HOLDER_PARTS = (
    *(Part(name=f"holder-glance-{lang}", sections=("glance", "measures"), language=lang) for lang in ("en", "zh")),
    Part(name="holder-segments-en", sections=("against",)),
    Part(name="holder-segments-grey", sections=("against",), without_colour=True),
    *(Part(name=f"holder-movement-{lang}", sections=("movement",), language=lang) for lang in ("en", "zh")),
    Part(name="holder-actions-en", sections=("act",)),
)
GROUPS_PARTS = (
    *(Part(name=f"groups-own-{lang}", sections=("groups",), language=lang) for lang in ("en", "zh")),
    *(Part(name=f"groups-moves-{lang}", sections=("groups-movement",), language=lang) for lang in ("en", "zh")),
    Part(name="groups-actions-en", sections=("groups-act",)),
    Part(name="groups-own-grey", sections=("groups",), without_colour=True),
)
TABLES_PARTS = tuple(
    Part(name=f"tables-report-{lang}", sections=("summary", "tables"), language=lang) for lang in ("en", "zh")
)
FIGURES_PARTS = tuple(Part(name=f"figures-own-{lang}", sections=("tables",), language=lang) for lang in ("en", "zh"))
WEEK_PARTS = tuple(Part(name=f"week-own-{lang}", sections=("brought", "week"), language=lang) for lang in ("en", "zh"))
AUDIT_PARTS = tuple(
    Part(name=f"audit-glance-{lang}", sections=("plain", "budget"), language=lang) for lang in ("en", "zh")
)


def federation(root: Path, sales: Path) -> Workspace:
    """Four holders with real sales, and a study run for each of ``DAYS``."""
    if (root / "coordinator").exists():
        return Workspace.open(root)
    sources = {}
    for holder, rows in HOLDERS.items():
        home = root / "data" / holder
        home.mkdir(parents=True)
        duckdb.sql(COPY.format(sales=sales, rows=rows, target=home / "sales.parquet"))
        (home / "holder.toml").write_text(HOLDER_TOML.format(holder=holder), encoding="utf-8")
        sources[holder] = home
    workspace = Workspace.create(root, sources, declared=1)
    for day in DAYS:
        run_local(monthly(NAME, day), workspace, transport="in-process")
    for day, centres in zip(DAYS[1:], ("new", "previous"), strict=True):
        options = {"k": 5, "centres": centres}
        study = monthly(CLUSTERS, day, analyses=("clusters",), clusters=options)
        run_local(study, workspace, transport="in-process")
    tables = {"use": ("second_purchase", "second_purchase_by_cohort", "daypart")}
    run_local(monthly(TABLES, DAYS[-1], analyses=("tables",), tables=tables), workspace, transport="in-process")
    return workspace


def work_through(home: Path) -> None:
    """Two lists of a holder's own, of which one is over on the last day, and tags run week by week."""
    if (home / "tags.toml").exists():
        return
    people = {"sales": home / "sales.parquet", "target": home / "people.parquet"}
    duckdb.sql(PEOPLE.format(known=5, day=WEEKS[0], **people))
    with (home / "holder.toml").open("a", encoding="utf-8") as config:
        config.write(PEOPLE_TOML)
    begin_tags(home)
    with (home / "tags.toml").open("a", encoding="utf-8") as tags:
        tags.write(TAGS)
    labels = Labels(contacts=ContactSettings(call=40, write=400))
    for day in LISTS:
        begin_group(TagSetting.read(home, day), "gone_quiet", labels)
    for week, day in enumerate(WEEKS):
        duckdb.sql(PEOPLE.format(known=5 + week, day=day, **people))
        run_tags(TagSetting.read(home, day))


def monthly(name: str, day: dt.date, **changes: object) -> Study:
    """A study of the shop as of a day."""
    return Study.model_validate(
        {
            "name": name,
            "as_of": day,
            "currency": "GBP",
            "time_zone": "Europe/London",
            "holders": tuple(HOLDERS),
            "budget": {"epsilon": "1", "max_holders_per_customer": 1, "size_class": 10_000},
            "cleaning": {
                "cancellation_prefix": "C",
                "returns": "net",
                "non_goods": ("POST", "DOT", "M", "D", "BANK CHARGES", "ADJUST", "CRUK", "AMAZONFEE"),
            },
        }
        | changes
    )


def last_run(workspace: Workspace, name: str) -> StudyResult:
    """The result of a study's last day."""
    recorded = workspace.coordinator.root / "results" / f"{name}-{DAYS[-1]}" / "result.json"
    return StudyResult.model_validate_json(recorded.read_bytes())


class Browser:
    """Chromium without a window, with a profile of its own."""

    def __init__(self, folder: Path) -> None:
        names = ("chromium", "chromium-browser", "google-chrome", "chrome")
        found = next(filter(None, map(shutil.which, names)), None)
        if found is None:
            raise SystemExit("no Chromium here; it takes the pictures")
        self._program = found
        self._folder = folder

    def _run(self, page: Path, *options: str, fragment: str = "") -> None:
        common = (
            "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--hide-scrollbars",
            "--disable-background-networking", "--disable-component-update", f"--user-data-dir={self._folder}/profile",
        )  # fmt: skip
        address = page.resolve().as_uri() + (f"#{fragment}" if fragment else "")
        subprocess.run([self._program, *common, *options, address], check=True, capture_output=True, timeout=120)

    def screen(self, page: Path, language: str, *, width: int, height: int = 9000) -> Image.Image:
        """A page's picture, without the empty rest below it."""
        frame = self._folder / "frame.html"  # a window is not made narrower than 500 pixels; a frame is
        source = f"{page.resolve().as_uri()}#{language}"
        style = f"width: {width}px; height: {height}px; border: 0"
        frame.write_text(f'<body style="margin: 0"><iframe src="{source}" style="{style}"></iframe>', encoding="utf-8")
        target = self._folder / "screen.png"
        self._run(frame, f"--screenshot={target}", f"--window-size={max(width, 500)},{height}")
        with Image.open(target) as opened:
            picture = opened.convert("RGB").crop((0, 0, width, height))
        box = ImageChops.difference(picture, Image.new("RGB", picture.size, "white")).getbbox()
        return picture.crop((0, 0, width, min(height, (box[3] if box else height) + 30)))

    def pages(self, page: Path, language: str) -> list[Image.Image]:
        """A page printed to A4, one picture a sheet, 80 dots an inch."""
        target = self._folder / "print.pdf"
        self._run(page, f"--print-to-pdf={target}", "--no-pdf-header-footer", fragment=language)
        stem = self._folder / "sheet"
        for old in self._folder.glob("sheet-*.png"):
            old.unlink()
        subprocess.run(["pdftoppm", "-r", "80", "-png", str(target), str(stem)], check=True, timeout=120)
        return [Image.open(path).convert("RGB") for path in sorted(self._folder.glob("sheet-*.png"))]


@contextmanager
def only(page: Path, part: Part) -> Iterator[Path]:
    """A copy of the page that shows some of its sections; the header only where the first section is among them."""
    chosen = ", ".join(f"section[aria-labelledby$='-{name}']" for name in part.sections)
    html = page.read_text(encoding="utf-8")
    first = html.partition('aria-labelledby="en-')[2].partition('"')[0]
    rules = [f"main > section:not({chosen}), section ~ .notice, footer, .contents {{ display: none }}"]
    if first not in part.sections:
        rules += ["header, .private, .notice, .switch { display: none !important }", "main > section { margin-top: 0 }"]
    if part.without_colour:
        rules.append("html { filter: grayscale(1) }")
    copy = page.with_name("part-of-" + page.name)
    copy.write_text(html.replace("</head>", f"<style>{' '.join(rules)}</style></head>", 1), encoding="utf-8")
    try:
        yield copy
    finally:
        copy.unlink()


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures side by side on grey."""
    height = max(picture.height for picture in pictures)
    sheet = Image.new("RGB", (sum(p.width for p in pictures) + GAP * (len(pictures) - 1), height), GREY)
    at = 0
    for picture in pictures:
        sheet.paste(picture, (at, 0))
        at += picture.width + GAP
    return sheet


def columns(picture: Image.Image, count: int, height: int) -> Image.Image:
    """The first ``count`` windows of a long page, side by side."""
    tops = range(0, min(picture.height, count * height), height)
    return beside([picture.crop((0, top, picture.width, min(top + height, picture.height))) for top in tops])


def save(picture: Image.Image, target: Path) -> None:
    """As PNG with a palette, which is a third of the size and looks the same."""
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(target, optimize=True)
    size = target.stat().st_size
    if size > LIMIT:
        raise SystemExit(f"{target} has {size:,} bytes, more than {LIMIT:,}")
    print(f"{target}  {picture.width} x {picture.height}  {size // 1024} KiB")


def take(browser: Browser, page: Path, parts: Sequence[Part], target: Path, *, whole: bool = True) -> None:
    """Parts of a page at a desk's width; and of a whole page how it is on a phone, and printed."""
    for part in parts:
        with only(page, part) as copy:
            picture = browser.screen(copy, part.language, width=DESK)
        margin = (DESK - 1100) // 2
        box = ImageChops.difference(picture, Image.new("RGB", picture.size, "white")).getbbox()
        right = DESK if box and box[2] > DESK - margin else DESK - margin  # a table that takes the margin's room
        save(picture.crop((margin, 0, right, min(picture.height, TALL))), target / f"{part.name}.png")
    kind = parts[0].name.partition("-")[0]
    for language in ("en", "zh") if whole else ():
        save(columns(browser.screen(page, language, width=PHONE), 4, 1150), target / f"{kind}-phone-{language}.png")
        save(beside(browser.pages(page, language)[:4]), target / f"{kind}-print-{language}.png")


def write_audit(workspace: Workspace, scratch: Path, target: Path) -> None:
    """The auditor's report from bundles of all members."""
    homes = [workspace.coordinator.root, *(workspace.holder(name).root for name in sorted(HOLDERS))]
    bundles = [scratch / f"{home.name}.bundle" for home in homes]
    for home, bundle in zip(homes, bundles, strict=True):
        export(home, bundle)
    today = dt.datetime.now(dt.UTC).date()
    page = render_audit([read_story(bundle) for bundle in bundles], verify(bundles), made=today)
    target.write_text(page, encoding="utf-8")


def main() -> None:
    """Run the federation, then take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("COHORTIUM_DATA", "data")))
    parser.add_argument("--workspace", type=Path, help="keep the federation here")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("pictures"))
    parser.add_argument("--only", choices=PAGES, action="append", help="pages; may be repeated")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        workspace = federation(options.workspace or scratch / "federation", (options.data / SALES).resolve())
        rfm, clusters, tables = (last_run(workspace, name) for name in (NAME, CLUSTERS, TABLES))
        study, own, groups, report, figures, audit, week = (scratch / f"{name}.html" for name in PAGES)
        study.write_text(render_report(rfm), encoding="utf-8")
        write_holder_report(workspace.holder(HOLDER), rfm.run, output=own)
        write_holder_report(workspace.holder(HOLDER), clusters.run, output=groups)
        report.write_text(render_report(tables), encoding="utf-8")
        write_holder_report(workspace.holder(HOLDER), tables.run, output=figures)
        write_audit(workspace, scratch, audit)
        work_through(workspace.holder(HOLDER).root)
        write_holder_report(workspace.holder(HOLDER), rfm.run, output=week)
        options.output.mkdir(exist_ok=True)
        browser = Browser(scratch)
        parts_of = (STUDY_PARTS, HOLDER_PARTS, GROUPS_PARTS, TABLES_PARTS, FIGURES_PARTS, AUDIT_PARTS, WEEK_PARTS)
        for page, parts in zip((study, own, groups, report, figures, audit, week), parts_of, strict=True):
            if not options.only or page.stem in options.only:
                take(browser, page, parts, options.output, whole=page is not week)


if __name__ == "__main__":
    main()
