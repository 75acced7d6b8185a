"""``pocketsr import``: a public checkpoint of someone else becomes a network of ours."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--network", help="The network it must be [default: recognised from its keys].")
@click.option("--scale", type=click.IntRange(2, 4), help="Its scale, where the weights do not tell or hold several.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [default: FILE.safetensors].")
@click.option("--overwrite", is_flag=True, help="Replace the output if it is there.")
def command(file: Path, network: str | None, scale: int | None, output: Path | None, overwrite: bool) -> None:
    """Turn FILE, a public checkpoint, into a network of ours.

    Reads .safetensors, .pth and .pt without running any code in them. The result is what `pocketsr export` and
    `pocketsr evaluate` take.
    """
    from pocketsr.cli.torch import import_torch

    import_torch()
    from pocketsr.errors import OutputExistsError
    from pocketsr.importing import import_checkpoint
    from pocketsr.networks.saved import save_network

    output = output or file.with_suffix(".safetensors")
    if output.suffix != ".safetensors":
        raise click.UsageError(f"the output is a .safetensors file, not {output.name}: other verbs go by the ending")
    if output.exists() and (not overwrite or (file.exists() and output.samefile(file))):
        raise OutputExistsError(f"{output} is there already; choose another with -o, or add --overwrite")
    imported = import_checkpoint(file, network=network, scale=scale)
    source = f"{imported.source.name} of {imported.source.repository}"
    save_network(imported.network, output, name=imported.name, options=imported.options, source=source)
    count = sum(parameter.numel() for parameter in imported.network.parameters())
    words = ", ".join(f"{key}={value}" for key, value in imported.options.items())
    click.echo(f"recognised {source}: {imported.name} ({words}), {count:,} parameters", err=True)
    if imported.ignored:
        click.echo(f"left out on purpose: {', '.join(imported.ignored)}", err=True)
    if imported.source.note:
        click.echo(f"note: {imported.source.note}", err=True)
    click.echo(output)
