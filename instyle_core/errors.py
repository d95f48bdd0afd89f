"""What can go wrong, said for people: what is wrong, where, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path


class InstyleError(Exception):
    """An error that the user can act on; the command line shows it without a traceback.

    Args:
        what: one sentence, what is wrong.
        where: the file, line, option or object that it is about.
        hint: what to do next.
    """

    #: Exit status of the command line.
    exit_status = 1

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.hint})" if self.hint else text


class InputError(InstyleError):
    """Wrong usage, a wrong spec, or a picture or mask that cannot be used."""

    exit_status = 2


class SpecError(InputError):
    """Everything that is wrong with a spec, at once."""

    def __init__(self, problems: Sequence[InputError]) -> None:
        count = len(problems)
        super().__init__(f"the spec has {count} error{'s' if count != 1 else ''}")
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([self.what, *(str(problem) for problem in self.problems)])


class WeightsError(InstyleError):
    """Weights are missing, could not be downloaded, or are not what they should be."""

    exit_status = 3


class CacheWarning(UserWarning):
    """Something cannot be kept for the next run. This run goes on, only slower."""


class PluginError(InstyleError):
    """A plugin did not keep a promise of its interface.

    Args:
        who: the plugin, such as ``the loss 'sepia' of instyle-sepia 0.1.0``.
        what: what it did; with what it returned, and what is promised.
    """

    def __init__(self, who: str, what: str) -> None:
        hint = "tell its authors; `--debug` shows the traceback"
        super().__init__(f"{who} is broken: {what}", hint=hint)


class DivergedError(InstyleError):
    """The optimization stopped at a loss that is no number or has exploded."""


class RescuedRun(InstyleError):
    """The files of a run could not be written to their places, and are elsewhere.

    Args:
        error: why.
        output: where the picture should be.
        saved: where it is, in a folder with the rest.
    """

    def __init__(self, error: BaseException, output: Path, saved: Path) -> None:
        reason = error.what if isinstance(error, InstyleError) else first_line(error)
        hint = f"nothing is lost: it is {saved}, and all other files of the run are beside it"
        super().__init__(
            f"the picture is done, but is not here: {reason}", where=str(output), hint=hint
        )
        self.saved = saved


class InterruptedRun(InstyleError):
    """The user stopped the run; the best so far has been saved."""

    exit_status = 130


def did_you_mean(name: str, names: Iterable[str], *, most: int = 3) -> str:
    """A hint for a name that there is not: ``did you mean 'a' or 'b'?``; empty if none is near.

    Args:
        name: what was asked for.
        names: what there is.
        most: how many of the near ones to tell.
    """
    from difflib import get_close_matches

    near = get_close_matches(name, list(names), most)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else ""


def first_line(error: BaseException) -> str:
    """The first line of what an exception says; the name of its type if it says nothing."""
    return next(iter(text_of(error).splitlines()), "") or type(error).__name__


def described(error: BaseException) -> str:
    """The type of an exception and what it says, in one line."""
    text = " ".join(text_of(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """What an exception says; nothing if it fails at that, as those of plugins may."""
    try:
        return str(error)
    except Exception:
        return ""
