"""What is said about a connection that fails; and to whom the user's token is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from instyle_core.errors import WeightsError
from instyle_core.weights.download import download
from instyle_core.weights.fetch import fetch
from tests.core.helpers.hub import Hub
from tests.core.helpers.weights_server import WeightsServer, files, weights_of

HTTPS = "https://127.0.0.1:9/net.bin"  # a port at which nobody answers

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "HF_ENDPOINT")


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def refused(url: str, cache: Path) -> WeightsError:
    def check(path: Path) -> None:
        path.stat()

    with pytest.raises(WeightsError, match="could not be downloaded") as caught:
        download("net", url, cache / "net.bin", check, None, digest="0", megabytes=1)
    assert files(cache) == []
    assert "\n" not in caught.value.what
    assert caught.value.where == url
    return caught.value


@pytest.mark.parametrize("name", VARIABLES[:4])
def test_certificates_that_are_not_there(
    name: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    error = refused(HTTPS, cache)
    assert f"{name}={tmp_path / 'none.pem'} names no file" in error.what
    assert "room" not in str(error)


def test_certificates_that_are_there_are_not_blamed(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", __file__)
    assert "SSL_CERT_FILE" not in refused(HTTPS, cache).what


@pytest.mark.parametrize("proxy", ["http://me:secret@", "foo://me:secret@127.0.0.1", "http://[:1"])
def test_a_proxy_that_is_none(proxy: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    assert "the proxy is that of HTTPS_PROXY" in refused(HTTPS, cache).what


def test_the_password_of_a_proxy_is_not_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@127.0.0.1:9")
    error = refused(HTTPS, cache)
    assert "the proxy is that of HTTPS_PROXY: http://127.0.0.1:9" in error.what
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "url", ["hub.example/net", "", "ftp://127.0.0.1/net", "http://", "http://[::1", "http://a b/"]
)
def test_an_address_that_is_none(url: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried again: each pause would raise."""
    monkeypatch.setattr("instyle_core.weights.download._PAUSES_S", (None,))
    refused(url, cache)


def test_a_hub_that_is_none(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "hub.example")
    error = refused("hub.example/user/net/resolve/main/a", cache)
    assert "HF_ENDPOINT=hub.example is no address" in error.what


# --- the token ------------------------------------------------------------------------------------


def test_a_token_is_for_the_hub_alone(
    hub: Hub, server: WeightsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not for the storage that it leads to, and not for another server."""
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    hub.add("user/net", server.body)
    hub.tokens = ("hf_mine",)
    path = "/user/net/resolve/main/model.safetensors"
    weights = weights_of(server, url=f"{hub.url}{path}")
    assert fetch(weights).read_bytes() == server.body
    assert hub.shown == [(path, None), (path, "Bearer hf_mine"), (f"/storage{path}", None)]
    server.answers = ("401",)
    with pytest.raises(WeightsError, match="401"):
        fetch(weights_of(server, file="other.bin"))
    assert server.tokens == [None]


def test_where_no_token_is_needed_none_is_shown(
    hub: Hub, server: WeightsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    hub.add("user/net", server.body)
    fetch(weights_of(server, url=f"{hub.url}/user/net/resolve/main/model.safetensors"))
    assert {token for _, token in hub.shown} == {None}


@pytest.mark.parametrize("token", [None, "hf_old"])
def test_without_the_right_token_it_is_said_what_to_do(
    token: str | None, hub: Hub, server: WeightsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    hub.add("user/net", server.body)
    hub.tokens = ("hf_mine",)
    with pytest.raises(WeightsError, match="answered 401") as caught:
        fetch(weights_of(server, url=f"{hub.url}/user/net/resolve/main/model.safetensors"))
    hint = str(caught.value.hint)
    assert f"accept the terms at {hub.url}/user/net, " in hint
    assert "hf auth login" in hint
    assert caught.value.exit_status == 3
