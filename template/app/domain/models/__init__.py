"""Every module of this package is imported here, so that `Base.metadata` knows every table."""

from app.discovery import modules_of

modules_of(__name__)
