"""The commands that keep the project in touch with its template."""
