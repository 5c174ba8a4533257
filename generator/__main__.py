"""`python -m generator` is the same as the console script `generator`."""

from generator.cli.main import main

if __name__ == "__main__":
    main()
