"""A reader of the site sees one whole build, whatever happens to the process that publishes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from metrics_assets.errors import MetricsError
from metrics_assets.reporting import site
from metrics_assets.reporting.site import publish


def builds(root: Path) -> list[str]:
    return sorted(build.name for build in (root / "builds").iterdir())


def test_pages_are_served_through_the_link(tmp_path: Path) -> None:
    build = publish({"index.html": "<p>é</p>", "data/a.csv": b"a\r\n"}, tmp_path)
    index = build.index
    assert (build.files, build.pages, build.bytes, build.largest, build.largest_bytes) == (2, 1, 12, "index.html", 9)
    assert index == tmp_path / "current" / "index.html"
    assert index.read_text(encoding="utf-8") == "<p>é</p>"
    assert (tmp_path / "current/data/a.csv").read_bytes() == b"a\r\n"
    link = tmp_path / "current"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()


def test_the_same_content_keeps_its_build(tmp_path: Path) -> None:
    first = publish({"index.html": "one", "b.html": "2"}, tmp_path).index.resolve()
    before = first.stat()
    second = publish({"b.html": "2", "index.html": "one"}, tmp_path).index.resolve()
    assert (second, second.stat().st_ino, second.stat().st_mtime_ns) == (
        first,
        before.st_ino,
        before.st_mtime_ns,
    )
    assert len(builds(tmp_path)) == 1
    assert len(builds(tmp_path)[0]) == 16


def test_three_builds_are_kept_the_newest_published(tmp_path: Path) -> None:
    names = [publish({"index.html": text}, tmp_path).index.resolve().parent.name for text in "abcd"]
    assert builds(tmp_path) == sorted(names[1:])
    publish({"index.html": "b"}, tmp_path)  # published again, so no longer the oldest
    last = publish({"index.html": "e"}, tmp_path).index.resolve().parent.name
    assert builds(tmp_path) == sorted([names[1], names[3], last])


@pytest.mark.parametrize("step", ["_write", "_keep", "_switch", "_prune"])
def test_a_publisher_killed_at_any_step_leaves_a_whole_site(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in "abc":
        publish({"index.html": text, "page.html": text}, tmp_path)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(site, step, dies)
        with pytest.raises(KeyboardInterrupt):
            publish({"index.html": "d", "page.html": "d"}, tmp_path)
    served = {(tmp_path / "current" / name).read_text() for name in ("index.html", "page.html")}
    assert served == ({"d"} if step == "_prune" else {"c"})

    assert publish({"index.html": "d", "page.html": "d"}, tmp_path).index.read_text() == "d"
    assert len(builds(tmp_path)) == 3


def test_what_a_killed_publisher_half_wrote_is_neither_served_nor_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish({"index.html": "old"}, tmp_path)
    written: list[Path] = []
    write_bytes = Path.write_bytes

    def dies_at_the_second(path: Path, data: bytes) -> int:
        if written:
            raise KeyboardInterrupt
        written.append(path)
        return write_bytes(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", dies_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            publish({"a.html": "new", "index.html": "new"}, tmp_path)
    assert written[0].exists()
    assert (tmp_path / "current/index.html").read_text() == "old"

    publish({"a.html": "new", "index.html": "new"}, tmp_path)
    assert not written[0].exists()
    assert (tmp_path / "current/index.html").read_text() == "new"


@pytest.mark.parametrize("path", ["../out.html", "/etc/page.html", "", "a/../../b"])
def test_a_page_cannot_leave_the_site(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a path inside the site"):
        publish({"index.html": "", path: ""}, tmp_path)


def test_a_site_needs_an_index_and_a_link_that_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"needs an index\.html"):
        publish({"a.html": ""}, tmp_path)
    (tmp_path / "current").mkdir()
    with pytest.raises(ValueError, match="not a symbolic link made by this program"):
        publish({"index.html": ""}, tmp_path)


def test_a_page_that_cannot_be_made_leaves_the_site_as_it_was(tmp_path: Path) -> None:
    def files() -> Iterator[tuple[str, str]]:
        yield "index.html", "new"
        raise LookupError("the warehouse is gone")

    publish({"index.html": "old"}, tmp_path)
    with pytest.raises(LookupError):
        publish(files(), tmp_path)
    assert (tmp_path / "current/index.html").read_text() == "old"
    assert len(builds(tmp_path)) == 1  # nothing half is left


def test_files_are_written_as_they_come(tmp_path: Path) -> None:
    """A site of a thousand repositories does not fit into memory."""

    def files() -> Iterator[tuple[str, str]]:
        yield "index.html", "1"
        assert [path.read_text() for path in (tmp_path / "builds").rglob("index.html")] == ["1"]
        yield "second.html", "2"

    assert publish(files(), tmp_path).files == 2


def test_two_pages_cannot_have_one_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Two files of the site have the path 'a\.html'"):
        publish([("index.html", ""), ("a.html", "1"), ("./a.html", "2")], tmp_path)


def test_the_order_of_the_files_does_not_matter_but_their_names_do(tmp_path: Path) -> None:
    first = publish([("index.html", "1"), ("ab", "c")], tmp_path).digest
    assert publish([("ab", "c"), ("index.html", "1")], tmp_path).digest == first
    assert publish([("a", "bc"), ("index.html", "1")], tmp_path).digest != first


def test_what_others_keep_in_the_folder_stays(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("theirs")
    foreign = [f"builds/{name}" for name in ("1", "2", "3", "4", ".old-photos", ".new-year", "notes.txt")]
    for name in foreign:
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "own.txt").write_text("theirs")
    for text in "abcd":
        publish({"index.html": text}, tmp_path)
    assert (tmp_path / ".lock").read_text() == "theirs"
    assert all((tmp_path / name / "own.txt").read_text() == "theirs" for name in foreign)
    assert len(builds(tmp_path)) == len(foreign) + 3


def test_a_link_of_another_program_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "releases/42").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/42")
    with pytest.raises(MetricsError, match="not a symbolic link made by this program; name a folder for the site"):
        publish({"index.html": "ours"}, tmp_path)
    assert (tmp_path / "current").readlink() == Path("releases/42")
    assert builds(tmp_path) == []
