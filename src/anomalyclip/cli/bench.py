"""`anomalyclip bench`: the options and their meaning; :mod:`anomalyclip.bench` measures."""

from __future__ import annotations

import click

from anomalyclip.cli._declared import Given, verb
from anomalyclip.errors import ConfigError


@verb("bench")
def app(given: Given) -> None:
    """Time every way to run a model side by side, and say what each costs in accuracy and memory.

    The variant `reference` restates the authors' computation; ratios are to it, measured in the same rounds.
    """
    if given.detect_images == 1:
        raise ConfigError("--detect-images 1 gives no rate: take 2 or more, or 0 for none")
    from anomalyclip.cli._address_space import check_address_space

    check_address_space(None, "export")
    from anomalyclip.bench.files import write_bench
    from anomalyclip.bench.report import markdown
    from anomalyclip.bench.run import Plan, run_bench
    from anomalyclip.bench.variants import parse_variants
    from anomalyclip.cli._console import note

    chosen = {
        "variants": parse_variants(given.variants, given.model),
        "image_sizes": given.image_sizes or (None,),
        "threads": given.threads or (None,),
    }
    record = run_bench(Plan(**given.all_but("output") | chosen), note).record()
    click.echo(markdown(record), nl=False)
    if given.output is not None:
        for path in write_bench(given.output, record):
            note(f"wrote {path}")
