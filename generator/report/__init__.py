"""Reports on one environment: the reviewer's page beside the template, its bill, tables and charts."""
