"""`generator rules`: list this project's cfn-lint rules, which work on any template."""

from __future__ import annotations

import click

from generator.checks import rules


@click.command(
    epilog='Example: generator rules --path, used as: cfn-lint template.yaml -a "$(generator rules --path)"',
)
@click.option("--path", is_flag=True, help="Print only the folder to pass to cfn-lint -a.")
def command(path: bool) -> None:
    """List this project's cfn-lint rules: id, severity and what each one checks."""
    if path:
        click.echo(rules.folder())
        return
    from cfnlint.helpers import load_plugins

    for rule in sorted(load_plugins(str(rules.folder())), key=lambda rule: rule.id[1:]):
        settings = ", ".join(f"{name}={setting['default']}" for name, setting in rule.config_definition.items())
        click.echo(f"{rule.id}  {rule.severity:<8} {rule.shortdesc}{f'  (-x: {settings})' if settings else ''}")
