"""One module per command: parse the arguments, call the stages, print, choose the exit code."""
