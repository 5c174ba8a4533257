"""Environment files: schema, defaults, validation and overrides."""
