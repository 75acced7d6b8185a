"""``pocketsr report``: one page that compares evaluations, with everything inside it."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("records", nargs=-1, required=True, metavar="RUN.json...", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Page to write, such as report.html."
)
@click.option("--markdown", type=click.Path(path_type=Path), help="Write the tables as Markdown, too.")
@click.option("--title", default="", help="Of the page  [default: the models' names].")
def command(records: tuple[Path, ...], output: Path, markdown: Path | None, title: str) -> None:
    """Compare evaluations on one page that needs no network, RUN.json being records of `pocketsr evaluate -o`.

    The first record is what the others are compared with. Records of different scales stand apart. Outputs are shown
    side by side where they were kept (`pocketsr evaluate --save`). The paths written go to stdout, notes to stderr;
    files that are there are replaced.
    """
    from pocketsr.image import replacing
    from pocketsr.report import compare, load_runs, make_markdown, make_page

    targets = [output] if markdown is None else [output, markdown]
    inputs = {path.resolve() for path in records}
    for target in targets:
        if target.resolve() in inputs:
            raise click.UsageError(f"{target} is one of the records; name another file to write")
        if not target.absolute().parent.is_dir():
            raise click.UsageError(f"there is no folder for {target}")
    if len({target.resolve() for target in targets}) < len(targets):
        raise click.UsageError("the page and the Markdown need names of their own")
    comparisons = compare(load_runs(records))
    page = make_page(comparisons, title=title)
    texts = [page.html] if markdown is None else [page.html, make_markdown(comparisons, title=title)]
    for target, text in zip(targets, texts, strict=True):
        with replacing(target, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
        click.echo(target)
    for note in page.notes:
        click.echo(f"note: {note}", err=True)
