"""The command line: one file per verb, each loaded only when it is called.

Data goes to stdout, words to stderr. Every error a user can cause or cure is one line that begins with ``error:``.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 done from a damaged input, 130 stopped by Ctrl-C, 143 by termination.
"""

from __future__ import annotations

import errno
import importlib
import unicodedata
from typing import Any, NamedTuple, NoReturn

import click

from pocketsr.cli.process import ended_by_signals, prepare_streams
from pocketsr.errors import PocketsrError, SettingError, UnknownNameError


class Verb(NamedTuple):
    """One verb: the module whose ``command`` does it, and its line in the list of verbs."""

    module: str
    summary: str


#: Every verb. The module is imported only when its verb is called, so that a start stays quick.
VERBS: dict[str, Verb] = {
    "upscale": Verb("pocketsr.cli.upscale", "Make images larger."),
    "video": Verb("pocketsr.cli.video", "Make a video larger."),
    "models": Verb("pocketsr.cli.models", "List the models that come with pocketsr."),
    "evaluate": Verb("pocketsr.cli.evaluate", "Judge a model on folders of ground truth."),
    "reproduce": Verb("pocketsr.cli.reproduce", "Print a paper's table beside our own figures."),
    "score": Verb("pocketsr.cli.score", "Score a PSNR at a runtime as a challenge does."),
    "bench": Verb("pocketsr.cli.bench", "Time models on this machine, beside what it could do."),
    "predict": Verb("pocketsr.cli.predict", "Predict a network's time from its operators."),
    "report": Verb("pocketsr.cli.report", "Make one page that compares evaluations."),
    "train": Verb("pocketsr.cli.train", "Train a network from a recipe."),
    "ablate": Verb("pocketsr.cli.ablate", "Train the arms of a paper's comparison and print its table."),
    "protocols": Verb("pocketsr.cli.protocols", "What figures mean, and how far two protocols are apart."),
    "compress": Verb("pocketsr.cli.compress", "Distil, prune and quantise a network, step by measured step."),
    "export": Verb("pocketsr.cli.export", "Write a trained network as a checked model file."),
    "verify": Verb("pocketsr.cli.verify", "Check a model file against the network it was made from."),
    "sensitivity": Verb("pocketsr.cli.sensitivity", "Say where in a network 8 bits hurt."),
    "import": Verb("pocketsr.cli.import_", "Turn a public checkpoint into a network of ours."),
    "networks": Verb("pocketsr.cli.networks", "List every network, or show one layer by layer."),
}


class VerbGroup(click.Group):
    """Loads verbs when they are called, and turns errors into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the list above."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the verb's module; None where there is no such verb."""
        del ctx
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command: click.Command = importlib.import_module(verb.module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.summary) for name, verb in VERBS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the options before the verb."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            _refuse_usage(error, ctx)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        prepare_streams()
        try:
            with ended_by_signals():
                return super().invoke(ctx)
        except click.UsageError as error:
            _refuse_usage(error, ctx)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            ctx.exit(130)
        except (PocketsrError, MemoryError, OSError) as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # the reader of our output went away; click ends quietly
            show_error(error)
            ctx.exit(2 if isinstance(error, SettingError | UnknownNameError) else 1)


@click.group(cls=VerbGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="pocketsr")
def main() -> None:
    """Image super-resolution for the hardware people have: a laptop CPU, a phone NPU, a browser."""


def show_error(error: BaseException) -> None:
    """Print an error on one line of stderr."""
    if isinstance(error, MemoryError) and not str(error):
        words = "not enough memory"
    else:
        words = " ".join(str(error).split()) or type(error).__name__
    click.echo(f"error: {_without_controls(words)}", err=True)


def _without_controls(words: str) -> str:
    """Names of files and texts in them may hold what moves a terminal's cursor or colours it."""
    return "".join(sign if unicodedata.category(sign) != "Cc" else "?" for sign in words)


def _refuse_usage(error: click.UsageError, context: click.Context) -> NoReturn:
    """Print a wrong usage on one line, with the command that shows the right one, and end."""
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # since click 8.2
        raise error  # shows the help
    path = (error.ctx or context).command_path
    words = " ".join(error.format_message().split()).removesuffix(".")
    click.echo(f"error: {words[:1].lower()}{words[1:]}; see {path} --help", err=True)
    context.exit(2)
