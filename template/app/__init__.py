import app.moved  # noqa: F401 (supports module names from before 0.4.0, until 0.6.0)
