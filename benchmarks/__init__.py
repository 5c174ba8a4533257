"""Time and memory of the commands, beside other programs measured in the same run."""
