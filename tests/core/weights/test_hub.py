"""Files of the Hugging Face hub: downloaded and verified; and every way in which that can fail."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from instyle_core import WeightsError, fetch, fetch_from_hub
from instyle_core.weights.fetch import locate, verify
from instyle_core.weights.hub import git_blob_id, hub_weights, is_as_told, told_files
from tests.core.helpers.hub import COMMIT, Hub, hub_of_this_machine
from tests.core.helpers.weights_server import arrived

BODY = bytes(range(256)) * 4096  # 1 MiB, which is several chunks
ASKED = "/user/net/resolve/main/model.safetensors"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub_of_this_machine(monkeypatch) as hub:
        hub.add("user/net", BODY)
        yield hub


def fetched(
    repository: str = "user/net", revision: str = "main", file: str = "model.safetensors"
) -> Path:
    return fetch_from_hub(repository, file, revision)


def files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in arrived(folder)]


def refused(
    cache: Path, repository: str = "user/net", file: str = "model.safetensors"
) -> WeightsError:
    """The error of what must fail, leave nothing behind, and say how to help oneself."""
    with pytest.raises(WeightsError) as caught:
        fetched(repository, file=file)
    error = caught.value
    assert files(cache) == []
    assert error.exit_status == 3
    assert error.where
    place = cache / "hub" / f"{repository.replace('/', '--')}--main" / file
    assert str(place) in str(error.hint)
    return error


# --- downloads that work --------------------------------------------------------------------------


def test_is_downloaded_once(hub: Hub, cache: Path) -> None:
    path = fetched()
    assert path == cache / "hub" / "user--net--main" / "model.safetensors"
    assert path.read_bytes() == BODY
    assert hub.asked == [("HEAD", ASKED), ("GET", ASKED)]
    assert fetched() == path
    assert len(hub.asked) == 2
    assert files(cache) == ["hub/user--net--main/model.safetensors"]


def test_revisions_are_kept_apart(hub: Hub) -> None:
    hub.add("user/net", BODY[::-1], revision=COMMIT)
    assert fetched(revision=COMMIT).read_bytes() == BODY[::-1]
    assert fetched().read_bytes() == BODY
    assert ("HEAD", f"/user/net/resolve/{COMMIT}/model.safetensors") in hub.asked


def test_repositories_are_kept_apart(hub: Hub) -> None:
    hub.add("user/other.net", BODY[::-1])
    hub.add("us.er/net", BODY[:9])
    paths = [fetched(), fetched("user/other.net"), fetched("us.er/net")]
    assert len({*paths}) == 3
    assert [path.read_bytes() for path in paths] == [BODY, BODY[::-1], BODY[:9]]


def test_a_small_file(hub: Hub, cache: Path) -> None:
    """Of these the hub tells what git calls them."""
    hub.add("user/net", b'{"size": 384}', file="config.json")
    path = fetched(file="config.json")
    assert path == cache / "hub" / "user--net--main" / "config.json"
    assert path.read_bytes() == b'{"size": 384}'
    assert [method for method, _ in hub.asked] == ["HEAD", "GET"]


def test_what_git_calls_a_file(tmp_path: Path) -> None:
    """As ``git hash-object`` says it of two contents."""
    path = tmp_path / "file"
    for content, name in (
        (b"", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        (b"test content\n", "d670460b4b4aece5915caf5c68d12f560a9fe3e4"),
    ):
        path.write_bytes(content)
        assert git_blob_id(path) == name


def test_progress_counts_bytes(hub: Hub) -> None:
    seen: list[tuple[int, int | None]] = []
    fetch_from_hub("user/net", "model.safetensors", on_progress=lambda *at: seen.append(at))
    assert len({done for done, _ in seen}) > 2
    assert seen[-1] == (len(BODY), len(BODY))


def test_another_hub_is_named_by_the_environment(hub: Hub, cache: Path) -> None:
    code = "import instyle_core; instyle_core.fetch_from_hub('user/net', 'model.safetensors')"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=120, check=True)
    assert files(cache) == ["hub/user--net--main/model.safetensors"]
    assert len(hub.asked) == 2


# --- downloads that fail --------------------------------------------------------------------------


def test_other_bytes(hub: Hub, cache: Path) -> None:
    hub.answer = "lie"
    assert "this is not the file 'user/net' that was published" in refused(cache).what
    assert len(hub.asked) == 2  # and it is not tried again


@pytest.mark.parametrize("answer", ["lie", "break", "404"])
def test_a_small_file_that_cannot_be_had(hub: Hub, cache: Path, answer: str) -> None:
    hub.add("user/net", b'{"size": 384}', file="config.json")
    hub.answer = answer
    error = refused(cache, file="config.json")
    if answer == "lie":
        assert "this is not the file 'user/net' that was published: its hash is" in error.what


def test_connection_breaks_off(hub: Hub, cache: Path) -> None:
    hub.answer = "break"
    assert "IncompleteRead" in refused(cache).what
    assert len(hub.asked) == 1 + 3


@pytest.mark.parametrize("status", ["404", "403", "500"])
def test_the_storage_refuses(hub: Hub, cache: Path, status: str) -> None:
    hub.answer = status
    assert f"the server answered {status}" in refused(cache).what


def test_no_such_repository(hub: Hub, cache: Path) -> None:
    error = refused(cache, "user/nothing")
    assert error.what.startswith("the hub could not be asked for 'user/nothing': ")
    assert "404" in error.what
    assert "\n" not in error.what
    assert error.where == f"{hub.url}/user/nothing/resolve/main/model.safetensors"


@pytest.mark.parametrize("name", ["a/b/c", "no spaces", "-"])
def test_a_name_that_is_none(hub: Hub, cache: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="could not be asked for") as caught:
        fetched(name)
    assert caught.value.where == f"{name}/model.safetensors"
    assert hub.asked == []
    assert files(cache) == []


def test_the_server_is_gone(hub: Hub, cache: Path) -> None:
    hub.close()
    error = refused(cache)
    assert "Connection refused" in error.what
    assert "check name and network" in str(error.hint)


def test_an_error_without_words(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(url: str) -> None:
        raise TimeoutError

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", time_out)
    assert refused(cache).what == "the hub could not be asked for 'user/net': TimeoutError"


def test_a_file_without_a_hash_is_not_taken(hub: Hub, cache: Path) -> None:
    hub.hashed = False
    error = refused(cache)
    assert "tells no hash of model.safetensors" in error.what
    assert [method for method, _ in hub.asked] == ["HEAD"]


# --- weights whose hash is known beforehand -------------------------------------------------------


def test_a_record(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one and the same file, whoever fetches it first."""
    monkeypatch.setenv("HF_ENDPOINT", f"{hub.url}/")
    hub.add("user/net", BODY, revision=COMMIT)
    about = {"name": "net", "megabytes": 1, "license": "MIT", "summary": "A network."}
    weights = hub_weights("user/net", COMMIT, sha256=hashlib.sha256(BODY).hexdigest(), **about)
    assert weights.url == f"{hub.url}/user/net/resolve/{COMMIT}/model.safetensors"
    assert locate(weights) is None
    path = fetch(weights)
    assert path == cache / "hub" / f"user--net--{COMMIT}" / "model.safetensors"
    verify(weights)
    asked = len(hub.asked)
    assert fetched(revision=COMMIT) == path
    assert len(hub.asked) == asked
    other = hub_weights("user/net", COMMIT, sha256="0" * 64, **about)
    path.unlink()
    with pytest.raises(WeightsError, match="this is not the file 'net' that was published"):
        fetch(other)
    assert files(cache) == []


def test_the_usual_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    weights = hub_weights(
        "user/net", COMMIT, name="n", sha256="0" * 64, megabytes=1, license="MIT", summary=""
    )
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://huggingface.co")
    template = "https://huggingface.co/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
    theirs = huggingface_hub.hf_hub_url("user/net", "model.safetensors", revision=COMMIT)
    assert weights.url == theirs


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_damaged_download_is_downloaded_again(hub: Hub, file: str) -> None:
    hub.add("user/net", BODY, file=file)
    path = fetched(file=file)
    path.write_bytes(bytes(1000) + BODY[1000:])
    assert not is_as_told(path)
    assert fetched(file=file).read_bytes() == BODY
    assert is_as_told(path)
    assert [method for method, _ in hub.asked] == ["HEAD", "GET"] * 2


def test_a_damaged_download_is_told_offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    path = fetched()
    path.write_bytes(BODY[:-1])
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"not the hash that \.model"):
        fetched()
    assert told_files() == [path]


@pytest.mark.parametrize("note", [b"", b"0" * 64, b"\xff", b"x" * 64])
def test_a_damaged_note_counts_as_damage(hub: Hub, note: bytes) -> None:
    path = fetched()
    path.with_name(".model.safetensors.hash").write_bytes(note)
    assert not is_as_told(path)
    fetched()
    assert is_as_told(path)


def test_a_file_saved_by_hand_is_trusted(hub: Hub, cache: Path) -> None:
    path = cache / "hub" / "user--net--main" / "model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"by hand")
    assert fetched().read_bytes() == b"by hand"
    assert hub.asked == []
    assert told_files() == []


# --- repositories that not everybody may see ------------------------------------------------------


def test_a_gated_repository(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.tokens = ("hf_mine",)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    assert fetched().read_bytes() == BODY
    assert dict(hub.shown) == {ASKED: "Bearer hf_mine", f"/storage{ASKED}": None}


def test_a_gated_repository_with_the_token_of_a_login(hub: Hub, tmp_path: Path) -> None:
    hub.tokens = ("hf_login",)
    (tmp_path / "token").write_text("hf_login\n")
    code = "import instyle_core; instyle_core.fetch_from_hub('user/net', 'model.safetensors')"
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN_PATH": str(tmp_path / "token")}
    subprocess.run([sys.executable, "-c", code], env=environment, timeout=120, check=True)
    assert ("GET", ASKED) in hub.asked


@pytest.mark.parametrize("token", [None, "hf_old"])
def test_a_gated_repository_without_the_right_token(
    hub: Hub, cache: Path, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.tokens = ("hf_mine",)
    error = refused(cache)
    assert "401" in error.what
    assert f"accept the terms at {hub.url}/user/net, and run `hf auth login`" in str(error.hint)


def test_certificates_that_are_not_there(
    hub: Hub, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.close()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    assert f"SSL_CERT_FILE={tmp_path / 'none.pem'} names no file" in refused(cache).what


# --- without a download ---------------------------------------------------------------------------


def test_offline(hub: Hub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTYLE_OFFLINE", "1")
    error = refused(cache)
    assert "INSTYLE_OFFLINE forbids" in error.what
    assert hub.asked == []
    by_hand = Path(str(error.where))
    by_hand.parent.mkdir(parents=True)
    by_hand.write_bytes(b"by hand")
    assert fetched() == by_hand
    assert hub.asked == []


def test_import_is_light() -> None:
    code = (
        "import sys, instyle_core.weights.hub; "
        "print({'torch', 'huggingface_hub', 'requests', 'pooch'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "set()"
