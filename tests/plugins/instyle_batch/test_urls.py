"""Listing what URLs name, and errors of all kinds in words."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.registry import _registry

from instyle_batch import urls
from instyle_batch.inputs import READABLE, jobs_of, photos
from instyle_core import InputError
from tests.core.helpers.object_store import refusing_store, use


def refusal(url: str) -> InputError:
    with pytest.raises(InputError) as caught:
        list(urls.listed(url, READABLE))
    assert caught.value.exit_status == 2
    return caught.value


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("s3://bucket/photos", True),
        ("S3://bucket", True),
        ("memory://x", True),
        ("https://host/x.png", True),
        ("photos/x.png", False),
        ("/photos", False),
        ("C://photos", False),
        ("x://y", False),
        ("://y", False),
        ("a b://y", False),
    ],
)
def test_an_url_has_a_protocol_of_more_than_a_letter(text: str, is_one: bool) -> None:
    assert urls.is_url(text) is is_one


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_photos_are_listed_with_names_relative_to_the_url(
    kind: str, memory: Any, tmp_path: Path
) -> None:
    top = "/in" if kind == "memory" else f"{tmp_path}/in"
    files = fsspec.filesystem(kind, auto_mkdir=True) if kind == "file" else memory
    for name in (
        "b.png",
        "A.JPG",
        "sub/deep er/ä%20#?.heic",
        "sub/a.png",
        "notes.txt",
        ".hidden.png",
        ".instyle-batch/pairs/b.png",
        "b.png.run/object-0/mask.png",
        "sub/.trash/x.png",
    ):
        files.pipe_file(f"{top}/{name}", b"x")
    url = f"{kind}://{top}"
    expected = ["A.JPG", "b.png", "sub/a.png", "sub/deep er/ä%20#?.heic"]
    for given in (url, f"{url}/"):
        found = list(photos([given]))
        assert [name for name, _ in found] == expected
        assert [photo for _, photo in found] == [f"{url}/{name}" for name in expected]
    assert list(photos([f"{url}/sub/a.png"])) == [("a.png", f"{url}/sub/a.png")]
    assert list(photos([f"{url}/notes.txt"])) == [("notes.txt", f"{url}/notes.txt")]


def test_a_key_cannot_lead_out_of_the_output(memory: Any) -> None:
    memory.store["/in/../../x.png"] = memory.store["/in/../y.png"] = None
    memory.pipe_file("/in/good.png", b"x")

    class Strange(type(memory)):  # type: ignore[misc]
        def ls(self, path: str, detail: bool = True, **more: Any) -> list[dict[str, Any]]:
            names = ["/in/..", "/in/.", "/in", "/in/good.png"]
            kinds = ["directory", "directory", "directory", "file"]
            return [{"name": n, "type": k} for n, k in zip(names, kinds, strict=True)]

    assert list(urls.names(Strange(), "/in", "")) == ["good.png"]


def test_a_folder_within_that_cannot_be_read_is_not_passed_over(
    memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.pipe_file("/in/a.png", b"x")
    memory.pipe_file("/in/sub/b.png", b"x")
    real = type(memory).ls

    def ls(self: Any, path: str, detail: bool = True, **more: Any) -> Any:
        if path.endswith("sub"):
            raise PermissionError("Access Denied")
        return real(self, path, detail=detail, **more)

    monkeypatch.setattr(type(memory), "ls", ls)
    assert "Access Denied" in refusal("memory://in").what


def test_what_is_not_there(memory: Any) -> None:
    error = refusal("memory://nothing")
    assert "not there" in error.what
    assert error.where == "memory://nothing"


def test_a_folder_without_photos(memory: Any) -> None:
    memory.pipe_file("/in/notes.txt", b"x")
    with pytest.raises(InputError, match="there is no photo"):
        jobs_of(photos(["memory://in"]), [])


def test_a_protocol_that_is_none_and_packages_that_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "foo" in refusal("foo://bucket/x").what
    monkeypatch.delitem(_registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    error = refusal("s3://bucket/x")
    assert error.hint == "pip install 'instyle[s3]'"
    monkeypatch.delitem(_registry, "gs", raising=False)
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    assert "gcsfs" in (refusal("gs://bucket/x").hint or "")


def test_a_password_is_neither_taken_nor_shown() -> None:
    error = refusal("sftp://me:secret@host/photos")
    assert "secret" not in str(error)
    assert error.where == "sftp://host/photos"


def test_urls_within_urls() -> None:
    assert "within" in refusal("zip://x.png::memory://a.zip").what


def test_no_permission_and_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing_store() as address:
        use(address, monkeypatch)
        error = refusal("s3://bucket/photos")
        assert "credentials" in (error.hint or "")
        use(address, monkeypatch, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
        assert "credentials" in refusal("s3://bucket/photos").what


def test_a_host_that_does_not_answer_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urls, "PATIENCE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        error = refusal("s3://bucket/photos")
    assert "no answer within 0.5 seconds" in error.what
    assert error.hint


def test_a_host_that_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    error = refusal(f"ftp://127.0.0.1:{port}/photos")
    assert "refused" in error.what


def test_where_a_path_or_an_url_leads_to(tmp_path: Path, memory: Any) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "in")
    for text, folder, inside in [
        (f"file://{tmp_path}/in/out", str(tmp_path / "in"), True),
        (str(tmp_path / "in/out"), f"file://{tmp_path}/in/", True),
        (f"file://{tmp_path}/link/out", str(tmp_path / "in"), True),
        (f"file://{tmp_path}/input", f"file://{tmp_path}/in", False),
        ("memory://in", "memory://in", True),
        ("memory://in/out", "memory:///in/", True),
        ("memory://input", "memory://in", False),
        ("memory://in/out", str(tmp_path), False),
        ("/in/out", "memory://in", False),
        ("/in/out", "/", True),
    ]:
        assert urls.is_inside(text, folder) is inside, (text, folder)


def test_files_that_grow_are_hidden_until_they_are_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = fsspec.filesystem("file")
    source = tmp_path / "new.png"
    source.write_bytes(b"new")
    target = tmp_path / "out" / "x.png"
    urls.put(files, {str(target): source})
    assert target.read_bytes() == b"new"
    seen: list[list[str]] = []

    def broken(self: Any, lpath: str, rpath: str, **more: Any) -> None:
        Path(rpath).write_bytes(b"n")
        seen.append(sorted(path.name for path in target.parent.iterdir()))
        raise OSError("the line went dead")

    monkeypatch.setattr(type(files), "put_file", broken)
    with pytest.raises(OSError, match="dead"):
        urls.put(files, {str(target): source})
    assert [name.startswith(".") for name in seen[0]] == [True, False]
    assert [path.name for path in target.parent.iterdir()] == ["x.png"]
    assert target.read_bytes() == b"new"


def test_the_first_answer_may_be_an_error() -> None:
    assert urls.first_answer(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        urls.first_answer(lambda: 1 // 0)
