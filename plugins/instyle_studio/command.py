"""``instyle studio``, the command."""

from __future__ import annotations

from pathlib import Path

import click

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("photo", type=click.Path(path_type=Path), required=False)
@click.option(
    "--styles",
    "folders",
    type=_FOLDER,
    multiple=True,
    metavar="FOLDER",
    help="A folder of style pictures to choose from; may be repeated.",
)
@click.option(
    "--session",
    type=_FOLDER,
    metavar="FOLDER",
    help="Keep everything here, and find it again the next time.  [default: a temporary folder]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="The port to listen on; 0 for any.  [default: 8017, or any if that is taken]",
)
@click.option("--no-browser", is_flag=True, help="Open no browser; the address is printed.")
@click.option("--api-only", is_flag=True, help="Serve programs: the HTTP API without the page.")
def studio(
    photo: Path | None,
    folders: tuple[Path, ...],
    session: Path | None,
    host: str,
    port: int | None,
    no_browser: bool,
    api_only: bool,
) -> None:
    """Point, choose, watch, compare: a page to repaint photos with, on this machine alone.

    Ctrl-C ends it. The address has a secret token in it, without which the server answers nobody.
    """
    from instyle_core import InstyleError

    try:
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]
        raise InstyleError(
            f"the studio needs the package '{package}'", hint="pip install 'instyle[studio]'"
        ) from error
    from instyle_studio.server import serve

    serve(
        photo=photo,
        folders=folders,
        folder=session,
        host=host,
        port=port,
        browser=not (no_browser or api_only),
        page=not api_only,
    )
