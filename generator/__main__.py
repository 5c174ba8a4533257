"""`python -m generator` is the same as the console script `generator`."""

import os
import sys

if __name__ == "__main__":
    # Python puts the current folder first on its path. A yaml.py of the folder to check must not be imported.
    if not sys.flags.safe_path and sys.path[0] != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
        del sys.path[0]
    from generator.cli.main import main

    main()
