"""What keeps the project in touch with its template."""
