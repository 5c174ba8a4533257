"""Run the command: `python -m generator`, and the console script `generator`."""

import os
import sys


def main() -> None:
    """Run the command with few garbage collections, already while click is imported."""
    from generator._runtime import few_collections, skip_final_collection

    skip_final_collection()
    with few_collections():
        from generator.cli.main import main as command

        command()


if __name__ == "__main__":
    # Python puts the current folder first on its path. A yaml.py of the folder to check must not be imported.
    if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
        del sys.path[0]
    main()
