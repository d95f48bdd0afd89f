"""Photos from standard input and pictures to standard output, with real pipes."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from instyle_core.cli.piped import _block
from tests.core.helpers.commands import Command, assert_error, shell, start
from tests.core.helpers.forks import fork
from tests.core.helpers.segments import STENCIL
from tests.core.helpers.studio import BOX, Studio, listing, noise, read, rectangle, save
from tests.core.helpers.terminal import terminal

SEGMENT = f"--use '{STENCIL}'"

#: The bytes of the studio's photo.
PHOTO = cv2.imencode(".png", noise()[..., ::-1])[1].tobytes()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of child processes too."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def tidy(err: str, temporary: Path) -> None:
    """No temporary file is left, and no error that is a mistake of the program."""
    assert list(temporary.iterdir()) == []
    assert "Traceback" not in err
    assert "should not happen" not in err


Pipe = Callable[..., tuple[int, bytes, str]]


@pytest.fixture
def piped(studio: Studio, temporary: Path) -> Pipe:
    """Run a command in the studio; what is given comes by a pipe."""

    def run(line: str, given: bytes = b"", out: int | None = None) -> tuple[int, bytes, str]:
        reading, writing = os.pipe()
        with open(writing, "wb") as pipe:
            pipe.write(given)  # less than a pipe holds
        with TemporaryFile(dir=studio.folder.parent) as printed:
            out = os.dup(printed.fileno()) if out is None else out
            process = fork(*shlex.split(line), folder=studio.folder, input=reading, out=out)
            _, err = process.communicate()
            printed.seek(0)
            found = printed.read()
        assert process.returncode is not None
        tidy(err, temporary)
        return process.returncode, found, err

    return run


# --- a run ----------------------------------------------------------------------------------------


def jpeg(path: Path) -> None:
    """With a profile, and lying on its side."""
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "somebody"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Image.fromarray(noise().swapaxes(0, 1))
    picture.save(path, "JPEG", exif=exif, icc_profile=profile, quality=95)


def deep(path: Path) -> None:
    """16 bits, and transparent in part."""
    alpha = np.full((44, 60, 1), 65535, np.uint16)
    alpha[:9] = 1000
    data = save(path.with_suffix(".png"), np.dstack([noise(depth=16), alpha])).read_bytes()
    path.write_bytes(data)


@pytest.mark.parametrize("photo", [jpeg, deep])
def test_a_pipe_is_as_good_as_files(
    studio: Studio, piped: Pipe, instyle: Command, photo: Callable[[Path], None]
) -> None:
    photo(studio.folder / "photo")
    spec = studio.spec(content="photo")
    assert instyle("pipeline", "run", spec).status == 0
    before = listing(studio.folder)
    line = "pipeline run spec.yaml --set content=- --output -"
    status, out, err = piped(line, (studio.folder / "photo").read_bytes())
    assert (status, out) == (0, (studio.folder / "out.png").read_bytes())
    assert err.splitlines()[-1].startswith("finished after ")
    assert listing(studio.folder) == before  # nothing else is kept


def test_only_one_of_the_two(studio: Studio, piped: Pipe, instyle: Command) -> None:
    instyle("pipeline", "run", studio.spec())
    expected = (studio.folder / "out.png").read_bytes()
    studio.spec(output="-")
    assert piped("pipeline run spec.yaml -q") == (0, expected, "")
    studio.spec(content="-")
    status, out, _ = piped("pipeline run spec.yaml --output b.png", PHOTO)
    assert (status, out.decode()) == (0, f"{studio.folder / 'b.png'}\n")
    assert (studio.folder / "b.png.run" / "run.json").is_file()
    assert (studio.folder / "b.png").read_bytes() == expected


def test_a_preview(studio: Studio, piped: Pipe, instyle: Command) -> None:
    instyle("pipeline", "run", studio.spec(), "--preview")
    expected = (studio.folder / "out-preview.png").read_bytes()
    assert piped("pipeline run spec.yaml --preview --set output=-")[:2] == (0, expected)


@pytest.mark.parametrize(("kind", "status"), [("interrupt", 130), ("nan", 1)])
def test_the_best_so_far_is_handed_on(
    studio: Studio, piped: Pipe, instyle: Command, kind: str, status: int
) -> None:
    spec = studio.spec(losses=[{"use": "tint"}, {"use": "fault", "kind": kind, "at": 3}])
    assert instyle("pipeline", "run", spec).status == status
    found, out, err = piped("pipeline run spec.yaml --output -")
    assert (found, out) == (status, (studio.folder / "out.png").read_bytes())
    assert "the best so far is in standard output" in err


def test_what_else_is_printed_goes_to_standard_error(
    studio: Studio, temporary: Path, instyle: Command
) -> None:
    """By Python, to the descriptor, and by a library in C, which keeps it to the end."""
    instyle("pipeline", "run", studio.spec())
    code = """
import ctypes, os
from instyle_core.cli import main
from instyle_toy.parts import Tint
prepare = Tint.prepare
def talk(*arguments):
    print("by Python")
    os.write(1, b"to the descriptor ")
    ctypes.CDLL(None).printf(b"by a library ")
    return prepare(*arguments)
Tint.prepare = talk
main()
"""
    options = "-q --set content=- --output -"
    line = f"cat photo.png | instyle pipeline run spec.yaml {options} > piped.png"
    status, _, err = shell(line, studio.folder, code)
    assert status == 0
    assert (studio.folder / "piped.png").read_bytes() == (studio.folder / "out.png").read_bytes()
    for words in ("by Python", "to the descriptor", "by a library"):
        assert words in err


def test_a_reader_that_goes_away_is_told_nothing(studio: Studio, piped: Pipe) -> None:
    studio.spec()
    for line in ("pipeline run spec.yaml -q --output -", f"segment photo.png {SEGMENT} -o -"):
        reading, writing = os.pipe()
        os.close(reading)
        status, _, err = piped(line, out=writing)
        assert status == 1
        assert "error" not in err
        assert err == "" or "segment" in line  # which prints its table there


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_picture_that_cannot_be_written_is_not_lost(
    studio: Studio, temporary: Path, instyle: Command
) -> None:
    instyle("pipeline", "run", studio.spec())
    options = ("-q", "--set", "content=-", "--output", "-")
    process = fork(
        *("pipeline", "run", "spec.yaml", *options),
        folder=studio.folder,
        input=os.open(studio.folder / "photo.png", os.O_RDONLY),
        out=os.open("/dev/full", os.O_WRONLY),
    )
    _, err = process.communicate()
    assert process.returncode == 1
    (folder,) = temporary.iterdir()
    kept = folder / "standard output.png"
    assert "No space left on device" in err
    assert f"nothing is lost: it is {kept}" in err
    assert kept.read_bytes() == (studio.folder / "out.png").read_bytes()
    assert not (folder / "standard input").exists()


# --- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_the_photo_is_waited_for(
    studio: Studio, temporary: Path, number: signal.Signals
) -> None:
    spec = studio.spec()
    read_end, write_end = os.pipe()
    options = ("--set", "content=-", "--output", "-")
    process = start("pipeline", "run", spec, *options, folder=studio.folder, stdin=read_end)
    os.write(write_end, bytes(60_000))  # more than is kept in memory
    ends = time.monotonic() + 120
    while not any(path.stat().st_size for path in temporary.glob("*/standard input")):
        assert time.monotonic() < ends
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    os.close(write_end)
    os.close(read_end)
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "interrupted; nothing was written"
    assert list(temporary.iterdir()) == []


def test_a_signal_while_it_paints(studio: Studio, temporary: Path) -> None:
    studio.spec(optimizer={"use": "adam", "steps": 100_000, "scales": 1})
    out = os.open(studio.folder / "piped.png", os.O_WRONLY | os.O_CREAT)
    process = fork("pipeline", "run", "spec.yaml", "--output", "-", folder=studio.folder, out=out)
    for line in process.stderr:
        if line.startswith("painting: "):
            process.send_signal(signal.SIGTERM)
            break
    _, err = process.communicate()
    assert process.returncode == 130
    assert "a run with standard input or output cannot be resumed" in err
    painted, outside = read(studio.folder / "piped.png"), rectangle(BOX) == 0
    np.testing.assert_array_equal(painted[outside], studio.photo[outside])
    assert (painted != studio.photo).any()
    assert list(temporary.iterdir()) == []


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "given", "words"),
    [
        ("pipeline run spec.yaml --set content=-", b"", "standard input is empty"),
        ("pipeline run spec.yaml --set content=-", b"cat\n", "not a picture"),
        ("pipeline run spec.yaml --set content=-", PHOTO[:900], "damaged"),
        (
            "pipeline run spec.yaml --set content=- --set max_megapixels=0.001",
            PHOTO,
            "the limit is 0.001",
        ),
        ("pipeline run spec.yaml --output - --set size=1", PHOTO, "size"),
        (f"segment - {SEGMENT}", b"", "standard input is empty"),
    ],
)
def test_what_cannot_be_piped(
    studio: Studio, piped: Pipe, line: str, given: bytes, words: str
) -> None:
    studio.spec()
    before = listing(studio.folder)
    refused(*piped(line, given), words)
    assert listing(studio.folder) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("<&- instyle pipeline run spec.yaml --set content=-", "standard input is closed"),
        ("instyle pipeline run spec.yaml --output - >&-", "standard output is closed"),
        (
            "head -c 70000000 /dev/zero | instyle pipeline validate spec.yaml --set content=- "
            "--set max_megapixels=0.001",
            "more than 67.12 megabytes",
        ),
    ],
)
def test_what_only_a_shell_does_with_streams(
    studio: Studio, temporary: Path, line: str, words: str
) -> None:
    studio.spec()
    before = listing(studio.folder)
    status, out, err = shell(line, studio.folder)
    tidy(err, temporary)
    refused(status, out.encode(), err, words)
    assert listing(studio.folder) == before


def refused(status: int, out: bytes, err: str, words: str) -> None:
    assert (status, out) == (2, b"")
    assert err.startswith("error: ")
    assert words in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "-"], "standard output is a terminal"),
        (["--set", "content=-"], "standard input is a terminal"),
    ],
)
def test_a_terminal_is_no_picture(
    studio: Studio, temporary: Path, options: list[str], words: str
) -> None:
    code = "from instyle_core.cli import main; main()"
    status, drawn = terminal(code, 200, "pipeline", "run", str(studio.spec()), *options)
    assert status == 2
    assert words in drawn
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--output", "-", "--json"], ["--json: ", "both go to standard output"]),
        (["--output", "-", "--resume"], ["--resume: ", "nothing to go on from"]),
        (["--set", "style=-"], ["--set style=-: style: '-' is standard input only"]),
        (["--set", "segmenter.path=-"], ["segmenter.path: '-' is standard input only"]),
    ],
)
def test_what_does_not_go_together(
    instyle: Command, studio: Studio, temporary: Path, options: list[str], words: list[str]
) -> None:
    assert_error(instyle("pipeline", "run", studio.spec(), *options), 2, *words, hint=False)
    assert list(temporary.iterdir()) == []


def test_a_file_may_have_the_name(instyle: Command, studio: Studio) -> None:
    (studio.folder / "photo.png").rename(studio.folder / "-")
    assert instyle("pipeline", "run", studio.spec(content="./-")).status == 0


def test_a_stream_that_does_not_block_is_waited_for() -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)

    def write() -> None:
        time.sleep(0.05)
        os.write(write_end, b"photo")
        time.sleep(0.05)
        os.close(write_end)

    thread = threading.Thread(target=write)
    thread.start()
    with io.FileIO(read_end) as stream:
        assert [_block(stream), _block(stream)] == [b"photo", b""]
    thread.join()


# --- the other commands ---------------------------------------------------------------------------


def test_validate(studio: Studio, piped: Pipe) -> None:
    studio.spec(output="-")
    expected = b"spec.yaml: fine (1 object of standard input)\n"
    assert piped("pipeline validate spec.yaml --set content=-", PHOTO) == (0, expected, "")


@pytest.mark.parametrize("option", ["-o", "--mask", "--cutout"])
def test_segment(studio: Studio, piped: Pipe, instyle: Command, option: str) -> None:
    use = ("--use", STENCIL)
    done = instyle("segment", "photo.png", *use, option, "file.png")
    table, name = done.out.splitlines()[:-1], done.out.splitlines()[-1]
    assert (done.status, name) == (0, "file.png")
    status, out, err = piped(f"segment - {SEGMENT} {option} -", PHOTO)
    assert (status, out) == (0, (studio.folder / "file.png").read_bytes())
    assert err.splitlines() == table


def test_segment_of_a_pipe_writes_only_what_it_is_told(studio: Studio, piped: Pipe) -> None:
    before = listing(studio.folder)
    status, out, err = piped(f"segment - {SEGMENT} --json", PHOTO)
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert document.keys() == {"objects"}
    assert document["objects"][0]["box"] == list(BOX)
    assert listing(studio.folder) == before


def test_segment_has_one_standard_output(instyle: Command, studio: Studio, temporary: Path) -> None:
    use = ("--use", STENCIL)
    done = instyle("segment", "photo.png", *use, "-o", "-", "--mask", "-")
    assert_error(done, 2, "two pictures would both go to standard output")
    done = instyle("segment", "photo.png", *use, "--cutout", "-", "--json")
    assert_error(done, 2, "--json: ", "both go to standard output")
    assert list(temporary.iterdir()) == []


def test_rank(studio: Studio, piped: Pipe, instyle: Command) -> None:
    (studio.folder / "styles").mkdir()
    for seed in range(3):
        save(studio.folder / "styles" / f"{seed}.png", noise(seed=seed) // (seed + 1))
    options = ["styles", "--use", "near", "--segmenter", STENCIL, "--json"]
    expected = instyle("style", "rank", "photo.png", *options).out
    status, out, err = piped(f"style rank - {shlex.join(options)}", PHOTO)
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads(expected)
