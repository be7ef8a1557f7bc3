import app.moved  # noqa: F401 (imports by the names of before 0.4.0)
