"""The pages of the site deployed by default, as files."""

import re
import runpy
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

import html5lib
import pytest

PROJECT = Path(__file__).resolve().parents[2]
SITE = PROJECT / "site"
PAGES = sorted(SITE.glob("*.html"))
ASSETS = sorted((SITE / "assets").iterdir())
CSS = next((SITE / "assets").glob("style.*.css")).read_text()
# By its path: the folder has the name of a module of the standard library.
FINGERPRINT = runpy.run_path(str(SITE / "fingerprint.py"))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def parse(page: Path) -> Element:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    document: Element = parser.parse(page.read_text(encoding="utf-8"))
    return document


def tag(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def text(element: Element | None) -> str:
    return " ".join("".join(element.itertext()).split()) if element is not None else ""


def address(page: Path) -> str:
    return "/" if page.stem == "index" else f"/{page.stem}"


def file_at(url: str) -> Path:
    path = SITE / url.removeprefix("/")
    return path if path.suffix else SITE / f"{url.strip('/') or 'index'}.html"


def classes() -> set[str]:
    return {name for page in PAGES for element in parse(page).iter() for name in element.get("class", "").split()}


@each_page
def test_page_says_what_it_is(page: Path) -> None:
    document = parse(page)
    meta = {element.get("name"): element.get("content", "") for element in document.iter("meta")}
    assert document.get("lang") == "en"
    assert "inspiration" in text(document.find("head/title"))
    assert 20 <= len(meta["description"]) <= 160
    assert meta["viewport"] == "width=device-width, initial-scale=1"
    assert document.find("head/meta[@charset='utf-8']") is not None


def test_titles_and_descriptions_are_unique() -> None:
    documents = [parse(page) for page in PAGES]
    titles = [text(document.find("head/title")) for document in documents]
    descriptions = [document.find("head/meta[@name='description']") for document in documents]
    assert len(set(titles)) == len(PAGES)
    assert len({element.get("content") for element in descriptions if element is not None}) == len(PAGES)


@each_page
def test_headings_have_no_gap(page: Path) -> None:
    levels = [int(tag(element)[1]) for element in parse(page).iter() if re.fullmatch("h[1-6]", tag(element))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@each_page
def test_ids_are_unique_and_references_resolve(page: Path) -> None:
    document = parse(page)
    ids = Counter(element.get("id") for element in document.iter() if element.get("id"))
    assert set(ids.values()) <= {1}
    for element in document.iter():
        url = element.get("href") or element.get("src")
        if url is not None:
            path, _, fragment = url.partition("#")
            assert url.startswith(("/", "#")), f"{url}: not within the site"
            assert not url.startswith("//"), f"{url}: another origin"
            assert not path or file_at(path).is_file(), f"{url}: leads nowhere"
            assert not path or not fragment, f"{url}: test the fragments of other pages, too, once there are any"
            assert not fragment or fragment in ids, f"{url}: no such id"
        for reference in element.get("aria-labelledby", "").split():
            assert reference in ids


@each_page
def test_page_needs_no_script_and_no_inline_style(page: Path) -> None:
    for element in parse(page).iter():
        assert tag(element) not in {"script", "style", "iframe", "form", "object", "embed", "base"}
        assert not [name for name in element.attrib if name == "style" or name.startswith("on") or name == "srcset"]


@each_page
def test_pictures_are_described_or_decoration(page: Path) -> None:
    for element in parse(page).iter():
        if tag(element) == "svg":
            titled = any(tag(child) == "title" and text(child) for child in element)
            assert element.get("aria-hidden") == "true" or (element.get("role") == "img" and titled)
        assert tag(element) != "img" or element.get("alt") is not None


def test_all_pages_share_navigation_and_each_marks_itself() -> None:
    menus = {}
    for page in PAGES:
        menu = parse(page).find(".//nav")
        assert menu is not None
        links = list(menu.iter("a"))
        menus[page] = [(link.get("href"), text(link)) for link in links]
        marked = [link.get("href") for link in links if link.get("aria-current") == "page"]
        assert marked == ([] if page.stem == "404" else [address(page)])
    assert len({tuple(menu) for menu in menus.values()}) == 1
    linked = {url for url, _ in menus[PAGES[0]]}
    assert linked == {address(page) for page in PAGES if page.stem != "404"}


def test_style_sheet_and_pages_have_the_same_classes() -> None:
    selectors = re.sub(r"/\*.*?\*/|\{[^{}]*\}", " ", CSS, flags=re.DOTALL)
    styled = set(re.findall(r"\.([a-z][\w-]*)", selectors))
    assert styled - classes() == set(), "styled, but in no page"
    assert classes() - styled == set(), "in a page, but not styled"


def test_style_sheet_loads_nothing_and_defines_what_it_uses() -> None:
    assert "@import" not in CSS
    assert "url(" not in CSS
    assert set(re.findall(r"var\((--[\w-]+)\)", CSS)) == set(re.findall(r"^\s*(--[\w-]+):", CSS, flags=re.MULTILINE))


def colours(scheme: str) -> dict[str, str]:
    """The custom properties that hold colours: the light ones, overlaid with the scheme's."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, flags=re.DOTALL)
    chosen = {"light": blocks[:1], "dark": blocks[:2], "print": [blocks[0], blocks[2]]}[scheme]
    return {name: value for block in chosen for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)}


def luminance(colour: str) -> float:
    """Relative luminance, 0 to 1. Source: WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
@pytest.mark.parametrize(
    ("front", "back", "least"),
    [
        *((front, back, 4.5) for front in ("ink", "muted") for back in ("sheet", "code", "slab-t")),
        ("link", "sheet", 4.5),
        ("sheet", "line", 4.5),
        ("sheet", "ink", 4.5),
        ("on-accent", "accent", 4.5),
        ("accent", "sheet", 3),
        ("line", "sheet", 3),
    ],
)
def test_contrast_reaches_wcag_aa(scheme: str, front: str, back: str, least: float) -> None:
    palette = colours(scheme)
    bright, dim = sorted((luminance(palette[front]), luminance(palette[back])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= least


@pytest.mark.parametrize("asset", ASSETS, ids=lambda asset: asset.name)
def test_asset_is_named_by_its_content_and_used(asset: Path) -> None:
    assert asset.name == FINGERPRINT["fingerprinted"](asset), "run: python site/fingerprint.py"
    assert any(f"/assets/{asset.name}" in page.read_text() for page in PAGES)


@pytest.mark.parametrize("asset", [asset for asset in ASSETS if asset.suffix == ".svg"], ids=lambda asset: asset.name)
def test_picture_is_well_formed_and_free_of_scripts_and_styles(asset: Path) -> None:
    try:
        picture = fromstring(asset.read_text())
    except ParseError as error:
        pytest.fail(f"{asset}: {error}")
    assert {tag(element) for element in picture.iter()}.isdisjoint({"script", "style", "image", "foreignObject"})


@pytest.fixture
def public(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "style.0000000000.css").write_text('a { background: url("/assets/dot.svg") }\n')
    (tmp_path / "assets" / "dot.svg").write_text("<svg/>\n")
    (tmp_path / "index.html").write_text('<link href="/assets/style.0000000000.css"><img src="/assets/dot.svg">\n')
    return tmp_path


def test_fingerprint_renames_assets_and_corrects_references(public: Path) -> None:
    run: Any = FINGERPRINT["fingerprint"]
    renamed = run(public)
    names = sorted(path.name for path in (public / "assets").iterdir())
    assert [re.sub(r"\.[0-9a-f]{10}\.", ".HASH.", name) for name in names] == ["dot.HASH.svg", "style.HASH.css"]
    assert {after for _, after in renamed} >= set(names)
    page = (public / "index.html").read_text()
    assert all(f"/assets/{name}" in page for name in names)
    assert names[0] in (public / "assets" / names[1]).read_text()
    assert run(public) == []


def test_fingerprint_refuses_a_circle(public: Path) -> None:
    (public / "assets" / "dot.svg").write_text('<svg href="/assets/style.0000000000.css"/>')
    with pytest.raises(ValueError, match="files refer to each other in a circle, so none can be named by its content"):
        FINGERPRINT["fingerprint"](public)


def test_fingerprint_refuses_two_of_the_same(public: Path) -> None:
    (public / "assets" / "dot.0000000000.svg").write_text("<svg/>\n")
    with pytest.raises(ValueError, match=r"has the same content as dot\.[0-9a-f]{10}\.svg; delete one of them"):
        FINGERPRINT["fingerprint"](public)


def test_dockerfile_of_pages_runs_as_nobody() -> None:
    text = (PROJECT / "components" / "site" / "pages" / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :].split("\n")
    assert last[1] == "FROM nginx:1.31.3-alpine-slim"
    assert "RUN" not in {line.split(" ")[0] for line in last}
    assert {"USER 65532:65532", "EXPOSE 8080"} <= set(last)
