"""The environment is cleaned before the application is imported, which reads its settings then."""

from tests.environment import clean_environment

clean_environment()
