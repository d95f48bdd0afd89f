"""Files appear whole or not at all."""

import os
import stat
import time
from pathlib import Path

import pytest

from instyle_core.errors import InputError, InstyleError
from instyle_core.files import (
    atomic_write,
    check_size,
    remove_leftovers,
    sha256_of,
    write_atomically,
)


def test_a_new_file_holds_the_data_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "run.json", b"\x00whole")
    assert (tmp_path / "run.json").read_bytes() == b"\x00whole"
    assert os.listdir(tmp_path) == ["run.json"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_bytes(b"much longer old content")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_name_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".csv")
    write_atomically(target, b"x")
    assert target.read_bytes() == b"x"


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real, link = tmp_path / "elsewhere" / "real.txt", tmp_path / "link.txt"
    real.write_bytes(b"old")
    link.symlink_to(real)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomically(pipe, b"through")
        assert os.read(reader, 100) == b"through"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_the_temporary_path_has_the_suffix_and_the_folder_of_the_target(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "w.safetensors") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".safetensors"
        temporary.write_bytes(b"w")
        assert not (tmp_path / "w.safetensors").exists()
    assert os.listdir(tmp_path) == ["w.safetensors"]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_block_leaves_the_old_file(
    tmp_path: Path, interruption: type[BaseException]
) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")

    def write_half() -> None:
        with atomic_write(target) as temporary:
            temporary.write_bytes(b"ne")
            raise interruption

    with pytest.raises(interruption):
        write_half()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_leaves_the_old_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.txt"
    target.write_bytes(b"old")
    honest = Path.write_bytes

    def half(self: Path, data: bytes) -> int:
        honest(self, data[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(InstyleError, match="No space left") as caught:
        write_atomically(target, b"new")
    assert caught.value.where == str(target)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("name", ["missing/a.txt", "file/a.txt", "folder"])
def test_an_impossible_place_is_an_error_for_people(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(InstyleError, match="could not be written") as caught:
        write_atomically(tmp_path / name, b"x")
    assert caught.value.hint
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        (".0123456789abcdef", True),
        (".0123456789abcdef.safetensors", True),
        ("net.pth.0123456789abcdef.part", True),
        (".0123456789abcde.pth", False),
        ("0123456789abcdef.pth", False),
        (".gitignore", False),
        ("photo.png", False),
    ],
)
def test_leftovers_are_removed_and_nothing_else(tmp_path: Path, name: str, goes: bool) -> None:
    (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == [name]  # a living process may be at work on it
    os.utime(tmp_path / name, (time.time() - 8 * 86400,) * 2)
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == ([] if goes else [name])


def test_leftovers_of_no_folder(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "missing")


def test_the_temporary_file_of_a_killed_process_is_a_leftover(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "w.safetensors") as temporary:
        temporary.touch()
        os.utime(temporary, (0, 0))
        remove_leftovers(tmp_path)
        assert not temporary.exists()
        temporary.touch()


def test_sha256_of(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == expected


@pytest.mark.parametrize(
    ("name", "size", "fits"),
    [
        ("a.jpg", (65500, 1), True),
        ("a.JPEG", (1, 65501), False),
        ("a.webp", (16383, 16383), True),
        ("a.webp", (16384, 1), False),
        ("a.png", (10**6, 10**6), True),
        ("a.tif", (10**6, 10**6), True),
    ],
)
def test_sizes_that_formats_hold(name: str, size: tuple[int, int], fits: bool) -> None:
    if fits:
        check_size(Path(name), size)
        return
    with pytest.raises(InputError, match="pixels a side") as caught:
        check_size(Path(name), size)
    assert caught.value.where == name


def test_a_power_cut_leaves_the_old_file_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is on the disk before it has its name, and the name before anything else."""
    calls: list[str] = []
    sync, replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def move(source: Path, target: Path) -> None:
        calls.append("name")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", move)
    write_atomically(tmp_path / "a.txt", b"new")
    assert calls == ["file", "name", "folder"]
