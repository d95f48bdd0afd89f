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

import numpy as np
import pytest
from PIL import Image, ImageCms

from instyle_core.cli.piped import _block
from tests.core.helpers.commands import Command, assert_error, shell, start
from tests.core.helpers.segments import STENCIL
from tests.core.helpers.studio import BOX, Studio, listing, noise, read, rectangle, save
from tests.core.helpers.terminal import terminal

SEGMENT = f"--use '{STENCIL}'"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of child processes too."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def piped(studio: Studio, temporary: Path) -> Callable[[str], tuple[int, str, str]]:
    """Run a line of bash in the studio; no temporary file is left."""

    def run(line: str) -> tuple[int, str, str]:
        done = shell(line, studio.folder)
        assert list(temporary.iterdir()) == []
        assert "Traceback" not in done[2]
        assert "should not happen" not in done[2]
        return done

    return run


Pipe = Callable[[str], tuple[int, str, str]]


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
    line = "cat photo | instyle pipeline run spec.yaml --set content=- --output - > piped.png"
    status, out, err = piped(line)
    assert (status, out) == (0, "")
    assert err.splitlines()[-1].startswith("finished after ")
    after = listing(studio.folder)
    assert after.pop("piped.png") == before["out.png"]
    assert after == before  # nothing else is kept


def test_only_one_of_the_two(studio: Studio, piped: Pipe, instyle: Command) -> None:
    instyle("pipeline", "run", studio.spec())
    expected = (studio.folder / "out.png").read_bytes()
    studio.spec(output="-")
    assert piped("instyle pipeline run spec.yaml -q > a.png") == (0, "", "")
    studio.spec(content="-")
    status, out, _ = piped("instyle pipeline run spec.yaml --output b.png < photo.png")
    assert (status, out) == (0, f"{studio.folder / 'b.png'}\n")
    assert (studio.folder / "b.png.run" / "run.json").is_file()
    for name in ("a.png", "b.png"):
        assert (studio.folder / name).read_bytes() == expected


def test_a_preview(studio: Studio, piped: Pipe, instyle: Command) -> None:
    instyle("pipeline", "run", studio.spec(), "--preview")
    line = "instyle pipeline run spec.yaml --preview --set output=- > piped.png"
    assert piped(line)[:2] == (0, "")
    expected = (studio.folder / "out-preview.png").read_bytes()
    assert (studio.folder / "piped.png").read_bytes() == expected


@pytest.mark.parametrize(("kind", "status"), [("interrupt", 130), ("nan", 1)])
def test_the_best_so_far_is_handed_on(
    studio: Studio, piped: Pipe, instyle: Command, kind: str, status: int
) -> None:
    spec = studio.spec(losses=[{"use": "tint"}, {"use": "fault", "kind": kind, "at": 3}])
    assert instyle("pipeline", "run", spec).status == status
    found, out, err = piped("instyle pipeline run spec.yaml --output - > piped.png")
    assert (found, out) == (status, "")
    assert (studio.folder / "piped.png").read_bytes() == (studio.folder / "out.png").read_bytes()
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
    line = "instyle pipeline run spec.yaml -q --output - > piped.png"
    status, _, err = shell(line, studio.folder, code)
    assert status == 0
    assert (studio.folder / "piped.png").read_bytes() == (studio.folder / "out.png").read_bytes()
    for words in ("by Python", "to the descriptor", "by a library"):
        assert words in err


def test_a_reader_that_goes_away_is_told_nothing(studio: Studio, piped: Pipe) -> None:
    studio.spec()
    assert piped("instyle pipeline run spec.yaml -q --output - | head -c0") == (1, "", "")
    assert piped(f"instyle segment photo.png {SEGMENT} -o - | head -c0")[:2] == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_picture_that_cannot_be_written_is_not_lost(
    studio: Studio, temporary: Path, instyle: Command
) -> None:
    instyle("pipeline", "run", studio.spec())
    line = "instyle pipeline run spec.yaml -q --set content=- --output - < photo.png > /dev/full"
    status, _, err = shell(line, studio.folder)
    assert status == 1
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
    with (studio.folder / "piped.png").open("wb") as file:
        process = start(
            *("pipeline", "run", "spec.yaml", "--output", "-"), folder=studio.folder, stdout=file
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("painting: "):
                process.send_signal(signal.SIGTERM)
                break
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "a run with standard input or output cannot be resumed" in err
    painted, outside = read(studio.folder / "piped.png"), rectangle(BOX) == 0
    np.testing.assert_array_equal(painted[outside], studio.photo[outside])
    assert (painted != studio.photo).any()
    assert list(temporary.iterdir()) == []


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("<&- instyle pipeline run spec.yaml --set content=-", "standard input is closed"),
        ("instyle pipeline run spec.yaml --set content=- </dev/null", "standard input is empty"),
        ("echo cat | instyle pipeline run spec.yaml --set content=-", "not a picture"),
        ("head -c 900 photo.png | instyle pipeline run spec.yaml --set content=-", "damaged"),
        (
            "instyle pipeline run spec.yaml --set content=- --set max_megapixels=0.001 < photo.png",
            "the limit is 0.001",
        ),
        (
            "head -c 70000000 /dev/zero | instyle pipeline validate spec.yaml --set content=- "
            "--set max_megapixels=0.001",
            "more than 67.12 megabytes",
        ),
        ("instyle pipeline run spec.yaml --output - >&-", "standard output is closed"),
        ("instyle pipeline run spec.yaml --output - --set size=1 < photo.png", "size"),
        (f"instyle segment - {SEGMENT} </dev/null", "standard input is empty"),
    ],
)
def test_what_cannot_be_piped(studio: Studio, piped: Pipe, line: str, words: str) -> None:
    studio.spec()
    before = listing(studio.folder)
    status, out, err = piped(line)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert words in err
    assert listing(studio.folder) == before


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
    line = "instyle pipeline validate spec.yaml --set content=- < photo.png"
    assert piped(line) == (0, "spec.yaml: fine (1 object of standard input)\n", "")


@pytest.mark.parametrize("option", ["-o", "--mask", "--cutout"])
def test_segment(studio: Studio, piped: Pipe, instyle: Command, option: str) -> None:
    use = ("--use", STENCIL)
    done = instyle("segment", "photo.png", *use, option, "file.png")
    table, name = done.out.splitlines()[:-1], done.out.splitlines()[-1]
    assert (done.status, name) == (0, "file.png")
    status, out, err = piped(f"cat photo.png | instyle segment - {SEGMENT} {option} - > piped.png")
    assert (status, out) == (0, "")
    assert err.splitlines() == table
    found = listing(studio.folder)
    assert found["piped.png"] == found["file.png"]


def test_segment_of_a_pipe_writes_only_what_it_is_told(studio: Studio, piped: Pipe) -> None:
    before = listing(studio.folder)
    status, out, err = piped(f"instyle segment - {SEGMENT} --json < photo.png")
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
    status, out, err = piped(f"instyle style rank - {shlex.join(options)} < photo.png")
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads(expected)
